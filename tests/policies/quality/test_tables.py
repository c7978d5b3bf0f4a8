"""References and leakage: exact rows and keys between tables, and single features against scikit-learn and DeLong."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from governance.canonical import canonical
from governance.errors import MeasurementRefused
from governance.types.results import CheckStatus
from policies.quality.target import area
from tests.policies.quality.build import facts_of, judged, measured, reading

ORDERS = {"customer": [1, 2, 9, None, 2], "shop": ["a", "b", "a", "a", None]}
CUSTOMERS = {"id": [1, 2, 3], "at": ["a", "b", "a"]}


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_keys_that_are_not_found_are_counted_and_named(tmp_path: Path, ending: str) -> None:
    known = facts_of(tmp_path, ORDERS, ending=ending, tables={"customers": CUSTOMERS})
    rule = {"columns": ["customer"], "table": "customers", "to": ["id"]}
    found = reading(known, "referential", rule)
    assert (found["count"], found["of"], found["without_key"]) == (1, 4, 1)
    assert found["examples"] == [{"row": 2, "value": "9"}]
    assert judged(known, referential=[rule]).status is CheckStatus.FAILED
    assert judged(known, referential=[{**rule, "max_share": "0.25"}]).status is CheckStatus.PASSED


def test_keys_of_several_columns_are_found_together(tmp_path: Path) -> None:
    known = facts_of(tmp_path, ORDERS, tables={"customers": CUSTOMERS})
    found = reading(
        known, "referential", {"columns": ["customer", "shop"], "table": "customers", "to": ["id", "at"]}
    )  # fmt: skip
    assert (found["count"], found["of"], found["without_key"]) == (1, 3, 2)


def test_a_table_whose_keys_repeat_cannot_be_referred_to(tmp_path: Path) -> None:
    known = facts_of(tmp_path, {"customer": [1]}, tables={"customers": {"id": [1, 1]}})
    result = judged(known, referential=[{"columns": ["customer"], "table": "customers", "to": ["id"]}])
    assert result.status is CheckStatus.FAILED
    assert "share their key" in result.message


def test_a_table_that_is_not_there_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    known = facts_of(tmp_path, ORDERS, tables={"customers": {"id": ["1"]}})
    rule = {"columns": ["customer"], "table": "customers", "to": ["id"]}
    with pytest.raises(MeasurementRefused, match="one kind"):
        judged(known, referential=[rule])
    with pytest.raises(MeasurementRefused, match="a table 'shops'"):
        judged(known, referential=[{**rule, "table": "shops"}])
    with pytest.raises(MeasurementRefused, match="the columns key"):
        judged(known, referential=[{**rule, "to": ["key"]}])


def test_rows_and_keys_in_both_tables_are_leakage(tmp_path: Path) -> None:
    test = {"id": [1, 2, 3], "a": [1.0, None, 3.0], "b": ["x", "y", "z"]}
    training = {"id": [3, 2, 7], "a": [9.0, None, 1.0], "b": ["z", "y", "x"], "extra": [1, 2, 3]}
    known = facts_of(tmp_path, test, tables={"training": training})
    found = reading(known, "leakage", {"key": ["id"]})
    assert (found["rows"]["columns"], found["rows"]["count"], found["rows"]["first"]) == (["id", "a", "b"], 1, [1])
    assert (found["keys"]["count"], [one["value"] for one in found["keys"]["examples"]]) == (2, ["2", "3"])
    some = reading(known, "leakage", {"columns": ["a", "b"]})
    assert (some["rows"]["count"], some["keys"]) == (2, None)
    result = judged(known, leakage=[{"key": ["id"], "max_row_share": "0.34"}])
    rules: Any = result.details["rules"]
    assert [(one["place"], one["status"]) for one in rules] == [
        ("rows in training", "passed"),
        ("keys in training", "failed"),
    ]


def test_data_that_share_nothing_pass(tmp_path: Path) -> None:
    known = facts_of(tmp_path, {"a": [1, 2]}, tables={"training": {"a": [3, 4]}})
    assert judged(known, leakage=[{"key": ["a"]}]).status is CheckStatus.PASSED


@given(st.lists(st.integers(0, 5), min_size=2, max_size=30), st.lists(st.integers(0, 5), min_size=2, max_size=30))
def test_the_area_is_that_of_scikit_learn_with_delongs_error(positive: list[int], negative: list[int]) -> None:
    found = area(np.array(positive, dtype=float), np.array(negative, dtype=float))
    labels = [1] * len(positive) + [0] * len(negative)
    assert found.auc == pytest.approx(roc_auc_score(labels, [*positive, *negative]))
    wins = np.array([[(p > n) + (p == n) / 2 for n in negative] for p in positive], dtype=float)
    variance = wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / len(negative)
    assert found.error == pytest.approx(np.sqrt(variance))


def leaky(rows: int = 400) -> dict[str, Any]:
    """A label, features made from it (a number, its inverse, a word, one missing where it is 0), honest ones."""
    random = np.random.default_rng(3)
    label = random.integers(0, 2, rows)
    noise = random.normal(size=rows)
    return {
        "label": label,
        "honest": 0.5 * label + noise,
        "leaked": label * 10.0 + noise,
        "inverse": -label * 10.0 + noise,
        "word": np.where(label == 1, "paid", "open"),
        "letter": random.choice(list("abc"), rows),
        "gone": [1.0 if one else None for one in label],
        "name": [f"person {number}" for number in range(rows)],
        "score": 0.5 * label + noise,
    }


FEATURES = ["honest", "leaked", "inverse", "word", "letter", "gone", "name"]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_feature_that_alone_tells_the_label_fails(tmp_path: Path, ending: str) -> None:
    table = leaky()
    known = facts_of(
        tmp_path, table, ending=ending, tables={"training": table}, columns={"label": "label", "features": FEATURES}
    )  # fmt: skip
    result = judged(known, leakage=[{"rows": False, "target": {}}])
    rules: Any = result.details["rules"]
    statuses = {one["place"].removesuffix(" alone"): one["status"] for one in rules}
    assert statuses == {
        "honest": "passed", "leaked": "failed", "inverse": "failed", "word": "failed", "letter": "passed",
        "gone": "failed", "name": "passed",
    }  # fmt: skip
    honest = next(one for one in result.figures if one.group["column"] == "honest")
    assert float(honest.value or "") == pytest.approx(roc_auc_score(table["label"], table["honest"]))
    assert next(one for one in result.figures if one.group["column"] == "name").value is None


def test_a_feature_as_good_as_the_whole_model_warns(tmp_path: Path) -> None:
    table = leaky()
    columns = {"label": "label", "score": "score", "features": ["honest", "letter"]}
    known = facts_of(tmp_path, table, tables={"training": table}, columns=columns)
    result = judged(known, leakage=[{"rows": False, "target": {}}])
    assert result.status is CheckStatus.WARNED
    assert "as well as the whole model" in result.message


def test_single_features_need_both_classes_and_a_label(tmp_path: Path) -> None:
    few = {"label": [1, 0] * 10, "a": list(range(20))}
    known = facts_of(tmp_path, few, tables={"training": few}, columns={"label": "label", "features": ["a"]})
    assert judged(known, leakage=[{"rows": False, "target": {}}]).status is CheckStatus.INSUFFICIENT_EVIDENCE
    unlabelled = facts_of(tmp_path, few, tables={"training": few}, columns={}, positive={})
    with pytest.raises(MeasurementRefused, match=r"columns\.label"):
        judged(unlabelled, leakage=[{"rows": False, "target": {}}])


def test_examples_hold_no_whole_rows_and_no_personal_values(tmp_path: Path) -> None:
    test = {"id": [1, 2], "secret": ["hidden one", "hidden two"]}
    known = facts_of(tmp_path, test, tables={"training": test})
    body = measured(known, leakage=[{}]).document()
    assert b"hidden" not in canonical(body)


def test_the_measurement_names_every_table_it_looked_at(tmp_path: Path) -> None:
    table = pl.DataFrame({"a": [1, 2]})
    known = facts_of(tmp_path, table, tables={"training": table, "old": table.head(1)})
    found = measured(known, leakage=[{}], referential=[{"columns": ["a"], "table": "old", "to": ["a"]}])
    assert [(one.role, one.rows) for one in found.inputs] == [("predictions", 2), ("old", 1), ("training", 2)]
