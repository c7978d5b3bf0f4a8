"""The interval of a table's smallest ratio, against drawing people one by one; it is shown and decides nothing."""

import random
from pathlib import Path
from typing import Any

import pytest

from governance.types.results import CheckResult, CheckStatus, Figure
from governance.types.subject import Subject
from policies.fairness.law.gaps import smallest_ratio
from policies.fairness.law.pairs import Tally
from reports.render.ll144 import render_ll144
from tests.policies.fairness.law.build import asked, ll144, people
from tests.support.evidence import write

SUBJECT = Subject(namespace="n", name="tool", version="1", digest=f"sha256:{'0' * 64}")


def drawn_one_by_one(tallies: list[Tally], replicates: int) -> list[float]:
    """The smallest ratio of samples of as many people, each drawn by itself from all of them, in order."""
    draw = random.Random(4)
    everybody = [(index, person < tally.selected) for index, tally in enumerate(tallies) for person in range(tally.n)]
    found = []
    for _ in range(replicates):
        sample = draw.choices(everybody, k=len(everybody))
        rates = []
        for index in range(len(tallies)):
            own = [is_selected for group, is_selected in sample if group == index]
            rates += [sum(own) / len(own)] if own else []
        found.append(min(rates) / max(rates))
    return sorted(found)


def test_the_interval_is_that_of_people_drawn_one_by_one() -> None:
    tallies = [Tally(60, 30), Tally(40, 14), Tally(20, 8)]
    expected = drawn_one_by_one(tallies, 1500)
    found = smallest_ratio(tallies, seed=1)
    assert found is not None
    assert found.lower == pytest.approx(expected[round(0.025 * 1500)], abs=0.04)
    assert found.upper == pytest.approx(expected[round(0.975 * 1500)], abs=0.04)


def test_a_small_category_is_no_reference_where_a_least_size_is_asked() -> None:
    tallies = [Tally(2000, 1000), Tally(2000, 1000), Tally(10, 10)]
    free, held = smallest_ratio(tallies, seed=1), smallest_ratio(tallies, seed=1, least_reference=30)
    assert free is not None
    assert held is not None
    assert free.upper is not None
    assert held.lower is not None
    assert free.upper < 0.56
    assert held.lower > 0.85


@pytest.mark.parametrize("tallies", [[], [Tally(9, 4)], [Tally(9, 4), Tally(0, 0)], [Tally(5, 0), Tally(7, 0)]])
def test_what_has_no_ratio_has_no_interval(tallies: list[Tally]) -> None:
    assert smallest_ratio(tallies, seed=1) is None


def test_where_often_nobody_is_selected_there_are_no_bounds() -> None:
    found = smallest_ratio([Tally(50, 1), Tally(50, 0)], seed=1)
    assert found is not None
    assert (found.lower, found.upper) == (None, None)
    assert found.undefined > 100


def worst(result: CheckResult) -> list[Figure]:
    """The figures of whole tables."""
    return [figure for figure in result.figures if "worst" in figure.flags]


def test_local_law_144_shows_it_for_every_table_and_on_the_page(tmp_path: Path) -> None:
    result = ll144(people(tmp_path))
    assert [tuple(figure.group) for figure in worst(result)] == [
        ("sex",), ("race_ethnicity",), ("sex", "race_ethnicity"),
    ]  # fmt: skip
    sex = worst(result)[0]
    assert sex.interval is not None
    # V14: 45461/52438 between the sexes.
    assert float(str(sex.interval.lower)) < float(str(sex.value)) == pytest.approx(45461 / 52438)
    assert sex.limit is None
    details: Any = result.details
    shown = next(one for one in details["tables"] if one["table"] == "sex")["smallest_ratio"]
    page = render_ll144(result, SUBJECT).decode()
    assert f"Smallest ratio {shown['value']}; samples of as many people" in page
    assert " to ".join(shown["interval"]) in page


def test_small_categories_are_marked(tmp_path: Path) -> None:
    result = ll144(people(tmp_path))
    small = {tuple(one.group.values()) for one in result.figures if "small_group" in one.flags and one.note}
    assert ("Native Hawaiian or Other Pacific Islander",) in small
    assert ("White",) not in small
    page = render_ll144(result, SUBJECT).decode()
    assert "few people" in page


def test_the_guidelines_show_it_and_it_decides_nothing(tmp_path: Path) -> None:
    rows = {"race": ["x"] * 60 + ["y"] * 60 + ["z"] * 3, "selected": ([1] * 40 + [0] * 20) * 2 + [1, 1, 0]}
    result = asked(
        "ugesp",
        write(tmp_path / "people.parquet", rows),
        {"controls": ["UGESP-4D"]},
        columns={"decision": "selected"},
        positive={"decision": 1},
        sensitive={"race": {}},
    )
    assert result.status is CheckStatus.INSUFFICIENT_EVIDENCE, "of z there are too few people"
    assert {one.group["race"] for one in result.figures if "small_group" in one.flags} == {"z"}
    (figure,) = worst(result)
    assert figure.interval is not None
    # Equal rates: the lower end lies under four fifths on so few people, and no outcome comes of it.
    assert float(str(figure.interval.lower)) < 0.8
    assert figure.value == "1"
