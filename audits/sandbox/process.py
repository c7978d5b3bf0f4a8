"""Starting the child, speaking to it against the clock, and saying what ended it."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import audits
from audits.sandbox.confinement import NOBODY
from audits.sandbox.limits import Limits
from audits.sandbox.seccomp import make_undumpable
from audits.sandbox.wire import HEADER_BYTES, PREFIX, encode
from governance.canonical import read_json
from governance.errors import AssayError, MeasurementRefused

ROOT = Path(audits.__file__).resolve().parents[1]
"""Where the product's packages lie, which the child cannot find by itself: it runs isolated from its surroundings."""

BOOTSTRAP = (
    "import sys; sys.path.insert(0, sys.argv[1]); del sys.argv[1]; from audits.sandbox.child import main; main()"
)
"""The program of the child. ``-c`` and a path, because an isolated interpreter has no module of ours in reach."""

MAX_ENTRIES = 2_000
"""Files and folders that a job may have in its directory."""

MAX_DEPTH = 50

_INHERITED = ("LANG", "LC_ALL", "PATH", "TZ")
_WATCH_SECONDS = 0.1
_CHUNK = 2**18


class Child:
    """One sandboxed process and its private directory. Not for several threads at once."""

    def __init__(self, limits: Limits, *, bootstrap: str = BOOTSTRAP) -> None:
        """Start the process. ``bootstrap`` is the Python source it runs, which tests replace by hostile ones."""
        self._limits = limits
        self.directory = Path(tempfile.mkdtemp(prefix="assay-job-"))
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the child
        if os.geteuid() == 0:
            os.chown(self.directory, NOBODY, NOBODY)
        else:
            # A child of the same user could otherwise read and write this process through /proc.
            make_undumpable()
        requests_read, self._requests = os.pipe()
        self._answers, answers_write = os.pipe()
        try:
            self._process = subprocess.Popen(
                _arguments(bootstrap, (requests_read, answers_write), limits),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                cwd=self.directory,
                env=_environment(self.directory),
                pass_fds=(requests_read, answers_write),
                start_new_session=True,
            )
        finally:
            os.close(requests_read)
            os.close(answers_write)
        os.set_blocking(self._requests, False)
        os.set_blocking(self._answers, False)
        self._killed_by: str | None = None

    def receive(self, seconds: float) -> tuple[dict[str, Any], bytes]:
        """The next frame of the child.

        Raises:
            MeasurementRefused: it did not come in time, was cut short, too large or no frame; the child is dead then,
                and the message names the layer that stopped it.
        """
        return self._exchange(b"", seconds)

    def ask(self, header: Mapping[str, Any], payload: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
        """Send one frame and give the child's answer.

        Raises:
            MeasurementRefused: as ``receive``.
        """
        return self._exchange(encode(header, payload), seconds)

    def close(self) -> None:
        """Kill what is left, and remove the private directory. Harmless to repeat."""
        self._kill()
        for descriptor in (self._requests, self._answers):
            if descriptor >= 0:
                os.close(descriptor)
        self._requests = self._answers = -1
        self._errors.close()
        _remove(self.directory)

    def _exchange(self, outgoing: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
        deadline = time.monotonic() + seconds
        waiting = memoryview(outgoing)
        incoming = bytearray()
        while not (frame := self._frame(incoming)):
            left = deadline - time.monotonic()
            if left <= 0:
                self._stop(f"wall clock: no answer within {seconds:g} s")
            ready = self._ready(min(left, _WATCH_SECONDS), is_sending=bool(waiting))
            self._watch_directory()
            if self._requests in ready:
                waiting = self._write(waiting)
            if self._answers in ready and not self._read(incoming):
                self._stop("truncated answer" if incoming else "no answer")
        return frame

    def _ready(self, seconds: float, *, is_sending: bool) -> set[int]:
        """The descriptors that can be read from or written to, an ended one included."""
        poller = select.poll()
        poller.register(self._answers, select.POLLIN)
        if is_sending:
            poller.register(self._requests, select.POLLOUT)
        return {descriptor for descriptor, _ in poller.poll(1000 * seconds)}

    def _write(self, content: memoryview) -> memoryview:
        try:
            return content[os.write(self._requests, content[:_CHUNK]) :]
        except BlockingIOError:
            return content
        except BrokenPipeError:
            # The child closed its end; what it answered, or how it died, says more than this.
            return content[len(content) :]

    def _read(self, incoming: bytearray) -> bool:
        try:
            chunk = os.read(self._answers, _CHUNK)
        except BlockingIOError:
            return True
        incoming += chunk
        return bool(chunk)

    def _frame(self, incoming: bytearray) -> tuple[dict[str, Any], bytes] | None:
        """The frame, once it is whole; the announced lengths are checked before the bytes are waited for."""
        if len(incoming) < PREFIX.size:
            return None
        header_length, payload_length = PREFIX.unpack_from(incoming)
        if header_length > HEADER_BYTES or payload_length > self._limits.answer_bytes:
            self._stop(f"size of the answer: {header_length} and {payload_length} bytes announced")
        end = PREFIX.size + header_length
        if len(incoming) < end + payload_length:
            return None
        if len(incoming) > end + payload_length:
            self._stop("form of the answer: more bytes than announced")
        try:
            header = read_json(bytes(incoming[PREFIX.size : end]))
        except AssayError as fault:
            self._stop(f"form of the answer: {fault.found}")
        if not isinstance(header, dict):
            self._stop("form of the answer: the header is no object")
        return header, bytes(incoming[end:])

    def _watch_directory(self) -> None:
        """The kernel bounds one file; the sum over many, and their number, are bounded here."""
        size, entries = _usage(self.directory)
        if size > self._limits.directory_bytes or entries > MAX_ENTRIES:
            self._stop(f"disk: {size} bytes in {entries} entries of the job's directory")

    def _stop(self, reason: str) -> NoReturn:
        """Kill the child and raise with the layer that stopped it: its own death where it died, else ``reason``."""
        self._reap(reason)
        cause = _cause(self._process.returncode, self._killed_by) or reason
        # A child that ended by itself may have said why; one that was stopped has not.
        complaint = self._complaint() if cause.startswith("process ended") else ""
        raise MeasurementRefused(
            expected="an answer of the model within its limits",
            found=f"{cause}: {complaint}" if complaint else cause,
            remedy="Look at the model file; where it is honest, raise the limits of the sandbox.",
            pointer="model",
        )

    def _reap(self, reason: str) -> None:
        try:
            # An ended pipe comes a moment before the process can be waited for.
            self._process.wait(0.5 if reason.startswith(("truncated", "no answer")) else 0)
        except subprocess.TimeoutExpired:
            self._killed_by = reason
            self._kill()

    def _kill(self) -> None:
        if self._process.poll() is None:
            # The child leads a session of its own, so that its process group holds nothing else.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _complaint(self) -> str:
        """The last line that the child wrote to standard error, for people; empty where there is none."""
        self._errors.seek(max(0, os.fstat(self._errors.fileno()).st_size - 2000))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return printable(lines[-1]) if lines else ""


def _usage(directory: Path) -> tuple[int, int]:
    """Bytes and entries below a directory; counting ends soon after ``MAX_ENTRIES``. Links are not followed.

    Folders below ``MAX_DEPTH`` cannot be listed by their path, so that their depth alone counts as too many.
    """
    size = entries = 0
    waiting = [(os.fspath(directory), 0)]
    while waiting and entries <= MAX_ENTRIES:
        folder, depth = waiting.pop()
        if depth > MAX_DEPTH:
            return size, MAX_ENTRIES + 1
        for entry in _listed(folder):
            entries += 1
            # What the child removes or renames meanwhile is counted in the next round.
            with suppress(OSError):
                size += entry.stat(follow_symlinks=False).st_blocks * 512
            if entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, depth + 1))
    return size, entries


def _listed(folder: str) -> list[os.DirEntry[str]]:
    """At most ``MAX_ENTRIES`` and one entries of a folder; none where it is gone."""
    try:
        with os.scandir(folder) as found:
            return list(islice(found, MAX_ENTRIES + 1))
    except OSError:
        return []


def _remove(directory: Path) -> None:
    """Remove the directory with what a hostile child left in it, folders nested beyond Python's recursion included."""
    try:
        shutil.rmtree(directory, ignore_errors=True)
    except RecursionError:
        subprocess.run(["/bin/rm", "-rf", "--", os.fspath(directory)], check=False)


def printable(text: Any) -> str:
    """Text of the child that may stand in a message: one line, no control characters, at most 300 characters."""
    return "".join(char if char.isprintable() else " " for char in str(text)[:300]).strip()


def _cause(returncode: int | None, killed_by: str | None) -> str | None:
    if killed_by is not None:
        return killed_by
    if returncode is None:
        return None
    if returncode >= 0:
        return f"process ended with status {returncode} before it answered"
    number = -returncode
    layers = {
        signal.SIGXCPU: "rlimit: CPU seconds (SIGXCPU)",
        signal.SIGXFSZ: "rlimit: file size (SIGXFSZ)",
        signal.SIGSYS: "seccomp (SIGSYS)",
        signal.SIGKILL: "signal SIGKILL, from outside: CPU or memory limit of the machine",
    }
    try:
        known = signal.Signals(number)
    except ValueError:
        return f"signal {number}"
    return layers.get(known, f"signal {known.name}")


def _arguments(bootstrap: str, descriptors: Sequence[int], limits: Limits) -> list[str]:
    settings = json.dumps(asdict(limits))
    return [
        *(sys.executable, "-I", "-B", "-c", bootstrap, str(ROOT)),
        *(str(descriptor) for descriptor in descriptors),
        *(str(os.getpid()), settings),
    ]


def _environment(directory: Path) -> dict[str, str]:
    """An allow list of variables; no secret of the service has a name on it.

    One thread for each numeric library: their pools reserve address space by the core. Numba writes its cache where
    it is told, and otherwise beside the installed library.
    """
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    places = ("HOME", "TMPDIR", "NUMBA_CACHE_DIR", "MPLCONFIGDIR")
    return kept | dict.fromkeys(threads, "1") | dict.fromkeys(places, str(directory))
