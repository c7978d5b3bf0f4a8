"""A real dbt project on DuckDB reports through `dbt-ol`, in both of its ways; what dbt wrote down itself is the oracle.

`dbt-ol run` and `dbt-ol test` read dbt's files when dbt has ended; `--consume-structured-logs` reports while dbt works,
seeds included, under other job names. The tables are the same.
"""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.producers.conftest import Receivers
from tests.support.producers import Peer, Receiver, composite, programs_of

PROJECT = Path(__file__).parent / "dbt_project"
STORE = "duckdb://claims.duckdb"
JOBS = "dbt://claims"
MART = "claims.main.claims_by_customer"

Edge = tuple[str, str]


@dataclass(frozen=True)
class Written:
    """What dbt itself wrote down about its project and its last command."""

    manifest: dict[str, Any]
    results: dict[str, Any]
    emitted: int
    """Events that `dbt-ol` says it sent."""

    def relation(self, node: str) -> str:
        """The name of a node's table in the database."""
        of = self.manifest["sources"] if node.startswith("source.") else self.manifest["nodes"]
        return str(of[node]["relation_name"]).replace('"', "")

    def edges(self, job_of: dict[str, str]) -> set[Edge]:
        """From each table to the job of a model that reads it, and from each job to the table that it makes."""
        read = {
            (self.relation(parent), job) for node, job in job_of.items() for parent in self.manifest["parent_map"][node]
        }
        return read | {(job, self.relation(node)) for node, job in job_of.items()}


@dataclass(frozen=True)
class Ran:
    """A service after dbt has run, and what dbt wrote down."""

    receiver: Receiver
    written: Written


@pytest.fixture(scope="module")
def written(receivers: Receivers, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The project is built twice, and all events are sent to the service on each database."""
    programs = programs_of("dbt")
    folder = tmp_path_factory.mktemp("dbt") / "project"
    shutil.copytree(PROJECT, folder)
    (folder / "openlineage.yml").write_text(json.dumps({"transport": composite(list(receivers.values()))}))
    variables = {"OPENLINEAGE_NAMESPACE": JOBS, "OPENLINEAGE_CONFIG": "openlineage.yml", "DO_NOT_TRACK": "1"}
    dbt = Peer(programs, folder, variables)
    place = ("--project-dir", ".", "--profiles-dir", ".")
    commands = (["build", "--consume-structured-logs"], ["run"], ["test"])
    done = [dbt.run("dbt-ol", *command, *place) for command in commands]
    printed = "".join(command.stdout + command.stderr for command in done)
    # One of the project's tests fails, so that a failure can be seen to arrive.
    assert [command.returncode for command in done] == [1, 0, 1], printed
    emitted = sum(int(count) for count in re.findall(r"Emitted (\d+) OpenLineage events", printed))
    target = folder / "target"
    return Written(
        json.loads((target / "manifest.json").read_bytes()),
        json.loads((target / "run_results.json").read_bytes()),
        emitted,
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def ran(request: pytest.FixtureRequest, receivers: Receivers, written: Written) -> Ran:
    return Ran(receivers[request.param], written)


def reached(receiver: Receiver, direction: str, name: str) -> dict[str, Any]:
    return receiver.get("/v1/lineage/graph", namespace=STORE, name=name, direction=direction)


def edges(graph: dict[str, Any]) -> set[Edge]:
    """A graph's edges by the names of their ends."""
    names = [node["name"] for node in graph["nodes"]]
    return {(names[edge["from"]], names[edge["to"]]) for edge in graph["edges"]}


def test_all_that_dbt_sends_is_taken_and_found_right(ran: Ran) -> None:
    posts = ran.receiver.traffic.posts
    assert len(posts) == ran.written.emitted > 0
    assert {(post.path, post.status) for post in posts} == {("/api/v1/lineage", 201)}
    assert ran.receiver.findings() == []


def test_the_same_events_give_the_same_state_on_both_databases(receivers: Receivers, written: Written) -> None:
    states = [receiver.get("/v1/lineage/digest") for receiver in receivers.values()]
    assert states[0] == states[1]


def test_the_mart_comes_from_the_seed_as_dbts_manifest_says(ran: Ran) -> None:
    models = [node for node in ran.written.manifest["nodes"] if node.startswith("model.")]
    afterwards = {node: f"claims.main.{node.removeprefix('model.')}" for node in models}
    live = {node: node for node in models}
    seeds = {("seed.claims.raw_claims", "claims.main_raw.raw_claims")}
    expected = ran.written.edges(afterwards) | ran.written.edges(live) | seeds
    assert len(expected) == 9
    assert edges(reached(ran.receiver, "upstream", MART)) == expected


def test_what_depends_on_the_seed_is_models_and_tests(ran: Ran) -> None:
    graph = reached(ran.receiver, "downstream", "claims.main_raw.raw_claims")
    tables = {node["name"] for node in graph["nodes"] if node["kind"] == "dataset" and "audit" not in node["name"]}
    assert tables == {"claims.main_raw.raw_claims", "claims.main.stg_claims", MART}
    jobs = {node["name"] for node in graph["nodes"] if node["kind"] == "job"}
    assert {"claims.main.claims.stg_claims.test", "claims.main.claims.claims_by_customer.test"} < jobs


def test_columns_come_from_those_that_the_sql_of_the_models_reads(ran: Ran) -> None:
    raw, staged = "claims.main_raw.raw_claims", "claims.main.stg_claims"
    assert set(ran.receiver.columns(STORE, MART, direction="upstream")) == {
        ((staged, "customer"), (MART, "customer")),
        ((staged, "amount"), (MART, "total")),
        ((raw, "customer"), (staged, "customer")),
        ((raw, "amount"), (staged, "amount")),
    }
    from_id = ran.receiver.columns(STORE, raw, field="id", direction="downstream")
    assert set(from_id) == {((raw, "id"), (staged, "claim_id"))}


def test_a_schema_names_the_fields_that_the_project_names(ran: Ran) -> None:
    node_id = f"dataset:{STORE}:{MART}"
    graph = ran.receiver.get("/api/v1/lineage", nodeId=node_id)["graph"]
    fields = next(node["data"]["fields"] for node in graph if node["id"] == node_id)
    assert [field["name"] for field in fields] == ["customer", "total"]


def test_each_result_of_dbts_tests_is_kept(ran: Ran) -> None:
    results = {
        ran.written.manifest["nodes"][result["unique_id"]]["name"]: result["status"] == "pass"
        for result in ran.written.results["results"]
    }
    assert sorted(results.values()) == [False, True, True, True]
    ended = [event["event"] for event in ran.receiver.taken() if event["event"]["eventType"] in ("COMPLETE", "FAIL")]
    assert dict(assertions(ended)) == results


def test_a_table_shows_what_the_project_and_its_tests_say_of_it(ran: Ran) -> None:
    place = f"/api/v1/namespaces/{quote(STORE, safe='')}/datasets"
    assert ran.receiver.get(f"{place}/claims.main.stg_claims")["description"] == "One row a claim."
    shown = ran.receiver.get(f"{place}/{MART}")["facets"]["dataQualityAssertions"]["assertions"]
    assert {(item["column"], item["success"]) for item in shown} == {("customer", True), ("total", False)}


def assertions(events: list[dict[str, Any]]) -> Iterator[tuple[str, bool]]:
    """Name and outcome of each assertion that `dbt-ol test` reported about its inputs."""
    tables = [table for event in events if event["job"]["name"].endswith(".test") for table in event["inputs"]]
    for table in tables:
        for assertion in table["inputFacets"]["dataQualityAssertions"]["assertions"]:
            yield assertion["name"], assertion["success"]


@pytest.mark.parametrize(
    ("job", "state"),
    [
        ("claims.main.claims.stg_claims", "COMPLETED"),
        ("claims.main.claims.stg_claims.test", "COMPLETED"),
        ("claims.main.claims.claims_by_customer.test", "FAILED"),
        ("seed.claims.raw_claims", "COMPLETED"),
        ("dbt-run-claims", "FAILED"),
    ],
)
def test_each_job_is_in_the_state_that_dbt_left_it_in(ran: Ran, job: str, state: str) -> None:
    graph = ran.receiver.get("/api/v1/lineage", nodeId=f"job:{JOBS}:{job}")["graph"]
    data = next(node["data"] for node in graph if node["id"] == f"job:{JOBS}:{job}")
    assert data["latestRun"]["state"] == state
    parent = None if job == "dbt-run-claims" else "dbt-run-claims"
    assert data["parentJobName"] == parent
