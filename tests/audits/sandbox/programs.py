"""Programs that stand in the child's place: one that confines itself and runs a probe, and hostile ones."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from audits.sandbox.limits import Limits
from audits.sandbox.process import Child
from governance.errors import MeasurementRefused

SMALL = replace(Limits(), file_bytes=2**20, directory_bytes=8 * 2**20, cpu_seconds=20)

_HEAD = """
import sys; sys.path.insert(0, sys.argv[1]); del sys.argv[1]
import json, os, threading, time
# Afterwards the interpreter's own folder may no longer be readable, and a probe would fail for that reason alone.
import ctypes, encodings.idna, fcntl, mmap, multiprocessing.popen_fork, resource, signal, socket, subprocess
from audits.sandbox.limits import Limits
from audits.sandbox.wire import encode
requests, answers, parent, limits = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
"""
LAYERS = {
    "confined": "from audits.sandbox.confinement import confine\nconfine(Limits(**limits), parent)\n",
    "seccomp": "from audits.sandbox.seccomp import install\ninstall()\n",
}
"""All layers as the child puts them on; and seccomp alone, under the identity of the tests, which may be root."""


def program(body: str) -> str:
    """The source of a child's program: ``requests`` and ``answers`` are descriptors, ``encode`` makes frames."""
    return _HEAD + body


def _answering(code: str) -> str:
    """Run code that sets ``out``, and answer with it, or with the kind of what it raised."""
    return (
        f"try:\n    space = {{}}\n    exec({code!r}, space)\n    answer = {{'out': space['out']}}\n"
        "except Exception as fault:\n    answer = {'raised': type(fault).__name__, 'text': str(fault)}\n"
        "os.write(answers, encode(answer))\n"
    )


def inside(code: str, *, layer: str = "confined", limits: Limits = SMALL, seconds: float = 15) -> dict[str, Any]:
    """What a probe answers from inside: ``out``, ``raised`` and ``text``, or ``stopped`` with the parent's words."""
    child = Child(limits, bootstrap=program(LAYERS[layer] + _answering(code)))
    try:
        return child.receive(seconds)[0]
    except MeasurementRefused as fault:
        return {"stopped": fault.found}
    finally:
        child.close()


def outside(code: str, folder: Path) -> Any:
    """What the same probe gives without a sandbox."""
    script = f"import json\nspace = {{}}\nexec({code!r}, space)\nprint(json.dumps(space['out']))"
    found = subprocess.run([sys.executable, "-I", "-c", script], cwd=folder, capture_output=True, check=True)
    return json.loads(found.stdout)
