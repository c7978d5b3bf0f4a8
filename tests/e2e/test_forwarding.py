"""Verdicts sent on to a second instance: the sender is killed in the middle, and nothing is lost."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from governance.database import Database
from lineage.tables import EventRow
from tests.conftest import fresh_url
from tests.support.producers import serving
from tests.support.service import key_for, running
from tests.support.story import ask, policy, publish

VERDICTS = 4


@contextmanager
def worker(home: Path, database_url: str, config: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {
        "ASSAY_HOME": str(home),
        "ASSAY_DATABASE_URL": database_url,
        "ASSAY_ORIGIN": "assay.test/log",
        "ASSAY_WORK__SWEEP_SECONDS": "0.2",
        "ASSAY_WORK__LEASE_SECONDS": "0.5",
        "ASSAY_WORK__ENGINE": "embedded",
        "ASSAY_LINEAGE__FORWARD_TO": str(config),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with (home / f"worker-{time.monotonic_ns()}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "governance", "worker"], env=environment, stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def slow(app: Any, seconds: float) -> Any:
    """The application, which takes its time for whatever is posted to it."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("method") == "POST":
            await asyncio.sleep(seconds)
        await app(scope, receive, send)

    return answer


def digests(database: Database) -> set[bytes]:
    with database.read_unit() as unit:
        return set(unit.session.scalars(sa.select(EventRow.digest)))


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            pytest.fail(f"after {seconds} s still not: {what}")
        time.sleep(0.02)


def states(database: Database) -> dict[str, int]:
    with database.read_unit() as unit:
        query = sa.text("SELECT state, count(*) FROM lineage_outbox GROUP BY state")
        return {state: count for state, count in unit.session.execute(query)}  # noqa: C416 - as in the query


def test_a_sender_killed_in_the_middle_loses_no_verdict(
    database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "consumer").mkdir()
    consumer_url = fresh_url("sqlite", request, tmp_path / "consumer")
    config, home = tmp_path / "openlineage.yml", tmp_path / "home"
    with (
        running(tmp_path / "consumer" / "home", consumer_url) as consumer,
        serving(slow(consumer.app, 0.15)) as address,
    ):
        key = key_for(consumer_url, "ci")
        auth = f"{{type: api_key, apiKey: {key}}}"
        config.write_text(f"transport: {{type: http, url: {address}, compression: gzip, auth: {auth}}}")
        received = consumer.state.database
        lineage = {"forward_to": str(config)}
        with running(home, database_url, work={"engine": "none"}, lineage=lineage) as service:
            publish(service, policy())
            for number in range(VERDICTS):
                assert ask(service, key=f"k{number}").json()["verdict"] == "indeterminate"
            sent = service.state.database
            assert states(sent) == {"queued": 2 * VERDICTS}
            assert f'assay_outbox_events{{state="waiting"}} {2.0 * VERDICTS}' in service.http.get("/metrics").text
            with worker(home, database_url, config) as first:
                wait_until(lambda: len(digests(received)) >= 3, "three events have arrived")
                os.kill(first.pid, signal.SIGKILL)
                first.wait()
            assert 0 < len(digests(received)) < 2 * VERDICTS
            with worker(home, database_url, config):
                wait_until(lambda: states(sent) == {"delivered": 2 * VERDICTS}, "all events were delivered")
            assert digests(received) == digests(sent)
            assert service.http.get("/v1/lineage/digest").json() == consumer.http.get("/v1/lineage/digest").json()
