"""How uncertain the smallest ratio of a table is, by drawing its people again. Information: no outcome rests on it."""

from collections.abc import Sequence

import numpy as np

from policies.fairness.body import Percentiles
from policies.fairness.law.ll144_params import LL144Params
from policies.fairness.law.ll144_tables import tabulated
from policies.fairness.law.pairs import Tally
from policies.fairness.law.people import LargestGap, PeopleBody

REPLICATES = 2000
"""Percentiles of 95 % are steady from there on, and a tool that assigns many groups has many tables."""

MAX_UNDEFINED = 0.05
"""With a larger share of replicates in which nobody is selected, an interval of the others misleads."""


def smallest_ratio(tallies: Sequence[Tally], *, seed: int, least_reference: int = 0) -> Percentiles | None:
    """The 95 % percentile interval of the lowest rate over the highest, chosen again in each replicate.

    As many people are drawn as there are, out of the categories' selected and others. The reference has at least
    ``least_reference`` people. None with fewer than two categories that have members, or where nobody was selected.
    """
    filled = [tally for tally in tallies if tally.n]
    if len(filled) < 2 or not any(tally.selected for tally in filled):
        return None
    cells = np.array([[tally.selected, tally.n - tally.selected] for tally in filled], dtype=np.float64)
    people = int(cells.sum())
    drawn = np.random.default_rng(seed).multinomial(people, cells.ravel() / people, size=REPLICATES)
    selected, others = np.moveaxis(drawn.reshape(REPLICATES, len(filled), 2), 2, 0)
    members = selected + others
    rates = np.divide(selected, members, out=np.full(members.shape, np.nan), where=members > 0)
    top = np.where((members > 0) & (members >= least_reference), rates, 0.0).max(axis=1)
    bottom = np.where(members > 0, rates, 1.0).min(axis=1)
    ratios = bottom[top > 0] / top[top > 0]
    undefined = REPLICATES - len(ratios)
    if undefined > MAX_UNDEFINED * REPLICATES:
        return Percentiles(lower=None, upper=None, undefined=undefined)
    lower, upper = np.quantile(ratios, [0.025, 0.975])
    return Percentiles(lower=float(lower), upper=float(upper), undefined=undefined)


def with_gaps(body: PeopleBody, params: LL144Params, *, seed: int) -> PeopleBody:
    """The measurement with the interval of every table's smallest ratio; excluded categories are left out."""
    found = []
    for one in tabulated(body, params):
        kept = [row.tally for row in one.table.rows if not row.is_excluded]
        interval = smallest_ratio(kept, seed=seed)
        if interval is not None:
            found.append(
                LargestGap(table=one.name, rate=one.rate, assigned=one.assigned, unknowns=one.mode, interval=interval)
            )
    return body.model_copy(update={"gaps": tuple(found)})
