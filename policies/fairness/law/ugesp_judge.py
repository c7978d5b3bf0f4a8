"""A measurement of categories and a policy's parameters to the outcome of four fifths and significance. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from pydantic import JsonValue

from governance.types.results import CheckResult, CheckStatus, Figure, Finding, Interval, Measurement
from governance.types.value import Severity, decimal_text, parse_value
from policies.fairness.law.ll144_tables import GAP_NOTE, gap_interval
from policies.fairness.law.outcomes import Control, attested, control_findings, whole
from policies.fairness.law.pairs import FOUR_FIFTHS, printed
from policies.fairness.law.sample import Category
from policies.fairness.law.ugesp import Assessed, assess
from policies.fairness.law.ugesp_body import CountedTable, UGESPBody
from policies.fairness.law.ugesp_params import UGESPParams

NOT_CHECKED = (
    "whether a gap is discrimination: the guideline names evidence, and its standing is open",
    "validity studies themselves, and less adverse alternatives",
    "state law and Title VII beyond these metrics",
)
"""What a pass of this check does not say."""

TITLES = {
    "UGESP-4D": "Rate of at least four fifths of the highest",
    "UGESP-SIG": "Gaps that are significant, or that small numbers cannot settle",
    "UGESP-2PCT": "Categories under 2 % of the labour force",
    "UGESP-VAL": "Evidence of validity where there is adverse impact",
}

_FAILED, _INSUFFICIENT = CheckStatus.FAILED, CheckStatus.INSUFFICIENT_EVIDENCE
_ORDER = (CheckStatus.NOT_APPLICABLE, CheckStatus.PASSED, _INSUFFICIENT, _FAILED)

_REASONS = {
    "ugesp.no_members": "has no members",
    "ugesp.no_reference": "has no reference: no category is large enough, or nobody is selected",
    "ugesp.small_category": "is too small to pass",
    "ugesp.no_gap": "has everybody selected, as the reference",
    "ugesp.significant_above_four_fifths": "is not below four fifths, and the gap is significant: whether that "
    "matters in practice, a person must judge",
    "ugesp.surely_above_four_fifths": "is at least four fifths, also at the lower end of the interval",
    "ugesp.interval_reaches_below": "is at least four fifths, but the interval reaches below",
    "ugesp.below_and_significant": "is below four fifths, and the gap is significant",
    "ugesp.below_with_small_numbers": "is below four fifths, on small numbers and without significance",
    "ugesp.below_not_significant": "is below four fifths; the gap is not significant",
    "ugesp.excluded": "is excluded",
    "ugesp.under_2_percent_of_labour_force": "is under 2 % of the labour force",
    "ugesp.reference": "is the reference",
}


@dataclass(frozen=True, slots=True)
class _Judged:
    """A table with its categories' outcomes."""

    table: CountedTable
    categories: tuple[Assessed, ...]


def judge(measurement: Measurement, params: UGESPParams) -> CheckResult:
    """The outcome over the required controls and every category of every table.

    Raises:
        InputRefused: the body of the measurement is not of the form that the check writes.
    """
    body = parse_value(UGESPBody, measurement.body, what="a measurement of categories")
    facts = body.facts
    if not facts.is_in_scope and facts.scope_reason.strip():
        return CheckResult(
            check="ugesp", check_version=measurement.check_version, status=CheckStatus.NOT_APPLICABLE,
            reason="ugesp.no_employment_decision", message=f"No employment decision: {facts.scope_reason}.",
            not_checked=NOT_CHECKED,
        )  # fmt: skip
    tables = [table for table in body.tables if not params.sensitive or table.name in params.sensitive]
    missing = sorted(set(params.sensitive) - {table.name for table in body.tables})
    judged = [_judged(table, body, params) for table in tables]
    controls = _controls(body, judged, params, missing)
    deciding = whole(controls)
    return CheckResult(
        check="ugesp",
        check_version=measurement.check_version,
        status=deciding.status,
        reason=deciding.reason,
        message=f"{deciding.id}, {deciding.title}: {deciding.message}",
        limit="0.8",
        n=str(max((sum(one.n for one in table.categories) for table in tables), default=0)),
        figures=tuple(figure for one in judged for figure in _figures(one, params)),
        findings=(*control_findings(controls), *(found for one in judged for found in _findings(one))),
        not_checked=NOT_CHECKED,
        details={
            "controls": [
                {"id": c.id, "title": c.title, "status": c.status.value, "reason": c.reason, "message": c.message}
                for c in controls
            ],
            "tables": {one.table.name: [_row(category) for category in one.categories] for one in judged},
            "unknown": {one.table.name: one.table.unknown for one in judged},
        },
    )


def _judged(table: CountedTable, body: UGESPBody, params: UGESPParams) -> _Judged:
    facts = body.facts
    excluded = {one.category for one in facts.excluded if one.table == table.name}
    counts = table.tallies
    shares = {name: Fraction(share) for name, share in facts.labour_force.items()}
    exempt = {category for category in counts if shares.get(_name(category), Fraction(1)) < Fraction(2, 100)}
    found = assess(
        counts,
        excluded=excluded,
        exempt=exempt,
        min_group_size=params.min_group_size,
        practically_significant=facts.practical_significance,
    )
    return _Judged(table, found)


def _name(category: Category) -> str:
    return " / ".join(category)


def _controls(
    body: UGESPBody, judged: Sequence[_Judged], params: UGESPParams, missing: Sequence[str]
) -> tuple[Control, ...]:
    ratio = _of_categories("UGESP-4D", judged, missing)
    significance = _of_categories("UGESP-SIG", judged, missing)
    facts = body.facts
    labour = bool(facts.labour_force)
    exempt = Control(
        "UGESP-2PCT", TITLES["UGESP-2PCT"],
        CheckStatus.PASSED if labour else CheckStatus.NOT_APPLICABLE,
        "ugesp.labour_force_given" if labour else "ugesp.no_labour_force_figures",
        "Shares of the labour force are stated." if labour else "Without figures of the labour force nobody is exempt.",
    )  # fmt: skip
    found = (
        ratio,
        attested(significance, "practical significance of the gaps", facts.attestations)
        if _has_significant_gap(judged)
        else significance,
        attested(exempt, "the source of the labour-force figures", facts.attestations),
        _validity(body, ratio),
    )
    return tuple(control for control in found if control.id in params.controls)


def _has_significant_gap(judged: Sequence[_Judged]) -> bool:
    reason = "ugesp.significant_above_four_fifths"
    return any(category.finding.reason == reason for one in judged for category in one.categories)


def _validity(body: UGESPBody, ratio: Control) -> Control:
    title = TITLES["UGESP-VAL"]
    if ratio.status is not _FAILED:
        return Control(
            "UGESP-VAL", title, CheckStatus.NOT_APPLICABLE, "ugesp.no_adverse_impact", "No adverse impact was found."
        )
    if not body.facts.validity_study:
        return Control(
            "UGESP-VAL", title, _INSUFFICIENT, "ugesp.no_validity_study", "No validity study is named.",
            "Name the study under audit.validity_study.",
        )  # fmt: skip
    control = Control(
        "UGESP-VAL", title, CheckStatus.PASSED, "ugesp.validity_study_named", f"{body.facts.validity_study}."
    )
    return attested(control, "the validity study", body.facts.attestations)


def _of_categories(control: str, judged: Sequence[_Judged], missing: Sequence[str]) -> Control:
    """The worst category of all tables; a declared category without members is insufficient evidence."""
    title = TITLES[control]
    if missing or not judged:
        named = ", ".join(missing) or "any attribute"
        return Control(control, title, _INSUFFICIENT, "ugesp.not_measured", f"Nothing was measured by {named}.")
    every = [(_status(control, category), one, category) for one in judged for category in one.categories]
    if not every:
        return Control(control, title, _INSUFFICIENT, "ugesp.no_reference", "There are no categories.")
    status, table, worst = max(every, key=lambda found: _ORDER.index(found[0]))
    message = f"By {table.table.name}, {_name(worst.category)} {_REASONS[worst.finding.reason]}{_ratio_text(worst)}."
    remedy = "" if not worst.shortfall else f"{worst.shortfall} more selections would reach four fifths."
    if status is CheckStatus.PASSED:
        message = "Every category holds."
    return Control(control, title, status, worst.finding.reason, message, remedy)


def _status(control: str, category: Assessed) -> CheckStatus:
    return category.finding.four_fifths if control == "UGESP-4D" else category.finding.significance


def _ratio_text(category: Assessed) -> str:
    if category.ratio is None:
        return ""
    tally = category.tally
    return f" (ratio {printed(category.ratio)}; {tally.selected} of {tally.n})"


def _size_note(people: int, params: UGESPParams) -> str:
    if people == 0:
        return "no members"
    is_small = people < params.min_group_size
    return f"fewer than {params.min_group_size} people: the rate says little" if is_small else ""


def _figures(judged: _Judged, params: UGESPParams) -> list[Figure]:
    attributes = judged.table.name.split("*")
    rates, ratios = [], []
    for one in judged.categories:
        group = dict(zip(attributes, one.category, strict=True))
        bounds = one.tally.interval
        flags: tuple[str, ...] = ("reference",) if one.finding.reason == "ugesp.reference" else ()
        flags += ("small_group",) if 0 < one.tally.n < params.min_group_size else ()
        rates.append(
            Figure(
                name="selection_rate",
                value=None if one.tally.rate is None else decimal_text(one.tally.rate),
                n=str(one.tally.n),
                numerator=str(one.tally.selected),
                denominator=str(one.tally.n),
                group=group,
                interval=None
                if bounds is None
                else Interval(lower=decimal_text(bounds.lower), upper=decimal_text(bounds.upper), method="Wilson"),
                flags=flags,
                note=_size_note(one.tally.n, params),
            )
        )
        ratio = one.interval
        ratios.append(
            Figure(
                name="impact_ratio",
                value=None if one.ratio is None else decimal_text(one.ratio),
                n=str(one.tally.n),
                interval=None
                if ratio is None
                else Interval(
                    lower=decimal_text(ratio.lower), upper=decimal_text(ratio.upper), method="log ratio (Katz)"
                ),
                limit="0.8",
                group=group,
                flags=flags,
                status=max(one.finding.four_fifths, one.finding.significance, key=_ORDER.index),
                note=_REASONS[one.finding.reason],
            )
        )
    return [*rates, *ratios, *_gap_figure(judged)]


def _gap_figure(judged: _Judged) -> list[Figure]:
    """The table's smallest ratio with its interval; nothing where there is none."""
    ratios = [one.ratio for one in judged.categories if one.ratio is not None]
    if not ratios or judged.table.gap is None:
        return []
    return [
        Figure(
            name="impact_ratio",
            value=decimal_text(min(ratios)),
            n=str(sum(one.tally.n for one in judged.categories)),
            interval=gap_interval(judged.table.gap),
            limit="0.8",
            group=dict.fromkeys(judged.table.name.split("*"), "*"),
            flags=("worst",),
            note=GAP_NOTE,
        )
    ]


def _findings(judged: _Judged) -> list[Finding]:
    """Shortfalls of categories below four fifths, and people of unknown category."""
    found = [
        Finding(
            code="ugesp.shortfall",
            severity=Severity.HIGH if one.finding.four_fifths is _FAILED else Severity.WARNING,
            message=f"{judged.table.name} {_name(one.category)}: {one.shortfall} more selections among {one.tally.n} "
            f"would reach four fifths of the highest rate.",
            remediation="Find what carries the gap.",
            data={"table": judged.table.name, "group": list(one.category), "shortfall": one.shortfall},
        )
        for one in judged.categories
        if one.shortfall and one.ratio is not None and one.ratio < FOUR_FIFTHS
    ]
    if judged.table.unknown:
        found.append(
            Finding(
                code="ugesp.unknown_category",
                severity=Severity.WARNING,
                message=f"{judged.table.unknown} people have no recorded {judged.table.name}.",
                remediation="Find out why; people who are missing for a reason hide a gap.",
                data={"table": judged.table.name, "people": judged.table.unknown},
            )
        )
    return found


def _row(one: Assessed) -> dict[str, JsonValue]:
    test, bounds = one.test, one.interval
    return {
        "category": list(one.category),
        "n": one.tally.n,
        "selected": one.tally.selected,
        "rate": None if one.tally.rate is None else printed(one.tally.rate),
        "ratio": None if one.ratio is None else printed(one.ratio),
        "ratio_to_small": None if one.ratio_to_small is None else printed(one.ratio_to_small),
        "is_below_four_fifths": one.ratio is not None and one.ratio < FOUR_FIFTHS,
        "four_fifths": one.finding.four_fifths.value,
        "significance": one.finding.significance.value,
        "reason": one.finding.reason,
        "test": None if test is None else test.test,
        "z": None if test is None or test.z is None else f"{test.z:.4f}",
        "p": None if test is None else f"{test.p:.6f}",
        "p_fisher": None if one.fisher_p is None else f"{one.fisher_p:.6f}",
        "p_holm": None if one.holm_p is None else f"{one.holm_p:.6f}",
        "interval": None if bounds is None else [f"{bounds.lower:.4f}", f"{bounds.upper:.4f}"],
        "shortfall": one.shortfall,
        "flips_with_one_person": one.flips,
    }
