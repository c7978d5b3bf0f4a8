"""A gate request as CI sends it."""

from typing import Literal

from pydantic import Field

from governance.types.policy import PolicyName
from governance.types.subject import Subject
from governance.types.value import Digest, Name, Remark, Value


class EvidenceReference(Value):
    """A piece of evidence by the digest that its submission answered."""

    digest: Digest


class EvaluationRequest(Value):
    """May this subject go to this environment? ``evidence`` names what is judged, or takes the newest there is."""

    subject: Subject
    environment: Name
    policy: PolicyName | None = None
    evidence: tuple[EvidenceReference, ...] | Literal["latest"] = "latest"
    context: dict[Name, Remark] = Field(default_factory=dict, max_length=32)
    mode: Literal["enforce", "dry_run"] = "enforce"
