"""Every planned check as the decision counts it: found evidence judged, missing evidence named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from audits import store
from audits.plan import Planned, pick, plan
from audits.schemas import with_documents
from audits.tables import EvaluationRow, MeasurementRow
from governance.canonical import canonical, read_json
from governance.check import Check, Facts, Params
from governance.database import Unit
from governance.errors import AssayError
from governance.types.decision import CheckOutcome
from governance.types.evaluation import EvaluationRequest
from governance.types.manifest import Manifest
from governance.types.policy import Policy
from governance.types.results import CheckResult, CheckStatus, Finding, Measurement, Origin
from governance.types.value import Severity, duration
from lineage.view import StoredLineage
from policies.masks import masked, masks_of, shows_values


@dataclass(frozen=True, slots=True)
class Case:
    """What an evaluation judges: its row, its policy and manifest, and the facts that inline checks look at.

    ``tried`` is the digest of the policy where it is only tried beside the one in force.
    """

    row: EvaluationRow
    policy: Policy
    manifest: Manifest | None
    facts: Facts
    tried: str | None = None

    @property
    def faults(self) -> list[dict[str, str]]:
        """Faults of the measurements made for this policy."""
        return [fault for fault in self.row.faults if fault.get("tried") == self.tried]


def case_of(
    unit: Unit, row: EvaluationRow, policy_digest: str, *, tried: str | None = None
) -> tuple[Case, list[Planned]]:
    """What the evaluation judges under a policy, and the plan of its checks."""
    body = EvaluationRequest.model_validate(row.request)
    manifest = store.fetch(unit, row.manifest_digest, Manifest) if row.manifest_digest else None
    policy = with_documents(unit, store.policy(unit, policy_digest), manifest)
    facts = Facts(
        subject=body.subject,
        environment=body.environment,
        evaluated_at=unit.now,
        manifest=manifest,
        lineage=StoredLineage(unit),
    )
    return Case(row, policy, manifest, facts, tried), plan(policy, environment=body.environment)


def stored_for(unit: Unit, planned: Planned, manifest_digest: str) -> list[MeasurementRow]:
    """Measurements of the manifest that fit the check, its version and its measuring parameters."""
    return store.measurements(
        unit,
        manifest_digest=manifest_digest,
        check=planned.check.id,
        version=planned.check.version,
        measured_with=dict(planned.check.measuring_params(planned.params)),
    )


def found(unit: Unit, case: Case, planned: Planned, *, now: datetime) -> MeasurementRow | None:
    """The stored measurement that answers the check; None when it has yet to be made."""
    if case.row.manifest_digest is None or planned.check.place == "inline":
        return None
    rows = stored_for(unit, planned, case.row.manifest_digest)
    return pick(rows, case.policy.evidence, named=case.row.evidence, now=now)


def outcome(unit: Unit, case: Case, planned: Planned, *, now: datetime) -> CheckOutcome:
    """The check's result with the evidence under it; evidence that is absent, stale or broken never passes."""
    row = found(unit, case, planned, now=now)
    digest: str | None = None
    if row is not None:
        digest = row.digest
        result = _hiding(case.facts, _judged_as_stored(planned, store.body_of(unit, row.digest)))
    elif planned.check.place == "inline":
        result, digest = _inline(unit, case, planned)
    else:
        result = _unanswered(unit, case, planned, now=now)
    return CheckOutcome(
        id=planned.check.id,
        title=planned.check.title,
        severity=planned.line.severity,
        reason_planned=planned.reason,
        result=result,
        params=planned.params.document(),
        measurement_digest=digest,
        origin=Origin(row.origin) if row else Origin.MEASURED if digest else None,
        collected_at=row.collected_at if row else now if digest else None,
        signer=row.signer if row else None,
    )


@dataclass(frozen=True, slots=True)
class _Question:
    """A stored measurement, by its bytes, and the check and parameters that it is judged by."""

    check: Check[Any]
    asked: bytes
    body: bytes
    params: Params = field(compare=False)


def _judged_as_stored(planned: Planned, body: bytes) -> CheckResult:
    """The result of a measurement that was read back.

    Judging is pure, so that what was judged before is not judged again when a pipeline asks once more, or asks for
    another environment; the bytes are read from the database each time.
    """
    question = _Question(planned.check, canonical(planned.params.document()), body, planned.params)
    answer = _answer if len(body) > _LARGE else _remembered_answer
    return _judged(planned, partial(answer, question))


_LARGE = 128 * 1024
"""Bytes of a measurement whose result is not kept, so that those that are fit in memory."""


def _answer(question: _Question) -> CheckResult:
    return question.check.judge(Measurement.model_validate(read_json(question.body)), question.params)


_remembered_answer = lru_cache(maxsize=64)(_answer)


def _judged(planned: Planned, judge: Callable[[], CheckResult]) -> CheckResult:
    """What judging gives; the status error where it raises."""
    try:
        return judge()
    except AssayError as fault:
        return _broken(planned, CheckStatus.ERROR, fault.code, fault.message, fault.remedy)


def _hiding(facts: Facts, result: CheckResult) -> CheckResult:
    """The result without values that lineage knows to be personal; evidence made beside the data may show them."""
    return masked(result, masks_of(facts, {})) if shows_values(result) else result


def _inline(unit: Unit, case: Case, planned: Planned) -> tuple[CheckResult, str | None]:
    try:
        measurement = planned.check.measure(case.facts, planned.params)
    except AssayError as fault:
        return _broken(planned, CheckStatus.ERROR, fault.code, fault.message, fault.remedy), None
    # Inline measurements belong to the moment of the decision; they are kept as documents and never reused.
    digest = store.keep(unit, "measurement", measurement)
    return _judged(planned, partial(planned.check.judge, measurement, planned.params)), digest


def _unanswered(unit: Unit, case: Case, planned: Planned, *, now: datetime) -> CheckResult:
    fault = next((fault for fault in case.faults if fault["check"] == planned.check.id), None)
    if fault is not None:
        return _broken(planned, CheckStatus.ERROR, fault["code"], fault["message"], fault["remedy"])
    if case.manifest is None or case.row.manifest_digest is None:
        return _broken(
            planned, CheckStatus.NOT_RUN, "evidence.missing", f"No evidence for {planned.check.id} was submitted.",
            "Submit a manifest that says what is measured: POST /v1/evidence.",
        )  # fmt: skip
    limit = case.policy.evidence.max_age
    if stored_for(unit, planned, case.row.manifest_digest) or _is_too_old(unit, case, now):
        return _broken(
            planned, CheckStatus.INSUFFICIENT_EVIDENCE, "evidence.not_acceptable",
            f"The evidence for {planned.check.id} is older than {limit} or less trusted than the policy asks "
            f"({case.policy.evidence.least_origin.value}).",
            "Collect fresh evidence from the source the policy names and submit it.",
        )  # fmt: skip
    return _broken(
        planned, CheckStatus.NOT_RUN, "evidence.not_measured",
        f"{planned.check.id} was not measured before the deadline.",
        "Ask again; if it persists, measure less or raise ASSAY_GATE__DEADLINE_SECONDS.",
    )  # fmt: skip


def collected_at_of(unit: Unit, row: EvaluationRow) -> datetime:
    """When the evaluation's data were collected, as the manifest says itself, else when it arrived."""
    instants = [store.evidence(unit, name).submitted_at for name in row.evidence]
    stated = store.fetch(unit, row.manifest_digest, Manifest).collected_at if row.manifest_digest else None
    return min([*instants, *([stated] if stated else [])])


def _is_too_old(unit: Unit, case: Case, now: datetime) -> bool:
    return collected_at_of(unit, case.row) < now - duration(case.policy.evidence.max_age)


def _broken(planned: Planned, status: CheckStatus, code: str, message: str, remedy: str) -> CheckResult:
    finding = Finding(code=code, severity=Severity.HIGH, message=message, remediation=remedy)
    return CheckResult(
        check=planned.check.id,
        check_version=planned.check.version,
        status=status,
        reason=code,
        message=message,
        findings=(finding,),
        not_checked=planned.check.not_checked,
    )


def to_measure(unit: Unit, case: Case, planned_checks: Sequence[Planned], *, now: datetime) -> list[Planned]:
    """Checks whose measurement has yet to be made here: planned, without acceptable evidence, and not refused."""
    if case.row.manifest_digest is None or _is_too_old(unit, case, now):
        return []
    refused = {fault["check"] for fault in case.faults}
    return [
        planned
        for planned in planned_checks
        if planned.check.place == "process"
        and planned.check.id not in refused
        and found(unit, case, planned, now=now) is None
    ]


def result_digests(outcomes: Sequence[CheckOutcome]) -> Mapping[str, str | None]:
    """Measurement digest by check id."""
    return {outcome.id: outcome.measurement_digest for outcome in outcomes}
