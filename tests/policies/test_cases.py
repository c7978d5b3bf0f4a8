"""Every case of ``shared/cases``: no check passes where a user expects otherwise, and the expected values hold.

The values of the schema cases are held by ``tests/policies/schema``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.neutral import SHARED, Answer, NotServed, ask, case_documents, cases_folder, read
from tests.support.neutral_cases import map_case, variants

CASES = case_documents()

NOT_SERVED: dict[str, str] = {}
"""Cases of the shared folder that are refused, and the reason that the adapter gives."""

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Asked:
    """A case, where it lies, and what the check says to it."""

    document: dict[str, Any]
    folder: Path
    answer: Answer

    @property
    def expect(self) -> dict[str, Any]:
        """What a user expects."""
        found: dict[str, Any] = self.document["expect"]
        return found


@pytest.fixture(scope="module", params=sorted(CASES))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """One case, asked once."""
    folder = CASES[request.param]
    document = read(folder / "case.json")
    try:
        return Asked(document, folder, ask(map_case(document, folder, tmp_path_factory.mktemp("case"))))
    except NotServed as reason:
        pytest.skip(f"not served: {reason}")


def test_no_case_passes_where_its_expectation_says_otherwise(case: Asked) -> None:
    verdict = case.answer.verdict
    if "verdict" in case.expect:
        assert verdict == case.expect["verdict"], case.answer
    if "verdict_in" in case.expect:
        assert verdict in case.expect["verdict_in"], case.answer
    assert verdict not in case.expect.get("verdict_not", []), case.answer


def test_a_refused_case_says_what_was_expected_and_what_to_do(case: Asked) -> None:
    if case.answer.result is None:
        assert case.answer.fault is not None
        assert case.answer.fault.expected
        assert case.answer.fault.remedy


def test_each_variant_of_a_case_has_the_verdict_it_names(case: Asked, tmp_path: Path) -> None:
    found = variants(case.document, case.folder, tmp_path)
    assert {name: ask(task).verdict for name, task in found.items()} == {name: case.expect[name] for name in found}


def test_the_expected_values_of_a_case_hold(case: Asked, tmp_path: Path) -> None:
    if case.answer.result is None:
        return
    values = {"fairness": _fairness_values, "explainability": _explainability_values}.get(case.document["area"])
    if values is None:
        return
    known = values(case)
    verdicts = {"verdict", "verdict_in", "verdict_not", *variants(case.document, case.folder, tmp_path)}
    unknown = set(case.expect) - set(known) - verdicts
    assert not unknown, f"no test knows the expectations {sorted(unknown)}"
    for name in set(case.expect) & set(known):
        _assert_value(known[name](case.expect[name]), case.expect[name])


Values = dict[str, Callable[[Any], Any]]
"""Reads the value of an expectation from the result; the expectation itself says which groups it speaks of."""


def _fairness_values(case: Asked) -> Values:
    result = case.answer.result
    assert result is not None
    details: Any = result.details
    tables: dict[str, Any] = details["tables"]
    table = next(iter(tables.values()))
    groups = {"/".join(one["group"].values()): one for one in table["groups"]}
    rate = case.document["policy"]["metric"].removesuffix("_ratio").removesuffix("_difference")

    def of_group(name: str, value: str) -> Any:
        if value == "n":
            return groups[name]["rows"]
        return groups[name]["denominators"][rate] if value == "denominator" else groups[name][value]

    return {
        **{name: _constant(value) for name, value in table["metrics"].items()},
        "ratio": lambda _: result.observed,
        "ratio_excluding_small": lambda _: result.observed,
        "ratio_exact": lambda _: table["judged"][0]["exact"],
        "absent_groups": lambda _: table["absent_groups"],
        "small_groups": lambda _: table["small_groups"],
        "unknown_count": lambda _: table["unknown_rows"],
        "rows_in_groups": lambda _: table["rows_in_groups"],
        "rows_total": lambda _: details["rows"],
        "per_class_ratio": lambda _: {
            one["one_class"]: one["between"][rate]["ratio_between_groups"] for one in tables.values()
        },
        "attributes": lambda _: {name: len(one["groups"]) for name, one in tables.items()},
        "group_values": lambda expected: {
            name: {value: of_group(name, value) for value in values} for name, values in expected.items()
        },
    }


def _constant(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


def _explainability_values(case: Asked) -> Values:
    result = case.answer.result
    assert result is not None
    details: Any = result.details
    direction = details["direction"]
    return {
        "importance_share": lambda _: details["importance_share"],
        "explained_class": lambda _: details["explained_class"],
        "shape": lambda _: details["shape"],
        "sign_of_corr_x1_attr": lambda _: 1 if float(direction["x1"]) > 0 else -1,
        "corr_min": lambda least: least if abs(float(direction["x1"])) >= least else direction["x1"],
        "max_additivity_error_if_pass": lambda most: max(most, float(details["additivity_error"])),
    }


def _assert_value(found: Any, expected: Any) -> None:
    """Numbers of results are text; everything else is compared as it is."""
    if isinstance(expected, dict) and isinstance(found, dict):
        assert set(found) == set(expected)
        for name, value in expected.items():
            _assert_value(found[name], value)
    elif isinstance(expected, float | int) and isinstance(found, str):
        assert float(found) == pytest.approx(expected, abs=TOLERANCE)
    else:
        assert found == expected


def test_exactly_the_listed_cases_are_refused_as_not_served(tmp_path: Path) -> None:
    if cases_folder() != SHARED / "cases" or not CASES:
        pytest.skip("another folder of cases, or none")
    refused = {}
    for name, folder in CASES.items():
        try:
            map_case(read(folder / "case.json"), folder, tmp_path)
        except NotServed as reason:
            refused[name] = str(reason)
    assert refused == NOT_SERVED
