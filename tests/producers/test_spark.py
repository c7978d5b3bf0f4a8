"""Spark's listener, by the events that it sent from real applications: recorded by other projects, posted as they were.

The listener itself does not run here: it is a Java archive that no package of Python or Debian brings, so the set-up of
the tests cannot install it. What is expected is written down from what the applications did (a table is made, filled,
read into another) and not read from the events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import shared_path
from tests.support.producers import Receiver, receiving

Edge = tuple[str, str]


@dataclass(frozen=True)
class Application:
    """One Spark application: its events, and what it did. Files go by the last part of their names."""

    name: str
    pattern: str
    target: tuple[str, str]
    """Namespace and name of what it wrote last."""

    edges: frozenset[Edge]
    """Jobs go by what the application did: their names begin with its own."""

    def bodies(self) -> list[bytes]:
        """The events, as they were sent."""
        return [path.read_bytes() for path in sorted(shared_path("events").glob(self.pattern))]

    def short(self, name: str) -> str:
        """The name of a job or file without where it belongs."""
        return name.removeprefix(f"{self.name}.").rpartition("/")[2]


INSERT = Application(
    "cl_i_test_application",
    "compat-spark-simple/*.json",
    ("hdfs://dataproc-producer-test-m", "/user/hive/warehouse/t2"),
    frozenset(
        {("t1", "execute_insert_into_hive_table.warehouse_t2"), ("execute_insert_into_hive_table.warehouse_t2", "t2")}
    ),
)
HIVE = Application(
    INSERT.name,
    "compat-spark-complete/*.json",
    INSERT.target,
    INSERT.edges
    | {
        ("drop_table", "t1"),
        ("drop_table", "t2"),
        ("execute_create_table_command.warehouse_t1", "t1"),
        ("execute_insert_into_hive_table.warehouse_t1", "t1"),
        ("execute_create_hive_table_as_select_command.default_t2", "t2"),
    },
)
JOIN = Application(
    "open_lineage_integration_create_table",
    "compat-column-lineage/*.json",
    ("file", "/tmp/cll_test/tbl1"),
    frozenset(
        {
            ("execute_create_table_command.cll_test_cll_source1", "cll_source1"),
            ("execute_create_table_command.cll_test_cll_source2", "cll_source2"),
            ("cll_source1", "execute_create_hive_table_as_select_command.default_tbl1"),
            ("cll_source2", "execute_create_hive_table_as_select_command.default_tbl1"),
            ("execute_create_hive_table_as_select_command.default_tbl1", "tbl1"),
        }
    ),
)
COUNT = Application(
    "shakespeare_on_spark",
    "compat-spark-bigquery/*.json",
    ("bigquery", "bigquery-public-data.samples.shakespeare"),
    frozenset(
        {
            ("bigquery-public-data.samples.shakespeare", "adaptive_spark_plan"),
            ("bigquery-public-data.samples.shakespeare", "adaptive_spark_plan.outputs_1729097570970"),
            ("adaptive_spark_plan.outputs_1729097570970", "1729097570970"),
        }
    ),
)
COPY = Application(
    "spark_session",
    "data-rentgen/spark_*.json",
    ("clickhouse://localhost:8123", "mydb.myschema.mytable"),
    frozenset(
        {
            ("source_table", "execute_save_into_data_source_command"),
            ("execute_save_into_data_source_command", "mydb.myschema.mytable"),
        }
    ),
)
APPLICATIONS = {"insert": INSERT, "hive": HIVE, "join": JOIN, "count": COUNT, "copy": COPY}
KINDS = ("execute_", "drop_", "adaptive_")
"""How the names of jobs begin, after the application's own."""

each_application = pytest.mark.parametrize("application", APPLICATIONS.values(), ids=APPLICATIONS)


@pytest.fixture
def receiver(database_url: str, tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path / "home", database_url) as running:
        yield running


def post(receiver: Receiver, bodies: Sequence[bytes]) -> None:
    """Send each event by itself, as the listener does."""
    with httpx.Client(base_url=receiver.address, headers={"Authorization": f"Bearer {receiver.key}"}) as client:
        assert [client.post("/api/v1/lineage", content=body).status_code for body in bodies] == [201] * len(bodies)


def graph_of(receiver: Receiver, namespace: str, name: str) -> dict[str, Any]:
    return receiver.get("/v1/lineage/graph", namespace=namespace, name=name)


@each_application
def test_the_graph_is_what_the_application_did(receiver: Receiver, application: Application) -> None:
    post(receiver, application.bodies())
    graph = graph_of(receiver, *application.target)
    names = [application.short(node["name"]) for node in graph["nodes"]]
    assert {(names[edge["from"]], names[edge["to"]]) for edge in graph["edges"]} == application.edges


@each_application
def test_the_events_may_arrive_in_any_order(receiver: Receiver, application: Application) -> None:
    bodies = application.bodies()
    post(receiver, bodies[::-1])
    before = receiver.get("/v1/lineage/digest")
    assert before["event_count"] == len(bodies)
    post(receiver, bodies)
    assert receiver.get("/v1/lineage/digest") == before


@each_application
def test_every_job_of_an_application_ended_and_belongs_to_it(receiver: Receiver, application: Application) -> None:
    """Its jobs are runs of their own, each with the application's run as its parent."""
    post(receiver, application.bodies())
    namespace, name = application.target
    graph = receiver.get("/api/v1/lineage", namespace=namespace, name=name)["graph"]
    jobs = [node["data"] for node in graph if node["type"] == "JOB"]
    assert {job["name"] for job in jobs} == {
        f"{application.name}.{end}" for edge in application.edges for end in edge if end.startswith(KINDS)
    }
    assert {job["parentJobName"] for job in jobs} == {application.name}
    assert {job["latestRun"]["state"] for job in jobs} == {"COMPLETED"}


def test_a_table_answers_under_its_name_in_the_catalogue(receiver: Receiver) -> None:
    """The listener names files, and the table in Hive as a symlink to them."""
    post(receiver, HIVE.bodies())
    by_file = graph_of(receiver, *HIVE.target)
    by_table = graph_of(receiver, "hive://dataproc-producer-test-m:9083", "default.t2")
    assert by_table == by_file
    aliases = {node["name"]: node["aliases"] for node in by_file["nodes"]}
    assert aliases["/user/hive/warehouse/t2"] == [
        {"namespace": "hive://dataproc-producer-test-m:9083", "name": "default.t2"}
    ]


@pytest.mark.parametrize(
    ("application", "places"),
    [
        (INSERT, set()),
        (HIVE, set()),
        (JOIN, {"/inputs/0", "/inputs/1", "/outputs/0"}),
        (COUNT, {"/inputs/0", "/outputs/0"}),
    ],
    ids=["insert", "hive", "join", "count"],
)
def test_what_is_wrong_with_the_events_is_what_a_validator_finds(
    receiver: Receiver, application: Application, places: set[str]
) -> None:
    """Source: the report of jsonschema beside the events. The listener names a scheme alone where a URI must stand."""
    post(receiver, application.bodies())
    assert receiver.findings() == sorted(("facet.invalid", f"{place}/facets/dataSource/uri") for place in places)
