"""Every case of ``shared/cases``: no check passes where a user expects otherwise, and the expected values hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.neutral import (
    SHARED,
    Answer,
    NotServed,
    ask,
    case_documents,
    cases_folder,
    map_case,
    read,
    variants,
)

CASES = case_documents()

NOT_SERVED: dict[str, str] = {
    "schema-all-missing-columns": "cases of the check 'schema' are not mapped",
    "schema-coerce-lossy": "cases of the check 'schema' are not mapped",
    "schema-coerce-overflow": "cases of the check 'schema' are not mapped",
    "schema-cross-column-null": "cases of the check 'schema' are not mapped",
    "schema-dropped-rows": "cases of the check 'schema' are not mapped",
    "schema-lazy-source": "cases of the check 'schema' are not mapped",
    "schema-many-failures": "cases of the check 'schema' are not mapped",
    "schema-unique-across-chunks": "cases of the check 'schema' are not mapped",
    "xai-categorical-tree": "cases of the check 'explainability' are not mapped",
    "xai-column-order": "cases of the check 'explainability' are not mapped",
    "xai-output-axis": "cases of the check 'explainability' are not mapped",
}
"""Cases of the shared folder that are refused, and the reason that the adapter gives."""

TOLERANCE = 1e-6


@pytest.fixture(params=sorted(CASES))
def case_folder(request: pytest.FixtureRequest) -> Path:
    """The folder of one case."""
    return CASES[request.param]


def answer(folder: Path) -> tuple[dict[str, Any], Answer]:
    """A case and what the check says to it; the test skips where the case is not served."""
    case = read(folder / "case.json")
    try:
        return case, ask(map_case(case, folder))
    except NotServed as reason:
        pytest.skip(f"not served: {reason}")


def test_no_case_passes_where_its_expectation_says_otherwise(case_folder: Path) -> None:
    case, said = answer(case_folder)
    expect = case["expect"]
    if "verdict" in expect:
        assert said.verdict == expect["verdict"], said
    if "verdict_in" in expect:
        assert said.verdict in expect["verdict_in"], said
    assert said.verdict not in expect.get("verdict_not", []), said


def test_a_refused_case_says_what_was_expected_and_what_to_do(case_folder: Path) -> None:
    _, said = answer(case_folder)
    if said.verdict == "error":
        assert said.fault is not None
        assert said.fault.expected
        assert said.fault.remedy


def test_each_variant_of_a_case_has_the_verdict_it_names(case_folder: Path, tmp_path: Path) -> None:
    case, _ = answer(case_folder)
    found = variants(case, case_folder, tmp_path)
    assert {name: ask(task).verdict for name, task in found.items()} == {name: case["expect"][name] for name in found}


def test_the_expected_values_of_a_fairness_case_hold(case_folder: Path, tmp_path: Path) -> None:
    case, said = answer(case_folder)
    if case["area"] != "fairness" or said.result is None:
        pytest.skip("the input is refused, so that there are no values")
    details: Any = said.result.details
    tables: dict[str, Any] = details["tables"]
    table = next(iter(tables.values()))
    groups = {"/".join(one["group"].values()): one for one in table["groups"]}
    known: dict[str, Callable[[], Any]] = {
        "ratio": lambda: said.result.observed if said.result else None,
        "ratio_excluding_small": lambda: said.result.observed if said.result else None,
        "ratio_exact": lambda: table["judged"][0]["exact"],
        "absent_groups": lambda: table["absent_groups"],
        "small_groups": lambda: table["small_groups"],
        "unknown_count": lambda: table["unknown_rows"],
        "rows_in_groups": lambda: table["rows_in_groups"],
        "rows_total": lambda: details["rows"],
        "attributes": lambda: {name: len(one["groups"]) for name, one in tables.items()},
    }
    verdicts = {"verdict", "verdict_in", "verdict_not", *variants(case, case_folder, tmp_path)}
    for name, expected in case["expect"].items():
        if name == "group_values":
            for group, values in expected.items():
                _assert_group(groups[group], values, case["policy"]["metric"])
        elif name in known:
            _assert_value(known[name](), expected)
        elif name not in verdicts:
            assert name in table["metrics"], f"no test knows the expectation {name!r}"
            _assert_value(table["metrics"][name], expected)


def _assert_group(found: dict[str, Any], values: dict[str, Any], metric: str) -> None:
    rate = metric.removesuffix("_ratio").removesuffix("_difference")
    for name, expected in values.items():
        if name == "n":
            assert found["rows"] == expected
        elif name == "denominator":
            assert found["denominators"][rate] == str(expected)
        else:
            _assert_value(found[name], expected)


def _assert_value(found: Any, expected: Any) -> None:
    """Numbers of results are text; everything else is compared as it is."""
    if isinstance(expected, float | int) and isinstance(found, str):
        assert float(found) == pytest.approx(expected, abs=TOLERANCE)
    else:
        assert found == expected


def test_exactly_the_listed_cases_are_refused_as_not_served() -> None:
    if cases_folder() != SHARED / "cases" or not CASES:
        pytest.skip("another folder of cases, or none")
    refused = {}
    for name, folder in CASES.items():
        try:
            map_case(read(folder / "case.json"), folder)
        except NotServed as reason:
            refused[name] = str(reason)
    assert refused == NOT_SERVED
