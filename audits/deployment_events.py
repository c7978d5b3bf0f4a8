"""What lineage is told of a deployment: a run of the platform's SERVICE job, one run a revision. Pure.

The mention of the model carries no facets of its own: what a model is, its producer says.
"""

import json
from datetime import datetime
from typing import Any, Literal

from audits.lineage_events import RUN_EVENT, Speaker
from governance.clock import rfc3339
from governance.types.decision import Decision
from governance.types.deployment import DeploymentRequest

DEPLOYMENT_JOB = "MODEL_DEPLOYMENT"
END = {"retired": "COMPLETE", "replaced": "COMPLETE", "rolled_back": "ABORT", "failed": "FAIL"}
"""The event that says how a deployment ended."""

EventType = Literal["START", "COMPLETE", "ABORT", "FAIL"]


def deployment_event(
    speaker: Speaker, run_id: str, asked: DeploymentRequest, decision: Decision, *, event_type: str, at: datetime
) -> bytes:
    """An event of the run ``run_id``: its START at the rollout, or its end.

    Equal values give equal bytes, spelled as openlineage-python spells them.
    """
    deployed = {
        "environment": asked.environment,
        "revision": asked.revision,
        "decisionId": decision.decision_id,
        "policyDigest": decision.policy.digest if decision.policy else None,
    }
    service = {"processingType": "SERVICE", "integration": "ASSAY", "jobType": DEPLOYMENT_JOB}
    endpoint = {"datasetType": "ENDPOINT", "subType": asked.kind.upper()}
    traffic = speaker.facet("assay_traffic", {"percent": asked.traffic_percent})
    event = {
        "eventType": event_type,
        "eventTime": rfc3339(at),
        "producer": speaker.producer,
        "schemaURL": RUN_EVENT,
        "run": {"runId": run_id, "facets": {"assay_deployment": speaker.facet("assay_deployment", deployed)}},
        "job": {
            "namespace": asked.platform_namespace,
            "name": asked.endpoint,
            "facets": {"jobType": speaker.facet("jobType", service)},
        },
        "inputs": [
            _dataset(decision.subject.namespace, decision.subject.lineage_name, inputFacets={"assay_traffic": traffic})
        ],
        "outputs": [
            _dataset(
                asked.platform_namespace,
                f"endpoints/{asked.endpoint}",
                facets={"datasetType": speaker.facet("datasetType", endpoint)},
                outputFacets={},
            )
        ],
    }
    return json.dumps(event, sort_keys=True).encode("ascii")


def _dataset(namespace: str, name: str, **facets: dict[str, Any]) -> dict[str, Any]:
    return {"namespace": namespace, "name": name, "facets": {}, **facets}
