"""Measuring by cells gives what Fairlearn gives on the rows and scikit-learn on a mask, and refuses what it must."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from fairlearn import metrics as fairlearn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from governance.canonical import canonical
from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.results import CheckResult
from policies.fairness.check import CHECK
from policies.fairness.params import FairnessParams
from tests.support.evidence import facts, write


def sample(rows: int, *, seed: int = 3) -> pl.DataFrame:
    """Labels, decisions and weights of people of two attributes."""
    draw = np.random.default_rng(seed)
    group = draw.choice(["a", "b", "c"], rows, p=[0.5, 0.3, 0.2])
    label = draw.random(rows) < np.where(group == "a", 0.5, 0.3)
    decision = draw.random(rows) < np.where(label, 0.7, 0.25)
    return pl.DataFrame(
        {
            "label": label.astype(int),
            "decision": decision.astype(int),
            "group": group,
            "sex": draw.choice(["f", "m"], rows),
            "w": draw.integers(1, 2000, rows) / 1000,
        }
    )


def judged(known: Facts, **params: Any) -> CheckResult:
    """The check's result with a small bootstrap."""
    parsed = FairnessParams.model_validate({"bootstrap_replicates": 200, "mode": "as_written", **params})
    return CHECK.judge(CHECK.measure(known, parsed), parsed)


def details(known: Facts, table: str = "group") -> dict[str, Any]:
    """The result's numbers of one table."""
    found: Any = judged(known).details
    return {"overall": found["overall"], **found["tables"][table]}


FAIRLEARN = {
    "selection_rate": fairlearn.selection_rate,
    "true_positive_rate": fairlearn.true_positive_rate,
    "false_positive_rate": fairlearn.false_positive_rate,
    "true_negative_rate": fairlearn.true_negative_rate,
    "false_negative_rate": fairlearn.false_negative_rate,
    "accuracy": sklearn.accuracy_score,
    "precision": sklearn.precision_score,
}


@pytest.mark.parametrize("weighted", [False, True])
def test_cells_give_what_metric_frame_gives_on_the_rows(tmp_path: Path, weighted: bool) -> None:
    rows = sample(3000)
    columns = {"label": "label", "decision": "decision", "weight": "w" if weighted else None}
    found = details(facts(write(tmp_path / "rows.parquet", rows), columns=columns))
    weights = {name: {"sample_weight": rows["w"].to_numpy()} for name in FAIRLEARN} if weighted else None
    frame = fairlearn.MetricFrame(
        metrics=FAIRLEARN,
        y_true=rows["label"].to_numpy(),
        y_pred=rows["decision"].to_numpy(),
        sensitive_features=pd.Series(rows["group"].to_list(), name="group"),
        sample_params=weights,
    )
    for name in FAIRLEARN:
        by_group = {one["group"]["group"]: float(one[name]) for one in found["groups"]}
        assert by_group == pytest.approx(frame.by_group[name].to_dict(), abs=1e-12)
        assert float(found["overall"][name]) == pytest.approx(frame.overall[name], abs=1e-12)
        for kind, method in (("difference", "between_groups"), ("ratio", "between_groups")):
            theirs = getattr(frame, kind)(method=method)[name]
            assert float(found["between"][name][f"{kind}_between_groups"]) == pytest.approx(theirs, abs=1e-12)
        for kind in ("difference", "ratio"):
            theirs = getattr(frame, kind)(method="to_overall")[name]
            assert float(found["between"][name][f"{kind}_to_overall"]) == pytest.approx(theirs, abs=1e-12)


def test_named_metrics_are_fairlearns(tmp_path: Path) -> None:
    rows = sample(2000)
    found = details(facts(write(tmp_path / "rows.parquet", rows)))["metrics"]
    arguments = {
        "y_true": rows["label"].to_numpy(),
        "y_pred": rows["decision"].to_numpy(),
        "sensitive_features": rows["group"].to_numpy(),
    }
    for name in (
        "demographic_parity_difference",
        "demographic_parity_ratio",
        "equalized_odds_difference",
        "equalized_odds_ratio",
        "equal_opportunity_difference",
        "equal_opportunity_ratio",
    ):
        theirs = getattr(fairlearn, name)(**arguments)
        assert float(found[name]) == pytest.approx(theirs, abs=1e-12), name


def test_each_group_has_the_values_of_scikit_learn_on_its_rows(tmp_path: Path) -> None:
    rows = sample(1500)
    for entry in details(facts(write(tmp_path / "rows.csv", rows)))["groups"]:
        mask = rows.filter(pl.col("group") == entry["group"]["group"])
        y, p = mask["label"].to_numpy(), mask["decision"].to_numpy()
        tn, fp, fn, tp = sklearn.confusion_matrix(y, p).ravel()
        assert [entry[name] for name in ("tn", "fp", "fn", "tp")] == [str(n) for n in (tn, fp, fn, tp)]
        assert float(entry["precision"]) == pytest.approx(sklearn.precision_score(y, p))
        assert float(entry["true_positive_rate"]) == pytest.approx(sklearn.recall_score(y, p))
        assert float(entry["negative_predictive_value"]) == pytest.approx(sklearn.precision_score(1 - y, 1 - p))
        assert float(entry["accuracy"]) == pytest.approx(sklearn.accuracy_score(y, p))


def test_an_intersection_is_measured_beside_its_attributes_and_each_inside_itself(tmp_path: Path) -> None:
    rows = sample(900)
    known = facts(
        write(tmp_path / "rows.parquet", rows),
        sensitive={"group": {}, "sex": {"groups": ["f", "m", "x"]}},
        intersections=[["group", "sex"]],
    )
    tables: Any = judged(known).details["tables"]
    assert {name: len(table["groups"]) for name, table in tables.items()} == {"group": 3, "sex": 3, "group*sex": 6}
    for entry in tables["group*sex"]["groups"]:
        mask = rows.filter((pl.col("group") == entry["group"]["group"]) & (pl.col("sex") == entry["group"]["sex"]))
        assert entry["rows"] == len(mask)
        assert entry["predicted_positives"] == str(mask["decision"].sum())


def test_an_intersection_that_is_declared_whole_lists_who_is_nobody(tmp_path: Path) -> None:
    rows = {"decision": [1, 0], "label": [1, 0], "group": ["a", "b"], "sex": ["f", "m"]}
    known = facts(
        write(tmp_path / "rows.parquet", rows),
        sensitive={"group": {"groups": ["a", "b"]}, "sex": {"groups": ["f", "m"]}},
        intersections=[["group", "sex"]],
    )
    tables: Any = judged(known).details["tables"]
    assert [one["rows"] for one in tables["group*sex"]["groups"]] == [1, 0, 0, 1]
    assert tables["group*sex"]["absent_groups"] == []


def test_only_the_attributes_that_a_policy_names_are_judged_and_all_are_measured(tmp_path: Path) -> None:
    known = facts(write(tmp_path / "rows.parquet", sample(300)), sensitive={"group": {}, "sex": {}})
    params = FairnessParams(sensitive=("sex",), bootstrap_replicates=0)
    measured = CHECK.measure(known, params)
    tables: Any = CHECK.judge(measured, params).details["tables"]
    assert list(tables) == ["sex"]
    assert CHECK.judge(measured, FairnessParams(sensitive=("group",))).details["tables"] is not None


def test_a_missing_group_is_counted_and_the_others_judged(tmp_path: Path) -> None:
    rows = {"decision": [1, 1, 1, 0, 1, 0, 1], "label": [1] * 7, "group": ["a", "a", "a", "a", "b", "b", None]}
    result = judged(facts(write(tmp_path / "rows.csv", rows)))
    found: Any = result.details
    assert found["tables"]["group"]["unknown_rows"] == 1
    assert found["tables"]["group"]["rows_in_groups"] == 6
    assert result.observed == "0.6666666666666666"


@pytest.mark.parametrize(
    ("fields", "params", "found"),
    [
        ({"sensitive": {}}, {}, "none in the manifest"),
        ({}, {"sensitive": ["age"]}, "only group in the manifest"),
        ({}, {"sensitive": ["group*sex"]}, "only group in the manifest"),
        (
            {"columns": {"decision": "decision"}},
            {"metrics": [{"name": "accuracy_ratio", "limit": "0.8"}]},
            "none in the manifest",
        ),
        ({"sensitive": {"group": {"reference": "z"}}}, {}, "the groups a, b, c"),
        ({"positive": {"label": 1}}, {}, "none named; the column holds"),
    ],
)
def test_a_question_that_the_manifest_cannot_answer_is_refused(
    tmp_path: Path, fields: dict[str, Any], params: dict[str, Any], found: str
) -> None:
    known = facts(write(tmp_path / "rows.parquet", sample(50)), **fields)
    with pytest.raises(MeasurementRefused) as fault:
        judged(known, **params)
    assert found in fault.value.found


def test_an_intersection_that_names_people_is_refused(tmp_path: Path) -> None:
    rows = {"decision": [1] * 900, "label": [1] * 900, "group": [n // 30 for n in range(900)]}
    rows["sex"] = [n % 30 for n in range(900)]
    known = facts(
        write(tmp_path / "rows.parquet", rows),
        sensitive={"group": {}, "sex": {}},
        intersections=[["group", "sex"]],
    )
    with pytest.raises(MeasurementRefused, match="at most 500 groups"):
        judged(known)


def test_without_a_manifest_nothing_is_measured(tmp_path: Path) -> None:
    known = facts(write(tmp_path / "rows.parquet", sample(50)))
    with pytest.raises(MeasurementRefused, match="none"):
        judged(Facts(known.subject, known.environment, known.evaluated_at))


def test_the_record_is_canonical_and_the_same_for_the_same_rows_in_another_order(tmp_path: Path) -> None:
    rows = sample(500)
    columns = {"label": "label", "decision": "decision", "weight": "w"}
    params = FairnessParams(bootstrap_replicates=100)
    bodies = [
        canonical(CHECK.measure(facts(write(tmp_path / name, frame), columns=columns, seed=5), params).body)
        for name, frame in (("one.parquet", rows), ("two.parquet", rows.reverse()))
    ]
    assert bodies[0] == bodies[1]
    assert len(bodies[0]) < 20_000


def test_the_bootstrap_of_a_gap_covers_what_the_rows_themselves_resample_to(tmp_path: Path) -> None:
    """The percentile interval of the cells against that of rows drawn with replacement, an independent oracle."""
    rows = sample(800)
    known = facts(write(tmp_path / "rows.parquet", rows), seed=1)
    measured: Any = CHECK.measure(known, FairnessParams(bootstrap_replicates=4000)).body
    found = measured["tables"][0]["bootstrap"]["intervals"]["equalized_odds_difference"]
    draw = np.random.default_rng(2)
    y, p, g = (rows[name].to_numpy() for name in ("label", "decision", "group"))
    gaps = []
    for _ in range(1500):
        index = draw.integers(0, len(y), len(y))
        yy, pp, gg = y[index], p[index], g[index]
        rates = [[pp[(gg == name) & (yy == value)].mean() for name in ("a", "b", "c")] for value in (0, 1)]
        gaps.append(max(max(rate) - min(rate) for rate in rates))
    lower, upper = np.quantile(gaps, [0.025, 0.975])
    assert (found["lower"], found["upper"]) == pytest.approx((lower, upper), abs=0.02)


def test_values_that_do_not_exist_in_too_many_replicates_have_no_interval(tmp_path: Path) -> None:
    rows = {"decision": [1, 1, 0, 0], "label": [1, 0, 1, 0], "group": ["a", "a", "b", "b"]}
    known = facts(write(tmp_path / "rows.parquet", rows))
    measured: Any = CHECK.measure(known, FairnessParams(bootstrap_replicates=500)).body
    found = measured["tables"][0]["bootstrap"]["intervals"]["equalized_odds_difference"]
    assert (found["lower"], found["upper"]) == (None, None)
    assert found["undefined"] > 25


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.sampled_from("abc")), min_size=1, max_size=30))
def test_any_rows_are_measured_without_a_warning(tmp_path: Path, rows: list[tuple[int, int, str]]) -> None:
    frame = pl.DataFrame(rows, schema=["label", "decision", "group"], orient="row")
    known = facts(write(tmp_path / "rows.parquet", frame))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = judged(known)
    assert result.details["rows"] == len(rows)
