"""Every table that Local Law 144 prescribes for a measurement, with and without exclusions. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import get_args

from pydantic import JsonValue

from governance.types.results import Figure, Interval
from governance.types.value import decimal_text
from policies.fairness.body import Percentiles
from policies.fairness.law.ll144 import ImpactTable, Row, impact_table
from policies.fairness.law.ll144_params import LL144Params
from policies.fairness.law.pairs import Tally, printed, ratio_interval
from policies.fairness.law.people import PeopleBody, Rate, sample_of
from policies.fairness.law.sample import Category, Sample, TableName, Unknowns

GAP_NOTE = "smallest ratio; its interval chooses the highest and the lowest rate again in each replicate; for reading"
"""What is said of the interval of a table's smallest ratio."""

TABLES: tuple[TableName, ...] = get_args(TableName)
MODES: tuple[Unknowns, ...] = get_args(Unknowns)


@dataclass(frozen=True, slots=True)
class Tabulated:
    """One table: of which rate, which assigned group (empty where none), and whom unknown categories leave out.

    ``gap`` is the interval of its smallest ratio, for reading.
    """

    rate: Rate
    assigned: str
    mode: Unknowns
    name: TableName
    table: ImpactTable
    sample: Sample
    gap: Percentiles | None = None

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes of its categories."""
        return tuple(self.name.split("*"))


def gap_interval(gap: Percentiles) -> Interval:
    """The interval of a table's smallest ratio, without bounds where too many replicates had none."""
    lower, upper = (None if bound is None else decimal_text(bound) for bound in (gap.lower, gap.upper))
    return Interval(lower=lower, upper=upper, method="percentile bootstrap of the counts")


def rates_of(body: PeopleBody) -> tuple[Rate, ...]:
    """The rates that the tool is audited by."""
    rates: dict[str, Rate] = {"selects": "selection", "scores": "scoring"}
    return tuple(dict.fromkeys(rates[one] for one in body.facts.tool))


def tabulated(body: PeopleBody, params: LL144Params) -> tuple[Tabulated, ...]:
    """All tables: each rate, each assigned group, both ways of counting unknown people, three tables each."""
    found = []
    has_scores = any(cell.above is not None for cell in body.cells)
    rates = [rate for rate in rates_of(body) if rate == "selection" or has_scores]
    for rate, assigned, mode in product(rates, body.assigned_groups, MODES):
        sample = sample_of(body, rate, assigned, mode=mode, sexes=params.sexes, races=params.races)
        for name in TABLES:
            table = _table(body, sample.tables[name], name, params)
            gap = body.gap(rate, assigned, mode, name)
            interval = None if gap is None else gap.interval
            found.append(Tabulated(rate, assigned, mode, name, table, sample, interval))
    return tuple(found)


def _table(body: PeopleBody, counts: Mapping[Category, Tally], name: TableName, params: LL144Params) -> ImpactTable:
    excluded = {one.category: one.justification for one in body.facts.excluded if one.table == name}
    return impact_table(counts, excluded=excluded, min_reference=params.min_reference)


def table_details(one: Tabulated, params: LL144Params) -> dict[str, JsonValue]:
    """A table as its public page prints it. Rates and ratios have four places and come from exact fractions."""
    table = one.table
    return {
        "rate": one.rate,
        "assigned_group": one.assigned or None,
        "unknowns": one.mode,
        "table": one.name,
        "people": table.people,
        "references": [list(category) for category in table.references],
        "has_small_reference": table.has_small_reference,
        "unknown": {
            "sex": one.sample.unknown_sex,
            "race_ethnicity": one.sample.unknown_race_ethnicity,
            "either": one.sample.unknown_either,
        },
        "outside": dict(one.sample.outside),
        "status": table.status.value,
        "reason": table.reason,
        "smallest_ratio": _smallest(one),
        "rows": [_row(row, params) for row in table.rows],
    }


def _smallest(one: Tabulated) -> dict[str, JsonValue] | None:
    """The smallest ratio with its interval; null where there is none."""
    ratios = [row.ratio for row in one.table.rows if row.ratio is not None]
    if not ratios or one.gap is None:
        return None
    bounds = (one.gap.lower, one.gap.upper)
    interval: list[JsonValue] = [f"{bound:.4f}" for bound in bounds if bound is not None]
    return {"value": printed(min(ratios)), "interval": interval or None}


def _row(row: Row, params: LL144Params) -> dict[str, JsonValue]:
    own, interval = params.exact_threshold, row.tally.interval
    return {
        "category": list(row.category),
        "n": row.tally.n,
        "selected": row.tally.selected,
        "rate": None if row.tally.rate is None else printed(row.tally.rate),
        "rate_interval": None if interval is None else [f"{interval.lower:.4f}", f"{interval.upper:.4f}"],
        "ratio": None if row.ratio is None else printed(row.ratio),
        "ratio_without_exclusion": None
        if row.ratio_without_exclusion is None
        else printed(row.ratio_without_exclusion),
        "ratio_to_large": None if row.ratio_to_large is None else printed(row.ratio_to_large),
        "is_excluded": row.is_excluded,
        "may_be_excluded": row.may_be_excluded,
        "is_small": 0 < row.tally.n < params.min_reference,
        "is_below_own_threshold": None if own is None or row.ratio is None else row.ratio < own,
    }


def table_figures(one: Tabulated, params: LL144Params) -> list[Figure]:
    """The rates of a table, then its ratios with and without exclusion."""
    reference = next((row.tally for row in one.table.rows if row.category in one.table.references), None)
    rates = [_rate_figure(one, row, params) for row in one.table.rows]
    ratios = [_ratio_figure(one, row, reference, params) for row in one.table.rows]
    whole = [_plain_figure(one, row) for row in one.table.rows] if any(r.is_excluded for r in one.table.rows) else []
    return [*rates, *ratios, *whole, *_gap_figure(one)]


def _gap_figure(one: Tabulated) -> list[Figure]:
    """The table's smallest ratio with its interval; nothing where there is none."""
    ratios = [row.ratio for row in one.table.rows if row.ratio is not None]
    if not ratios or one.gap is None:
        return []
    return [
        Figure(
            name=f"{one.rate}_impact_ratio",
            value=decimal_text(min(ratios)),
            n=str(one.table.people),
            interval=gap_interval(one.gap),
            group=dict.fromkeys(one.attributes, "*") | ({"assigned": one.assigned} if one.assigned else {}),
            flags=("worst",),
            note=GAP_NOTE,
        )
    ]


def _group(one: Tabulated, row: Row) -> dict[str, str]:
    group = dict(zip(one.attributes, row.category, strict=True))
    return group | ({"assigned": one.assigned} if one.assigned else {})


def _flags(one: Tabulated, row: Row, params: LL144Params) -> tuple[str, ...]:
    flags = {
        "small_group": 0 < row.tally.n < params.min_reference,
        "reference": row.category in one.table.references,
        "small_reference": one.table.has_small_reference and row.category in one.table.references,
        "excluded": row.is_excluded,
        "absent": row.tally.n == 0,
    }
    return tuple(name for name, is_so in flags.items() if is_so)


def _rate_figure(one: Tabulated, row: Row, params: LL144Params) -> Figure:
    rate, bounds = row.tally.rate, row.tally.interval
    return Figure(
        name=f"{one.rate}_rate",
        value=None if rate is None else decimal_text(rate),
        n=str(row.tally.n),
        numerator=str(row.tally.selected),
        denominator=str(row.tally.n),
        interval=None
        if bounds is None
        else Interval(lower=decimal_text(bounds.lower), upper=decimal_text(bounds.upper), method="Wilson"),
        group=_group(one, row),
        flags=_flags(one, row, params),
        note=_rate_note(row, params),
    )


def _rate_note(row: Row, params: LL144Params) -> str:
    if row.tally.n == 0:
        return "no members"
    is_small = row.tally.n < params.min_reference
    return f"fewer than {params.min_reference} people: the rate says little" if is_small else ""


def _ratio_figure(one: Tabulated, row: Row, reference: Tally | None, params: LL144Params) -> Figure:
    is_compared = row.ratio is not None and row.category not in one.table.references
    bounds = ratio_interval(row.tally, reference) if reference is not None and is_compared else None
    notes = ["excluded from the ratios" if row.is_excluded else "" if row.ratio is not None else "no ratio"]
    own = params.exact_threshold
    if own is not None and row.ratio is not None:
        # The rule sets no threshold: this one is the operator's, and is never the figure's limit.
        side = "below" if row.ratio < own else "not below"
        notes.append(f"own policy, no part of the law: {side} {params.own_threshold}")
    return Figure(
        name=f"{one.rate}_impact_ratio",
        value=None if row.ratio is None else decimal_text(row.ratio),
        n=str(row.tally.n),
        interval=None
        if bounds is None
        else Interval(
            lower=decimal_text(bounds.lower), upper=decimal_text(bounds.upper), method="log ratio (Katz), for reading"
        ),
        group=_group(one, row),
        flags=_flags(one, row, params),
        note="; ".join(note for note in notes if note),
    )


def _plain_figure(one: Tabulated, row: Row) -> Figure:
    ratio = row.ratio_without_exclusion
    return Figure(
        name=f"{one.rate}_impact_ratio_without_exclusion",
        value=None if ratio is None else decimal_text(ratio),
        n=str(row.tally.n),
        group=_group(one, row),
        note="" if ratio is not None else "no ratio",
    )
