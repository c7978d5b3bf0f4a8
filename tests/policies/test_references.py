"""Published tables, reproduced through the fairness check itself within their tolerance."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from governance.types.results import CheckResult
from tests.support.neutral import SHARED, NotServed, ask, read, reference_documents, reference_folder
from tests.support.neutral_reference import look_up, map_reference

REFERENCES = reference_documents()

NO_PEOPLE = "its selected are products of rounded rates, and the check takes whole people"
NO_DECISIONS = "the input has no decisions or no groups, which the check compares"

NOT_SERVED = {
    "adult_base_rates": NO_DECISIONS,
    "ll144_published_wells_fargo_2023": NO_PEOPLE,
    "ll144_rule_scoring_sex_race": NO_DECISIONS,
    "propublica_compas_6172_filter": NO_DECISIONS,
}
"""Whole tables that need a law's own reading (medians, rounded rates) or hold no decisions to compare."""

METRICS_NOT_SERVED = {
    "aequitas_compas_parity_decisions": {"predicted_positive_share_parity"},
    "ll144_rule_selection_sex_race": {"unknown_count"},
    "ricci_captain": {"count_among_top_9", "fisher_exact_two_sided_p"},
}
"""Lines of served tables that are no metric of the check: shares of all positives, ranks, pooled groups, unknowns."""


@dataclass(frozen=True)
class Reproduced:
    """A published table and the check's result on its input."""

    document: dict[str, Any]
    result: CheckResult


@pytest.fixture(scope="module", params=sorted(set(REFERENCES) - set(NOT_SERVED)))
def reference(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reproduced:
    """One published table, measured and judged once."""
    document = read(REFERENCES[request.param])
    try:
        said = ask(map_reference(document, tmp_path_factory.mktemp("reference")))
    except NotServed as reason:
        pytest.skip(f"not served: {reason}")
    assert said.result is not None, said.fault
    return Reproduced(document, said.result)


def test_each_line_of_a_published_table_is_reproduced_within_its_tolerance(reference: Reproduced) -> None:
    reproduced = 0
    wrong = []
    for check in reference.document["checks"]:
        try:
            found = look_up(reference.result, check, reference.document)
        except NotServed:
            continue
        reproduced += 1
        expected = check["expected"]
        if isinstance(expected, bool) or expected is None or found is None:
            fits = found is expected
        else:
            fits = abs(float(found) - expected) <= check["tolerance"]
        if not fits:
            wrong.append((check, found))
    assert wrong == []
    assert reproduced > 0


def test_exactly_the_listed_lines_of_a_served_table_are_refused(reference: Reproduced) -> None:
    if reference_folder() != SHARED / "reference":
        pytest.skip("another folder of references")
    refused = set()
    for check in reference.document["checks"]:
        try:
            look_up(reference.result, check, reference.document)
        except NotServed:
            refused.add(check["metric"])
    assert refused == METRICS_NOT_SERVED.get(reference.document["id"], set())


def test_exactly_the_listed_tables_are_refused(tmp_path: Path) -> None:
    if reference_folder() != SHARED / "reference" or not REFERENCES:
        pytest.skip("another folder of references, or none")
    refused = {}
    for name, path in REFERENCES.items():
        try:
            map_reference(read(path), tmp_path)
        except NotServed as reason:
            refused[name] = str(reason)
    assert refused == NOT_SERVED
