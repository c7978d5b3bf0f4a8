"""Workers as processes of their own: one is killed in the middle, another ends the work, and nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from governance.database import Database
from tests.support.service import running
from tests.support.story import FAIR, ask, policy, publish, submit

LEASE_SECONDS = "1.5"


@contextmanager
def worker(home: Path, database_url: str, engine: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {
        "ASSAY_HOME": str(home),
        "ASSAY_DATABASE_URL": database_url,
        "ASSAY_ORIGIN": "assay.test/log",
        "ASSAY_WORK__ENGINE": engine,
        "ASSAY_WORK__LEASE_SECONDS": LEASE_SECONDS,
        "ASSAY_WORK__SWEEP_SECONDS": "0.3",
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


def wait_for_state(database: Database, wanted: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with database.read_unit() as unit:
            if unit.session.scalar(sa.text("SELECT state FROM evaluation")) == wanted:
                return
        time.sleep(0.01)
    pytest.fail(f"no evaluation became {wanted}")


def test_a_worker_killed_in_the_middle_loses_nothing_and_the_next_one_gives_the_verdict(
    database_url: str, tmp_path: Path
) -> None:
    engine = "procrastinate" if database_url.startswith("postgresql") else "embedded"
    home = tmp_path / "home"
    server_engine = engine if engine == "procrastinate" else "none"
    if engine == "procrastinate":
        from governance.jobs.procrastinate import install_schema

        install_schema(database_url)
    with running(home, database_url, work={"engine": server_engine}) as service:
        publish(service, policy())
        submit(service, FAIR)
        accepted = ask(service, wait=0)
        assert accepted.status_code == 202
        with worker(home, database_url, engine) as first:
            wait_for_state(service.state.database, "running")
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
        looked = service.http.get(accepted.headers["Location"])
        assert looked.status_code == 202, "the killed worker must not have finished"
        with worker(home, database_url, engine):
            ended = service.http.get(accepted.headers["Location"], params={"wait": 25})
            if ended.status_code == 202:
                ended = service.http.get(accepted.headers["Location"], params={"wait": 25})
        assert (ended.status_code, ended.json()["verdict"]) == (200, "allow")
        with service.state.database.read_unit() as unit:
            assert unit.session.scalar(sa.text("SELECT count(*) FROM decision")) == 1
            assert unit.session.scalar(sa.text("SELECT count(*) FROM measurement")) == 1
            assert unit.session.scalar(sa.text("SELECT attempts FROM evaluation")) == 2
