"""Ancestry of a model version at run level: who wrote what, which version each run read, and how precisely."""

from typing import Any

import pytest
import sqlalchemy as sa

from governance.check import LineageView
from governance.database import Database
from governance.errors import Conflict, InputRefused, MalformedBody
from governance.settings import LineageSettings
from governance.types.ancestry import Ancestry
from governance.types.subject import Subject
from lineage.ingest import Recorded, record_events
from lineage.view import FileLineage, StoredLineage
from tests.lineage.material import (
    at,
    bodies,
    body,
    dataset,
    dataset_event,
    run_event,
    run_id,
    versioned,
)

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
V1 = "sha256:" + "1" * 64
V2 = "sha256:" + "2" * 64
SUBJECT = Subject(namespace="mlflow://m", name="credit", version="3", digest=DIGEST)


def model(digest: str = DIGEST, name: str = "credit/3", **facets: Any) -> dict[str, Any]:
    return dataset(name, "mlflow://m", assay_model={"contentDigest": digest, "purposes": ["credit"]}, **facets)


def training(minute: float = 10, run: int = 9, **parts: Any) -> list[dict[str, Any]]:
    named = {"run": run_id(run), "job": "train", **parts}
    return [run_event("START", minute, **named), run_event("COMPLETE", minute + 1, **named)]


def ancestry(database: Database, *documents: Any, subject: Subject = SUBJECT, as_of: Any = None) -> Ancestry:
    with database.unit() as unit:
        answers = record_events(unit, bodies(*documents), LineageSettings())
        assert all(isinstance(answer, Recorded) for answer in answers)
    with database.read_unit() as unit:
        return StoredLineage(unit).ancestry(subject, as_of=as_of)


def edges(found: Ancestry) -> set[tuple[str, str]]:
    return {(edge.source.replace("%3A", ":"), edge.target.replace("%3A", ":")) for edge in found.edges}


def test_a_subject_that_no_event_names_is_unknown(database: Database) -> None:
    assert ancestry(database, *training(outputs=[model(OTHER, "other/1")])).subject is None


def test_a_dataset_of_the_name_that_holds_other_bytes_is_not_the_subject(database: Database) -> None:
    assert ancestry(database, *training(outputs=[model(OTHER)])).subject is None


def test_the_model_is_found_by_its_digest_under_any_name(database: Database) -> None:
    found = ancestry(database, *training(inputs=["a"], outputs=[model(name="elsewhere")]))
    assert found.subject == "mlflow%3A//m:elsewhere"
    assert edges(found) == {("s3://lake:a", f"run:{run_id(9)}"), (f"run:{run_id(9)}", "mlflow://m:elsewhere")}


def test_the_model_is_found_by_name_where_no_digest_was_told(database: Database) -> None:
    found = ancestry(database, *training(inputs=["a"], outputs=[dataset("credit/3", "mlflow://m")]))
    assert found.subject == "mlflow%3A//m:credit/3"
    assert len(found.runs) == 1


def test_two_models_with_one_digest_are_a_conflict(database: Database) -> None:
    with pytest.raises(Conflict, match=r"credit/3.*other/1"):
        ancestry(database, *training(outputs=[model(), model(name="other/1")]))


def test_two_names_of_one_model_are_no_conflict(database: Database) -> None:
    linked = model(symlinks={"identifiers": [{"namespace": "mlflow://m", "name": "other/1", "type": "X"}]})
    found = ancestry(database, *training(outputs=[linked, model(name="other/1")]))
    assert found.subject == "mlflow%3A//m:credit/3"


def test_a_run_that_wrote_other_bytes_under_the_name_is_no_ancestor(database: Database) -> None:
    found = ancestry(
        database,
        *training(10, 8, inputs=["old"], outputs=[model(OTHER)]),
        *training(20, 9, inputs=["new"], outputs=[model()]),
    )
    assert [run.run_id for run in found.runs] == [run_id(9)]
    assert [version.name for version in found.datasets] == ["credit/3", "new"]


def test_a_run_read_the_version_it_reported_whatever_came_later(database: Database) -> None:
    """L14: a reported input version is not overwritten by the latest."""
    found = ancestry(
        database,
        run_event("COMPLETE", 1, run=run_id(1), job="load", outputs=[versioned("a", V1)]),
        run_event("COMPLETE", 2, run=run_id(2), job="load", outputs=[versioned("a", V2)]),
        *training(inputs=[versioned("a", V1)], outputs=[model()]),
    )
    assert {run.run_id for run in found.runs} == {run_id(1), run_id(9)}
    read = next(edge for edge in found.edges if edge.role == "input")
    assert read.read_digest == V1
    assert not read.version_inferred


def test_an_unversioned_read_is_of_the_latest_write_that_ended_before_the_reader_started(database: Database) -> None:
    found = ancestry(
        database,
        run_event("COMPLETE", 1, run=run_id(1), job="load", inputs=["c1"], outputs=["e1"]),
        run_event("COMPLETE", 5, run=run_id(2), job="load", inputs=["c2"], outputs=["e1"]),
        run_event("COMPLETE", 15, run=run_id(3), job="load", inputs=["c3"], outputs=["e1"]),
        *training(10, inputs=["e1"], outputs=[model()]),
    )
    assert {version.name for version in found.datasets} == {"credit/3", "e1", "c2"}
    assert next(edge for edge in found.edges if edge.target == f"run:{run_id(9)}").version_inferred


def test_at_run_level_an_output_comes_from_its_own_run_alone(database: Database) -> None:
    """L8: a second run of the job on other data leaves the first output's ancestry as it was."""
    found = ancestry(
        database,
        run_event("COMPLETE", 1, run=run_id(1), job="load", inputs=["c1"], outputs=["e1"]),
        run_event("COMPLETE", 2, run=run_id(2), job="load", inputs=["c2"], outputs=["e2"]),
        *training(inputs=["e1"], outputs=[model()]),
    )
    assert {version.name for version in found.datasets} == {"credit/3", "e1", "c1"}


def test_a_run_still_writing_when_the_reader_started_is_an_ancestor(database: Database) -> None:
    found = ancestry(
        database,
        run_event("START", 1, run=run_id(1), job="stream", inputs=["kafka"], outputs=["e1"]),
        *training(inputs=["e1"], outputs=[model()]),
    )
    assert "kafka" in {version.name for version in found.datasets}


def test_an_unversioned_root_is_the_newest_version_told_before_the_reader_started(database: Database) -> None:
    found = ancestry(
        database,
        dataset_event(versioned("a", V1, assay_provenance={"purposes": ["marketing"]}), 1),
        dataset_event(versioned("a", V2, assay_provenance={"purposes": ["late"]}), 30),
        *training(inputs=["a"], outputs=[model()]),
    )
    root = next(version for version in found.datasets if version.name == "a")
    assert root.digest == V1
    assert [fact.record.purposes for fact in root.provenance] == [("marketing",)]
    assert next(edge for edge in found.edges if edge.role == "input").version_inferred


def test_facts_of_another_version_do_not_count_and_those_of_the_dataset_do(database: Database) -> None:
    found = ancestry(
        database,
        dataset_event(versioned("a", V2, assay_provenance={"purposes": ["other"]}), 1),
        dataset_event(dataset("a", assay_provenance={"purposes": ["whole"]}), 2),
        dataset_event(versioned("a", V1, assay_provenance={"purposes": ["own"]}), 3),
        *training(inputs=[versioned("a", V1)], outputs=[model()]),
    )
    root = next(version for version in found.datasets if version.name == "a")
    assert [fact.record.purposes for fact in root.provenance] == [("whole",), ("own",)]


def test_a_deleted_provenance_facet_ends_the_facts_from_its_time_on(database: Database) -> None:
    found = ancestry(
        database,
        dataset_event(dataset("a", assay_provenance={"purposes": ["first"]}), 1),
        dataset_event(dataset("a", assay_provenance={"_deleted": True}), 5),
        dataset_event(dataset("a", assay_provenance={"purposes": ["second"]}), 6),
        *training(inputs=["a"], outputs=[model()]),
    )
    root = next(version for version in found.datasets if version.name == "a")
    ends = [fact.valid_to and fact.valid_to.isoformat().replace("+00:00", "Z") for fact in root.provenance]
    assert ends == [at(5), None]


def test_a_cycle_ends(database: Database) -> None:
    found = ancestry(
        database,
        run_event("COMPLETE", 1, run=run_id(1), job="loop", inputs=["a"], outputs=["a"]),
        run_event("COMPLETE", 2, run=run_id(2), job="loop", inputs=["a"], outputs=["a"]),
        *training(inputs=["a"], outputs=[model()]),
    )
    assert {run.run_id for run in found.runs} == {run_id(1), run_id(2), run_id(9)}
    assert not found.truncated


def test_as_of_leaves_out_what_happened_later(database: Database) -> None:
    documents = [
        *training(10, 9, inputs=["a"], outputs=[model()]),
        *training(20, 10, inputs=["b"], outputs=[model()]),
    ]
    now = ancestry(database, *documents)
    assert {version.name for version in now.datasets} == {"credit/3", "a", "b"}
    with database.read_unit() as unit:
        first, started = now.runs[0].started_at, now.runs[0].ended_at
        assert first is not None
        assert started is not None
        then = StoredLineage(unit).ancestry(SUBJECT, as_of=started)
        assert {version.name for version in then.datasets} == {"credit/3", "a"}
        running = StoredLineage(unit).ancestry(SUBJECT, as_of=first)
    assert [run.state for run in then.runs] == ["COMPLETED"]
    assert [(run.state, run.ended_at) for run in running.runs] == [("RUNNING", None)]


def column_lineage(*sources: tuple[str, str]) -> dict[str, Any]:
    fields = [{"namespace": "s3://lake", "name": name, "field": field} for name, field in sources]
    return {"fields": {"score": {"inputFields": fields}}}


def precisions(found: Ancestry) -> dict[str, tuple[str, tuple[str, ...] | None]]:
    return {edge.source.split(":")[-1]: (edge.precision, edge.columns) for edge in found.edges if edge.role == "input"}


def test_columns_that_a_facet_names_give_column_precision(database: Database) -> None:
    output = dataset("out", columnLineage=column_lineage(("a", "income"), ("a", "age")))
    found = ancestry(
        database,
        run_event("COMPLETE", 1, run=run_id(1), job="prepare", inputs=["a", "b"], outputs=[output, "side"]),
        *training(inputs=["out"], outputs=[model()]),
    )
    assert precisions(found) == {
        "a": ("column", ("age", "income")),
        "b": ("over-approximate", None),
        f"out@{run_id(1)}": ("dataset", None),
    }


def test_a_column_that_a_later_run_leaves_out_does_not_reach_the_subject(database: Database) -> None:
    def kept(source: str, **pairs: str) -> dict[str, Any]:
        fields = {
            end: {"inputFields": [{"namespace": "s3://lake", "name": source, "field": column}]}
            for end, column in pairs.items()
        }
        return {"columnLineage": {"fields": fields}}

    prepared = dataset("out", **kept("a", years="age", sex="sex", race="race"))
    trained = model(**kept("out", score="years"))
    found = ancestry(
        database,
        run_event("COMPLETE", 1, run=run_id(1), job="prepare", inputs=["a"], outputs=[prepared]),
        *training(inputs=["out"], outputs=[trained]),
    )
    assert precisions(found) == {"a": ("column", ("age",)), f"out@{run_id(1)}": ("column", ("years",))}


def test_an_explicit_lineage_facet_is_the_whole_data_flow_of_the_run(database: Database) -> None:
    entry = {
        "namespace": "s3://lake",
        "name": "out",
        "type": "DATASET",
        "inputs": [{"namespace": "s3://lake", "name": "a", "type": "DATASET"}],
    }
    found = ancestry(
        database,
        run_event(
            "COMPLETE", 1, run=run_id(1), job="prepare", inputs=["a", "b"], outputs=["out", "side"],
            job_facets={"lineage": {"entries": [entry]}},
        ),
        *training(inputs=["out"], outputs=[model()]),
    )  # fmt: skip
    assert {version.name for version in found.datasets} == {"credit/3", "out", "a"}
    assert precisions(found)["a"] == ("dataset", None)


def signed(*columns: str) -> dict[str, Any]:
    inputs = {"name": "inputs", "type": "struct", "fields": [{"name": name, "type": "double"} for name in columns]}
    return model(schema={"fields": [inputs, {"name": "outputs", "type": "struct", "fields": []}]})


def table(name: str, *columns: str) -> dict[str, Any]:
    return dataset(name, schema={"fields": [{"name": column, "type": "double"} for column in columns]})


def test_the_models_signature_names_the_columns_of_a_training_input(database: Database) -> None:
    found = ancestry(database, *training(inputs=[table("a", "age", "sex")], outputs=[signed("age")]))
    assert precisions(found) == {"a": ("column", ("age",))}


def test_a_signature_with_a_column_that_no_input_has_names_nothing(database: Database) -> None:
    found = ancestry(database, *training(inputs=[table("a", "age", "sex")], outputs=[signed("age_scaled")]))
    assert precisions(found) == {"a": ("dataset", None)}


def test_several_inputs_share_the_signature_by_their_columns(database: Database) -> None:
    found = ancestry(
        database,
        *training(inputs=[table("a", "age", "sex"), table("b", "income", "zip")], outputs=[signed("age", "income")]),
    )
    assert precisions(found) == {"a": ("column", ("age",)), "b": ("column", ("income",))}


def test_a_dropped_version_tells_when_it_was_erased(database: Database) -> None:
    dropped = dataset("a", lifecycleStateChange={"lifecycleStateChange": "DROP"})
    found = ancestry(database, *training(inputs=["a"], outputs=[model()]), dataset_event(dropped, 60))
    root = next(version for version in found.datasets if version.name == "a")
    assert root.erased_at is not None
    assert root.erased_at.isoformat().replace("+00:00", "Z") == at(60)


def test_a_dataset_that_was_used_after_it_was_dropped_is_not_erased(database: Database) -> None:
    dropped = dataset("a", lifecycleStateChange={"lifecycleStateChange": "DROP"})
    found = ancestry(database, dataset_event(dropped, 1), *training(inputs=["a"], outputs=[model()]))
    assert next(version for version in found.datasets if version.name == "a").erased_at is None


def test_equal_lineage_gives_equal_bytes_from_the_database_and_from_files(database: Database, tmp_path: Any) -> None:
    documents = [
        run_event("COMPLETE", 1, run=run_id(1), job="load", inputs=["c1"], outputs=[versioned("e1", V1)]),
        *training(inputs=["e1", "b"], outputs=[model()]),
    ]
    (tmp_path / "one.json").write_bytes(body(documents[0]))
    (tmp_path / "more.jsonl").write_bytes(b"\n".join(bodies(*documents[1:])) + b"\n")
    stored = ancestry(database, *documents)
    assert FileLineage([tmp_path]).ancestry(SUBJECT).document() == stored.document()
    (tmp_path / "all.json").write_bytes(b"[" + b",".join(bodies(*documents)) + b"]")
    assert FileLineage([tmp_path / "all.json"]).ancestry(SUBJECT).document() == stored.document()


def test_both_views_are_what_checks_are_given(database: Database, tmp_path: Any) -> None:
    (tmp_path / "one.json").write_bytes(body(training(inputs=["a"], outputs=[model()])[1]))
    views: list[LineageView] = [FileLineage([tmp_path / "one.json"])]
    with database.read_unit() as unit:
        views.append(StoredLineage(unit))
        assert [view.ancestry(SUBJECT).subject for view in views] == ["mlflow%3A//m:credit/3", None]


def test_a_file_without_events_or_with_one_that_cannot_be_placed_is_refused(tmp_path: Any) -> None:
    (tmp_path / "empty.json").write_bytes(b" \n")
    with pytest.raises(InputRefused):
        FileLineage([tmp_path / "empty.json"])
    (tmp_path / "bad.json").write_bytes(b'{"run": {}}')
    with pytest.raises(InputRefused):
        FileLineage([tmp_path / "bad.json"])
    (tmp_path / "worse.json").write_bytes(b"{")
    with pytest.raises(MalformedBody):
        FileLineage([tmp_path / "worse.json"])
    with pytest.raises(InputRefused, match="No such file"):
        FileLineage([tmp_path / "absent.json"])


def test_in_one_transaction_it_is_worked_out_once_and_again_when_lineage_is_written(database: Database) -> None:
    asked: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    with database.unit() as unit:
        record_events(unit, bodies(*training(inputs=["features"], outputs=[model()])), LineageSettings())
        first = StoredLineage(unit).ancestry(SUBJECT, as_of=unit.now)
        sa.event.listen(database.engine, "before_cursor_execute", count)
        assert StoredLineage(unit).ancestry(SUBJECT, as_of=unit.now) == first
        assert asked == []
        sa.event.remove(database.engine, "before_cursor_execute", count)
        record_events(unit, bodies(run_event("COMPLETE", 1, run=run_id(3), outputs=["features"])), LineageSettings())
        again = StoredLineage(unit).ancestry(SUBJECT, as_of=unit.now)
    assert len(again.runs) == len(first.runs) + 1
