"""Versions of schemas: numbered, kept for good, and proved by the log."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from governance.canonical import digest, read_json
from governance.database import Database
from governance.errors import AssayError, NotFound
from governance.log import journal
from governance.registry.schemas import latest_schemas, register, schema_document, schema_version, versions


def test_each_new_document_is_the_next_version_and_the_same_keeps_its_number(database: Database) -> None:
    with database.unit() as unit:
        first, is_new = register(unit, "holdout", {"columns": {"a": {}}}, by="ann")
        assert (first.version, is_new) == (1, True)
        assert first.digest == digest({"columns": {"a": {}}})
        assert register(unit, "holdout", {"columns": {"a": {}}}, by="ben") == (first, False)
        assert register(unit, "holdout", {"columns": {"b": {}}}, by="ben")[0].version == 2
        # What was said before is said anew: a version is a step in time, not a name of a document.
        assert register(unit, "holdout", {"columns": {"a": {}}}, by="ben")[0].version == 3
    with database.read_unit() as reading:
        assert [(one.version, one.registered_by) for one in versions(reading, "holdout")] == [
            (1, "ann"),
            (2, "ben"),
            (3, "ben"),
        ]
        assert schema_document(reading, "holdout@2") == {"columns": {"b": {}}}
        assert [one.version for one in latest_schemas(reading)] == [3]


def test_the_log_has_a_leaf_for_each_version(database: Database) -> None:
    with database.unit() as unit:
        schema, _ = register(unit, "holdout", {"columns": {}}, by="ann")
    with database.read_unit() as unit:
        leaf = journal.leaf(unit, schema.log_index)
    assert leaf.kind == "schema"
    assert read_json(leaf.body) == {
        "kind": "schema.version/v1",
        "name": "holdout",
        "version": 1,
        "digest": schema.digest,
        "by": "ann",
    }


@pytest.mark.parametrize("statement", ["UPDATE schema_version SET version = 9", "DELETE FROM schema_version"])
def test_a_version_cannot_be_changed_or_removed(database: Database, statement: str) -> None:
    with database.unit() as unit:
        register(unit, "holdout", {"columns": {}}, by="ann")
    with pytest.raises((AssayError, DatabaseError)), database.unit() as unit:
        unit.session.execute(sa.text(statement))
    with database.read_unit() as reading:
        assert schema_version(reading, "holdout", 1)[0].version == 1


def test_registrations_at_one_moment_get_numbers_of_their_own(database: Database) -> None:
    def once(number: int) -> int:
        with database.unit() as unit:
            return register(unit, "holdout", {"min_rows": number}, by="ann")[0].version

    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(once, range(1, 9)))
    assert sorted(numbers) == list(range(1, 9))


@pytest.mark.parametrize(
    "reference", ["other@1", "holdout@2", "holdout@0", "holdout", "holdout@x", f"holdout@{'9' * 30}"]
)
def test_what_was_never_registered_is_not_found(database: Database, reference: str) -> None:
    with database.unit() as unit:
        register(unit, "holdout", {"columns": {}}, by="ann")
    with database.read_unit() as unit, pytest.raises(NotFound, match="registered schema"):
        schema_document(unit, reference)
