"""A lean HTTP client for benchmarks: raw requests over kept connections, each sent when the one before is answered.

It takes a small part of a core, so that two cores measure the server. Nothing of a benchmark's own lives here.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

WAIT_SECONDS = 60


@dataclass(frozen=True)
class Process:
    """A server in a process of its own."""

    pid: int
    port: int


@contextmanager
def serving(module: str, *arguments: str, folder: Path, environment: dict[str, str]) -> Iterator[Process]:
    """Run ``python -m module ... --port-file FILE`` until the block ends.

    Raises:
        RuntimeError: it ended, or did not say its port within ``WAIT_SECONDS``.
    """
    port_file = folder / f"{module.rpartition('.')[2]}.port"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", module, *arguments, "--port-file", str(port_file)]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield Process(process.pid, _port(process, port_file))
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)


def _port(process: subprocess.Popen[bytes], port_file: Path) -> int:
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if port_file.exists() and port_file.read_text():
            return int(port_file.read_text())
        time.sleep(0.05)
    raise RuntimeError("the server did not start; its log is beside the port file")


def request(path: str, body: bytes, token: str = "") -> bytes:
    """The bytes of a POST."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def send(port: int, requests: Sequence[bytes], connections: int) -> float:
    """Send each request once; the seconds until the last was answered.

    Raises:
        RuntimeError: an answer was none of success, or a connection broke.
    """
    return asyncio.run(_send(port, requests, connections))


async def _send(port: int, requests: Sequence[bytes], connections: int) -> float:
    loop = asyncio.get_running_loop()
    pending = iter(requests)
    clients = [_Client(pending, loop.create_future()) for _ in range(min(connections, len(requests)))]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc] # mypy cannot type a lambda with a default
    began = time.perf_counter()
    for client in clients:
        client.send_next()
    await asyncio.gather(*(client.done for client in clients))
    return time.perf_counter() - began


@dataclass
class _Client(asyncio.Protocol):
    """One connection; it takes the next request from what all connections share."""

    pending: Iterator[bytes]
    done: "asyncio.Future[None]"
    transport: asyncio.Transport | None = None
    received: bytearray = field(default_factory=bytearray)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        if isinstance(transport, asyncio.Transport):
            self.transport = transport

    def send_next(self) -> None:
        """Send the next request, or end where there is none."""
        if self.transport is None:
            raise RuntimeError("the connection was not made")
        following = next(self.pending, None)
        if following is None:
            self.transport.close()
            self.done.set_result(None)
        else:
            self.transport.write(following)

    def data_received(self, data: bytes) -> None:
        """Go on when the answer is whole."""
        self.received += data
        head, mark, rest = self.received.partition(b"\r\n\r\n")
        if not mark or len(rest) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        if head[9:10] != b"2":
            self.done.set_exception(RuntimeError(bytes(self.received[:500]).decode(errors="replace")))
            return
        self.received.clear()
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        """A server that closes the connection has failed."""
        if not self.done.done():
            self.done.set_exception(RuntimeError(f"the server closed the connection: {exc}"))
