"""Many clients at once while processes are killed: what a client saw is proved, and nothing is lost or half-written."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from audits.fsck import check_all
from governance.access.roles import Role
from governance.database import Database
from governance.log import journal
from governance.migration import upgrade
from governance.signing.rings import open_ring
from governance.verify import read_trust, verify_bundle
from tests.support.crowd import Site, besiege, site, wait_until_ready
from tests.support.postgres import Server, running_server
from tests.support.service import key_for, running
from tests.support.story import FAIR, UNFAIR, policy, publish, subject, submit

ORIGIN = "assay.test/log"


@dataclass(frozen=True)
class Size:
    """How hard it is tried."""

    clients: int
    models: int
    workers: int
    kills: int
    pause: float
    seconds: float


SHORT = Size(clients=24, models=2, workers=1, kills=3, pause=1.0, seconds=90)
LONG = Size(clients=200, models=24, workers=2, kills=40, pause=2.0, seconds=1500)


@contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[tuple[str, Server | None]]:
    """The URL of a migrated database that survives its server's death, and the server where there is one."""
    if kind == "sqlite":
        url = f"sqlite:///{folder}/assay.db"
        upgrade(url)
        yield url, None
        return
    with running_server(keeps_commits=True) as server:
        server.execute("CREATE DATABASE assay")
        url = server.url("assay")
        upgrade(url)
        from governance.jobs.procrastinate import install_schema

        install_schema(url)
        yield url, server


def prepared_requests(home: Path, url: str, size: Size) -> list[dict[str, Any]]:
    """A request for each client, over models of which half are judged fair; their evidence has yet to be measured."""
    asked = []
    with running(home, url, work={"engine": "none"}) as service:
        publish(service, policy())
        for number in range(size.models):
            about = subject(name=f"model-{number}", digest=f"sha256:{number:064x}")
            evidence = submit(service, UNFAIR if number % 2 else FAIR, subject=about)
            asked.append(
                {"subject": about, "environment": "prod", "policy": "fair", "evidence": [{"digest": evidence}]}
            )
    return [asked[number % len(asked)] for number in range(size.clients)]


def require_whole(made: Site, token: str, seen: list[bytes], locations: list[str]) -> None:
    """Every verdict that a client saw is in the log with its proof, and the database holds nothing else."""
    wait_until_ready(made)
    with httpx.Client(base_url=made.address, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        trust = read_trust(client.get("/v1/trust").content)
        for body, location in zip(seen, locations, strict=True):
            assert client.get(location).content == body
            bundle = client.get(f"/v1/decisions/{json.loads(body)['decision_id']}/bundle").content
            proved = verify_bundle(bundle, trust)
            assert proved.decision.verdict.value == json.loads(body)["verdict"]
        client.get("/v1/log/checkpoint").raise_for_status()
    made.stop()
    database = Database(made.url)
    try:
        checked = check_all(database, open_ring(made.home / "keys"), origin=ORIGIN, kept=made.home / "checkpoint")
        assert checked.decisions == len(seen)
        with database.read_unit() as unit:
            states = unit.session.execute(sa.text("SELECT state, count(*) FROM evaluation GROUP BY state")).all()
            places = unit.session.execute(
                sa.text("SELECT min(leaf_index), max(leaf_index), count(*) FROM log_entry")
            ).one()
        assert [tuple(row) for row in states] == [("done", len(seen))]
        assert tuple(places) == (0, checked.size - 1, checked.size)
    finally:
        database.close()


def besieged(kind: str, folder: Path, size: Size, seed: int) -> None:
    home = folder / "home"
    with fresh_database(kind, folder) as (url, server):
        requests = prepared_requests(home, url, size)
        token = key_for(url, Role.CI)
        with site(home, url, server, workers=size.workers) as made:
            answers = besiege(
                made, token, requests, kills=size.kills, pause=size.pause, seed=seed, seconds=size.seconds
            )
            seen = [answer for answer in answers if answer is not None]
            assert len(seen) == len(requests), f"{len(requests) - len(seen)} evaluations did not end"
            require_whole(made, token, [one.body for one in seen], [one.location for one in seen])
            verdicts = {json.loads(one.body)["verdict"] for one in seen}
            assert verdicts == {"allow", "deny"}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_a_client_saw_is_proved_though_processes_were_killed(kind: str, tmp_path: Path) -> None:
    besieged(kind, tmp_path, SHORT, seed=20261124)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_hundred_clients_see_nothing_that_is_not_proved(kind: str, seed: int, tmp_path: Path) -> None:
    besieged(kind, tmp_path, LONG, seed=seed)


def append_from_processes(url: str, processes: int, count: int) -> None:
    command = [sys.executable, "-m", "tests.support.appending", url]
    started = [
        subprocess.Popen([*command, f"process-{number}", str(count)], cwd=Path(__file__).parents[2])
        for number in range(processes)
    ]
    assert [process.wait(600) for process in started] == [0] * processes
    database = Database(url)
    try:
        with database.read_unit() as unit:
            assert journal.size(unit) == processes * count
            assert journal.check(unit) is None
            bodies = [body for _, body in journal.leaves_of_kind(unit, "test", start=0, count=processes * count)]
        expected = {f"process-{number} {place}" for number in range(processes) for place in range(count)}
        assert {body.decode() for body in bodies} == expected
    finally:
        database.close()


def test_eight_processes_append_without_a_gap(database_url: str) -> None:
    append_from_processes(database_url, 8, 10)


@pytest.mark.soak
def test_eight_processes_append_thousands_without_a_gap(database_url: str) -> None:
    append_from_processes(database_url, 8, 500)
