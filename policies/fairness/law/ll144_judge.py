"""A measurement of people and a policy's parameters to the outcome of Local Law 144. Pure."""

from collections.abc import Sequence

from pydantic import JsonValue

from governance.types.results import CheckResult, CheckStatus, Measurement
from governance.types.value import parse_value
from policies.fairness.law.ll144_controls import HUMAN, controls_of
from policies.fairness.law.ll144_params import LL144Params
from policies.fairness.law.ll144_tables import Tabulated, table_details, table_figures, tabulated
from policies.fairness.law.outcomes import Control, attestation_text, control_findings, whole
from policies.fairness.law.people import PeopleBody

NOT_CHECKED = (
    "whether the ratios are good: the rule sets no threshold, and a pass says that its steps were done",
    "whether the city's text changed since it was read (final rule of April 2023)",
    "whether the tool is one that the law covers; that is recorded, not found out",
    "discrimination under Title VII, the city's and the state's human rights laws",
)
"""What a pass of this check does not say."""


def judge(measurement: Measurement, params: LL144Params) -> CheckResult:
    """The outcome over all required controls, with every table, both ways of counting unknown people.

    Raises:
        InputRefused: the body of the measurement is not of the form that the check writes.
    """
    body = parse_value(PeopleBody, measurement.body, what="a measurement of people")
    if not body.facts.is_in_scope:
        return _out_of_scope(measurement, body)
    tables = tabulated(body, params)
    controls = controls_of(body, tables, params)
    deciding = whole(controls)
    shown = [one for one in tables if one.mode == params.unknowns]
    return CheckResult(
        check="ll144",
        check_version=measurement.check_version,
        status=deciding.status,
        reason=deciding.reason,
        message=_message(controls, deciding),
        n=str(body.people),
        figures=tuple(figure for one in shown for figure in table_figures(one, params)),
        findings=tuple(control_findings(controls)),
        not_checked=NOT_CHECKED,
        details=_details(body, tables, controls, params),
    )


def _out_of_scope(measurement: Measurement, body: PeopleBody) -> CheckResult:
    """Not applicable where the recorded reason says so; without a reason nobody knows."""
    is_reasoned = bool(body.facts.scope_reason.strip())
    return CheckResult(
        check="ll144",
        check_version=measurement.check_version,
        status=CheckStatus.NOT_APPLICABLE if is_reasoned else CheckStatus.INSUFFICIENT_EVIDENCE,
        reason="ll144.out_of_scope" if is_reasoned else "ll144.scope_unexplained",
        message=f"The tool is recorded as out of scope: {body.facts.scope_reason}."
        if is_reasoned
        else "The tool is recorded as out of scope, and why is not said.",
        not_checked=NOT_CHECKED,
    )


def _message(controls: Sequence[Control], deciding: Control) -> str:
    held = sum(control.status is CheckStatus.PASSED for control in controls)
    applicable = sum(control.status is not CheckStatus.NOT_APPLICABLE for control in controls)
    if deciding.status is CheckStatus.PASSED:
        return f"All {applicable} applicable steps of the rule were done. This does not say that the ratios are good."
    return f"{held} of {applicable} applicable steps hold. {deciding.id}, {deciding.title}: {deciding.message}"


def _details(
    body: PeopleBody, tables: Sequence[Tabulated], controls: Sequence[Control], params: LL144Params
) -> dict[str, JsonValue]:
    facts = body.facts
    return {
        "facts": facts.document(),
        "unknowns": params.unknowns,
        "people": body.people,
        "not_scored": body.not_scored,
        "median": None if body.median is None else body.median.document(),
        "tables": [table_details(one, params) for one in tables],
        "own_threshold": params.own_threshold,
        "controls": [
            {
                "id": control.id,
                "title": control.title,
                "status": control.status.value,
                "reason": control.reason,
                "message": control.message,
                "human_part": HUMAN.get(control.id),
                "attested": attestation_text(facts.attestations.get(control.id)),
            }
            for control in controls
        ],
    }
