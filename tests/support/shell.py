"""A service process on this machine and a shell that speaks to it, set up by commands alone."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.support.story import decisions_csv, manifest, policy, subject

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Shell:
    """A folder, and the variables that commands run with."""

    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run ``assay`` with these arguments."""
        return subprocess.run(
            [sys.executable, "-m", "governance", *arguments],
            cwd=self.folder,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[Shell]:
    """A service that was set up and started by commands alone, and what a user of it has in the environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    environment |= {"ASSAY_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT), "ASSAY_WORK__SWEEP_SECONDS": "0.3"}
    environment |= settings
    prepared = Shell(folder, environment)
    for command in (["db", "upgrade"], ["keys", "init"], ["keys", "trust"]):
        done = prepared.run(*command)
        assert done.returncode == 0, done.stderr
    made = prepared.run("keys", "create", "--name", "ci", "--role", "ci", "--role", "policy_publisher", "--json")
    environment["ASSAY_KEY"] = json.loads(made.stdout)["key"]
    author = prepared.run("keys", "create", "--name", "author", "--role", "policy_author", "--json")
    environment["AUTHOR_KEY"] = json.loads(author.stdout)["key"]
    port = folder / "port"
    server = subprocess.Popen(
        [sys.executable, "-m", "governance", "serve", "--port", "0", "--port-file", str(port)],
        cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not (port.exists() and port.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        environment["ASSAY_URL"] = f"http://127.0.0.1:{port.read_text()}"
        yield prepared
    finally:
        server.terminate()
        server.wait(30)


def evidence(shell: Shell, name: str, groups: dict[str, tuple[int, int]]) -> tuple[Path, Path, str]:
    """A model file, a manifest beside its data, and the model's digest."""
    place = shell.folder / name
    place.mkdir(exist_ok=True)
    (place / "model.bin").write_bytes(name.encode())
    digest = "sha256:" + hashlib.sha256(name.encode()).hexdigest()
    (place / "decisions.csv").write_bytes(decisions_csv(groups))
    about = manifest("file:decisions.csv", subject=subject(name=name, digest=digest))
    (place / "manifest.yaml").write_text(yaml.safe_dump(about))
    (place / "policy.yaml").write_text(yaml.safe_dump(policy(f"policy-{name}")))
    return place / "model.bin", place / "manifest.yaml", digest


def publish(shell: Shell, name: str, stage: str = "enforce") -> None:
    """Store the policy of ``evidence`` as its author and publish it as somebody else."""
    file = str(shell.folder / name / "policy.yaml")
    stored = shell.run("policy", "store", file, "--json", ASSAY_KEY=shell.environment["AUTHOR_KEY"])
    assert stored.returncode == 0, stored.stderr
    reference = f"policy-{name}@{json.loads(stored.stdout)['version']}"
    published = shell.run("policy", "publish", reference, "--stage", stage)
    assert published.returncode == 0, published.stderr


def gate(shell: Shell, name: str, model: Path, *more: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Ask the gate about the model of ``evidence`` by its policy, with the trust file pinned."""
    return shell.run(
        "gate", f"{name}@1", "--env", "prod", "--digest", str(model), "--namespace", "mlflow://models.test",
        "--policy", f"policy-{name}", "--trust", "trust.json", *more, **env,
    )  # fmt: skip
