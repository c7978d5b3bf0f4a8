"""A property over random graphs and scopes: no answer to a narrowed key names what lies outside."""

import random
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.types.sight import Sight
from tests.lineage.material import at, bodies, dataset, facet, run_event, run_id
from tests.support.service import Service, key_for, running

FIELD_X = {"fields": [{"name": "x", "type": "int"}]}
SCOPES = st.lists(st.sampled_from(["ns0.*", "ns1.*/d1*", "*/j0*", "*/d2*", "*/j1*"]), min_size=1, max_size=2)

NUMBERS = count(100)
"""Names and run ids of one example are used by no other."""


@pytest.fixture(scope="module")
def graphs(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all random graphs; that SQL and values agree on scopes is tested on both databases elsewhere."""
    folder = tmp_path_factory.mktemp("graphs")
    shutil.copy(sqlite_template, folder / "assay.db")
    with running(folder / "home", f"sqlite:///{folder / 'assay.db'}", work={"engine": "none"}) as service:
        yield service


def random_events(chance: random.Random, tag: str) -> list[dict[str, Any]]:
    """Runs of a few jobs over a few datasets of two namespaces, with columns, symlinks, parents and tags."""

    def named(kind: str) -> tuple[str, str]:
        return f"ns{chance.randrange(2)}.{tag}", f"{kind}{chance.randrange(3)}.{tag}"

    def one(kind: str) -> dict[str, Any]:
        namespace, name = named(kind)
        return {"namespace": namespace, "name": name}

    def output() -> dict[str, Any]:
        namespace, name = named("d")
        sources = [{**one("d"), "field": "x"} for _ in range(chance.randrange(3))]
        facets: dict[str, Any] = {"columnLineage": {"fields": {"x": {"inputFields": sources}}}, "schema": FIELD_X}
        facets |= {"symlinks": {"identifiers": [{**one("d"), "type": "TABLE"}]}} if chance.random() < 0.3 else {}
        facets |= {"tags": {"tags": [{"key": "pii", "field": "x"}]}} if chance.random() < 0.3 else {}
        return dataset(name, namespace, **facets)

    events = []
    for number in range(6):
        inputs = [dataset(name, namespace) for namespace, name in (named("d") for _ in range(chance.randrange(3)))]
        parent = {"parent": facet(run={"runId": run_id(1)}, job=one("j"))} if chance.random() < 0.4 else {}
        event = run_event(
            "COMPLETE", number, run=run_id(next(NUMBERS)), run_facets=parent, inputs=inputs, outputs=[output()]
        )
        events.append({**event, "job": {**one("j"), "facets": {}}})
    return events


def questions(names: list[tuple[str, str, str]], runs: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every question of a narrowed key about each of the nodes and runs, and the lists."""
    for path in ("namespaces", "jobs", "sources", "tags", "search", "events/lineage"):
        yield f"/api/v1/{path}", {"limit": 1000, "q": ""}
    for path in ("/v1/lineage/search", "/v1/lineage/tags", "/v1/lineage/serving"):
        yield path, {"limit": 1000}
    yield "/v1/lineage/tags", {"tag": "pii"}
    for run in runs:
        for path in (f"/api/v1/jobs/runs/{run}", f"/v1/lineage/runs/{run}"):
            yield path, {}
        yield "/api/v1/runlineage/upstream", {"runId": run}
    for kind, namespace, name in names:
        place = f"/api/v1/namespaces/{namespace}/{kind}s/{name}"
        for path in (
            place,
            f"{place}/versions",
            place.rpartition("/")[0],
            *([f"{place}/runs"] if kind == "job" else []),
        ):
            yield path, {}
        asked = {"namespace": namespace, "name": name}
        for path in ("/api/v1/lineage", "/api/v1/column-lineage"):
            yield path, {**asked, "type": kind}
        for path in ("/v1/lineage/graph", "/v1/lineage/impact", "/v1/lineage/columns", "/v1/lineage/evidence"):
            yield path, asked
        yield "/v1/lineage/impact", {**asked, "format": "csv"}
        yield "/v1/lineage/diff", {**asked, "kind": kind, "as_of": at(2)}


@settings(max_examples=6, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), scopes=SCOPES)
def test_no_answer_names_what_lies_outside_of_the_scopes(graphs: Service, seed: int, scopes: list[str]) -> None:
    tag = f"g{next(NUMBERS)}q"
    events = random_events(random.Random(seed), tag)
    answer = graphs.http.post("/api/v1/lineage/batch", content=b"[" + b",".join(bodies(*events)) + b"]")
    assert answer.json()["status"] == "success", answer.text
    sight, kinds = Sight(tuple(scopes)), ("dataset", "job")
    names = [(of, f"ns{n}.{tag}", f"{of[0]}{i}.{tag}") for of in kinds for n in range(2) for i in range(3)]
    header = {"Authorization": f"Bearer {key_for(graphs.url, 'auditor', scopes=scopes, name=tag)}"}
    hidden = {name for _, namespace, name in names if not any(sight.sees(f"ns{n}.{tag}", name) for n in range(2))}
    answered = 0
    for path, parameters in questions(names, [event["run"]["runId"] for event in events]):
        answer = graphs.http.get(path, params=parameters, headers=header)
        assert answer.status_code in (200, 404, 409), (path, answer.text)
        own = {path.rpartition(f"/{kind}s/")[2].partition("/")[0] for kind in ("dataset", "job")} | {
            parameters.get("name")
        }
        told = f"{answer.text} {dict(answer.headers)}"
        assert not [name for name in hidden - own if name in told], (path, parameters, answer.text)
        if answer.status_code == 200:
            pairs = pairs_in(answer.json() if "json" in answer.headers["content-type"] else [])
            assert all(sight.sees(*pair) for pair in pairs), (path, parameters, answer.text)
            answered += 1
    assert answered > 4


def pairs_in(value: Any) -> Iterator[tuple[str, str]]:
    """Every namespace and name that an answer holds side by side."""
    if isinstance(value, list):
        for item in value:
            yield from pairs_in(item)
    if isinstance(value, dict):
        namespace, name = value.get("namespace"), value.get("name", value.get("dataset"))
        if isinstance(namespace, str) and isinstance(name, str):
            yield namespace, name
        for item in value.values():
            yield from pairs_in(item)
