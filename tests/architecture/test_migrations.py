"""One migration tree, both databases: each revision goes up, down and up again, and the head is what the code says."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from governance.database import Database
from governance.migration import configuration, downgrade, upgrade
from tests.support.postgres import Server

APPEND_ONLY = {
    "break_glass",
    "break_glass_review",
    "attestation",
    "decision",
    "deployment",
    "deployment_end",
    "deployment_verdict",
    "document",
    "evaluation_act",
    "evidence",
    "gate_refusal",
    "lineage_action",
    "lineage_event",
    "lineage_pruned_event",
    "lineage_pruning",
    "log_checkpoint",
    "log_cosignature",
    "log_entry",
    "log_key",
    "log_node",
    "measurement",
    "policy_publication",
    "policy_version",
    "registered_model",
    "report",
    "revocation",
    "schema_version",
    "service_key_act",
    "waiver",
    "waiver_approval",
    "waiver_revocation",
}
"""Tables that refuse UPDATE and DELETE. A batch change on SQLite drops such triggers without a word."""

PRUNABLE = {"sqlite": ("_no_update", "_no_delete"), "postgresql": ("_pruned_only", "_append_only")}
"""Triggers of ``lineage_payload``, whose rows change only as a pruning on record says."""

_numbers = count()


def revisions() -> list[str]:
    """Every revision, oldest first."""
    walked = ScriptDirectory.from_config(configuration("sqlite://")).walk_revisions()
    return [script.revision for script in walked][::-1]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of each kind that holds nothing."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: Server = request.getfixturevalue("postgres_server")
    name = f"empty_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def objects(url: str) -> list[str]:
    """What a database holds, as sorted lines: tables with their columns, indexes, constraints and triggers."""
    database = Database(url)
    with database.engine.connect() as connection:
        inspector = sa.inspect(connection)
        lines = []
        for table in inspector.get_table_names():
            lines += [f"{table} column {column['name']} {column['type']!r}" for column in inspector.get_columns(table)]
            lines += [f"{table} index {index['name']}" for index in inspector.get_indexes(table)]
            lines += [f"{table} unique {unique['name']}" for unique in inspector.get_unique_constraints(table)]
            lines += [f"{table} foreign {foreign['name']}" for foreign in inspector.get_foreign_keys(table)]
        lines += [f"{table} trigger {name}" for table, name in triggers(connection)]
    database.close()
    return sorted(lines)


def triggers(connection: sa.Connection) -> list[tuple[str, str]]:
    """Table and name of every trigger that the migrations made."""
    if connection.dialect.name == "sqlite":
        statement = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'"
    else:
        statement = (
            "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND n.nspname = 'public'"
        )
    return [(str(table), str(name)) for table, name in connection.execute(sa.text(statement))]


def test_revisions_are_one_line_without_branches() -> None:
    script = ScriptDirectory.from_config(configuration("sqlite://"))
    assert len(script.get_bases()) == 1
    assert len(script.get_heads()) == 1
    assert revisions() == sorted(revisions())


def test_each_revision_goes_up_down_and_up_again(empty_url: str) -> None:
    before = "base"
    for revision in revisions():
        known = objects(empty_url)
        upgrade(empty_url, revision)
        first = objects(empty_url)
        downgrade(empty_url, before)
        assert [line for line in objects(empty_url) if "alembic_version" not in line] == [
            line for line in known if "alembic_version" not in line
        ], f"{revision} leaves something behind"
        upgrade(empty_url, revision)
        assert objects(empty_url) == first, f"{revision} is not the same the second time"
        before = revision


def test_the_head_is_what_the_tables_in_code_say(database_url: str) -> None:
    """``alembic check``: it raises and lists the differences where a revision is missing."""
    command.check(configuration(database_url))


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    before = objects(database_url)
    upgrade(database_url)
    assert objects(database_url) == before


def test_append_only_tables_have_their_triggers_at_head(database: Database) -> None:
    verbs = ("_no_update", "_no_delete") if database.dialect == "sqlite" else ("_append_only",)
    with database.engine.connect() as connection:
        found = set(triggers(connection))
    payloads = {("lineage_payload", f"lineage_payload{verb}") for verb in PRUNABLE[database.dialect]}
    people = ("waiver_approval", "evaluation_act", "break_glass_review")
    apart = {("policy_publication", "policy_publication_not_by_author")} | {(name, f"{name}_apart") for name in people}
    assert found == {(table, f"{table}{verb}") for table in APPEND_ONLY for verb in verbs} | payloads | apart


def test_revisions_import_no_application_code() -> None:
    folder = Path(ScriptDirectory.from_config(configuration("sqlite://")).versions)
    ours = ("governance", "lineage", "policies", "audits", "reports", "api")
    found = [
        f"{file.name}: {line}"
        for file in sorted(folder.glob("*.py"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.lstrip().startswith(tuple(f"{verb} {name}" for verb in ("import", "from") for name in ours))
    ]
    assert found == []
