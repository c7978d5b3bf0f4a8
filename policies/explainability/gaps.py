"""The gap of the mean output between two groups, and the part of it that each feature carries. Pure and light."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from governance.types.results import Interval
from governance.types.value import decimal_text

_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Gap:
    """The mean output of the reference group less that of another, with its interval (Welch, normal, 95 %).

    ``contributions`` (n_features,) sum to ``value`` within the additivity of the attributions. ``n`` is the size of
    the smaller group.
    """

    attribute: str
    reference: str
    level: str
    n: int
    value: float
    interval: Interval | None
    contributions: tuple[float, ...]

    def is_shown(self, least: int) -> bool:
        """Whether both groups are large enough and the interval excludes 0."""
        if self.interval is None or self.interval.lower is None or self.interval.upper is None or self.n < least:
            return False
        return float(self.interval.lower) > 0 or float(self.interval.upper) < 0


def gaps_of(body: Mapping[str, Any]) -> list[Gap]:
    """Every gap of a measurement, by attribute; the reference is the declared group, else that of the highest mean."""
    return [gap for group in body["groups"] for gap in _gaps(group)]


def normal_interval(value: float, error: float, *, within: tuple[float, float] | None = None) -> Interval:
    """The 95 % interval ``value ± 1.96 error``, cut to a range where the number has one."""
    lower, upper = value - _Z * error, value + _Z * error
    if within is not None:
        lower, upper = max(lower, within[0]), min(upper, within[1])
    return Interval(lower=decimal_text(lower), upper=decimal_text(upper), method="normal, standard error")


def _gaps(group: Mapping[str, Any]) -> Iterator[Gap]:
    levels = group["levels"]
    named = [level for level in levels if level["level"] == group["reference"]]
    if len(levels) < 2 or (group["reference"] is not None and not named):
        return
    reference = named[0] if named else max(levels, key=lambda level: (level["mean"], level["level"]))
    for level in levels:
        if level is not reference:
            yield _gap(group["attribute"], reference, level)


def _gap(attribute: str, reference: Mapping[str, Any], level: Mapping[str, Any]) -> Gap:
    value = reference["mean"] - level["mean"]
    deviations = (reference["standard_deviation"], level["standard_deviation"])
    interval = None
    if None not in deviations:
        variance = deviations[0] ** 2 / reference["n"] + deviations[1] ** 2 / level["n"]
        interval = normal_interval(value, math.sqrt(variance))
    return Gap(
        attribute=attribute,
        reference=reference["level"],
        level=level["level"],
        n=min(reference["n"], level["n"]),
        value=value,
        interval=interval,
        contributions=tuple(a - b for a, b in zip(reference["attributions"], level["attributions"], strict=True)),
    )
