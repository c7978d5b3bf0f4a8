"""The log in its tables, on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from governance.database import Database
from governance.errors import InputRefused, NotFound, TooLarge
from governance.log import journal
from governance.log.journal import Leaf
from governance.log.tables import LogCheckpointRow
from tests.governance.log.test_merkle import Tree


def bodies(count: int) -> list[bytes]:
    return [b"body %d" % number for number in range(count)]


def fill(database: Database, count: int) -> None:
    with database.unit() as unit:
        journal.append(unit, [Leaf("test", body) for body in bodies(count)])


def tamper(database: Database, statement: str, **values: object) -> None:
    """Change a table behind its trigger's back, as somebody with the database's password can."""
    table = statement.split("log_", 1)[1].split(maxsplit=1)[0]
    with database.unit() as unit:
        if database.dialect == "sqlite":
            for verb in ("update", "delete"):
                unit.session.execute(sa.text(f"DROP TRIGGER IF EXISTS log_{table}_no_{verb}"))
        else:
            unit.session.execute(sa.text(f"ALTER TABLE log_{table} DISABLE TRIGGER USER"))
        unit.session.execute(sa.text(statement), values)


def first_bad(database: Database) -> int | None:
    with database.read_unit() as unit:
        return journal.check(unit)


def test_appends_of_any_size_give_the_tree_of_all_leaves(database: Database) -> None:
    taken: list[int] = []
    rest = [Leaf("test", body) for body in bodies(60)]
    for count in (1, 0, 7, 2, 31, 19):
        with database.unit() as unit:
            taken.extend(journal.append(unit, rest[:count]))
        rest = rest[count:]
    tree = Tree(bodies(60))
    with database.read_unit() as unit:
        assert taken == list(range(60))
        assert journal.size(unit) == 60
        for size in range(61):
            assert journal.root(unit, size) == tree.root(size)


def test_stored_proofs_equal_those_of_a_tree_in_memory(database: Database) -> None:
    fill(database, 45)
    tree = Tree(bodies(45))
    with database.read_unit() as unit:
        for size in (1, 2, 31, 32, 45):
            for index in range(size):
                assert journal.inclusion(unit, index, size) == tree.inclusion(index, size)
            for old in range(size + 1):
                assert journal.consistency(unit, old, size) == tree.consistency(old, size)


def test_eight_threads_append_without_a_gap(database: Database) -> None:
    def work(thread: int) -> list[tuple[int, bytes]]:
        done: list[tuple[int, bytes]] = []
        for number in range(6):
            batch = [Leaf("test", b"%d/%d/%d" % (thread, number, part)) for part in range(1 + number % 3)]
            with database.unit() as unit:
                taken = journal.append(unit, batch)
            done.extend(zip(taken, [leaf.body for leaf in batch], strict=True))
        return done

    with ThreadPoolExecutor(8) as pool:
        placed = dict(pair for done in pool.map(work, range(8)) for pair in done)
    assert sorted(placed) == list(range(96))
    tree = Tree([placed[index] for index in range(96)])
    with database.read_unit() as unit:
        assert [journal.leaf(unit, index).body for index in range(96)] == [placed[index] for index in range(96)]
        assert journal.root(unit, 96) == tree.root(96)
        assert journal.check(unit) is None


def test_an_append_that_is_rolled_back_leaves_no_trace(database: Database) -> None:
    fill(database, 3)
    with pytest.raises(ZeroDivisionError), database.unit() as unit:
        journal.append(unit, [Leaf("test", b"lost" * (1 // len(bodies(0))))])
    with database.unit() as unit:
        assert journal.append(unit, [Leaf("test", b"kept")]) == range(3, 4)
    with database.read_unit() as unit:
        assert journal.leaf(unit, 3) == Leaf("test", b"kept")


def test_two_appends_in_one_unit_follow_each_other(database: Database) -> None:
    with database.unit() as unit:
        assert journal.append(unit, [Leaf("test", b"body 0")]) == range(1)
        assert journal.append(unit, [Leaf("test", b"body 1"), Leaf("test", b"body 2")]) == range(1, 3)
        assert journal.root(unit, 3) == Tree(bodies(3)).root(3)


def test_a_leaf_beyond_64_kib_is_refused_and_nothing_is_appended(database: Database) -> None:
    with pytest.raises(TooLarge, match="artifact store"), database.unit() as unit:
        journal.append(unit, [Leaf("test", b"x"), Leaf("test", b"x" * (64 * 1024 + 1))])
    with database.unit() as unit:
        assert journal.size(unit) == 0
        assert journal.append(unit, [Leaf("test", b"x" * (64 * 1024))]) == range(1)


def test_what_the_log_does_not_hold_is_refused(database: Database) -> None:
    fill(database, 3)
    with database.read_unit() as unit:
        with pytest.raises(NotFound, match="below 3"):
            journal.leaf(unit, 3)
        with pytest.raises(InputRefused, match="up to 3"):
            journal.root(unit, 4)
        with pytest.raises(InputRefused):
            journal.inclusion(unit, 0, 5)
        with pytest.raises(InputRefused):
            journal.consistency(unit, 2, 5)


@pytest.mark.parametrize("count", [0, 1, 100, 4096, 5000])
def test_a_log_that_nobody_touched_checks_out(database: Database, count: int) -> None:
    fill(database, count)
    assert first_bad(database) is None


@pytest.mark.parametrize("index", [0, 37, 99])
def test_a_changed_leaf_is_named(database: Database, index: int) -> None:
    fill(database, 100)
    tamper(database, "UPDATE log_entry SET leaf = :leaf WHERE leaf_index = :index", leaf=b"other", index=index)
    assert first_bad(database) == index


def test_a_leaf_changed_together_with_its_nodes_shows_against_a_signed_root(database: Database) -> None:
    fill(database, 10)
    tree = Tree(bodies(10))
    with database.unit() as unit:
        for size in (4, 10):
            unit.session.add(LogCheckpointRow(tree_size=size, root_hash=tree.root(size), note="", signed_at=unit.now))
    changed = bodies(10)
    changed[6] = b"other"
    tamper(database, "UPDATE log_entry SET leaf = :leaf WHERE leaf_index = 6", leaf=b"other")
    for (level, position), value in Tree(changed).kept.items():
        tamper(
            database,
            "UPDATE log_node SET hash = :value WHERE level = :level AND position = :position",
            value=value,
            level=level,
            position=position,
        )
    # The root signed at 4 vouches for leaves 0 to 3, so the fault lies at 4 or later.
    assert first_bad(database) == 4


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("DELETE FROM log_entry WHERE leaf_index = 5", 5),
        ("DELETE FROM log_entry WHERE leaf_index >= 8", 8),
        ("DELETE FROM log_entry WHERE leaf_index = 0", 0),
        ("DELETE FROM log_node WHERE level = 1 AND position = 2", 5),
        ("UPDATE log_node SET hash = :zero WHERE level = 2 AND position = 1", 7),
    ],
)
def test_missing_and_changed_rows_are_named(database: Database, statement: str, index: int) -> None:
    fill(database, 10)
    tamper(database, statement, **({"zero": b"\0" * 32} if ":zero" in statement else {}))
    assert first_bad(database) == index


def test_a_tail_cut_from_both_tables_shows_against_a_signed_size(database: Database) -> None:
    fill(database, 10)
    with database.unit() as unit:
        root = journal.root(unit, 10)
        unit.session.add(LogCheckpointRow(tree_size=10, root_hash=root, note="", signed_at=unit.now))
    tamper(database, "DELETE FROM log_entry WHERE leaf_index >= 8")
    keep = set(Tree(bodies(8)).kept)
    for level, position in set(Tree(bodies(10)).kept) - keep:
        tamper(
            database,
            "DELETE FROM log_node WHERE level = :level AND position = :position",
            level=level,
            position=position,
        )
    assert first_bad(database) == 8


def test_lookups_of_nodes_use_the_primary_key(database: Database) -> None:
    """A proof must not read the whole table: at a million leaves it would take a second instead of 0.1 ms."""
    if database.dialect != "sqlite":
        pytest.skip("PostgreSQL chooses by statistics, which an empty table does not have")
    statements: list[str] = []

    def watch(_connection: object, _cursor: object, statement: str, *_others: object) -> None:
        statements.append(statement)

    fill(database, 45)
    sa.event.listen(database.engine, "before_cursor_execute", watch)
    with database.read_unit() as unit:
        journal.inclusion(unit, 3, 45)
        asked = next(statement for statement in statements if "log_node" in statement)
        plan = unit.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", (0,) * asked.count("?")).all()
    assert any("SEARCH log_node" in row[-1] for row in plan), plan
    assert not any("SCAN log_node" in row[-1] for row in plan), plan
