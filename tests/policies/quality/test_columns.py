"""Rules over columns: exact counts, against hand calculations and scipy."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from governance.errors import InputRefused, MeasurementRefused
from governance.types.results import CheckStatus
from tests.policies.quality.build import facts_of, judged, params, reading

FORMATS = {
    "email": (["a@b.co", "x.y+z@d-e.org"], ["a@b", "a b@c.de", "@b.co", "a@b..", "a@@b.co"]),
    "uri": (["https://a.b/c?d#e", "urn:isbn:1"], ["a.b/c", "http:", "http://a b"]),
    "uuid": (["123e4567-e89b-12d3-a456-426614174000"], ["123e4567e89b12d3a456426614174000", "g" * 36]),
    "ipv4": (["1.2.3.4", "255.255.255.255"], ["256.1.1.1", "1.2.3", "01.2.3.4"]),
    "e164": (["+491701234567"], ["0170", "+0123", "+1234567890123456"]),
    "iso_date": (["2024-02-29"], ["2023-02-29", "2024-2-9", "29.02.2024"]),
    "iso_datetime": (
        ["2024-02-29T10:00:00Z", "2024-02-29 10:00:00.5", "2024-02-29T10:00:00+01:00"],
        ["2024-02-30T10:00:00Z", "2024-02-29", "10:00"],
    ),
    "integer": (["0", "-12", "+3"], ["1.0", "1e3", ""]),
    "decimal": (["1", "-1.5", ".5", "1e-3"], ["1,5", "x", "."]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_values_of_another_form_are_counted_and_named(tmp_path: Path, name: str) -> None:
    good, bad = FORMATS[name]
    known = facts_of(tmp_path, {"a": [*good, None, *bad]})
    found = reading(known, "formats", {"column": "a", "format": name})
    assert (found["count"], found["of"]) == (len(bad), len(good) + len(bad))
    assert [one["value"] for one in found["examples"]] == bad
    assert found["examples"][0]["row"] == len(good) + 1


def test_a_pattern_is_one_of_the_whole_text(tmp_path: Path) -> None:
    known = facts_of(tmp_path, {"a": ["ab", "abc", "xab"]})
    assert reading(known, "formats", {"column": "a", "pattern": "ab|cd"})["count"] == 2


@pytest.mark.parametrize(("limit", "status"), [("0.3", CheckStatus.FAILED), ("0.4", CheckStatus.PASSED)])
def test_a_share_is_held_to_its_limit_in_integers(tmp_path: Path, limit: str, status: CheckStatus) -> None:
    known = facts_of(tmp_path, {"a": ["1", "x", "2", "y", "3"]})
    result = judged(known, formats=[{"column": "a", "format": "integer", "max_share": limit}])
    assert result.status is status
    figure = result.figures[0]
    assert (figure.value, figure.numerator, figure.denominator) == ("0.4", "2", "5")
    interval = stats.binomtest(2, 5).proportion_ci(method="wilson")
    assert figure.interval is not None
    assert float(figure.interval.lower or "") == pytest.approx(interval.low)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_missing_values_are_nulls_nan_and_the_declared_words(tmp_path: Path, ending: str) -> None:
    known = facts_of(tmp_path, {"a": [1.0, None, float("nan"), -999.0], "b": ["x", " NA ", None, "-"]}, ending=ending)
    words = ["-999.0"] if ending == "parquet" else ["-999.0", "NaN"]
    assert reading(known, "missing", {"column": "a", "words": words})["count"] == 3
    assert reading(known, "missing", {"column": "b", "words": ["NA", "-"]})["count"] == 3
    assert reading(known, "missing", {"column": "b"})["count"] == 1


def test_the_gap_between_groups_is_judged_by_its_interval(tmp_path: Path) -> None:
    table = {"a": [None] * 30 + [1] * 70 + [None] * 10 + [1] * 90, "g": ["x"] * 100 + ["y"] * 100}
    rule = {"column": "a", "by": "g", "max_share": "1"}
    statuses = {}
    for limit in ("0.05", "0.15", "0.2"):
        result = judged(facts_of(tmp_path, table), missing=[{**rule, "max_difference": limit}])
        statuses[limit] = result.status.value
        gap = result.figures[-1]
    # 0.3 - 0.1 with Newcombe's interval of 0.0894 to 0.3047 (Newcombe 1998, method 10, by hand).
    assert statuses == {"0.05": "failed", "0.15": "warned", "0.2": "passed"}
    assert gap.interval is not None
    assert float(gap.interval.lower or "") == pytest.approx(0.0894, abs=0.003)


def test_incomplete_rows_and_absent_values_are_counted(tmp_path: Path) -> None:
    known = facts_of(tmp_path, {"a": [1, None, 3, 4], "b": ["x", "y", None, "x"]})
    rows = judged(known, completeness=[{"columns": ["a", "b"], "min_share": "0.5"}])
    assert (rows.status, rows.figures[0].value) == (CheckStatus.PASSED, "0.5")
    values = judged(known, completeness=[{"columns": ["b"], "values": ["x", "z", "w"]}])
    assert values.status is CheckStatus.FAILED
    assert "z, w" in values.message


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_outliers_are_those_that_numpy_and_scipy_find(tmp_path: Path, ending: str) -> None:
    values = np.concatenate([np.random.default_rng(1).normal(size=500), [9.0, -8.0, 50.0]])
    known = facts_of(tmp_path, {"a": values}, ending=ending)
    first, third = np.quantile(values, [0.25, 0.75])
    expected = {
        "iqr": (values < first - 3 * (third - first)) | (values > third + 3 * (third - first)),
        "z": np.abs(stats.zscore(values, ddof=1)) > 3,
        "mad": np.abs(values - np.median(values)) / stats.median_abs_deviation(values, scale="normal") > 3.5,
    }
    for method, outside in expected.items():
        found = reading(known, "outliers", {"column": "a", "method": method})
        assert (found["count"], found["of"]) == (outside.sum(), len(values)), method
        assert [one["row"] for one in found["examples"]] == np.flatnonzero(outside)[:10].tolist()


def test_infinite_values_are_outliers_and_do_not_move_the_fences(tmp_path: Path) -> None:
    plain = facts_of(tmp_path, {"a": [1.0, 2.0, 3.0, 4.0, 5.0]})
    fences = reading(plain, "outliers", {"column": "a"})
    with_infinity = facts_of(tmp_path, {"a": [1.0, 2.0, 3.0, 4.0, 5.0, float("inf"), None, float("nan")]})
    found = reading(with_infinity, "outliers", {"column": "a"})
    assert (found["lower"], found["upper"], found["count"], found["of"]) == (fences["lower"], fences["upper"], 1, 6)


def test_no_spread_and_text_that_is_no_number_decide_nothing(tmp_path: Path) -> None:
    rule = {"column": "a", "max_share": "1"}
    constant = judged(facts_of(tmp_path, {"a": [1.0] * 9 + [5.0]}), outliers=[rule])
    assert (constant.status, constant.reason) == (CheckStatus.INSUFFICIENT_EVIDENCE, "quality.not_decided")
    words = judged(facts_of(tmp_path, {"a": ["1", "2", "x", "4"]}, ending="csv"), outliers=[rule])
    assert "1 values are no numbers" in words.message
    with pytest.raises(MeasurementRefused, match="numbers in 'a'"):
        judged(facts_of(tmp_path, {"a": ["1"]}), outliers=[rule])


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ({}, "passed"),
        ({"min_share": "0.1"}, "passed"),
        ({"min_share": "0.11"}, "failed"),
        ({"max_ratio": "9"}, "passed"),
        ({"max_ratio": "8.9"}, "failed"),
        ({"min_rows": 2}, "failed"),
        ({"values": ["x", "y"]}, "passed"),
        ({"values": ["x", "y", "z"]}, "failed"),
        ({"values": ["x"]}, "failed"),
    ],
)
def test_balance_is_judged_by_shares_counts_and_ratios(tmp_path: Path, rule: dict[str, Any], status: str) -> None:
    known = facts_of(tmp_path, {"a": ["x"] * 9 + ["y", None]})
    result = judged(known, balance=[{"column": "a", **rule}])
    assert result.status == status
    rules: Any = result.details["rules"]
    assert rules[0]["missing"] == 1


def test_an_expected_value_without_rows_is_listed_with_none(tmp_path: Path) -> None:
    result = judged(facts_of(tmp_path, {"a": ["x"]}), balance=[{"column": "a", "values": ["x", "y"]}])
    assert [(one.group["value"], one.numerator) for one in result.figures] == [("x", "1"), ("y", "0")]


@pytest.mark.parametrize(
    ("values", "rule", "status"),
    [
        (["2026-11-20", "2026-10-01"], {"max_age": "P5D"}, "passed"),
        (["2026-11-20", "2026-10-01"], {"max_age": "P4D"}, "failed"),
        (["2026-11-26T00:00:00Z"], {}, "failed"),
        (["2026-11-26", "2026-11-01"], {"max_future_share": "0.5"}, "passed"),
        (["2026-11-25T01:00:00+02:00"], {}, "passed"),
        (["2026-11-24T23:30:00-01:00"], {}, "failed"),
        (["2026-11-01", "2026-11-03", "2026-11-02"], {"in_order": True}, "failed"),
        (["2026-11-01", "2026-11-01", "2026-11-02"], {"in_order": True}, "passed"),
        (["2026-11-01", "soon"], {}, "insufficient_evidence"),
        ([None], {}, "insufficient_evidence"),
    ],
)
def test_instants_are_held_to_the_time_of_the_check(
    tmp_path: Path, values: list[str], rule: dict[str, Any], status: str
) -> None:
    known = facts_of(tmp_path, pl.DataFrame({"a": values}, schema={"a": pl.String}))
    assert judged(known, freshness=[{"column": "a", **rule}]).status == status


def test_dates_and_instants_have_types_too(tmp_path: Path) -> None:
    known = facts_of(tmp_path, {"d": [date(2026, 11, 20)], "t": pl.Series(["2026-11-21T00:00:00"]).str.to_datetime()})
    assert reading(known, "freshness", {"column": "d"})["newest"] == "2026-11-20T00:00:00+00:00"
    assert reading(known, "freshness", {"column": "t"})["newest"] == "2026-11-21T00:00:00+00:00"
    with pytest.raises(MeasurementRefused, match="instants"):
        reading(facts_of(tmp_path, {"d": [1]}), "freshness", {"column": "d"})


def test_the_worst_rule_decides_and_a_missing_column_is_refused(tmp_path: Path) -> None:
    known = facts_of(tmp_path, {"a": [1, None], "b": ["x", "x"]})
    result = judged(known, missing=[{"column": "a"}, {"column": "b"}], completeness=[{"columns": ["b"]}])
    rules: Any = result.details["rules"]
    assert (result.status, [one["status"] for one in rules]) == ("failed", ["failed", "passed", "passed"])
    with pytest.raises(MeasurementRefused, match="the columns z"):
        judged(known, missing=[{"column": "z"}])


def test_no_rows_decide_nothing_and_too_few_fail(tmp_path: Path) -> None:
    empty = facts_of(tmp_path, pl.DataFrame({"a": []}, schema={"a": pl.Int64}))
    assert judged(empty, missing=[{"column": "a"}]).reason == "quality.no_rows"
    few = facts_of(tmp_path, {"a": [1]})
    assert judged(few, min_rows=2).reason == "quality.too_few_rows"


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({}, "at least one rule"),
        ({"formats": [{"column": "a"}]}, "a format or a pattern"),
        ({"formats": [{"column": "a", "pattern": "("}]}, "no regular expression"),
        ({"missing": [{"column": "a", "max_share": "1.5"}]}, "from 0 to 1"),
        ({"missing": [{"column": "a", "max_difference": "0.1"}]}, "needs by"),
        ({"completeness": [{"columns": ["a", "b"], "values": [1]}]}, "those of one column"),
        ({"referential": [{"columns": ["a"], "table": "t", "to": ["b", "c"]}]}, "pairs"),
        ({"surprise": []}, "not permitted"),
    ],
)
def test_rules_that_cannot_hold_are_refused_when_the_policy_is_stored(rules: Any, says: str) -> None:
    with pytest.raises(InputRefused, match=says):
        params(**rules)


def test_limits_do_not_shape_the_measurement(tmp_path: Path) -> None:
    from policies.quality.check import CHECK

    known = facts_of(tmp_path, {"a": [1.0, None, 3.0]})
    strict, lax = params(missing=[{"column": "a"}]), params(missing=[{"column": "a", "max_share": "0.5"}])
    measurement = CHECK.measure(known, strict)
    assert measurement.measured_with == CHECK.measuring_params(strict) == CHECK.measuring_params(lax)
    assert (CHECK.judge(measurement, strict).status, CHECK.judge(measurement, lax).status) == ("failed", "passed")
