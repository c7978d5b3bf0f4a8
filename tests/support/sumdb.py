"""Go's own packages for its checksum database (``golang.org/x/mod/sumdb``), as Debian packages them."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parent / "go" / "main.go"

LIBRARY = Path("/usr/share/gocode")
"""Where Debian's package golang-golang-x-mod-dev lies."""

PACKAGES = LIBRARY / "src/golang.org/x/mod/sumdb"


@dataclass(frozen=True)
class Case:
    """A checkpoint note, and what it is to prove: ``leaf`` at ``index``, or that it extends the note ``old``."""

    keys: tuple[str, ...]
    note: bytes
    hashes: tuple[bytes, ...]
    leaf: bytes = b""
    index: int = 0
    old: bytes | None = None


def environment(folder: Path) -> dict[str, str]:
    """The variables under which Go takes packages from the machine and nothing from the network."""
    kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    return {
        **kept,
        "HOME": str(folder),
        "GOPATH": str(LIBRARY),
        "GO111MODULE": "off",
        "GOCACHE": str(folder / "go-build"),
        "GOFLAGS": "",
    }


def require_go() -> str:
    """The ``go`` command; where it or its packages are missing the test fails in CI, else it is skipped."""
    found = shutil.which("go")
    if found and PACKAGES.is_dir():
        return found
    reason = "Go's sumdb packages are not installed (Debian: golang-go and golang-golang-x-mod-dev)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True)
class SumDB:
    """The program under ``tests/support/go``, built in a folder outside the tree."""

    program: Path

    def verdicts(self, cases: Sequence[Case]) -> list[str]:
        """``verified`` or the refusal, for each case."""
        answer = subprocess.run(
            [self.program],
            input=json.dumps([_spelled(case) for case in cases]),
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        found: list[str] = json.loads(answer.stdout)
        return found


def build(folder: Path) -> SumDB:
    """The program, built by the machine's Go."""
    program = folder / "sumdb"
    subprocess.run(
        [require_go(), "build", "-o", str(program), str(SOURCE)],
        env=environment(folder),
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=240,
    )
    return SumDB(program)


def _spelled(case: Case) -> dict[str, Any]:
    fields = asdict(case)
    for name in ("note", "leaf", "old"):
        content = fields[name]
        fields[name] = None if content is None else base64.b64encode(content).decode()
    return fields | {"hashes": [base64.b64encode(each).decode() for each in case.hashes]}
