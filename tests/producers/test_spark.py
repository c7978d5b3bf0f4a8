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


def columns_of(
    receiver: Receiver, application: Application, *, include_indirect: bool = False
) -> dict[tuple[str, str], set[str]]:
    """Which column feeds which, by file and column, and how."""
    found = receiver.columns(*application.target, include_indirect=include_indirect)
    shown = {end: f"{application.short(end[0])}.{end[1]}" for ends in found for end in ends}
    return {(shown[source], shown[target]): how for (source, target), how in found.items()}


def test_columns_of_a_join_come_from_what_the_query_reads(receiver: Receiver) -> None:
    """`SELECT a, concat(b), sum(c)` of two tables: joined and filtered by `a` of both, grouped by `a` and `b`."""
    post(receiver, JOIN.bodies())
    by_a, by_b, filtered = {"FILTER", "GROUP_BY", "JOIN"}, {"GROUP_BY"}, {"FILTER", "JOIN"}
    direct = {
        ("cll_source1.a", "tbl1.ident"): by_a | {"IDENTITY"},
        ("cll_source1.b", "tbl1.trans"): by_b | {"TRANSFORMATION"},
        ("cll_source2.c", "tbl1.agg"): {"AGGREGATION"},
    }
    assert columns_of(receiver, JOIN) == direct
    every_row = {"cll_source1.a": by_a, "cll_source1.b": by_b, "cll_source2.a": filtered}
    indirect = {
        (source, f"tbl1.{column}"): how for source, how in every_row.items() for column in ("ident", "trans", "agg")
    }
    assert columns_of(receiver, JOIN, include_indirect=True) == {**indirect, **direct}


def test_columns_of_a_word_count_are_words_and_their_sums(receiver: Receiver) -> None:
    post(receiver, COUNT.bodies())
    source, target = COUNT.target[1], "1729097570970"
    assert columns_of(receiver, COUNT) == {
        (f"{source}.word", f"{target}.word"): {"IDENTITY", "GROUP_BY", "FILTER"},
        (f"{source}.word_count", f"{target}.sum(word_count)"): {"AGGREGATION", "FILTER"},
    }


def test_a_column_that_decides_about_rows_feeds_every_column_of_the_copy(receiver: Receiver) -> None:
    """Told of the dataset as a whole, in the only event that says so: a RUNNING one, between others that do not."""
    post(receiver, COPY.bodies())
    source, target = "source_table", "mydb.myschema.mytable"
    columns = ("dt", "customer_id", "total_spent")
    copied = {(f"{source}.{column}", f"{target}.{column}"): {"IDENTITY"} for column in columns}
    assert columns_of(receiver, COPY) == copied
    joined = {(f"{source}.customer_id", f"{target}.{column}"): {"JOIN"} for column in columns}
    both = {(f"{source}.customer_id", f"{target}.customer_id"): {"IDENTITY", "JOIN"}}
    assert columns_of(receiver, COPY, include_indirect=True) == {**copied, **joined, **both}


def test_columns_of_an_insert_keep_their_names(receiver: Receiver) -> None:
    post(receiver, HIVE.bodies())
    assert columns_of(receiver, HIVE) == {("t1.a", "t2.a"): {"IDENTITY"}, ("t1.b", "t2.b"): {"IDENTITY"}}


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
