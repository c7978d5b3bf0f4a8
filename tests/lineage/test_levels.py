"""Evidence levels: of one link, of a path, of a model version."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.types.ancestry import Level
from lineage.levels import (
    ORDER,
    Link,
    RunPins,
    code_revision,
    is_snapshot,
    lowest,
    node_levels,
    pinned_environment,
    rate,
    weakest_path,
)

DIGEST = "sha256:" + "1" * 64
PINNED = RunPins("4f0c2e1", DIGEST)


def test_a_link_by_time_is_linked_whatever_else_is_known() -> None:
    assert rate("v1", is_inferred=True, is_kept=True, pins=PINNED).level == "linked"


def test_a_link_without_a_version_is_linked() -> None:
    assert rate(None, is_inferred=False, is_kept=True, pins=PINNED).level == "linked"


def test_a_reported_version_is_observed_and_the_reason_says_what_is_missing() -> None:
    for kept, pins, reason in (
        (False, PINNED, "snapshot"),
        (True, RunPins(None, DIGEST), "revision"),
        (True, RunPins("4f0c2e1", None), "environment"),
    ):
        rated = rate("v1", is_inferred=False, is_kept=kept, pins=pins)
        assert rated.level == "observed"
        assert reason in rated.reason


def test_a_snapshot_with_code_and_environment_is_reproducible() -> None:
    assert rate("v1", is_inferred=False, is_kept=True, pins=PINNED).level == "reproducible"


@pytest.mark.parametrize(
    ("name", "version", "layer", "expected"),
    [
        ("t", "8841207753", "iceberg", True),
        ("t", "8841207753", "Delta", True),
        ("t", "8841207753", "parquet", False),
        ("t", "8841207753", None, False),
        ("t", None, "iceberg", False),
        ("artifacts/" + "1" * 64, DIGEST, None, True),
        ("artifacts/latest", DIGEST, None, False),
    ],
)
def test_a_snapshot_is_one_that_cannot_change(
    name: str, version: str | None, layer: str | None, expected: bool
) -> None:
    assert is_snapshot(name, version, layer) is expected


def test_a_branch_is_no_revision() -> None:
    assert code_revision({"type": "git", "version": "4f0c2e1d"}) == "4f0c2e1d"
    assert code_revision({"type": "git", "version": "main"}) is None
    assert code_revision({"type": "svn", "version": "1204"}) == "1204"
    assert code_revision({"type": "git", "branch": "main"}) is None


def test_an_environment_is_pinned_by_a_digest_only() -> None:
    def parameters(key: str, value: object) -> dict[str, object]:
        return {"executionParameters": {"parameters": [{"key": key, "value": value}]}}

    assert pinned_environment({"assay_environment": {"imageDigest": DIGEST}}) == DIGEST
    assert pinned_environment({"assay_environment": {"lockDigest": DIGEST}}) == DIGEST
    assert pinned_environment(parameters("container_image", f"registry/train@{DIGEST}")) == DIGEST
    assert pinned_environment(parameters("image", "registry/train:latest")) is None
    assert pinned_environment(parameters("dataset", f"x@{DIGEST}")) is None
    for odd in ({}, {"assay_environment": 1}, {"executionParameters": {"parameters": 3}}, parameters("image", 4)):
        assert pinned_environment(odd) is None


LINKS = st.dictionaries(
    st.tuples(st.sampled_from("abcds"), st.sampled_from("abcds")), st.sampled_from(ORDER), max_size=9
)


def every_path(links: dict[Link, Level], node: str) -> list[list[Link]]:
    """Every path from the node to the subject ``s`` that passes no node twice."""
    found: list[list[Link]] = []
    others = [name for name in "abcd" if name != node]
    for count in range(len(others) + 1):
        for between in itertools.permutations(others, count):
            steps = [node, *between, "s"]
            path = list(itertools.pairwise(steps))
            if all(link in links for link in path):
                found.append(path)
    return found


@given(LINKS)
def test_a_node_has_the_level_of_its_strongest_path(links: dict[Link, Level]) -> None:
    expected = {}
    for node in "abcd":
        levels = [min(ORDER.index(links[link]) for link in path) for path in every_path(links, node)]
        if levels:
            expected[node] = ORDER[max(levels)]
    assert node_levels("s", links) == expected


@given(LINKS)
def test_the_weakest_path_leads_to_the_subject_and_begins_with_a_link_of_the_lowest_level(
    links: dict[Link, Level],
) -> None:
    upstream = {link: level for link, level in links.items() if link[1] == "s" or every_path(links, link[1])}
    path = weakest_path("s", upstream)
    if not upstream:
        assert path == ()
        return
    assert upstream[path[0]] == lowest(upstream.values())
    assert path[-1][1] == "s"
    assert all(before[1] == after[0] for before, after in itertools.pairwise(path))


def test_where_nothing_is_known_there_is_no_level() -> None:
    assert lowest([]) is None
