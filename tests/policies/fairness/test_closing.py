"""What would have to change for a failed group: changing exactly that reaches the limit, and less does not."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.types.results import CheckResult, CheckStatus
from policies.fairness.body import GroupCells
from policies.fairness.check import CHECK
from policies.fairness.metrics import RATES, part
from policies.fairness.params import FairnessParams
from policies.statistics.counts import CellCount
from tests.policies.fairness.build import group, verdict
from tests.support.evidence import facts, write

MOVES = {
    "selection_rate": ("fn", "fp", "tn", "tp"),
    "true_positive_rate": ("fn", "tp"),
    "true_negative_rate": ("fp", "tn"),
    "false_positive_rate": ("fp", "tn"),
    "false_negative_rate": ("fn", "tp"),
    "precision": ("fp", "tn"),
    "negative_predictive_value": ("fn", "tp"),
    "false_discovery_rate": ("fp", "tn"),
    "false_omission_rate": ("fn", "tp"),
}
"""The cells that decisions move between, by pairs: from the first to the second."""

FALLING = {"false_positive_rate", "false_negative_rate", "false_discovery_rate", "false_omission_rate"}

COUNTS = st.integers(1, 40)
CELLS = st.fixed_dictionaries(dict.fromkeys(("tp", "fp", "fn", "tn"), COUNTS))


def found(result: CheckResult, code: str = "fairness.shortfall") -> dict[str, Any]:
    """The data of the one finding of this kind."""
    (finding,) = [one for one in result.findings if one.code == code]
    return dict(finding.data)


def filled(name: str, cells: Mapping[str, int]) -> GroupCells:
    """A group with rows in these cells."""
    rows = tuple(CellCount.model_validate({"cell": cell, "rows": count}) for cell, count in cells.items())
    return GroupCells(levels=(name,), cells=rows)


def moved(own: GroupCells, rate: str, decisions: int) -> GroupCells | None:
    """The group after that many decisions became others; None where there are not as many."""
    cells: dict[str, int] = {name: count.rows for name, count in own.counts.items()}
    for source, target in zip(MOVES[rate][::2], MOVES[rate][1::2], strict=True):
        taken = min(decisions, cells[source])
        cells[source] -= taken
        cells[target] += taken
        decisions -= taken
    return None if decisions else filled(own.levels[0], cells)


def reaches(one: GroupCells, other: GroupCells, rate: str, *, limit: Fraction, is_ratio: bool, rises: bool) -> bool:
    """Whether the rate has risen or fallen as far as the limit asks, by the rates alone."""
    own, theirs = (part(group.counts, RATES[rate]).rate for group in (one, other))
    assert own is not None
    assert theirs is not None
    low, high = (own, theirs) if rises else (theirs, own)
    return low >= limit * high if is_ratio else high - low <= limit


@pytest.mark.parametrize("form", ["ratio", "difference"])
@pytest.mark.parametrize("rate", sorted(MOVES))
def test_the_shortfall_reaches_the_limit_and_one_less_does_not(rate: str, form: str) -> None:
    limit = "0.8" if form == "ratio" else "0.1"

    @settings(max_examples=60, deadline=None)
    @given(CELLS, CELLS)
    def holds(ours: dict[str, int], theirs: dict[str, int]) -> None:
        groups = {"a": filled("a", ours), "b": filled("b", theirs)}
        result = verdict(*groups.values(), limits=[(f"{rate}_{form}", limit)], mode="as_written")
        missing = [dict(one.data) for one in result.findings if one.code == "fairness.shortfall"]
        if not missing:
            return
        named: Any = missing[0]["group"]
        change = int(str(missing[0]["shortfall"]))
        own, other = groups[named[0]], groups["b" if named == ["a"] else "a"]
        after, before = (moved(own, rate, decisions) for decisions in (change, change - 1))
        held: Any = {"limit": Fraction(limit), "is_ratio": form == "ratio", "rises": rate not in FALLING}
        assert after is None or reaches(after, other, rate, **held)
        assert before is None or not reaches(before, other, rate, **held)

    holds()


def weighted(name: str, **cells: str) -> GroupCells:
    """A group of one row a cell with that weight."""
    return GroupCells(
        levels=(name,),
        cells=tuple(
            CellCount.model_validate({"cell": cell, "rows": 40, "weight": weight, "squares": weight})
            for cell, weight in cells.items()
        ),
    )


def test_weighted_rows_have_a_weight_that_is_missing() -> None:
    groups = (weighted("a", selected="20.5", rejected="79.5"), weighted("b", selected="80", rejected="20"))
    result = verdict(*groups, mode="as_written")
    # (20.5 + k) / 100 = 0.8 * 0.8
    assert found(result)["weight"] == "43.5"
    message = next(one.message for one in result.findings if one.code == "fairness.shortfall")
    assert message == (
        "group a: more positive decisions, of a weight of 43.5, among 80 would reach 0.8 of the selection rate of b."
    )


def test_a_number_has_the_distance_that_it_would_have_to_move(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    rows = pl.DataFrame(
        {
            "group": ["a"] * 400 + ["b"] * 400,
            "label": np.zeros(800),
            "predicted": np.concatenate([draw.normal(0, 1, 400), draw.normal(0, 3, 400)]),
        }
    )
    columns = {"label": "label", "prediction": "predicted"}
    known = facts(write(tmp_path / "rows.parquet", rows), columns=columns, positive={})
    limit = {"name": "mean_absolute_error_ratio", "limit": "0.8"}
    params = FairnessParams.model_validate({"metrics": [limit], "bootstrap_replicates": 0})
    result = CHECK.judge(CHECK.measure(known, params), params)
    assert result.status is CheckStatus.FAILED
    by_group = dict(rows.group_by("group").agg(pl.col("predicted").abs().mean()).iter_rows())
    data = found(result)
    assert data["group"] == ["b"]
    assert float(data["distance"]) == pytest.approx(by_group["b"] - by_group["a"] / 0.8)


def test_what_no_number_of_decisions_reaches_has_no_shortfall() -> None:
    groups = (group("a", tp=0, fp=50, tn=10, fn=10), group("b", tp=50, fp=0, tn=10, fn=10))
    result = verdict(*groups, limits=[("precision_ratio", "0.8")])
    assert result.status is CheckStatus.FAILED
    assert [one for one in result.findings if one.code == "fairness.shortfall"] == []
