"""The rates of a group's decisions, and the metrics that a policy may limit. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from policies.fairness.quantities import QUANTITIES
from policies.statistics.counts import CellName, Count, Part, total


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of a group: the cells that count over the cells that could. ``unit`` says what the denominator holds."""

    title: str
    numerator: frozenset[CellName]
    denominator: frozenset[CellName]
    unit: str

    @property
    def needs_label(self) -> bool:
        """Whether the rate exists only where the true outcome is known."""
        return "selected" not in self.denominator

    @property
    def needs_decision(self) -> bool:
        """Whether the rate exists only where there are decisions."""
        return "positive" not in self.denominator


def _rate(title: str, numerator: Iterable[CellName], denominator: Iterable[CellName], unit: str) -> Rate:
    return Rate(title, frozenset(numerator), frozenset(denominator), unit)


RATES: dict[str, Rate] = {
    "selection_rate": _rate(
        "selection rate", ("tp", "fp", "selected"), ("tp", "fp", "fn", "tn", "selected", "rejected"), "rows"
    ),
    "true_positive_rate": _rate("true positive rate", ("tp",), ("tp", "fn"), "positive labels"),
    "false_negative_rate": _rate("false negative rate", ("fn",), ("tp", "fn"), "positive labels"),
    "false_positive_rate": _rate("false positive rate", ("fp",), ("fp", "tn"), "negative labels"),
    "true_negative_rate": _rate("true negative rate", ("tn",), ("fp", "tn"), "negative labels"),
    "precision": _rate("precision", ("tp",), ("tp", "fp"), "positive decisions"),
    "false_discovery_rate": _rate("false discovery rate", ("fp",), ("tp", "fp"), "positive decisions"),
    "negative_predictive_value": _rate("negative predictive value", ("tn",), ("fn", "tn"), "negative decisions"),
    "false_omission_rate": _rate("false omission rate", ("fn",), ("fn", "tn"), "negative decisions"),
    "accuracy": _rate("accuracy", ("tp", "tn"), ("tp", "fp", "fn", "tn"), "labelled rows"),
    "prevalence": _rate(
        "base rate", ("tp", "fn", "positive"), ("tp", "fp", "fn", "tn", "positive", "negative"), "labelled rows"
    ),
}
"""Each rate by name; all lie in [0, 1] and do not exist where their denominator is zero."""

Form = Literal[
    "ratio", "difference", "average_difference", "balanced_difference", "mean_ratio", "mean_difference", "level"
]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a limit is set on: how the ``rates`` of two groups are compared.

    ``ratio``: the lower over the higher, in [0, 1], at least the limit; of several rates the smallest ratio counts.
    ``difference``: the higher less the lower, at most the limit; of several rates the largest counts.
    ``average_difference``: the mean of the absolute differences, so that opposite errors never cancel.
    ``balanced_difference``: the difference of the means of the rates.
    ``mean_ratio`` and ``mean_difference``: the same of a quantity that is no share of rows (``QUANTITIES``).
    ``level``: the quantity itself, in each group by itself, at most the limit.
    """

    title: str
    form: Form
    rates: tuple[str, ...]

    @property
    def is_ratio(self) -> bool:
        """Whether more is fairer."""
        return self.form in ("ratio", "mean_ratio")

    @property
    def is_of_rates(self) -> bool:
        """Whether it compares shares of rows."""
        return all(rate in RATES for rate in self.rates)

    @property
    def is_bounded(self) -> bool:
        """Whether its values lie in [0, 1]; those of predicted numbers have their own unit."""
        return self.is_ratio or self.is_of_rates or any(QUANTITIES[rate].needs != "predictions" for rate in self.rates)

    @property
    def needs(self) -> frozenset[Literal["labels", "decisions", "scores", "predictions"]]:
        """What must have been measured for it."""
        found: set[Literal["labels", "decisions", "scores", "predictions"]] = set()
        for rate in self.rates:
            if rate in RATES:
                found |= {"labels"} if RATES[rate].needs_label else set()
                found |= {"decisions"} if RATES[rate].needs_decision else set()
            elif QUANTITIES[rate].needs == "predictions":
                found.add("predictions")
            else:
                found |= {"scores", "labels"} if QUANTITIES[rate].needs == "scores and labels" else {"scores"}
        return frozenset(found)


def _metrics() -> dict[str, Metric]:
    found: dict[str, Metric] = {}
    for name, rate in RATES.items():
        found[f"{name}_ratio"] = Metric(f"ratio of the {rate.title}", "ratio", (name,))
        found[f"{name}_difference"] = Metric(f"difference in the {rate.title}", "difference", (name,))
    for name, quantity in QUANTITIES.items():
        if quantity.is_level:
            found[name] = Metric(f"{quantity.title} of each group", "level", (name,))
            continue
        found[f"{name}_difference"] = Metric(f"difference in the {quantity.title}", "mean_difference", (name,))
        if quantity.has_ratio:
            found[f"{name}_ratio"] = Metric(f"ratio of the {quantity.title}", "mean_ratio", (name,))
    odds = ("true_positive_rate", "false_positive_rate")
    return found | {
        "impact_ratio": Metric("impact ratio (selection rates)", "ratio", ("selection_rate",)),
        "demographic_parity_ratio": Metric("demographic parity ratio", "ratio", ("selection_rate",)),
        "demographic_parity_difference": Metric("demographic parity difference", "difference", ("selection_rate",)),
        "equal_opportunity_ratio": Metric("equal opportunity ratio", "ratio", odds[:1]),
        "equal_opportunity_difference": Metric("equal opportunity difference", "difference", odds[:1]),
        "equalized_odds_ratio": Metric("equalized odds ratio", "ratio", odds),
        "equalized_odds_difference": Metric("equalized odds difference", "difference", odds),
        "average_absolute_odds_difference": Metric("average absolute odds difference", "average_difference", odds),
        "balanced_accuracy_difference": Metric(
            "difference in the balanced accuracy", "balanced_difference", ("true_positive_rate", "true_negative_rate")
        ),
    }


METRICS = _metrics()
"""Each metric that a policy may limit, by name."""


def part(cells: Mapping[CellName, Count], rate: Rate) -> Part:
    """The two counts of ``rate`` among ``cells``; a cell that is not there counts zero rows."""
    return Part(total(cells, rate.numerator), total(cells, rate.denominator))
