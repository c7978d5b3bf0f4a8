"""Measuring in a process of its own: started clean, bounded in time and memory, and killed with its whole group."""

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from audits.measuring import Job
from governance._siblings import home
from governance.canonical import read_json
from governance.errors import AssayError
from governance.types.results import Measurement

PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""Variables that the measuring process inherits; no setting and no secret is among them."""

LARGEST_ANSWER = 64 * 2**20
"""Bytes of one check's answer; measurements hold counts and summaries, not rows."""

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a check has no measurement: a stable code, what happened, and what to do."""

    check: str
    code: str
    message: str
    remedy: str


Measured = Callable[[Measurement], None]


def measure(job: Job, *, seconds: float, keep: Measured, alive: Callable[[], bool] = lambda: True) -> list[Fault]:
    """Measure every check of the job, handing each measurement to ``keep`` as it arrives, and give the faults.

    ``alive`` is asked about every second; when it says no, the process is killed and the rest is left to whoever
    holds the work now. A crash or a time-out is a fault of every check that had not answered.
    """
    waiting = [check.id for check in job.checks]
    faults: list[Fault] = []
    with tempfile.TemporaryDirectory(prefix="assay-measure-") as folder, _process(job, Path(folder)) as process:
        for line in _lines(process, until=time.monotonic() + seconds, alive=alive):
            answer = read_json(line)
            waiting.remove(answer["check"])
            if "measurement" in answer:
                keep(Measurement.model_validate(answer["measurement"]))
            else:
                faults.append(Fault(answer["check"], answer["code"], answer["message"], answer["remedy"]))
        ended = process.child.poll()
        complaint = _complaint(Path(folder) / "stderr", ended, seconds)
    faults += [
        Fault(check, "measurement.crashed", complaint, "Look at the data's size and the server's log.")
        for check in waiting
        if alive()
    ]
    return faults


@dataclass(slots=True)
class _Process:
    child: subprocess.Popen[bytes]
    results: int


def _die_with_parent() -> None:
    # A worker that is killed must not leave its measuring process behind, eating memory for a result nobody awaits.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@contextmanager
def _process(job: Job, folder: Path) -> Iterator[_Process]:
    reading, writing = os.pipe()
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "ASSAY_RESULTS": str(writing),
        "PYTHONPATH": str(home()),
    }
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}
    try:
        with (folder / "stderr").open("wb") as errors:
            child = subprocess.Popen(
                [sys.executable, "-m", "audits.measuring"],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=errors,
                stderr=errors,
                pass_fds=(writing,),
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - prctl is one system call and takes no lock
            )
    finally:
        os.close(writing)
    try:
        if child.stdin is None:
            raise RuntimeError("the measuring process has no standard input")
        try:
            child.stdin.write(job.model_dump_json(by_alias=True).encode())
            child.stdin.close()
        except BrokenPipeError:
            child.wait()  # it died before it read its job; what it printed is reported for every check
        yield _Process(child, reading)
    finally:
        os.close(reading)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _lines(process: _Process, *, until: float, alive: Callable[[], bool]) -> Iterator[bytes]:
    """Each answered line until the process closes its end, the time is up, or the work is no longer ours."""
    buffer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.results, selectors.EVENT_READ)
        while time.monotonic() < until and alive():
            if not selector.select(timeout=min(1.0, max(0.0, until - time.monotonic()))):
                continue
            chunk = os.read(process.results, 2**16)
            if not chunk:
                process.child.wait()
                return
            *lines, buffer = (buffer + chunk).split(b"\n")
            yield from lines
            if len(buffer) > LARGEST_ANSWER:
                return


def _complaint(errors: Path, ended: int | None, seconds: float) -> str:
    if ended is None:
        return f"the measuring process did not finish within {seconds:g} seconds and was stopped"
    told = errors.read_text(errors="replace").strip().splitlines()[-1:] or ["it printed nothing"]
    how = f"signal {signal.Signals(-ended).name}" if ended < 0 else f"exit status {ended}"
    return f"the measuring process ended with {how}: {told[0][:300]}"


def fault_of(check: str, fault: AssayError) -> Fault:
    """A fault in the service's own preparation of a check."""
    return Fault(check, fault.code, fault.message, fault.remedy)
