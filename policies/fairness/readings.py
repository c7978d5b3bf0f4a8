"""One number of one group, whether it is a share of rows or an estimate, in the form that verdicts compare. Pure."""

from dataclasses import dataclass
from fractions import Fraction

from policies.fairness.body import GroupCells
from policies.fairness.metrics import RATES, part
from policies.fairness.quantities import QUANTITIES, Estimate
from policies.statistics.counts import Part


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of a group, null where it does not exist, and the ``rows`` of its denominator.

    A share of rows has its ``part``, every other number its ``estimate``.
    """

    value: Fraction | None
    rows: int
    part: Part | None = None
    estimate: Estimate | None = None


def read(group: GroupCells, name: str) -> Reading:
    """The rate or quantity called ``name`` of a group."""
    if name in RATES:
        own = part(group.counts, RATES[name])
        return Reading(own.rate, own.denominator.rows, part=own)
    estimate = QUANTITIES[name].estimate(group)
    if estimate is None:
        return Reading(None, 0)
    return Reading(Fraction(estimate.value), estimate.rows, estimate=estimate)


def is_level(name: str) -> bool:
    """Whether a limit is set on the number itself, in each group."""
    return name in QUANTITIES and QUANTITIES[name].is_level


def title_of(name: str) -> str:
    """What a rate or quantity is called."""
    return RATES[name].title if name in RATES else QUANTITIES[name].title


def unit_of(name: str) -> str:
    """What its denominator counts."""
    return RATES[name].unit if name in RATES else QUANTITIES[name].unit
