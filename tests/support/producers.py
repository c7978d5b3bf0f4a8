"""What the tests with real producers share: the environments that producers live in, and a service they can reach."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from api.app import create_app
from governance.client import Client
from tests.support.service import key_for, settings_for

PEERS = Path(sys.prefix) / "peers"
"""Where `make peers` puts the producers that cannot be installed beside Assay."""


Column = tuple[str, str]


@dataclass(frozen=True)
class Exchange:
    """One request that a service was sent, and how it answered."""

    method: str
    path: str
    encoding: str
    status: int
    digest: str | None
    """Of the event that was stored."""


class Traffic:
    """What lies between producer and service: keeps all exchanges, and answers the next posts itself when told to."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.failures = 0
        self.exchanges: list[Exchange] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                told = headers(message)
                digest = told.get("assay-event-digest")
                encoding = headers(scope).get("content-encoding", "")
                self.exchanges.append(
                    Exchange(scope["method"], scope["path"], encoding, int(message["status"]), digest)
                )
            await send(message)

        if scope["method"] == "POST" and self.failures:
            self.failures -= 1
            await answer({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, answer)

    @property
    def posts(self) -> list[Exchange]:
        """What was posted, in the order of the answers."""
        return [exchange for exchange in self.exchanges if exchange.method == "POST"]


def headers(message: Mapping[str, Any]) -> dict[str, str]:
    """The headers of an ASGI scope or message."""
    return {name.decode().lower(): value.decode() for name, value in message["headers"]}


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """A real server on a free port; its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass(frozen=True)
class Receiver:
    """A running service that producers send to, and what it was sent."""

    address: str
    key: str
    traffic: Traffic

    def get(self, path: str, **parameters: str | int | float | bool | None) -> dict[str, Any]:
        """What the service answers to a question."""
        with Client(self.address, self.key) as reader:
            return reader.get(path, **parameters)

    def transport(self, **options: Any) -> dict[str, Any]:
        """How the official client is told to send here."""
        return {"type": "http", "url": self.address, "auth": {"type": "api_key", "apiKey": self.key}, **options}

    def columns(self, namespace: str, name: str, **asked: str | int | bool) -> dict[tuple[Column, Column], set[str]]:
        """Which columns around a dataset feed which, each by its dataset's name and its own, and how."""
        answer = self.get("/v1/lineage/columns", namespace=namespace, name=name, **asked)
        ends = [(node["name"], node["field"]) for node in answer["nodes"]]
        found: dict[tuple[Column, Column], set[str]] = {}
        for edge in answer["edges"]:
            how = {"masked"} if edge["masked"] else {part["subtype"] for part in edge["transformations"]}
            found.setdefault((ends[edge["from"]], ends[edge["to"]]), set()).update(how)
        return found

    def taken(self) -> list[dict[str, Any]]:
        """The events that were stored, each with its findings, in the order of arrival."""
        with Client(self.address, self.key) as reader:
            return [
                reader.get(f"/v1/lineage/events/{post.digest}")
                for post in self.traffic.posts
                if post.digest is not None
            ]

    def findings(self) -> list[tuple[str, str]]:
        """Code and place of everything that the service finds wrong with what it was sent."""
        return sorted({(item["code"], item["pointer"]) for event in self.taken() for item in event["findings"]})


@contextmanager
def receiving(home: Path, database_url: str, **sections: Any) -> Iterator[Receiver]:
    """A service on a port of its own, over this database."""
    traffic = Traffic(create_app(settings_for(home, database_url, **sections)))
    with serving(traffic) as address:
        yield Receiver(address, key_for(database_url, "ci"), traffic)


def composite(receivers: Sequence[Receiver]) -> dict[str, Any]:
    """One transport of the official client that sends each event to every one of these, and fails where one does."""
    return {
        "type": "composite",
        "transports": [receiver.transport(name=str(place)) for place, receiver in enumerate(receivers)],
        "continue_on_failure": False,
        "continue_on_success": True,
    }


@dataclass(frozen=True)
class Peer:
    """A producer in an environment of its own, at work in ``folder``."""

    programs: Path
    folder: Path
    variables: Mapping[str, str]

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One of its programs, which sees no variables but these: those of a test run would change what it does."""
        given = {"PATH": f"{self.programs}:{os.defpath}", "HOME": str(self.folder), "LANG": "C.UTF-8"}
        return subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.folder,
            env={**given, **self.variables},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def must(self, program: str, *arguments: str) -> str:
        """What a program prints that must succeed."""
        done = self.run(program, *arguments)
        assert done.returncode == 0, f"{program} {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


def programs_of(peer: str) -> Path:
    """The programs of a producer that `make peers` installs; the test skips without them, and fails where CI is set."""
    if (PEERS / f"{peer}.stamp").is_file():
        return PEERS / peer / "bin"
    missing = f"{peer} is not installed in {PEERS}: `make peers` does it, and needs a package index"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)
