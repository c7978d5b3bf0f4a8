"""A published table of counts gives the cells of the rows it counts; anything that is no count is refused."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.results import CheckResult, CheckStatus
from policies.fairness.check import CHECK
from policies.fairness.params import FairnessParams
from tests.support.evidence import artifact, facts, write

SEX_AND_RACE = """table,sex,race,n,selected
sex,f,,100,40
sex,m,,120,60
sex,,,5,1
race,,x,150,75
race,,y,60,20
sex*race,f,x,70,35
sex*race,m,x,80,40
sex*race,f,y,30,5
sex*race,m,y,0,0
"""


def counted(path: Path, **fields: Any) -> Facts:
    """The facts of a counts table; the attribute is ``group`` where nothing else is said."""
    own: dict[str, Any] = {
        "predictions": None,
        "counts": artifact(path),
        "columns": {},
        "positive": {},
        "sensitive": {"group": {}},
    }
    return facts(path, **{**own, **fields})


def text(folder: Path, lines: str) -> Path:
    """A CSV of ``lines``."""
    path = folder / "counts.csv"
    path.write_text(lines, encoding="utf-8")
    return path


def judged(known: Facts, **params: Any) -> CheckResult:
    """The check's result without a bootstrap."""
    parsed = FairnessParams.model_validate({"bootstrap_replicates": 0, **params})
    return CHECK.judge(CHECK.measure(known, parsed), parsed)


def both(path: Path) -> Facts:
    """The facts of three tables of sex and race."""
    return counted(path, sensitive={"sex": {}, "race": {}}, intersections=[["sex", "race"]])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    groups=st.lists(
        st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), min_size=2, max_size=4
    )
)
def test_counts_are_judged_as_the_rows_that_they_count(groups: list[tuple[int, int]], tmp_path: Path) -> None:
    lines = {"group": [f"g{i}" for i in range(len(groups))], "n": [n for n, _ in groups]}
    table = write(tmp_path / "counts.parquet", {**lines, "selected": [selected for _, selected in groups]})
    people = [(f"g{i}", int(k < selected)) for i, (n, selected) in enumerate(groups) for k in range(n)]
    rows = write(tmp_path / "rows.parquet", pl.DataFrame(people, schema=["group", "decision"], orient="row"))
    by_counts = judged(counted(table))
    by_rows = judged(facts(rows, columns={"decision": "decision"}))
    assert by_counts.status is by_rows.status
    assert by_counts.figures == by_rows.figures
    assert by_counts.details["tables"] == by_rows.details["tables"]


def test_each_published_table_is_judged_by_its_own_counts(tmp_path: Path) -> None:
    details: Any = judged(both(text(tmp_path, SEX_AND_RACE)), mode="as_written").details
    found = {name: [one["rows"] for one in table["groups"]] for name, table in details["tables"].items()}
    assert found == {"race": [150, 60], "sex": [100, 120], "sex*race": [70, 30, 80, 0]}
    assert details["tables"]["sex"]["unknown_rows"] == 5
    assert details["from_counts"]


def test_all_people_are_those_of_the_largest_table(tmp_path: Path) -> None:
    assert judged(both(text(tmp_path, SEX_AND_RACE))).details["rows"] == 225


def test_tables_of_single_attributes_are_sums_over_combinations(tmp_path: Path) -> None:
    path = text(tmp_path, "sex,race,n,selected\nf,x,70,35\nm,x,80,40\nf,y,30,5\nm,y,20,9\n")
    details: Any = judged(both(path), mode="as_written").details
    assert [(one["rows"], one["predicted_positives"]) for one in details["tables"]["sex"]["groups"]] == [
        (100, "40"),
        (100, "49"),
    ]


def test_a_count_below_the_limit_fails_as_written(tmp_path: Path) -> None:
    result = judged(counted(text(tmp_path, "group,n,selected\na,75,30\nb,75,23\n")), mode="as_written")
    assert (result.status, result.observed) == (CheckStatus.FAILED, "0.7666666666666667")


def test_exactly_four_fifths_passes(tmp_path: Path) -> None:
    result = judged(counted(text(tmp_path, "group,n,selected\na,75,30\nb,75,24\n")), mode="as_written")
    assert result.status is CheckStatus.PASSED


@pytest.mark.parametrize(
    "line",
    [
        "a,10,11",
        "a,-1,0",
        "a,10,-1",
        "a,10.0,1",
        "a,10,1.5",
        "a,,1",
        "a,10,",
        "a,1e3,1",
        "a, 10,1",
        "a,1000000000000,1",
        "a,ten,1",
        "a,١٠,1",
    ],
)
def test_what_is_no_count_is_refused(line: str, tmp_path: Path) -> None:
    with pytest.raises(MeasurementRefused, match="whole numbers"):
        judged(counted(text(tmp_path, f"group,n,selected\nb,10,5\n{line}\n")))


@pytest.mark.parametrize("n", [[10.0, 10.0], [True, True], [None, 10], [-1, 10]])
def test_a_typed_column_that_holds_no_whole_numbers_is_refused(n: list[Any], tmp_path: Path) -> None:
    path = write(tmp_path / "counts.parquet", {"group": ["a", "b"], "n": n, "selected": [0, 0]})
    with pytest.raises(MeasurementRefused, match="whole numbers"):
        judged(counted(path))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("group,n\na,10\n", "selected missing"),
        ("group,n,n,selected\na,1,1,1\n", "n repeated"),
        ("group,n,selected\n", "none"),
        ("group,n,selected\na,10,5\na,10,5\n", "a more than once"),
        ("table,group,n,selected\nsex,a,10,5\n", "sex undeclared"),
        ("table,group,n,selected\ngroup,a,10,5\n,b,10,5\n", "None undeclared"),
    ],
)
def test_a_malformed_table_is_refused(lines: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(MeasurementRefused) as refused:
        judged(counted(text(tmp_path, lines)))
    assert said in refused.value.found


def test_a_table_that_the_manifest_declares_and_the_file_lacks_is_refused(tmp_path: Path) -> None:
    lines = "".join(line for line in SEX_AND_RACE.splitlines(keepends=True) if not line.startswith("race,"))
    with pytest.raises(MeasurementRefused) as refused:
        judged(both(text(tmp_path, lines)))
    assert refused.value.found == "race missing"


def test_a_line_that_fills_another_tables_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeasurementRefused, match="only sex filled"):
        judged(both(text(tmp_path, SEX_AND_RACE.replace("sex,f,,100", "sex,f,x,100"))))


def test_bins_cannot_be_counted(tmp_path: Path) -> None:
    path = text(tmp_path, "group,n,selected\n1,10,5\n2,10,5\n")
    with pytest.raises(MeasurementRefused, match="groups the counts name"):
        judged(counted(path, sensitive={"group": {"bins": [0, 1, 2]}}))


def test_metrics_that_need_labels_are_refused(tmp_path: Path) -> None:
    path = text(tmp_path, "group,n,selected\na,10,5\nb,10,5\n")
    with pytest.raises(MeasurementRefused, match="column of labels"):
        judged(counted(path), metrics=[{"name": "equalized_odds_ratio", "limit": "0.8"}])


def test_a_value_beyond_the_declared_groups_is_no_group(tmp_path: Path) -> None:
    path = text(tmp_path, "group,n,selected\na,100,50\nb,100,50\nc,7,3\n")
    result = judged(counted(path, sensitive={"group": {"groups": ["a", "b"]}}))
    assert (result.status, result.reason) == (CheckStatus.WARNED, "fairness.undeclared_groups")


@pytest.mark.parametrize(
    "beside",
    [
        {"predictions": {"uri": f"artifact:sha256:{'1' * 64}", "format": "csv"}},
        {"columns": {"decision": "d"}},
        {"threshold": "0.5"},
    ],
)
def test_counts_stand_alone_in_a_manifest(beside: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="counts"):
        counted(text(tmp_path, "group,n,selected\na,10,5\n"), **beside)
