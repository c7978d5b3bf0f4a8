"""Versions of policies that are tried beside the one in force: judged over the same evidence, and never counted.

Their measurements are made after those of the policy in force, and what goes wrong with them is kept apart: a policy
that is only tried neither takes evidence from the verdict nor adds a fault to it.
"""

from audits.judging import Case, case_of, result_digests, to_measure
from audits.plan import Planned
from audits.policies import Tried
from audits.tables import EvaluationRow
from audits.verdicts import found
from governance.database import Unit
from governance.types.decision import Preview
from governance.types.results import Reason, Verdict

MAX_ATTEMPTS = 2
"""An evaluation that was taken up more often is concluded without what is only tried, since that may be the fault."""


def tried_of(row: EvaluationRow) -> tuple[Tried, ...]:
    """The versions that are tried beside the evaluation's policy, as they stood when it was asked for."""
    return tuple(Tried.model_validate(document) for document in row.previews or ())


def unmeasured(unit: Unit, row: EvaluationRow, policy_digest: str) -> list[Planned]:
    """Checks that have yet to be measured for a version that is tried; none once it may be what faults."""
    if row.attempts > MAX_ATTEMPTS:
        return []
    case, planned = _case(unit, row, policy_digest)
    return to_measure(unit, case, planned, now=unit.now)


def judged(unit: Unit, row: EvaluationRow) -> tuple[Preview, ...]:
    """What each version that is tried says of what is measured by now."""
    if row.attempts > MAX_ATTEMPTS:
        return tuple(_left_out(tried) for tried in tried_of(row))
    return tuple(_judged(unit, row, tried) for tried in tried_of(row))


def _left_out(tried: Tried) -> Preview:
    reason = Reason(
        code="preview.not_judged",
        message=f"{tried.policy.name}@{tried.policy.version} was not judged: the evaluation had faulted several times.",
        remediation="Ask the operator to look at the service's log.",
    )
    return Preview(policy=tried.policy, stage=tried.stage, verdict=Verdict.INDETERMINATE, reasons=(reason,))


def _judged(unit: Unit, row: EvaluationRow, tried: Tried) -> Preview:
    said = found(unit, *_case(unit, row, tried.policy.digest))
    under = result_digests(said.outcomes)
    reasons = tuple(
        reason.model_copy(update={"evidence_digest": under.get(reason.check or "")}) for reason in said.combined.reasons
    )
    return Preview(policy=tried.policy, stage=tried.stage, verdict=said.combined.verdict, reasons=reasons)


def _case(unit: Unit, row: EvaluationRow, policy_digest: str) -> tuple[Case, list[Planned]]:
    return case_of(unit, row, policy_digest, tried=policy_digest)
