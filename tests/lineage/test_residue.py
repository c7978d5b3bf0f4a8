"""What is left of an event: the graph whole, the rest as digests."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lineage.conformance import findings
from lineage.receiving import parse_event
from lineage.residue import STRUCTURE, Part, marker, pruned_digest, residue, residue_findings, spelled_residue
from tests.lineage.material import body, dataset, facet, real_bodies, run_event


def everything(_part: Part) -> bool:
    return True


def event(**parts: Any) -> dict[str, Any]:
    return run_event("COMPLETE", 0, **parts)


def test_a_facet_that_was_taken_leaves_its_digest() -> None:
    source = event(job_facets={"sql": facet(query="SELECT 1")}, inputs=["in"])
    left = residue(source, everything)
    assert left["job"]["facets"]["sql"] == marker(source["job"]["facets"]["sql"])
    assert pruned_digest(left["job"]["facets"]["sql"]) is not None
    assert (left["inputs"], left["run"], left["eventTime"]) == (source["inputs"], source["run"], source["eventTime"])


def test_the_digest_is_of_the_facets_json_without_spaces_members_sorted() -> None:
    r"""From ``printf '{"a":"\\u00e9","b":1}' | sha256sum``."""
    expected = "6d9eb45284090145dc16661b06abe01185a16a7dabba07c992a131bffa6b8114"
    assert marker({"b": 1, "a": "é"}) == {"_pruned": f"sha256:{expected}"}


def test_facets_that_the_graph_rests_on_cannot_be_chosen() -> None:
    facets = {key: facet() for key in sorted(STRUCTURE)}
    source = event(job_facets=facets, run_facets=facets)
    assert residue(source, everything) == source


def test_a_deletion_stays_so_that_no_older_value_comes_back() -> None:
    source = event(job_facets={"ownership": facet(_deleted=True)})
    assert residue(source, everything) == source


def test_members_that_the_standard_does_not_know_can_be_taken_too() -> None:
    source = {**event(), "note": {"of": "Ann"}}
    source["job"]["extra"] = [1]
    left = residue(source, everything)
    assert (left["note"], left["job"]["extra"]) == (marker({"of": "Ann"}), marker([1]))


def test_a_choice_hears_whose_part_it_is() -> None:
    heard: list[tuple[str, tuple[str, str], str, bool]] = []

    def choice(part: Part) -> bool:
        heard.append((part.entity, part.names, part.key, part.of_role))
        return part.names == ("s3://lake", "b")

    out = {**dataset("b", documentation={"description": "d"}), "outputFacets": {"stats": facet(n=1)}}
    source = event(inputs=[dataset("a", documentation={"description": "c"})], outputs=[out])
    left = residue(source, choice)
    assert heard == [
        ("dataset", ("s3://lake", "a"), "documentation", False),
        ("dataset", ("s3://lake", "b"), "documentation", False),
        ("dataset", ("s3://lake", "b"), "stats", True),
    ]
    assert left["inputs"] == source["inputs"]
    assert pruned_digest(left["outputs"][0]["outputFacets"]["stats"]) is not None


def test_taking_twice_changes_nothing_more() -> None:
    for content in real_bodies().values():
        document = json.loads(content)
        if isinstance(document, dict):
            once = residue(document, everything)
            assert residue(once, everything) == once


def test_what_is_left_has_the_findings_of_the_event_but_for_those_about_what_was_taken() -> None:
    source = event(job_facets={"sql": {"query": 1}, "jobType": facet(processingType=7)})
    before = parse_event(body(source))
    after = parse_event(spelled_residue(residue(before.document, everything)))
    of_job_type = tuple(item for item in findings(before) if item.pointer.startswith("/job/facets/jobType"))
    assert of_job_type
    assert any(item.pointer.startswith("/job/facets/sql") for item in findings(before))
    assert residue_findings(after) == of_job_type


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, st.sampled_from(["facets", "inputs", "outputs", "job", "run", "dataset", "x"]))
def test_no_shape_of_an_event_is_a_fault(value: Any, member: str) -> None:
    document = {"run": {"runId": "r"}, "job": {"namespace": "n", "name": "j"}, member: value}
    left = residue(document, everything)
    assert set(left) == set(document)
    assert residue(left, everything) == left
