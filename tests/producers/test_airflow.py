"""Airflow's own provider reports a DAG run, which Airflow carries out in one process (`dag.test()`).

What Airflow wrote into its own database is the oracle: which task has which assets, and how each ended.
"""

import json
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.producers.conftest import Receivers
from tests.support.producers import Peer, Receiver, composite, programs_of

HOME = Path(__file__).parent / "airflow_home"
JOBS = "airflow://batch"
TASKS = ("clean", "score", "check")
"""The tasks that were started; the last of the DAG waits for one that fails."""


@dataclass(frozen=True)
class Written:
    """Where the DAG's files are, and what Airflow kept of the run."""

    files: str
    states: dict[str, str]
    assets: set[tuple[str, str]]
    """From each file to the task that reads it, and from each task to the file that it writes."""

    def file(self, name: str) -> str:
        """A file's full name, as events bear it."""
        return f"{self.files}/{name}"


@dataclass(frozen=True)
class Ran:
    """A service after the DAG run, and what Airflow kept of it."""

    receiver: Receiver
    written: Written


@pytest.fixture(scope="module")
def written(receivers: Receivers, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The DAG runs once, and all events are sent to the service on each database."""
    programs = programs_of("airflow")
    home = tmp_path_factory.mktemp("airflow") / "home"
    shutil.copytree(HOME, home)
    (home / "raw.csv").write_text("Customer,Amount\nAna,10\n")
    variables = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__OPENLINEAGE__NAMESPACE": JOBS,
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(composite(list(receivers.values()))),
        "CLAIMS_FOLDER": str(home),
    }
    airflow = Peer(programs, home, variables)
    airflow.must("airflow", "db", "migrate")
    airflow.must("python", "dags/claims.py")
    return kept(home)


def kept(home: Path) -> Written:
    """What Airflow's database says of the only run."""
    database = sqlite3.connect(f"file:{home / 'airflow.db'}?mode=ro", uri=True)
    reads = "SELECT asset.uri, task_id FROM task_inlet_asset_reference JOIN asset ON asset.id = asset_id"
    writes = "SELECT task_id, asset.uri FROM task_outlet_asset_reference JOIN asset ON asset.id = asset_id"
    try:
        states = dict(database.execute("SELECT task_id, state FROM task_instance"))
        pairs = [*database.execute(reads), *database.execute(writes)]
    finally:
        database.close()
    names = {task: f"claims.{task}" for task in states}
    assets = {(names.get(start, start), names.get(end, end)) for start, end in pairs}
    return Written(str(home), states, {(bare(start), bare(end)) for start, end in assets})


def bare(uri: str) -> str:
    """An asset's address as OpenLineage names the file."""
    return uri.removeprefix("file://")


@pytest.fixture(params=["sqlite", "postgresql"])
def ran(request: pytest.FixtureRequest, receivers: Receivers, written: Written) -> Ran:
    return Ran(receivers[request.param], written)


def job(ran: Ran, name: str) -> Any:
    """What Marquez's own clients see of a job."""
    graph = ran.receiver.get("/api/v1/lineage", nodeId=f"job:{JOBS}:{name}")["graph"]
    return next(node["data"] for node in graph if node["id"] == f"job:{JOBS}:{name}")


def test_all_that_airflow_sends_is_taken_and_found_right(ran: Ran) -> None:
    """Start and end of each task that was started, and the end of the DAG run; `dag.test()` does not tell its start."""
    posts = ran.receiver.traffic.posts
    assert [post.status for post in posts] == [201] * 7
    events = [(event["event"]["job"]["name"], event["event"]["eventType"]) for event in ran.receiver.taken()]
    started = [(f"claims.{task}", "START") for task in TASKS]
    ended = [("claims.clean", "COMPLETE"), ("claims.score", "COMPLETE"), ("claims.check", "FAIL"), ("claims", "FAIL")]
    assert sorted(events) == sorted(started + ended)
    assert ran.receiver.findings() == []


def test_the_same_events_give_the_same_state_on_both_databases(receivers: Receivers, written: Written) -> None:
    states = [receiver.get("/v1/lineage/digest") for receiver in receivers.values()]
    assert states[0] == states[1]


def test_the_graph_is_of_the_assets_and_of_what_operators_say(ran: Ran) -> None:
    graph = ran.receiver.get(
        "/v1/lineage/graph", namespace="file", name=ran.written.file("clean.csv"), direction="both"
    )
    names = [node["name"] for node in graph["nodes"]]
    edges = {(names[edge["from"]], names[edge["to"]]) for edge in graph["edges"]}
    told = {(ran.written.file("clean.csv"), "claims.score"), ("claims.score", ran.written.file("scores.csv"))}
    reported = {edge for edge in ran.written.assets if "claims.report" not in edge}
    assert len(reported) == 3
    assert edges == reported | told


def test_each_task_is_in_the_state_that_airflow_left_it_in(ran: Ran) -> None:
    ends = {"success": "COMPLETED", "failed": "FAILED"}
    shown = {task: job(ran, f"claims.{task}")["latestRun"]["state"] for task in TASKS}
    assert shown == {task: ends[ran.written.states[task]] for task in TASKS}
    assert ran.written.states["report"] == "upstream_failed"
    assert job(ran, "claims")["latestRun"]["state"] == "FAILED"


@pytest.mark.parametrize("task", TASKS)
def test_a_task_belongs_to_its_dag(ran: Ran, task: str) -> None:
    data = job(ran, f"claims.{task}")
    assert (data["parentJobNamespace"], data["parentJobName"]) == (JOBS, "claims")


@pytest.mark.parametrize("task", TASKS)
def test_what_the_dag_says_of_itself_is_said_of_its_tasks(ran: Ran, task: str) -> None:
    known = ran.receiver.get(f"/api/v1/namespaces/{quote(JOBS, safe='')}/jobs/claims.{task}")
    assert (known["type"], known["description"], known["tags"]) == ("BATCH", "Claims, scored each night.", ["nightly"])
    assert known["facets"]["ownership"]["owners"] == [{"name": "claims-team"}]


def test_why_a_task_failed_is_a_facet_of_its_run(ran: Ran) -> None:
    run_id = job(ran, "claims.check")["latestRun"]["id"]
    facets = ran.receiver.get(f"/api/v1/jobs/runs/{run_id}/facets", type="run")["facets"]
    assert "a score is missing" in facets["errorMessage"]["message"]


def test_what_an_operator_says_of_its_columns_arrives(ran: Ran) -> None:
    clean, scores = ran.written.file("clean.csv"), ran.written.file("scores.csv")
    assert ran.receiver.columns("file", scores) == {
        ((clean, "customer"), (scores, "customer_hash")): {"masked"},
        ((clean, "amount"), (scores, "score")): set(),
    }
    node_id = f"dataset:file:{scores}"
    graph = ran.receiver.get("/api/v1/lineage", nodeId=node_id)["graph"]
    fields = next(node["data"]["fields"] for node in graph if node["id"] == node_id)
    assert [field["name"] for field in fields] == ["customer_hash", "score"]
