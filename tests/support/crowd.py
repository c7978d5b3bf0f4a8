"""Real processes of the service that are killed at random, and a crowd of clients that asks the gate meanwhile."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.postgres import Server

LEASE_SECONDS = "1.5"
START_SECONDS = 60.0
RETRY_SECONDS = 0.5


@dataclass
class Site:
    """One service: its folder, database and port, its processes, and the database server where it has one."""

    home: Path
    url: str
    port: int
    postgres: Server | None
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str) -> None:
        """Start ``server``, or a worker by any other name."""
        what = ["serve", "--port", str(self.port)] if name == "server" else ["worker"]
        with (self.home / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "governance", *what], env=self._environment(), stdout=log, stderr=log
            )

    def _environment(self) -> dict[str, str]:
        shared = "procrastinate" if self.postgres else "embedded"
        return os.environ | {
            "ASSAY_HOME": str(self.home),
            "ASSAY_DATABASE_URL": self.url,
            "ASSAY_ORIGIN": "assay.test/log",
            # On SQLite the server works too; on PostgreSQL the workers alone do.
            "ASSAY_WORK__ENGINE": shared,
            "ASSAY_WORK__THREADS": "2",
            "ASSAY_WORK__LEASE_SECONDS": LEASE_SECONDS,
            "ASSAY_WORK__SWEEP_SECONDS": "0.3",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }

    def kill(self, name: str) -> None:
        """End a process between two instructions, or the database server; then start it again."""
        if name == "database" and self.postgres is not None:
            self.postgres.restart()
            return
        self.running[name].kill()
        self.running[name].wait()
        self.start(name)

    def stop(self) -> None:
        """End all processes."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            process.wait(60)


@contextmanager
def site(home: Path, url: str, postgres: Server | None, *, workers: int) -> Iterator[Site]:
    """A server and workers on a prepared folder and database; they answer when the block begins."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Site(home, url, port, postgres)
    try:
        for name in ("server", *(f"worker-{number}" for number in range(workers))):
            made.start(name)
        wait_until_ready(made)
        yield made
    finally:
        made.stop()


def wait_until_ready(made: Site) -> None:
    """Return when the service answers that it is ready.

    Raises:
        TimeoutError: it does not within ``START_SECONDS``.
    """
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            if httpx.get(f"{made.address}/readyz", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise TimeoutError((made.home / "server.log").read_text()[-4000:])


@dataclass(frozen=True)
class Seen:
    """What a client read: the bytes of the verdict, and how often it had to ask."""

    body: bytes
    location: str
    tries: int


def ask_until_answered(http: httpx.Client, request: dict[str, Any], key: str, until: float) -> Seen | None:
    """Send the request with one key until a verdict comes; None when none came by ``until``.

    What a client of CI does: whatever fails is sent again with the same key, which must never make a second verdict.
    """
    tries = 0
    while time.monotonic() < until:
        tries += 1
        try:
            answer = http.post(
                "/v1/gate/evaluations", json=request, headers={"Idempotency-Key": key, "Prefer": "wait=5"}
            )
        except httpx.TransportError:
            time.sleep(RETRY_SECONDS)
            continue
        if answer.status_code == 200:
            return Seen(answer.content, answer.headers["Location"], tries)
        if answer.status_code not in {202, 409, 429, 500, 502, 503}:
            raise AssertionError(f"HTTP {answer.status_code}: {answer.text[:500]}")
        time.sleep(RETRY_SECONDS)
    return None


def besiege(
    made: Site, token: str, requests: Sequence[dict[str, Any]], *, kills: int, pause: float, seed: int, seconds: float
) -> list[Seen | None]:
    """What each client saw, all asking at once, while ``kills`` processes were killed at random moments."""
    chance = random.Random(seed)
    victims = [*made.running, *(["database"] if made.postgres else [])]
    # Each kind of process is met at least once; beyond that chance decides.
    order = chance.sample(victims, k=min(kills, len(victims)))
    order += chance.choices(victims, k=kills - len(order))
    until = time.monotonic() + seconds
    over = threading.Event()

    def kill_all() -> None:
        for victim in order:
            if over.wait(chance.uniform(0.2, 1.8) * pause):
                return
            made.kill(victim)

    killer = threading.Thread(target=kill_all)
    # One client for all threads: each client of its own would load the list of authorities anew.
    limits = httpx.Limits(max_connections=len(requests))
    headers = {"Authorization": f"Bearer {token}"}
    with (
        httpx.Client(base_url=made.address, headers=headers, timeout=15, limits=limits) as http,
        ThreadPoolExecutor(len(requests)) as pool,
    ):
        waiting = [
            pool.submit(ask_until_answered, http, request, f"key-{number}", until)
            for number, request in enumerate(requests)
        ]
        killer.start()
        try:
            return [one.result() for one in waiting]
        finally:
            over.set()
            killer.join()
