"""Rows written in bulk: all of them, in few statements of few sizes."""

import pytest
import sqlalchemy as sa

from governance.bulk import MOST_ROWS, insert_rows
from governance.database import Database
from governance.log.tables import LogNodeRow

NAMES = ("level", "position", "hash")


@pytest.mark.parametrize("count", [1, 7, 8, 29, 61, 127, MOST_ROWS, MOST_ROWS + 1, 1000])
def test_every_row_is_written_whatever_their_number(database: Database, count: int) -> None:
    with database.unit() as unit:
        columns = ([0] * count, range(count), [bytes([place % 256]) for place in range(count)])
        insert_rows(unit, LogNodeRow.__table__, NAMES, columns)
        query = sa.select(LogNodeRow.position, LogNodeRow.hash).order_by(LogNodeRow.position)
        assert unit.session.execute(query).all() == [(place, bytes([place % 256])) for place in range(count)]


def test_statements_are_few_and_of_few_sizes(database: Database) -> None:
    """On PostgreSQL each is one. On SQLite one that was not prepared costs more than three that were."""
    texts: set[str] = set()
    sent = 0

    def count(_connection: object, _cursor: object, text: str, *_: object) -> None:
        nonlocal sent
        if "INSERT" in text:
            texts.add(text)
            sent += 1

    sa.event.listen(database.engine, "before_cursor_execute", count)
    most = 0
    with database.unit() as unit:
        for level, size in enumerate(range(1, MOST_ROWS + 1)):
            sent = 0
            insert_rows(unit, LogNodeRow.__table__, NAMES, ([level] * size, range(size), [b"h"] * size))
            most = max(most, sent)
    assert most <= 3
    assert len(texts) <= 28
