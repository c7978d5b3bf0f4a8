"""The database: rows, column types, and the unit of work. Only this module commits."""

import select
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session

from governance import sending
from governance.clock import Clock, system_clock
from governance.errors import StorageUnavailable
from governance.types.sight import WHOLE, Sight

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""A generated integer key; SQLite only generates values for a column of type INTEGER."""

Document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
"""A JSON document that queries may look into."""


RECENT_SECONDS = 0.5
"""A connection to PostgreSQL that was used within this is asked for no sign of life, unless its server said something.

What a server that ends says is there to be read at once; one whose host is gone is found out by the statement.
"""

QUERY_CANCELED = "57014"
"""PostgreSQL's code of a statement that was cancelled, by its time-out or by an administrator."""


class UTCDateTime(sa.TypeDecorator[datetime]):
    """An aware instant, kept in UTC to the microsecond; a naive one is refused, since its meaning is unknown."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """The instant in UTC; without its zone where the database keeps none."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"the instant {value.isoformat()} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self,
        value: datetime | None,
        dialect: sa.Dialect,  # noqa: ARG002 - SQLAlchemy passes it by position and by name
    ) -> datetime | None:
        """The stored instant, aware and in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


AnswerT = TypeVar("AnswerT")


class Row(DeclarativeBase):
    """Base of all tables. Rows end in ``Row`` and stay in the package that defines them."""

    metadata = sa.MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UTCDateTime, dict[str, Any]: Document}  # noqa: RUF012 - read by SQLAlchemy


@dataclass(slots=True)
class Unit:
    """One transaction: its session, one ``now`` for all its rows, and what to do once it is committed.

    ``sight`` is what whoever asks may see: functions that give out or take models and data hold to it.
    """

    session: Session
    now: datetime
    dialect: str
    sight: Sight = WHOLE
    _after_commit: list[Callable[[], None]] = field(default_factory=list)
    _known: dict[Hashable, Any] = field(default_factory=dict)

    def once(self, question: Hashable, ask: Callable[[], AnswerT]) -> AnswerT:
        """What ``ask`` finds, asked for once in this transaction; asked again while it finds nothing (None).

        For what does not change while the transaction lasts: rows that are only ever added, and what is made of them.
        """
        if question in self._known:
            known: AnswerT = self._known[question]
            return known
        found = ask()
        if found is not None:
            self._known[question] = found
        return found

    def remember(self, question: Hashable, found: object) -> None:
        """Give ``found`` to whoever asks ``once`` from now on, since it came with the answer to something else."""
        self._known[question] = found

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call ``action`` when the transaction is committed, and never if it is not."""
        self._after_commit.append(action)

    def run_after_commit(self) -> None:
        """Carry out what was asked for; called by ``Database`` alone."""
        for action in self._after_commit:
            action()


@dataclass(frozen=True, slots=True)
class ReadUnit:
    """A consistent view of the database that cannot write, and what of it may be seen."""

    session: Session
    now: datetime
    dialect: str
    sight: Sight = WHOLE

    def once(self, _question: Hashable, ask: Callable[[], AnswerT]) -> AnswerT:
        """What ``ask`` finds; asked again each time, since a view that goes through many rows keeps none of them."""
        return ask()

    def remember(self, question: Hashable, found: object) -> None:
        """Nothing, for the same reason."""


RowT = TypeVar("RowT", bound=Row)


def plain_rows(unit: Unit | ReadUnit, row_type: type[RowT], query: sa.Select[Any], **values: Any) -> list[RowT]:
    """The rows that a query over ``row_type`` gives, as values: what is done to them is not written.

    ``query`` is built once and selects ``row_type`` whole; ``values`` are those of its parameters. A session follows
    every row that it reads, which costs several times what reading it does.
    """
    found = unit.session.connection().execute(query, values)
    return [row_type(**row._mapping) for row in found]  # noqa: SLF001 - the documented name of a row's mapping


class Database:
    """The engine and its rules. Built once by an entry point and closed by it."""

    def __init__(
        self, url: str, *, clock: Clock = system_clock, pool_size: int = 20, statement_seconds: float = 0
    ) -> None:
        """Prepare the engine for ``url``; no connection is made before the first unit.

        ``statement_seconds`` is how long one statement may run on PostgreSQL; 0 sets no limit. SQLite has no limit.
        """
        self.url = sa.make_url(url)
        self.clock = clock
        self.engine = _engine(self.url, pool_size)
        if statement_seconds > 0 and self.dialect == "postgresql":
            _limit_statements(self.engine, statement_seconds)
        self.sight = WHOLE
        self._writing, self._reading, self._glancing = _ways(self.engine)

    def within(self, sight: Sight) -> "Database":
        """The same database for somebody who sees ``sight`` of it: every unit that is begun here holds to it."""
        narrowed = copy(self)
        narrowed.sight = sight
        return narrowed

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    @contextmanager
    def unit(self) -> Iterator[Unit]:
        """A writing transaction: committed when the block ends, rolled back when it raises.

        Raises:
            StorageUnavailable: the database did not take the transaction; nothing was stored.
        """
        with _storage_faults(), Session(self._writing) as session:
            unit = Unit(session, self.clock(), self.dialect, self.sight)
            yield unit
            if session.in_transaction():
                sending.settle(session.connection())
            _commit(session)
        unit.run_after_commit()

    @contextmanager
    def read_unit(self) -> Iterator[ReadUnit]:
        """A reading transaction on one snapshot."""
        with _storage_faults(), Session(self._reading) as session:
            yield ReadUnit(session, self.clock(), self.dialect, self.sight)
            session.rollback()

    @contextmanager
    def glance(self) -> Iterator[ReadUnit]:
        """A reading of one statement, which sees one state of the database without a transaction around it."""
        with _storage_faults(), Session(self._glancing) as session:
            yield ReadUnit(session, self.clock(), self.dialect, self.sight)

    def close(self) -> None:
        """Close the pooled connections."""
        self.engine.dispose()


def _commit(session: Session) -> None:
    """Commit; whatever the database says then, the transaction was not taken, and a later attempt may be."""
    try:
        session.commit()
    except DBAPIError as fault:
        raise _not_taken(fault) from fault


def _not_taken(fault: DBAPIError) -> StorageUnavailable:
    if getattr(fault.orig, "sqlstate", None) == QUERY_CANCELED:
        return StorageUnavailable(
            expected="a statement that ends within ASSAY_DATABASE__STATEMENT_SECONDS",
            found="one that was cancelled",
            remedy="Ask for less at once, or later; if it persists, look at the database's log.",
        )
    return StorageUnavailable(
        expected="the database to take the transaction",
        found=type(fault.orig).__name__,
        remedy="Send the request again; if it persists, look at the server's log.",
    )


@contextmanager
def _storage_faults() -> Iterator[None]:
    """Re-label a database that is away, locked or full; integrity and programming faults pass unchanged."""
    try:
        yield
    except DBAPIError as fault:
        if not (isinstance(fault, OperationalError) or fault.connection_invalidated):
            raise
        raise _not_taken(fault) from fault


def _engine(url: sa.URL, pool_size: int) -> sa.Engine:
    # Faults are logged, and the values of a statement may be rows of evidence: they are left out of its faults.
    if url.get_backend_name() == "sqlite":
        # Bulk inserts of several sizes (``governance.bulk``) are to stay prepared besides all other statements.
        arguments = {"timeout": 30, "cached_statements": 1024}
        # The connection that was used last holds the pages and the statements that are needed next.
        engine = sa.create_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_use_lifo=True,
            connect_args=arguments,
            hide_parameters=True,
        )
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        sa.event.listen(engine, "checkin", _leave_sqlite)
        return engine
    # The connection that was used last holds the prepared statements that are needed next.
    engine = sa.create_engine(
        url, pool_size=pool_size, max_overflow=pool_size, pool_use_lifo=True, hide_parameters=True
    )
    sa.event.listen(engine, "checkin", _note_return)
    sa.event.listen(engine, "checkout", partial(_require_life, engine.dialect))
    sending.attach(engine)
    return engine


def _ways(engine: sa.Engine) -> tuple[sa.Engine, sa.Engine, sa.Engine]:
    """The engine for transactions that write, for those that read, and for single statements that read."""
    if engine.dialect.name == "sqlite":
        # A deferred transaction that reads and then writes fails with SQLITE_BUSY at once, whatever the timeout.
        ways = [engine.execution_options(assay_begin=begin) for begin in ("BEGIN IMMEDIATE", "BEGIN", None)]
        return ways[0], ways[1], ways[2]
    # REPEATABLE READ would make concurrent writers fail where READ COMMITTED makes them wait; the log's advisory lock
    # and row locks carry the ordering that is needed.
    reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine, reading, engine.execution_options(isolation_level="AUTOCOMMIT")


def _note_return(_connection: Any, record: Any) -> None:
    record.info["returned"] = time.monotonic()


def _require_life(dialect: sa.Dialect, connection: Any, record: Any, _proxy: Any) -> None:
    """Have the pool connect anew, with all its connections, when this one is dead: servers restart."""
    returned = record.info.get("returned")
    if returned is None:
        return
    driver: Any = dialect.loaded_dbapi
    try:
        if time.monotonic() - returned > RECENT_SECONDS or _is_readable(connection.fileno()):
            dialect.do_ping(connection)
    except driver.Error as fault:
        raise sa.exc.InvalidatePoolError from fault


def _is_readable(descriptor: int) -> bool:
    """Whether something has arrived that nobody has read, the end of the connection included."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _limit_statements(engine: sa.Engine, seconds: float) -> None:
    """Let the server cancel every statement that runs longer; asked for once for each connection."""
    milliseconds = max(1, round(seconds * 1000))

    def limit(connection: Any, _record: Any) -> None:
        connection.execute(f"SET statement_timeout = {milliseconds}")
        connection.commit()  # what is set in a transaction that is rolled back is forgotten

    sa.event.listen(engine, "connect", limit)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions by itself: BEGIN IMMEDIATE below decides who writes.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")  # readers go on while one writes
    cursor.execute("PRAGMA synchronous=FULL")  # an acknowledged commit survives a power cut
    cursor.execute("PRAGMA foreign_keys=ON")  # SQLite leaves them unchecked unless asked
    cursor.execute("PRAGMA busy_timeout=30000")  # milliseconds a writer waits for another
    cursor.execute("PRAGMA cache_size=-65536")  # KiB of pages kept, so that walks stay in memory
    # Pages of WAL, 16 MiB, before it is copied into the database: a page that many transactions change is copied once.
    cursor.execute("PRAGMA wal_autocheckpoint=4000")
    cursor.close()


def _leave_sqlite(connection: Any, _record: Any) -> None:
    # SQLite keeps a transaction open when its COMMIT fails, and the pool takes it for ended: without this the next
    # user of the connection could not begin, and nobody could write in the meantime.
    if connection is not None and connection.in_transaction:
        connection.rollback()


def _begin_sqlite(connection: sa.Connection) -> None:
    begin = connection.get_execution_options().get("assay_begin", "BEGIN IMMEDIATE")
    if begin is not None:
        connection.exec_driver_sql(begin)
