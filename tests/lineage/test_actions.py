"""What operators do: tags by hand, descriptions, soft deletes; stored, logged, and applied again by a rebuild."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from governance.database import Database
from governance.errors import InputRefused, NotFound
from governance.log.tables import LogEntryRow
from lineage.actions import (
    Target,
    delete_namespace,
    delete_node,
    describe_namespace,
    describe_source,
    describe_tag,
    tag,
)
from lineage.fact_tables import SourceRow, TagRow
from lineage.marks import Marks, Tag, marks_of
from lineage.reading import find_node
from lineage.replay import replay
from lineage.tables import NamespaceRow, NodeRow
from tests.lineage.material import body, dataset, dataset_event, run_event
from tests.lineage.test_ingest import digest_of, take

ACTOR = "key:steward"
D = Target("dataset", "s3://lake", "d")


def marks(database: Database, name: str = "d", as_of: datetime | None = None) -> Marks:
    with database.read_unit() as unit:
        node = find_node(unit, "dataset", "s3://lake", name)
        assert node is not None
        return marks_of(unit, [node.id], as_of)[node.id]


def is_hidden(database: Database, name: str = "d") -> bool:
    with database.read_unit() as unit:
        node = find_node(unit, "dataset", "s3://lake", name)
        assert node is not None
        assert node.last_recorded is not None
        return node.deleted_at is not None and node.deleted_at >= node.last_recorded


def tagged(*tags: dict[str, Any]) -> bytes:
    return body(dataset_event(dataset("d", tags={"tags": list(tags)})))


def test_labels_become_tags_owners_and_descriptions(database: Database) -> None:
    about = dataset(
        "d",
        tags={"tags": [{"key": "pii", "value": "true"}, {"key": "email", "value": "x", "field": "a.b"}]},
        ownership={"owners": [{"name": "team:risk", "type": "MAINTAINER"}]},
        documentation={"description": "claims of the year"},
        dataSource={"name": "lake", "uri": "s3://lake"},
    )
    take(database, body(dataset_event(about)))
    found = marks(database)
    assert found.tags == (Tag("", "pii", "true"), Tag("a.b", "email", "x"))
    assert found.tag_names("a.b") == ("email",)
    assert found.owners == (("team:risk", "MAINTAINER"),)
    assert found.description == "claims of the year"
    assert found.source == ("lake", "s3://lake")


def test_the_latest_label_holds_whatever_arrives_last(database: Database) -> None:
    new = body(dataset_event(dataset("d", documentation={"description": "new"}), 5))
    old = body(dataset_event(dataset("d", documentation={"description": "old"}), 1))
    take(database, new)
    take(database, old)
    assert marks(database).description == "new"
    assert marks(database, as_of=datetime(2026, 3, 1, 12, 3, tzinfo=UTC)).description == "old"
    take(database, body(dataset_event(dataset("d", documentation={"_deleted": True}), 6)))
    assert marks(database).description is None


def test_what_an_operator_says_of_a_tag_outweighs_the_events(database: Database) -> None:
    take(database, tagged({"key": "pii", "value": "true"}))
    with database.unit() as unit:
        tag(unit, D, "pii", ACTOR, is_set=False)
        tag(unit, D, "gold", ACTOR)
        tag(unit, D, "email", ACTOR, field="a.`b.c`")
    assert marks(database).tags == (Tag("", "gold", None, True), Tag("a.`b.c`", "email", None, True))
    with database.unit() as unit:
        tag(unit, D, "pii", ACTOR)
    assert [item.key for item in marks(database).tags] == ["gold", "pii", "email"]


def test_a_deleted_dataset_is_hidden_until_a_later_event_names_it(database: Database) -> None:
    take(database, body(run_event(inputs=["d"], outputs=["e"])))
    with database.unit() as unit:
        delete_node(unit, D, ACTOR)
    assert is_hidden(database)
    assert not is_hidden(database, "e")
    take(database, body(run_event(inputs=["d"], outputs=["e"])))
    assert is_hidden(database), "a repeated event is not a new one"
    take(database, body(run_event("COMPLETE", -30, inputs=["d"], outputs=["e"])))
    assert not is_hidden(database)


def test_a_deleted_namespace_hides_what_is_in_it(database: Database) -> None:
    take(database, body(run_event(inputs=["d"], outputs=["e"])))
    with database.unit() as unit:
        delete_namespace(unit, "s3://lake", ACTOR)
    assert is_hidden(database)
    assert is_hidden(database, "e")
    with database.read_unit() as unit:
        rows = unit.session.scalars(sa.select(NamespaceRow).where(NamespaceRow.deleted_at.is_not(None))).all()
        assert [row.name for row in rows] == ["s3://lake"]


def test_a_rebuild_applies_the_acts_again(database: Database) -> None:
    take(database, tagged({"key": "pii", "value": "true"}), body(run_event(inputs=["d"], outputs=["e"])))
    with database.unit() as unit:
        tag(unit, D, "gold", ACTOR)
        describe_tag(unit, "gold", "checked by hand", ACTOR)
        describe_source(unit, "lake", {"type": "S3", "uri": "s3://lake", "description": "raw"}, ACTOR)
        describe_namespace(unit, "s3://lake", "team:risk", "the lake", ACTOR)
        describe_namespace(unit, "empty", "team:risk", None, ACTOR)
        delete_node(unit, Target("dataset", "s3://lake", "e"), ACTOR)
    before = digest_of(database).digest
    with database.unit() as unit:
        replay(unit)
    assert digest_of(database).digest == before
    assert is_hidden(database, "e")
    assert not is_hidden(database)
    with database.read_unit() as unit:
        assert {(row.name, row.description) for row in unit.session.scalars(sa.select(TagRow))} == {
            ("pii", None), ("gold", "checked by hand"),
        }  # fmt: skip
        source = unit.session.scalars(sa.select(SourceRow)).one()
        assert (source.type, source.uri, source.description) == ("S3", "s3://lake", "raw")
        owners = {row.name: row.owner for row in unit.session.scalars(sa.select(NamespaceRow))}
        assert owners["s3://lake"] == "team:risk"
        assert owners["empty"] == "team:risk"


def test_every_act_has_its_leaf_and_cannot_be_changed(database: Database) -> None:
    take(database, body(run_event(inputs=["d"])))
    with database.unit() as unit:
        tag(unit, D, "gold", ACTOR)
        delete_node(unit, D, ACTOR)
    with database.read_unit() as unit:
        kinds = list(unit.session.scalars(sa.select(LogEntryRow.kind).order_by(LogEntryRow.index)))
    assert kinds == ["lineage.event", "lineage.action", "lineage.action"]


def test_what_no_event_named_can_be_neither_tagged_nor_deleted(database: Database) -> None:
    with database.unit() as unit:
        with pytest.raises(NotFound):
            tag(unit, D, "gold", ACTOR)
        with pytest.raises(NotFound):
            delete_node(unit, D, ACTOR)
        with pytest.raises(NotFound):
            delete_namespace(unit, "nowhere", ACTOR)
        with pytest.raises(InputRefused):
            describe_tag(unit, "x" * 2049, None, ACTOR)
        assert unit.session.scalar(sa.select(sa.func.count()).select_from(NodeRow)) == 0


def test_as_of_an_instant_later_acts_do_not_count(database: Database) -> None:
    take(database, body(run_event(inputs=["d"])))
    with database.unit() as unit:
        tag(unit, D, "gold", ACTOR)
        now = unit.now
    assert marks(database, as_of=now - timedelta(seconds=1)).tags == ()
    assert [item.key for item in marks(database, as_of=now).tags] == ["gold"]
