"""Leases: one holder at a time, takeover when one runs out, and fencing of those who come late."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from governance.database import Database
from governance.errors import Conflict
from governance.jobs.lease import Claim, LeaseLost, claim, held, release, renew, waiting
from tests.support.toywork import ToyRow, create_tables, queue

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def toys(database_url: str, clock: Hands) -> Iterator[Database]:
    database = Database(database_url, clock=clock)
    create_tables(database)
    yield database
    database.close()


def take(database: Database, worker: str = "a", limit: int = 1, keys: list[str] | None = None) -> list[Claim]:
    with database.unit() as unit:
        return claim(unit, ToyRow, worker=worker, lease_seconds=30, limit=limit, keys=keys)


def test_a_queued_row_is_taken_once(toys: Database) -> None:
    queue(toys, "1")
    (taken,) = take(toys)
    assert taken.key == "1"
    assert take(toys, "b") == []
    with toys.unit() as unit:
        row = held(unit, ToyRow, taken.key, taken.token)
        assert (row.state, row.leased_by, row.attempts) == ("running", "a", 1)
        assert row.leased_until == START + timedelta(seconds=30)


def test_rows_are_taken_in_the_order_of_their_keys_up_to_the_limit(toys: Database) -> None:
    queue(toys, "3", "1", "2")
    assert [taken.key for taken in take(toys, limit=2)] == ["1", "2"]
    assert [taken.key for taken in take(toys, limit=2)] == ["3"]


def test_only_rows_that_were_asked_for_are_taken(toys: Database) -> None:
    queue(toys, "1", "2")
    assert [taken.key for taken in take(toys, keys=["2", "9"], limit=5)] == ["2"]
    assert take(toys, keys=[]) == []


def test_a_lease_that_ran_out_is_taken_over(toys: Database, clock: Hands) -> None:
    queue(toys, "1")
    (first,) = take(toys)
    clock.now = START + timedelta(seconds=29.999)
    assert take(toys, "b") == []
    clock.now = START + timedelta(seconds=30)
    (second,) = take(toys, "b")
    assert second.token != first.token
    with toys.unit() as unit:
        assert held(unit, ToyRow, "1", second.token).attempts == 2


def test_a_late_holder_of_an_old_lease_cannot_write(toys: Database, clock: Hands) -> None:
    queue(toys, "1")
    (first,) = take(toys)
    clock.now = START + timedelta(seconds=31)
    (second,) = take(toys, "b")
    for act in (
        lambda unit: held(unit, ToyRow, "1", first.token),
        lambda unit: renew(unit, ToyRow, "1", first.token, lease_seconds=30),
        lambda unit: release(unit, ToyRow, "1", first.token, state="done"),
    ):
        with pytest.raises(LeaseLost, match="held by b"), toys.unit() as unit:
            act(unit)
    with toys.unit() as unit:
        assert release(unit, ToyRow, "1", second.token, state="done").state == "done"


def test_a_lease_that_ran_out_and_nobody_took_is_still_held(toys: Database, clock: Hands) -> None:
    queue(toys, "1")
    (taken,) = take(toys)
    clock.now = START + timedelta(seconds=100)
    with toys.unit() as unit:
        assert held(unit, ToyRow, "1", taken.token).leased_by == "a"


def test_a_renewed_lease_is_not_taken_over(toys: Database, clock: Hands) -> None:
    queue(toys, "1")
    (taken,) = take(toys)
    clock.now = START + timedelta(seconds=20)
    with toys.unit() as unit:
        assert renew(unit, ToyRow, "1", taken.token, lease_seconds=30) == START + timedelta(seconds=50)
    clock.now = START + timedelta(seconds=40)
    assert take(toys, "b") == []


def test_a_released_row_is_queued_again_and_a_finished_one_is_not(toys: Database) -> None:
    queue(toys, "1")
    (taken,) = take(toys)
    with toys.unit() as unit:
        release(unit, ToyRow, "1", taken.token)
    (again,) = take(toys)
    with toys.unit() as unit:
        row = release(unit, ToyRow, "1", again.token, state="done")
        assert (row.leased_by, row.lease_token, row.leased_until) == (None, None, None)
    assert take(toys) == []
    with pytest.raises(LeaseLost, match="state done"), toys.unit() as unit:
        held(unit, ToyRow, "1", again.token)


def test_a_row_that_is_gone_is_not_held(toys: Database) -> None:
    with pytest.raises(Conflict, match="no such row"), toys.unit() as unit:
        held(unit, ToyRow, "1", "token")


def test_waiting_names_rows_that_nobody_works_on(toys: Database, clock: Hands) -> None:
    queue(toys, "1", "2", "3")
    take(toys, keys=["2"])
    with toys.read_unit() as unit:
        assert waiting(unit, ToyRow) == ["1", "3"]
        assert waiting(unit, ToyRow, limit=1) == ["1"]
    clock.now = START + timedelta(seconds=30)
    with toys.read_unit() as unit:
        assert waiting(unit, ToyRow) == ["1", "2", "3"]


def test_many_workers_never_take_the_same_row(toys: Database) -> None:
    queue(toys, *(f"{number:02}" for number in range(40)))
    with ThreadPoolExecutor(8) as pool:
        taken = [
            each.key for claims in pool.map(lambda worker: take(toys, str(worker), 5), range(16)) for each in claims
        ]
    rest = [each.key for each in take(toys, limit=40)]
    assert sorted(taken + rest) == [f"{number:02}" for number in range(40)]


def test_a_row_that_another_is_just_taking_is_passed_over(toys: Database) -> None:
    if toys.dialect == "sqlite":
        pytest.skip("SQLite lets one unit write at a time")
    queue(toys, "1", "2")
    with toys.unit() as unit:
        claim(unit, ToyRow, worker="a", lease_seconds=30)
        assert [taken.key for taken in take(toys, "b", limit=2)] == ["2"]
