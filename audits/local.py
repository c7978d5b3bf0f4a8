"""The gate's checks beside the data: same measurements, same judgement, no service. ``assay check`` runs this."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from audits.decision import Combined, combine
from audits.measuring import Job
from audits.plan import Planned, plan
from audits.runner import Fault, measure
from governance.canonical import canonical
from governance.check import Facts, LineageView
from governance.errors import AssayError
from governance.localfiles import LocalManifest
from governance.signing import dsse
from governance.signing.keys import SigningKey
from governance.signing.statement import test_result_statement
from governance.types.policy import Policy
from governance.types.results import CheckResult, CheckStatus, Finding, Measurement
from governance.types.value import Severity


@dataclass(frozen=True, slots=True)
class LocalRun:
    """What the checks found here: measurements, results in the policy's order, and what the gate would make of them."""

    measurements: tuple[Measurement, ...]
    results: tuple[CheckResult, ...]
    combined: Combined


def lineage_of(events: Sequence[Path]) -> LineageView | None:
    """Lineage read from files or folders of OpenLineage events; None when there are none.

    Raises:
        InputRefused: an event cannot be placed. MalformedBody: a file is not JSON.
    """
    if not events:
        return None
    from lineage.view import FileLineage  # only now: it brings a database, which a run without lineage does not need

    return FileLineage(events)


def check_locally(
    local: LocalManifest,
    policy: Policy,
    *,
    environment: str,
    at: datetime,
    lineage: LineageView | None,
    seconds: float,
    memory_bytes: int,
) -> LocalRun:
    """Measure and judge every check of the policy; one that cannot be measured is an ``error``, never left out."""
    subject = local.manifest.subject
    planned = plan(policy, environment=environment)
    facts = Facts(subject=subject, environment=environment, evaluated_at=at, manifest=local.manifest, lineage=lineage)
    measured: dict[str, Measurement] = {}
    faults = _inline(planned, facts, measured)
    in_process = tuple(item.line for item in planned if item.check.place == "process")
    if in_process:
        job = Job(
            subject=subject,
            environment=environment,
            evaluated_at=at,
            manifest=local.manifest,
            files={uri: str(path.resolve()) for uri, path in local.files.items()},
            checks=in_process,
            memory_bytes=memory_bytes,
        )
        faults += measure(job, seconds=seconds, keep=lambda found: measured.update({found.check: found}))
    by_check = {fault.check: fault for fault in faults}
    results = tuple(_result(item, measured.get(item.check.id), by_check.get(item.check.id)) for item in planned)
    return LocalRun(
        measurements=tuple(measured[name] for name in sorted(measured)),
        results=results,
        combined=combine(policy, {result.check: result for result in results}),
    )


def judge_again(measurements: Sequence[Measurement], policy: Policy, *, environment: str) -> LocalRun:
    """Stored measurements under a policy, without the data; a check that was not measured is an ``error``."""
    by_check = {measurement.check: measurement for measurement in measurements}
    planned = plan(policy, environment=environment)
    results = tuple(_result(item, by_check.get(item.check.id), None) for item in planned)
    return LocalRun(
        measurements=tuple(by_check[name] for name in sorted(by_check)),
        results=results,
        combined=combine(policy, {result.check: result for result in results}),
    )


def _inline(planned: Sequence[Planned], facts: Facts, measured: dict[str, Measurement]) -> list[Fault]:
    faults = []
    for item in planned:
        if item.check.place != "inline":
            continue
        try:
            measured[item.check.id] = item.check.measure(facts, item.params)
        except AssayError as fault:
            faults.append(Fault(item.check.id, fault.code, fault.message, fault.remedy))
    return faults


def _result(item: Planned, measurement: Measurement | None, fault: Fault | None) -> CheckResult:
    if measurement is not None:
        return item.check.judge(measurement, item.params)
    code, message, remedy = (fault.code, fault.message, fault.remedy) if fault else ("not_run", "It was not run.", "")
    return CheckResult(
        check=item.check.id,
        check_version=item.check.version,
        status=CheckStatus.ERROR,
        reason=code,
        message=message,
        findings=(Finding(code=code, severity=Severity.HIGH, message=message, remediation=remedy),),
        not_checked=item.check.not_checked,
    )


def signed_result(local: LocalManifest, run: LocalRun, key: SigningKey) -> bytes:
    """The run as a signed in-toto test result, for the gate to judge again by its own policy.

    Inline measurements are left out: the gate reads its own lineage.
    """
    statement = test_result_statement(local.manifest, run.measurements, run.results, nonce=secrets.token_hex(16))
    return dsse.sign(canonical(statement), key).content()
