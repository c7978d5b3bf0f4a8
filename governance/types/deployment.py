"""What is asked when a model goes live: which decision lets it, which bytes, and where they will serve."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from governance.types.value import Digest, Name, Value

Endpoint = Annotated[Name, StringConstraints(max_length=1024)]
"""The name of an endpoint; shorter than other names, since lineage puts words before it."""


class DeploymentRequest(Value):
    """A rollout. ``platform_namespace`` is the platform's name in lineage (``k8s://{cluster}/{namespace}``).

    ``kind`` is ``shadow`` where the answers are thrown away. ``traffic_percent`` is the share of the endpoint's
    traffic, from 0 to 100; at 100 whatever served there before is replaced, unless the new one is a shadow.
    """

    decision_id: Name
    digest: Digest
    environment: Name
    platform_namespace: Name
    endpoint: Endpoint
    revision: Name
    kind: Literal["online", "batch", "shadow"] = "online"
    traffic_percent: Annotated[float, Field(ge=0, le=100)] = 100

    @property
    def replaces(self) -> bool:
        """Whether what served at the endpoint before serves no more."""
        return self.traffic_percent == 100 and self.kind != "shadow"


class DeploymentEnd(Value):
    """How a deployment ended: as planned, taken back, or because it failed."""

    how: Literal["retired", "rolled_back", "failed"]
