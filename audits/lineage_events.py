"""What the gate tells lineage of a decision: a run of the job ``gate/{model}`` as OpenLineage events. Pure.

The run reads the model version and the evaluation data and writes a report; no edge leads back to the model, which
would close a cycle. The mention of the model carries no facets: what a model is, its producer says, and what the gate
was asked about must never become evidence for the next answer (``lineage.subjects``).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.clock import rfc3339
from governance.types.decision import CheckOutcome, Decision
from governance.types.manifest import Manifest
from governance.types.results import CheckStatus
from lineage.facets import CORE, GATE_JOB, SPEC
from lineage.identity import MAX_NAME, name_fault
from policies.assertions import CHECKS, assertions_of

RUN_EVENT = f"{CORE}#/$defs/RunEvent"

_STANDARD = {
    "jobType": "2-0-4/JobTypeJobFacet",
    "datasetType": "1-0-1/DatasetTypeDatasetFacet",
    "dataQualityAssertions": "1-1-0/DataQualityAssertionsDatasetFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
    "test": "1-0-1/TestRunFacet",
}
_OWN = {
    "assay_decision": "1-0-0/AssayDecisionRunFacet",
    "assay_deployment": "1-0-0/AssayDeploymentRunFacet",
    "assay_traffic": "1-0-0/AssayTrafficInputDatasetFacet",
}

_TEST_STATUS = {
    CheckStatus.PASSED: ("pass", "error"),
    CheckStatus.WARNED: ("fail", "warn"),
    CheckStatus.FAILED: ("fail", "error"),
    CheckStatus.WAIVED: ("fail", "warn"),
    CheckStatus.INSUFFICIENT_EVIDENCE: ("skip", "error"),
    CheckStatus.ERROR: ("skip", "error"),
    CheckStatus.NOT_RUN: ("skip", "error"),
    CheckStatus.NOT_APPLICABLE: ("skip", "warn"),
}
"""The standard's ``status`` and ``severity`` for each outcome: ``warn`` where issues would not or did not block."""

_UNANSWERED = frozenset({CheckStatus.ERROR, CheckStatus.NOT_RUN})


@dataclass(frozen=True, slots=True)
class Speaker:
    """In whose name an instance writes events: its namespace, the producer's URI, and the address of its schemas."""

    namespace: str
    producer: str
    public_url: str

    def facet(self, key: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """The facet with its frame; members that are null are left out."""
        return {"_producer": self.producer, "_schemaURL": self._schema(key), **_stated(content)}

    def _schema(self, key: str) -> str:
        if key in _OWN:
            return f"{self.public_url}/spec/facets/{_OWN[key]}.json"
        name = _STANDARD[key]
        return f"{SPEC}facets/{name}.json#/$defs/{name.partition('/')[2]}"


def gate_events(
    speaker: Speaker, decision: Decision, digest: str, manifest: Manifest | None, *, requested_at: datetime
) -> list[bytes]:
    """The events of the run that took the decision: its start, and its end with everything that came out.

    A deny is COMPLETE, since the audit did its work; FAIL says that nothing could be examined. ``digest`` is that of
    the decision. Equal decisions give equal bytes, spelled as openlineage-python spells them, so that a consumer to
    which an event is sent on knows it by the same digest.
    """
    ran = any(outcome.result.status not in _UNANSWERED for outcome in decision.checks)
    began = min(requested_at, decision.evaluated_at)
    start = _frame(speaker, decision, "START", began)
    end = _frame(speaker, decision, "COMPLETE" if ran else "FAIL", decision.evaluated_at) | {
        "run": {"runId": decision.decision_id, "facets": _run_facets(speaker, decision, digest, manifest, ran=ran)},
        "inputs": [*_model(decision), *_data(speaker, decision, manifest)],
        "outputs": [_report(speaker, decision)],
    }
    return [json.dumps(event, sort_keys=True).encode("ascii") for event in (start, end)]


def _frame(speaker: Speaker, decision: Decision, event_type: str, instant: datetime) -> dict[str, Any]:
    job_type = speaker.facet("jobType", {"processingType": "BATCH", "integration": "ASSAY", "jobType": GATE_JOB})
    return {
        "eventType": event_type,
        "eventTime": rfc3339(instant),
        "producer": speaker.producer,
        "schemaURL": RUN_EVENT,
        "run": {"runId": decision.decision_id, "facets": {}},
        "job": {
            "namespace": speaker.namespace,
            "name": fitting(f"gate/{decision.subject.name}"),
            "facets": {"jobType": job_type},
        },
        "inputs": [],
        "outputs": [],
    }


def _run_facets(
    speaker: Speaker, decision: Decision, digest: str, manifest: Manifest | None, *, ran: bool
) -> dict[str, Any]:
    reasons = "; ".join(reason.message for reason in decision.reasons) or "No check could be carried out."
    failed = {"message": reasons, "programmingLanguage": "Python"}
    dataset = manifest.dataset if manifest else None
    decided = {
        "decisionId": decision.decision_id,
        "decisionDigest": digest,
        "verdict": decision.verdict.value,
        "mode": decision.mode,
        "environment": decision.environment,
        "subjectDigest": decision.subject.digest,
        "datasetDigest": dataset.digest if dataset else None,
        "policy": decision.policy.document() if decision.policy else None,
        "validUntil": rfc3339(decision.valid_until) if decision.valid_until else None,
        "reasons": [reason.code for reason in decision.reasons],
    }
    facets = {
        "test": speaker.facet("test", {"tests": [_test(outcome) for outcome in decision.checks]}),
        "assay_decision": speaker.facet("assay_decision", decided),
    }
    return facets if ran else facets | {"errorMessage": speaker.facet("errorMessage", failed)}


def _test(outcome: CheckOutcome) -> dict[str, Any]:
    """One check in the standard's words; what it has no word for is in ``params``."""
    result = outcome.result
    status, severity = _TEST_STATUS[result.status]
    told = {
        "name": outcome.id,
        "status": status,
        "severity": severity,
        "type": outcome.id,
        "description": f"{outcome.title}: {result.message}",
        "expected": result.limit,
        "actual": result.observed,
    }
    params = {
        "status": result.status.value,
        "reason": result.reason,
        "policySeverity": outcome.severity.value,
        "n": result.n,
        "measurement": outcome.measurement_digest,
        "origin": outcome.origin.value if outcome.origin else None,
    }
    return _stated({**told, "params": params})


def _model(decision: Decision) -> list[dict[str, Any]]:
    """The model version, without facets."""
    subject = decision.subject
    return _mentioned(subject.namespace, subject.lineage_name, {})


def _data(speaker: Speaker, decision: Decision, manifest: Manifest | None) -> list[dict[str, Any]]:
    dataset = manifest.dataset if manifest else None
    if dataset is None:
        return []
    assertions = list(_assertions(decision.checks))
    facets = {"dataQualityAssertions": speaker.facet("dataQualityAssertions", {"assertions": assertions})}
    return _mentioned(dataset.namespace, dataset.name, facets if assertions else {})


def _mentioned(namespace: str, name: str, input_facets: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The dataset as an input; none where lineage takes no such name, so that no run could have named it."""
    if name_fault(namespace) or name_fault(name):
        return []
    return [{"namespace": namespace, "name": name, "facets": {}, "inputFacets": dict(input_facets)}]


def _assertions(outcomes: Sequence[CheckOutcome]) -> Iterator[dict[str, Any]]:
    """What the checks of data found, as assertions of the standard; one that was not answered asserts nothing."""
    for outcome in outcomes:
        if outcome.id in CHECKS and outcome.result.status not in _UNANSWERED:
            yield from (_stated(assertion) for assertion in assertions_of(outcome.result))


def _stated(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that say something, at any depth: the official client leaves nulls out too."""
    return {
        name: _stated(value) if isinstance(value, Mapping) else value
        for name, value in members.items()
        if value is not None
    }


def _report(speaker: Speaker, decision: Decision) -> dict[str, Any]:
    subject = decision.subject
    kind = speaker.facet("datasetType", {"datasetType": "REPORT", "subType": GATE_JOB})
    name = f"reports/{subject.name}/{subject.version}/{decision.decision_id}"
    return {"namespace": speaker.namespace, "name": fitting(name), "facets": {"datasetType": kind}, "outputFacets": {}}


def fitting(name: str) -> str:
    """The name, or, where lineage takes none like it, what fits of its beginning and the digest of the whole."""
    if name_fault(name) is None:
        return name
    kept = "".join(sign for sign in name[: MAX_NAME - 100] if sign != "\x00" and not "\ud800" <= sign <= "\udfff")
    return f"{kept}~sha256:{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"
