"""The controls of Local Law 144 one by one: whether each step was done as the rule prescribes. Pure.

A pass never says that the ratios are good; the rule sets no threshold.
"""

from collections.abc import Sequence

from governance.types.results import CheckStatus
from policies.fairness.law.dates import audit_age, notice_given
from policies.fairness.law.ll144_params import LL144Params
from policies.fairness.law.ll144_tables import Tabulated
from policies.fairness.law.outcomes import Control, attested
from policies.fairness.law.people import PeopleBody

_PASSED, _FAILED = CheckStatus.PASSED, CheckStatus.FAILED
_INSUFFICIENT, _NONE = CheckStatus.INSUFFICIENT_EVIDENCE, CheckStatus.NOT_APPLICABLE

TITLES = {
    "LL144-01": "Bias audit no more than a year before use",
    "LL144-02": "Selection rate of each category",
    "LL144-03": "Scoring rate of each category",
    "LL144-04": "Impact ratios against the highest rate of the same table",
    "LL144-05": "Separate tables by sex, by race or ethnicity, and by both",
    "LL144-06": "Tables for each group that the tool assigns",
    "LL144-07": "Number of people in unknown categories",
    "LL144-08": "Exclusion of categories under 2 %",
    "LL144-09": "Historical data, or test data with an explanation",
    "LL144-10": "Public summary",
    "LL144-11": "Notice ten business days before use",
}

HUMAN = {
    "LL144-01": "the auditor is independent (5-300)",
    "LL144-02": "what counts as selected",
    "LL144-03": "the score is the tool's output",
    "LL144-05": "categories are self-reported",
    "LL144-08": "the auditor's justification of exclusions",
    "LL144-09": "the data are sufficient",
    "LL144-10": "the summary stands in the employment section of the website",
    "LL144-11": "the notice says what it must and offers an alternative",
}
"""The part of each control that a person must stand for."""


def controls_of(body: PeopleBody, tables: Sequence[Tabulated], params: LL144Params) -> tuple[Control, ...]:
    """The outcome of every required control, in the order of the rule."""
    facts = body.facts
    found = (
        _audit_age(body),
        _selection(body, tables),
        _scoring(body, tables),
        _ratios(tables),
        _tables(body, tables),
        _assigned(body),
        _unknown(tables, params),
        _exclusions(body, tables),
        _data_kind(body),
        _summary(body),
        _notice(body, params),
    )
    # Nobody needs to justify what was not asked for.
    human = {name: text for name, text in HUMAN.items() if name != "LL144-08" or facts.excluded}
    return tuple(
        attested(control, human[control.id], facts.attestations) if control.id in human else control
        for control in found
        if control.id in params.required
    )


def _control(name: str, status: CheckStatus, reason: str, message: str, remedy: str = "") -> Control:
    return Control(name, TITLES[name], status, reason, message, remedy)


def _audit_age(body: PeopleBody) -> Control:
    audit, use = body.facts.audit_date, body.facts.use_date
    if audit is None or use is None:
        return _control(
            "LL144-01", _INSUFFICIENT, "ll144.dates_missing", "The date of the audit or of the use is not recorded.",
            "State audit.audit_date and audit.use_date.",
        )  # fmt: skip
    status, reason = audit_age(audit, use)
    message = f"Audited on {audit.isoformat()} and used on {use.isoformat()}, in New York's calendar."
    return _control("LL144-01", status, reason, message, "Have the tool audited again before it is used.")


def _selection(body: PeopleBody, tables: Sequence[Tabulated]) -> Control:
    if "selects" not in body.facts.tool:
        return _control("LL144-02", _NONE, "ll144.scores_only", "The tool only scores.")
    people = sum(one.table.people for one in tables if one.rate == "selection")
    if not people:
        return _control("LL144-02", _INSUFFICIENT, "ll144.nobody_known", "Nobody of a known category was assessed.")
    return _control("LL144-02", _PASSED, "ll144.rates_made", "Selection rates stand for every category.")


def _scoring(body: PeopleBody, tables: Sequence[Tabulated]) -> Control:
    if "scores" not in body.facts.tool:
        return _control("LL144-03", _NONE, "ll144.does_not_score", "The tool does not score.")
    if not any(one.rate == "scoring" and one.table.people for one in tables):
        return _control("LL144-03", _INSUFFICIENT, "ll144.no_scores", "There are no scores of known categories.")
    if body.median is None and "LL144-03" not in body.facts.attestations:
        return _control(
            "LL144-03", _INSUFFICIENT, "ll144.counts_without_median",
            "Counts cannot prove the median that people were held against.",
            "Send the scores, or attach the supplier's signed statement under audit.attestations.LL144-03.",
        )  # fmt: skip
    found = body.median
    said = (
        "by the supplier's statement"
        if found is None
        else f"{found.printed}, over {found.scores} scores of which {found.ties} equal it"
    )
    return _control("LL144-03", _PASSED, "ll144.rates_made", f"Scoring rates above the median ({said}).")


def _ratios(tables: Sequence[Tabulated]) -> Control:
    """The ratios of every table; what is wrong with an exclusion belongs to its own control."""
    bad = [one for one in tables if one.table.status is _INSUFFICIENT]
    if not tables or bad:
        reason = bad[0].table.reason if bad else "ll144.nobody_known"
        where = f"{bad[0].rate} rates by {bad[0].name}" if bad else "every table"
        texts = {
            "ll144.nobody_known": "no category has members",
            "ll144.single_category": "only one category has members",
            "ll144.highest_rate_is_zero": "the highest rate is 0, so that no ratio exists",
        }
        return _control("LL144-04", _INSUFFICIENT, reason, f"In {where} {texts[reason]}.")
    small = sum(one.table.has_small_reference for one in tables)
    note = f" {small} tables have a small reference, which is kept and marked." if small else ""
    return _control("LL144-04", _PASSED, "ll144.tables_made", f"Each table has its own reference.{note}")


def _tables(body: PeopleBody, tables: Sequence[Tabulated]) -> Control:
    if body.facts.category_source == "imputed":
        return _control(
            "LL144-05", _FAILED, "ll144.categories_imputed", "Categories were imputed, which the rule does not accept.",
            "Use recorded categories and count the others as unknown.",
        )  # fmt: skip
    if body.facts.category_source == "unknown":
        return _control(
            "LL144-05", _INSUFFICIENT, "ll144.category_source_unknown", "Where the categories come from is not said.",
            "State audit.category_source.",
        )  # fmt: skip
    missing = sorted({one.name for one in tables if not one.table.people})
    if not tables or missing:
        return _control(
            "LL144-05", _INSUFFICIENT, "ll144.nobody_known", f"Nobody is known in {', '.join(missing) or 'any table'}."
        )
    cells = sum(len(one.table.rows) for one in tables if one.mode == tables[0].mode and one.rate == tables[0].rate)
    sets = len({one.assigned for one in tables})
    return _control("LL144-05", _PASSED, "ll144.tables_made", f"Three tables with {cells // sets} categories.")


def _assigned(body: PeopleBody) -> Control:
    if body.facts.assigned_group is None:
        return _control("LL144-06", _NONE, "ll144.assigns_no_groups", "The tool assigns no groups.")
    named = [name for name in body.assigned_groups if name]
    if len(named) < len(body.assigned_groups) or not named:
        return _control(
            "LL144-06", _INSUFFICIENT, "ll144.assigned_group_missing", "Some people have no assigned group.",
            "Say which group the tool assigned each of them to.",
        )  # fmt: skip
    return _control("LL144-06", _PASSED, "ll144.tables_made", f"Tables for each of {', '.join(named)}.")


def _unknown(tables: Sequence[Tabulated], params: LL144Params) -> Control:
    if not tables:
        return _control("LL144-07", _INSUFFICIENT, "ll144.nobody_known", "There are no tables.")
    sample = next(one.sample for one in tables if one.mode == params.unknowns)
    return _control(
        "LL144-07", _PASSED, "ll144.unknown_counted",
        f"Unknown: sex of {sample.unknown_sex}, race or ethnicity of {sample.unknown_race_ethnicity}, either of "
        f"{sample.unknown_either} people.",
    )  # fmt: skip


def _exclusions(body: PeopleBody, tables: Sequence[Tabulated]) -> Control:
    failed = [one for one in tables if one.table.status is _FAILED]
    if failed:
        texts = {
            "ll144.excluded_row_hidden": "an excluded category has no row",
            "ll144.exclusion_not_under_2_percent": "an excluded category has 2 % of the people or more",
            "ll144.exclusion_not_justified": "an exclusion has no justification",
        }
        return _control(
            "LL144-08", _FAILED, failed[0].table.reason,
            f"In the table by {failed[0].name} {texts[failed[0].table.reason]}.",
            "Exclude only categories under 2 % of the table, and say why.",
        )  # fmt: skip
    if not body.facts.excluded:
        return _control("LL144-08", _PASSED, "ll144.nothing_excluded", "No category is excluded.")
    return _control(
        "LL144-08", _PASSED, "ll144.exclusions_shown",
        f"{len(body.facts.excluded)} categories are excluded, shown with n and rate, and ratios stand both ways.",
    )  # fmt: skip


def _data_kind(body: PeopleBody) -> Control:
    if body.facts.data_kind == "test" and not body.facts.data_explanation.strip():
        return _control(
            "LL144-09", _FAILED, "ll144.test_data_unexplained",
            "Test data were used, and why and how they were made is not said.", "State audit.data_explanation.",
        )  # fmt: skip
    return _control("LL144-09", _PASSED, "ll144.data_explained", f"{body.facts.data_kind.capitalize()} data.")


def _summary(body: PeopleBody) -> Control:
    facts = body.facts
    if not facts.summary_url or facts.distribution_date is None:
        return _control(
            "LL144-10", _FAILED, "ll144.summary_absent", "No public summary with a distribution date is named.",
            "Publish the page of `assay fairness ll144-page` and state audit.summary_url and audit.distribution_date.",
        )  # fmt: skip
    return _control(
        "LL144-10", _PASSED, "ll144.summary_named",
        f"{facts.summary_url}; distributed on {facts.distribution_date.isoformat()}.",
    )  # fmt: skip


def _notice(body: PeopleBody, params: LL144Params) -> Control:
    notice, use = body.facts.notice_date, body.facts.use_date
    if notice is None or use is None:
        return _control(
            "LL144-11", _INSUFFICIENT, "ll144.dates_missing", "The date of the notice or of the use is not recorded.",
            "State audit.notice_date and audit.use_date.",
        )  # fmt: skip
    status, reason = notice_given(notice, use, holidays=params.holidays, listed_years=params.holiday_years)
    return _control(
        "LL144-11", status, reason, f"Notice on {notice.isoformat()}, use on {use.isoformat()}.",
        "Use the tool from the tenth business day after the notice on; list the holidays of each year.",
    )  # fmt: skip
