"""The probes that level 1 must contain, each with its positive control outside, and what must still work."""

import os
import platform
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from audits.sandbox.confinement import NOBODY
from audits.sandbox.process import Child
from audits.sandbox.seccomp import ARCHITECTURES
from governance.errors import MeasurementRefused
from tests.audits.sandbox.programs import LAYERS, SMALL, inside, outside, program

SOCKET_NUMBER = {"x86_64": 41, "aarch64": 198}.get(platform.machine(), 0)
SPECIAL = ARCHITECTURES[platform.machine()].special if platform.machine() in ARCHITECTURES else {}
PARENT_AT = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\nparent = os.getppid()\n"

PROBES = {
    "shell command": "import os\nos.system('touch marker')\nout = os.path.exists('marker')",
    "subprocess": "import subprocess\nout = subprocess.run(['/bin/true'], check=True).returncode == 0",
    "raw socket call": f"import ctypes\nout = ctypes.CDLL(None).syscall({SOCKET_NUMBER}, 2, 1, 0) >= 0",
    "fork": "import os\nchild = os.fork()\nif child == 0: os._exit(0)\nos.waitpid(child, 0)\nout = child > 0",
    "worker process": "import multiprocessing\np = multiprocessing.get_context('fork').Process(target=int)\n"
    "p.start()\np.join()\nout = p.exitcode == 0",
    "signal to the parent": "import os\nos.kill(os.getppid(), 0)\nout = True",
    "signal to a thread of the parent": PARENT_AT
    + f"out = libc.syscall({SPECIAL.get('tgkill', 0)}, parent, parent, 0) == 0",
    "signal to the parent by the kernel": "import fcntl, os\nr, w = os.pipe()\nfcntl.fcntl(r, 10, 9)\n"
    "fcntl.fcntl(r, fcntl.F_SETOWN, os.getppid())\nout = True",
    "limits of the parent": "import os, resource\nout = len(resource.prlimit(os.getppid(), resource.RLIMIT_CORE)) == 2",
    "becoming another user": "import os\nos.setuid(os.getuid())\nout = True",
    "another group": "import os\nos.setgid(os.getgid())\nout = True",
    "new session": "import os\nif os.fork() == 0:\n    os.setsid()\n    os._exit(0)\nout = os.wait()[1] == 0",
    "memory file": "import os\nos.close(os.memfd_create('x'))\nout = True",
}
"""Code that sets ``out`` to true where it succeeds."""


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_works_outside_and_not_inside(probe: str, layer: str, tmp_path: Path) -> None:
    if layer == "confined":
        assert outside(PROBES[probe], tmp_path) is True
    answer = inside(PROBES[probe], layer=layer)
    assert answer.get("out") in (None, False), answer
    if "raised" in answer:
        assert answer["raised"] in ("PermissionError", "OSError"), answer


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Code that connects to a TCP and to a unix socket on which somebody listens."""
    with ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(str(tmp_path / "s"))
        unix.listen()
        (tmp_path / "s").chmod(0o777)
        yield {
            "TCP": f"import socket\nsocket.create_connection(('127.0.0.1', {tcp.getsockname()[1]}), 5)\nout = True",
            "unix": f"import socket\nsocket.socket(socket.AF_UNIX).connect({str(tmp_path / 's')!r})\nout = True",
        }


@pytest.mark.parametrize("kind", ["TCP", "unix"])
def test_a_socket_connects_outside_and_not_inside(kind: str, listening: dict[str, str], tmp_path: Path) -> None:
    assert outside(listening[kind], tmp_path) is True
    assert inside(listening[kind])["raised"] == "PermissionError"
    assert inside(listening[kind], layer="seccomp")["raised"] == "PermissionError"


MOUNT = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
separate = libc.unshare(0x00020000 | (0 if os.geteuid() == 0 else 0x10000000))
out = separate == 0 and libc.mount(b'none', os.getcwd().encode(), b'tmpfs', 0, None) == 0
"""


def test_nothing_is_mounted_inside(tmp_path: Path) -> None:
    assert inside(MOUNT) == {"out": False}
    assert inside(MOUNT, layer="seccomp") == {"out": False}
    if not outside(MOUNT, tmp_path):
        pytest.skip("this machine lets nobody mount, so that there is no control")


def test_ten_gigabytes_are_not_had_inside(tmp_path: Path) -> None:
    # Private, anonymous, without reserve: outside it succeeds on a machine of any size.
    code = "import mmap\nout = len(mmap.mmap(-1, 10 << 30, flags=0x22 | 0x4000)) > 0"
    assert outside(code, tmp_path) is True
    assert inside(code)["raised"] == "OSError"
    assert inside("out = len(bytearray(10 << 30))")["raised"] == "MemoryError"


SPIN = "import time\nbegin = time.process_time()\nwhile time.process_time() - begin < {0}: pass\nout = True"


def test_endless_computing_is_stopped_by_the_cpu_limit(tmp_path: Path) -> None:
    assert outside(SPIN.format(1.2), tmp_path) is True
    assert inside(SPIN.format(20), limits=replace(SMALL, cpu_seconds=1))["stopped"] == "rlimit: CPU seconds (SIGXCPU)"


def test_a_child_that_ignores_the_cpu_signal_is_killed(tmp_path: Path) -> None:
    code = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\n" + SPIN.format(20)
    assert "SIGKILL" in inside(code, limits=replace(SMALL, cpu_seconds=1))["stopped"]


def test_endless_sleep_is_stopped_by_the_wall_clock(tmp_path: Path) -> None:
    assert outside("import time\ntime.sleep(0.6)\nout = True", tmp_path) is True
    assert inside("import time\ntime.sleep(60)\nout = True", seconds=0.6)["stopped"].startswith("wall clock")


def test_one_large_file_is_stopped_by_the_kernel(tmp_path: Path) -> None:
    code = "out = open('big', 'wb').write(bytes(2 << 20))"
    assert outside(code, tmp_path) == 2 << 20
    assert "File too large" in inside(code)["text"]


@pytest.mark.parametrize(
    "code",
    [
        "import time\nfor i in range(64):\n    open(f'f{i}', 'wb').write(bytes(1 << 20))\n    time.sleep(0.05)",
        "import os, time\nfor i in range(2500): os.mkdir(f'd{i}')\ntime.sleep(5)",
        "import os, time\nfor i in range(2500):\n    os.mkdir('d')\n    os.chdir('d')\ntime.sleep(5)",
    ],
    ids=["many files", "many folders", "nested folders"],
)
def test_a_directory_that_grows_is_stopped_by_the_parent_and_removed(code: str) -> None:
    child = Child(SMALL, bootstrap=program(LAYERS["confined"] + f"exec({code!r})\nos.write(answers, encode({{}}))"))
    with closing(child), pytest.raises(MeasurementRefused, match="disk: "):
        child.receive(20)
    assert not child.directory.exists()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the other table of this machine type is that of i386")
def test_a_call_by_another_architectures_table_kills() -> None:
    # mov eax, 20 (getpid of i386); int 0x80; ret
    code = (
        "import ctypes, mmap\narea = mmap.mmap(-1, 4096, prot=7)\narea.write(bytes.fromhex('b814000000cd80c3'))\n"
        "out = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(area)))()"
    )
    assert inside(code)["stopped"] == "seccomp (SIGSYS)"
    assert inside("import ctypes\nout = ctypes.CDLL(None).syscall(0x40000000 + 39)")["stopped"] == "seccomp (SIGSYS)"


def test_writing_in_the_jobs_directory_and_threads_work() -> None:
    code = (
        "import threading\nout = []\n"
        "thread = threading.Thread(target=lambda: out.append(open('r', 'w').write('ok')))\n"
        "thread.start()\nthread.join()\nout.append(open('r').read())"
    )
    assert inside(code) == {"out": [2, "ok"]}


def test_threads_that_libraries_started_before_are_confined_too() -> None:
    body = (
        "stay = threading.Event()\nthreading.Thread(target=stay.wait, daemon=True).start()\n"
        + LAYERS["confined"]
        + "states = [open(f'/proc/self/task/{one}/status').read() for one in os.listdir('/proc/self/task')]\n"
        "found = [[line for line in s.splitlines() if line.startswith(('Seccomp:', 'NoNewPrivs'))] for s in states]\n"
        "os.write(answers, encode({'found': found}))"
    )
    child = Child(SMALL, bootstrap=program(body))
    found = child.receive(15)[0]["found"]
    child.close()
    assert found == [["NoNewPrivs:\t1", "Seccomp:\t2"]] * 2


def test_a_child_of_root_is_nobody_and_not_dumpable() -> None:
    found = inside("import ctypes, os\nout = [os.getuid(), os.getgroups(), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)]")
    user = NOBODY if os.geteuid() == 0 else os.geteuid()
    groups = [] if os.geteuid() == 0 else os.getgroups()
    assert found == {"out": [user, groups, 0]}


def test_what_the_child_was_started_with_cannot_be_undone() -> None:
    code = (
        "import ctypes, resource\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "out = [libc.prctl(1, 0, 0, 0, 0), libc.prctl(4, 1, 0, 0, 0)]"
    )
    assert inside(code) == {"out": [-1, -1]}
    raised = inside("import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nout = True")
    assert raised["raised"] in ("ValueError", "PermissionError")


def test_the_environment_is_an_allow_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_DATABASE_URL", "postgresql://secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    found = inside("import os\nout = dict(os.environ)")["out"]
    threads = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"}
    places = {"HOME", "TMPDIR", "NUMBA_CACHE_DIR", "MPLCONFIGDIR"}
    allowed = threads | places | {"PATH", "LANG", "LC_ALL", "TZ"}
    # The interpreter itself may add LC_CTYPE.
    assert set(found) - {"LC_CTYPE"} <= allowed
    assert {found[name] for name in threads} == {"1"}
    assert len({found[name] for name in places}) == 1


def test_only_the_pipes_and_standard_streams_are_open() -> None:
    kept_open = Path("/etc/hostname").open()  # noqa: SIM115 - it must be open while the child starts
    os.set_inheritable(kept_open.fileno(), True)
    code = "import os\nout = sorted(int(one) for one in os.listdir('/proc/self/fd'))"
    found = inside(code)["out"]
    kept_open.close()
    # Three streams, two pipes, and the descriptor with which the listing is made.
    assert len(found) == 6


def test_a_child_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import os, sys\nfrom audits.sandbox.process import Child\nfrom tests.audits.sandbox.programs import *\n"
        "stay = 'os.write(answers, encode({}))' + chr(10) + 'time.sleep(60)'\n"
        "child = Child(SMALL, bootstrap=program(LAYERS['confined'] + stay))\n"
        "child.receive(15)\nprint(child._process.pid, flush=True)\nos._exit(0)"
    )
    root = Path(__file__).parents[3]
    found = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)},
        capture_output=True,
        check=True,
    )
    pid = int(found.stdout)
    gone = threading.Event()
    for _ in range(50):
        if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]:
            gone.set()
            break
        gone.wait(0.1)
    assert gone.is_set()
