"""What one reading says under its rule's limits: a status, words for people, and figures. Pure.

Shares are judged as counted, in integers: the whole file was looked at, and its interval speaks of the source that it
came from. Effects that are estimates, areas and drift, are judged by their intervals.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from governance.types.results import CheckStatus, Figure, Interval
from governance.types.value import decimal_text
from policies.statistics.intervals import Bounds, Proportion, wilson

PASSED, WARNED, FAILED = CheckStatus.PASSED, CheckStatus.WARNED, CheckStatus.FAILED
UNDECIDED = CheckStatus.INSUFFICIENT_EVIDENCE

_GRAVITY = (PASSED, WARNED, UNDECIDED, FAILED)


@dataclass(frozen=True, slots=True)
class Said:
    """What a rule came to: its kind and place, the worst of its parts in words, and every figure.

    ``columns`` are those whose values the examples show.
    """

    kind: str
    place: str
    status: CheckStatus
    message: str
    figures: tuple[Figure, ...] = ()
    examples: tuple[Mapping[str, Any], ...] = ()
    remedy: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ()


def worst(statuses: Iterable[CheckStatus]) -> CheckStatus:
    """The gravest of them: failed, then not decided, then warned, then passed."""
    return max(statuses, key=_GRAVITY.index, default=PASSED)


def share_status(count: int, of: int, limit: str, *, least: bool = False) -> CheckStatus:
    """The status of ``count / of`` against the largest share allowed, or the ``least`` one, in integers."""
    if of == 0:
        return UNDECIDED
    share = Fraction(count, of)
    holds = share >= Fraction(limit) if least else share <= Fraction(limit)
    return PASSED if holds else FAILED


def share_figure(
    name: str,
    count: int,
    of: int,
    *,
    limit: str | None,
    status: CheckStatus | None,
    group: Mapping[str, str],
    note: str = "",
) -> Figure:
    """A share with its counts and Wilson's interval."""
    return Figure(
        name=name,
        value=decimal_text(Fraction(count, of)) if of else None,
        n=str(of),
        numerator=str(count),
        denominator=str(of),
        interval=_interval(wilson(Proportion(count, of)), "wilson") if of else None,
        limit=limit,
        group=dict(group),
        status=status,
        note=note or ("" if of else "there is nothing to take a share of"),
    )


def _interval(bounds: Bounds, method: str) -> Interval:
    return Interval(lower=decimal_text(bounds.lower), upper=decimal_text(bounds.upper), method=method)


def interval_of(part: Mapping[str, Any], method: str) -> Interval:
    """The interval that a measurement holds."""
    return Interval(lower=part["lower"], upper=part["upper"], method=method)


def effect_status(value: float, lower: float, limit: str) -> CheckStatus:
    """Failed where the whole interval lies above the limit, warned where the estimate does."""
    bound = float(Fraction(limit))
    if lower > bound:
        return FAILED
    return WARNED if value > bound else PASSED


def percent(count: int, of: int) -> str:
    """A share for people: `3 of 120 (2.5 %)`."""
    if not of:
        return f"{count} of 0"
    return f"{count} of {of} ({100 * count / of:.3g} %)"
