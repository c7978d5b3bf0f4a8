"""The outcome of one sensitive attribute on one limited metric, group by group. Pure.

The rule is the table in ``docs/checks/fairness.md``; the first row that fits a group decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from governance.types.results import CheckStatus
from policies.fairness.body import GroupCells, Table
from policies.fairness.comparison import compare, rows_to_tell
from policies.fairness.estimates import Comparison
from policies.fairness.metrics import METRICS, Metric
from policies.fairness.params import FairnessParams, MetricLimit
from policies.fairness.power import Levels, detectable
from policies.fairness.readings import Reading, read
from policies.statistics.comparison import holm

ALPHA = 0.05
"""The level of every test, after Holm's correction over the groups of one attribute and one metric."""

ALPHA_FAILED = 0.01
"""The level at which two values must differ, beside the bound, before a group fails.

Where few are selected a bound at 5 % alone fails equal groups in up to 2 % of samples; with this test at most about
1 % (see ``benchmarks/fairness_simulation.py``). It is corrected for all pairs out of which the highest was chosen.
"""

_ORDER = (CheckStatus.PASSED, CheckStatus.WARNED, CheckStatus.INSUFFICIENT_EVIDENCE, CheckStatus.FAILED)


def worst(statuses: Sequence[CheckStatus]) -> CheckStatus:
    """Failed, then insufficient evidence, then warned, then passed; of nothing, insufficient evidence."""
    return max(statuses, key=_ORDER.index, default=CheckStatus.INSUFFICIENT_EVIDENCE)


@dataclass(frozen=True, slots=True)
class GroupOutcome:
    """What became of one group. ``reference`` and ``comparison`` are null where nothing was compared.

    ``status`` is null for a group that is shown and judged by nobody. ``rate`` names the rate that decided.
    ``detectable`` is the value beyond which a true gap would have failed with 80 % probability.
    """

    levels: tuple[str, ...]
    status: CheckStatus | None
    reason: str
    rate: str
    reference: tuple[str, ...] | None = None
    comparison: Comparison | None = None
    adjusted_p_beyond: float | None = None
    adjusted_p_equal: float | None = None
    adjusted_p_sure: float | None = None
    rows_needed: int | None = None
    detectable: float | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """One table judged on one metric. ``references`` maps each rate to the group that others were compared with."""

    table: Table
    limit: MetricLimit
    metric: Metric
    status: CheckStatus
    reason: str
    outcomes: tuple[GroupOutcome, ...]
    references: dict[str, tuple[str, ...]]
    is_statistical: bool


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two judged groups to compare on some rates; without a reference the group is held to the limit by itself."""

    group: GroupCells
    reference: GroupCells | None
    rates: tuple[str, ...]

    @property
    def readings(self) -> tuple[tuple[Reading, ...], tuple[Reading, ...]]:
        return (
            tuple(read(self.group, rate) for rate in self.rates),
            () if self.reference is None else tuple(read(self.reference, rate) for rate in self.rates),
        )


def assess(table: Table, limit: MetricLimit, params: FairnessParams) -> Assessment:
    """The outcome of each group of ``table`` and the worst of them."""
    metric = METRICS[limit.name]
    outcomes = [outcome for group in table.groups if (outcome := _unjudged(group, metric, params)) is not None]
    judged = [group for group in table.groups if _is_judged(group, metric.rates, params)]
    references: dict[str, tuple[str, ...]] = {}
    blocked = _blocked(table, metric, judged)
    if blocked is None:
        pairs = _pairs(table, metric, judged)
        references = {
            rate: pair.reference.levels for pair in pairs if pair.reference is not None for rate in pair.rates
        }
        outcomes += _compared(pairs, limit, metric, params, _Families.of(table, metric, pairs, judged=len(judged)))
    else:
        outcomes += [
            GroupOutcome(group.levels, CheckStatus.INSUFFICIENT_EVIDENCE, blocked, metric.rates[0]) for group in judged
        ]
    status, reason = _of_table(table, metric, outcomes, blocked)
    is_statistical = params.mode == "statistical"
    return Assessment(table, limit, metric, status, reason, tuple(outcomes), references, is_statistical)


def _is_judged(group: GroupCells, rates: Sequence[str], params: FairnessParams) -> bool:
    readings = [read(group, rate) for rate in rates]
    return all(one.rows >= params.minimum_rows and one.value is not None for one in readings)


def _unjudged(group: GroupCells, metric: Metric, params: FairnessParams) -> GroupOutcome | None:
    """The outcome of a group that cannot be judged, None where it can."""
    insufficient = CheckStatus.INSUFFICIENT_EVIDENCE
    rate = min(metric.rates, key=lambda name: _weight(read(group, name)))
    reading = read(group, rate)
    if group.rows == 0:
        status = insufficient if group.is_expected else None
        return GroupOutcome(group.levels, status, "fairness.group_absent", rate)
    if reading.value is None and group.rows >= params.minimum_rows:
        return GroupOutcome(group.levels, insufficient, "fairness.zero_denominator", rate)
    if not _is_judged(group, metric.rates, params):
        status = insufficient if params.small_groups == "block" else None
        return GroupOutcome(
            group.levels, status, "fairness.small_group", rate, rows_needed=params.minimum_rows - reading.rows
        )
    return None


def _weight(reading: Reading) -> Fraction:
    """What sorts denominators from the emptiest on."""
    return Fraction(reading.rows) if reading.part is None else reading.part.denominator.weight


def _blocked(table: Table, metric: Metric, judged: Sequence[GroupCells]) -> str | None:
    """Why no group of the table can be compared, if so."""
    filled = [group for group in table.groups if group.rows]
    if filled and "decisions" in metric.needs and not any(read(group, "selection_rate").value for group in filled):
        return "fairness.nobody_selected"
    if metric.form == "level":
        return None if judged else "fairness.too_few_groups"
    if len(judged) < 2:
        return "fairness.too_few_groups"
    if table.reference is not None and table.reference not in {group.levels for group in judged}:
        return "fairness.reference_not_judged"
    return None


def _pairs(table: Table, metric: Metric, judged: Sequence[GroupCells]) -> list[_Pair]:
    """The comparisons: with the declared reference, or else with the group whose rate is highest.

    The average of absolute differences has no highest group, so each group is compared with the one farthest from it.
    """
    if metric.form == "level":
        return [_Pair(group, None, metric.rates) for group in judged]
    declared = next((group for group in judged if group.levels == table.reference), None)
    if metric.form == "average_difference" and declared is None:
        return _farthest(judged, metric.rates)
    together = metric.form in ("average_difference", "balanced_difference")
    sets = [metric.rates] if together else [(rate,) for rate in metric.rates]
    pairs = []
    for rates in sets:
        reference = declared or max(judged, key=lambda group: _sum_of_rates(group, rates))
        pairs += [_Pair(group, reference, rates) for group in judged if group is not reference]
    return pairs


def _farthest(judged: Sequence[GroupCells], rates: Sequence[str]) -> list[_Pair]:
    """The pairs of a group and the one whose rates lie farthest from its own, each pair once."""
    heights = [[float(read(group, rate).value or 0) for rate in rates] for group in judged]
    chosen = set()
    for index, own in enumerate(heights):
        gaps = [sum(abs(a - b) for a, b in zip(own, other, strict=True)) for other in heights]
        gaps[index] = -1.0
        chosen.add(tuple(sorted((index, gaps.index(max(gaps))))))
    return [_Pair(judged[one], judged[two], tuple(rates)) for one, two in sorted(chosen)]


def _sum_of_rates(group: GroupCells, rates: Sequence[str]) -> Fraction:
    return sum((read(group, rate).value or Fraction(0) for rate in rates), Fraction(0))


@dataclass(frozen=True, slots=True)
class _Families:
    """How many comparisons the tests are corrected for.

    ``every`` holds all pairs wherever the reference was chosen because its value is the highest: the pairs that were
    compared are then a choice among all.
    """

    compared: int
    every: int

    @classmethod
    def of(cls, table: Table, metric: Metric, pairs: Sequence[_Pair], *, judged: int) -> "_Families":
        if table.reference is not None or metric.form == "level":
            return cls(len(pairs), len(pairs))
        all_pairs = judged * (judged - 1) // 2 * len({pair.rates for pair in pairs})
        return cls(all_pairs if metric.form == "average_difference" else len(pairs), all_pairs)


def _compared(
    pairs: Sequence[_Pair], limit: MetricLimit, metric: Metric, params: FairnessParams, families: _Families
) -> list[GroupOutcome]:
    """The worst outcome of each group over its comparisons."""
    comparisons = [compare(metric.form, *pair.readings, limit.exact_limit) for pair in pairs]
    beyond = _adjusted([comparison.p_beyond for comparison in comparisons], families.compared)
    equal = _adjusted([comparison.p_equal for comparison in comparisons], families.compared)
    sure = _adjusted([comparison.p_equal for comparison in comparisons], families.every)
    levels = Levels(ALPHA / families.compared, ALPHA_FAILED / families.every)
    found: dict[tuple[str, ...], list[GroupOutcome]] = {}
    for pair, comparison, *p_values in zip(pairs, comparisons, beyond, equal, sure, strict=True):
        p_beyond, p_equal, p_sure = p_values
        status, reason = _decide(comparison, metric, params, beyond=p_beyond, equal=p_equal, sure=p_sure)
        outcome = GroupOutcome(
            levels=pair.group.levels,
            status=status,
            reason=reason,
            rate=pair.rates[0],
            reference=None if pair.reference is None else pair.reference.levels,
            comparison=comparison,
            adjusted_p_beyond=p_beyond,
            adjusted_p_equal=p_equal,
            adjusted_p_sure=p_sure,
            rows_needed=_rows_needed(pair, limit, metric) if reason == "fairness.inconclusive" else None,
            detectable=_detectable(pair, limit, metric, levels) if params.mode == "statistical" else None,
        )
        found.setdefault(pair.group.levels, []).append(outcome)
        if metric.form == "average_difference" and pair.reference is not None:
            mirrored = replace(outcome, levels=pair.reference.levels, reference=pair.group.levels)
            found.setdefault(pair.reference.levels, []).append(mirrored)
    return [max(outcomes, key=lambda outcome: severity(outcome, metric)) for outcomes in found.values()]


def _adjusted(p_values: Sequence[float], family: int) -> list[float]:
    """Holm's p-values over a family, of which those beyond the compared pairs are as large as can be."""
    return holm([*p_values, *[1.0] * (family - len(p_values))])[: len(p_values)]


def _decide(
    comparison: Comparison, metric: Metric, params: FairnessParams, *, beyond: float, equal: float, sure: float
) -> tuple[CheckStatus, str]:
    """The rule's rows, in order. ``beyond``, ``equal`` and ``sure`` are p-values after Holm's correction."""
    outside = "fairness.below_limit" if metric.is_ratio else "fairness.above_limit"
    if comparison.value is None:
        return CheckStatus.INSUFFICIENT_EVIDENCE, "fairness.zero_reference"
    if not comparison.is_beyond:
        return CheckStatus.PASSED, "fairness.within_limit"
    if params.mode == "as_written" or (beyond < ALPHA and sure < ALPHA_FAILED):
        return CheckStatus.FAILED, outside
    if equal < ALPHA:
        return CheckStatus.WARNED, "fairness.possibly_outside"
    if params.inconclusive == "warn":
        return CheckStatus.WARNED, "fairness.inconclusive"
    return CheckStatus.INSUFFICIENT_EVIDENCE, "fairness.inconclusive"


def _detectable(pair: _Pair, limit: MetricLimit, metric: Metric, levels: Levels) -> float | None:
    if pair.reference is None:
        return None
    group, reference = (readings[0] for readings in pair.readings)
    low, high = sorted((group, reference), key=lambda one: one.value or Fraction(0))
    return detectable(metric.form, low, high, float(limit.exact_limit), levels)


def _rows_needed(pair: _Pair, limit: MetricLimit, metric: Metric) -> int | None:
    if len(pair.rates) > 1 or pair.reference is None:
        return None
    group, reference = (readings[0] for readings in pair.readings)
    if group.part is None or reference.part is None:
        return None
    low, high = sorted((group.part, reference.part), key=lambda one: one.rate or Fraction(0))
    return rows_to_tell(low, high, limit.exact_limit, is_ratio=metric.is_ratio)


def severity(outcome: GroupOutcome, metric: Metric) -> tuple[int, Fraction]:
    """Sorts outcomes from the best to the worst: by status, then by how far the value lies on the unfair side."""
    rank = -1 if outcome.status is None else _ORDER.index(outcome.status)
    value = outcome.comparison.value if outcome.comparison is not None else None
    if value is None:
        return rank, Fraction(-2)
    return rank, -value if metric.is_ratio else value


def _of_table(
    table: Table, metric: Metric, outcomes: Sequence[GroupOutcome], blocked: str | None
) -> tuple[CheckStatus, str]:
    status = worst([outcome.status for outcome in outcomes if outcome.status is not None])
    if blocked is not None and status is not CheckStatus.FAILED:
        return CheckStatus.INSUFFICIENT_EVIDENCE, blocked
    if status is CheckStatus.PASSED and table.outside_rows:
        return CheckStatus.WARNED, "fairness.undeclared_groups"
    decided = [outcome for outcome in outcomes if outcome.status is not None]
    if not decided:
        return status, "fairness.too_few_groups"
    return status, max(decided, key=lambda outcome: severity(outcome, metric)).reason
