"""The findings of a judged measurement: what a person should know and what would have to change. Pure."""

from collections.abc import Mapping, Sequence

from governance.types.results import CheckStatus, Finding
from governance.types.value import Severity, decimal_text
from policies.fairness.body import FairnessBody, ScoreAxis, Table
from policies.fairness.closing import (
    Shortfall,
    gap_bands,
    gap_of_selection,
    main_range,
    nearest_score,
    shortfall_of,
    worst_band,
)
from policies.fairness.readings import unit_of
from policies.fairness.verdict import Assessment, GroupOutcome
from policies.fairness.wording import name


def findings(body: FairnessBody, table: Table, assessments: Sequence[Assessment]) -> list[Finding]:
    """What a person should know of one attribute: unknown and undeclared rows, shortfalls, groups not judged."""
    found: list[Finding] = []
    if table.unknown_rows:
        found.append(
            Finding(
                code="fairness.unknown_group",
                severity=Severity.WARNING,
                message=f"{table.unknown_rows} of {body.rows} rows have no recorded {table.name}. They are in no "
                "group and nobody guessed one.",
                remediation="Find out why the value is missing; rows that are missing for a reason hide a gap.",
                data={"table": table.name, "rows": table.unknown_rows},
            )
        )
    if table.outside_rows:
        listed = ", ".join(f"{value} ({rows} rows)" for value, rows in list(table.outside_rows.items())[:10])
        found.append(
            Finding(
                code="fairness.undeclared_groups",
                severity=Severity.WARNING,
                message=f"{table.name} holds values beyond the declared groups: {listed}. Nobody judged them.",
                remediation="Declare the groups, or correct the values.",
                data={"table": table.name, "rows": sum(table.outside_rows.values())},
            )
        )
    for assessment in assessments:
        for outcome in assessment.outcomes:
            found += _of_outcome(body, assessment, outcome)
    return found


def _of_outcome(body: FairnessBody, assessment: Assessment, outcome: GroupOutcome) -> list[Finding]:
    place = f"{assessment.table.title} {name(outcome.levels)}"
    where = {"table": assessment.table.title, "group": list(outcome.levels), "metric": assessment.limit.name}
    unit = unit_of(outcome.rate)
    needed = outcome.rows_needed
    if outcome.reason == "fairness.small_group" and needed is not None:
        message = f"{place} has too few {unit} to be judged; {needed} more would be enough."
        return [_finding("fairness.rows_needed", outcome, message, {**where, "more_rows": needed})]
    if outcome.reason == "fairness.inconclusive" and needed is not None:
        message = f"{place}: about {needed} {unit} in each of the two groups would show whether the gap is real."
        return [_finding("fairness.rows_needed", outcome, message, {**where, "rows_per_group": needed})]
    if assessment.metric.form == "level":
        return _off_in_band(assessment, outcome)
    missing = shortfall_of(assessment, outcome)
    if missing is None:
        return []
    message = missing.sentence(assessment.table.title, assessment.limit.limit, is_ratio=assessment.metric.is_ratio)
    data = {**where, "group": list(missing.levels), "rate": missing.rate, "fewer": missing.is_fewer}
    found = [_finding("fairness.shortfall", outcome, message, data | _amount(missing))]
    if body.axis is None or outcome.rate != "selection_rate":
        return found
    return [*found, *_in_scores(body.axis, assessment, outcome, missing)]


def _off_in_band(assessment: Assessment, outcome: GroupOutcome) -> list[Finding]:
    """Where scores say most about what does not happen; nothing within the limit."""
    group = next(one for one in assessment.table.groups if one.levels == outcome.levels)
    band = worst_band(group)
    if outcome.comparison is None or not outcome.comparison.is_beyond or band is None:
        return []
    message = (
        f"{assessment.table.title} {name(outcome.levels)}: most of the calibration error lies at scores around "
        f"{band.mean_score:.4g}, where {band.observed:.4g} of the labels are positive."
    )
    data = {
        "table": assessment.table.title,
        "group": list(outcome.levels),
        "mean_score": decimal_text(band.mean_score),
        "observed": decimal_text(band.observed),
        "weight": decimal_text(band.weight),
    }
    return [_finding("fairness.calibration_off", outcome, message, data)]


def _amount(missing: Shortfall) -> dict[str, int | str]:
    """Decisions as a whole number, their weight, or the distance that a number would have to move."""
    if missing.way is None:
        return {"distance": decimal_text(missing.amount)}
    if missing.is_weighted:
        return {"weight": decimal_text(missing.amount)}
    return {"shortfall": int(missing.amount)}


def _in_scores(axis: ScoreAxis, assessment: Assessment, outcome: GroupOutcome, missing: Shortfall) -> list[Finding]:
    """Where in the range of scores the gap in selection arises; nothing where no threshold cuts the scores."""
    found = gap_bands(assessment.table, axis, missing.levels, missing.other)
    most = main_range(found)
    whole = gap_of_selection(found)
    if most is None or whole <= 0:
        return []
    down_to = nearest_score(assessment.table, axis, missing.levels, missing.amount)
    counted = "" if missing.is_weighted else f"{missing.amount} "
    nearest = (
        f" The {counted}rows of {name(missing.levels)} nearest below the threshold of {axis.cut} score "
        f"{down_to:.4g} or more."
        if down_to is not None
        else ""
    )
    message = (
        f"{assessment.table.title}: between {name(missing.levels)} and {name(missing.other)} the gap in selection of "
        f"{whole:.3f} arises mostly at scores from {most.low:.4g} to {most.high:.4g}, where {name(missing.levels)} has "
        f"{most.part:.3f} more of its rows.{nearest}"
    )
    data = {
        "table": assessment.table.title,
        "group": list(missing.levels),
        "other": list(missing.other),
        "gap": decimal_text(whole),
        "from": decimal_text(most.low),
        "to": decimal_text(most.high),
        "part": decimal_text(most.part),
        "nearest_score": None if down_to is None else decimal_text(down_to),
        "bands": [[decimal_text(one.low), decimal_text(one.high), decimal_text(one.part)] for one in found],
    }
    return [_finding("fairness.gap_in_scores", outcome, message, data)]


REMEDIES = {
    "fairness.rows_needed": "Collect more rows of the group and submit fresh evidence.",
    "fairness.gap_in_scores": "Look at the rows in that range first: which features move their scores.",
    "fairness.calibration_off": "Calibrate the scores on rows of this group, or find what they do not know of it.",
    "fairness.shortfall": "Find what carries the gap, then train again without it or under a constraint on the rate",
}
"""What to do about a finding, by its code; a shortfall adds how far there is to go."""


def _finding(code: str, outcome: GroupOutcome, message: str, place: Mapping[str, object]) -> Finding:
    severity = Severity.HIGH if outcome.status is CheckStatus.FAILED else Severity.WARNING
    remedy = REMEDIES[code] + (f": {message}" if code == "fairness.shortfall" else "")
    parts = {"code": code, "severity": severity, "message": message, "remediation": remedy, "data": dict(place)}
    return Finding.model_validate(parts)
