"""The wheel installs one package, brings its data files, and works beside packages that bear our folders' names."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.architecture.sources import PACKAGES, ROOT, tracked

HOSTILE = "raise RuntimeError('a package of somebody else was imported')\n"
PACKED = (*(name for name in PACKAGES if name != "governance"), "migrations", "examples")

POLICY = """
kind: assay.policy/v1
name: wheel
checks:
  - {id: fairness, params: {metrics: [{name: selection_rate_ratio, limit: "0.8"}]}}
"""

MANIFEST = """
kind: assay.evidence/v1
subject: {namespace: test, name: lender, version: "1", digest: "sha256:%(digest)s"}
predictions: {uri: "file:predictions.csv", format: csv}
columns: {label: repaid, decision: granted}
positive: {label: "yes", decision: "yes"}
sensitive: {sex: {groups: [female, male]}}
"""


@dataclass(frozen=True)
class Installed:
    """An environment that holds the wheel, and a folder far from the checkout to work in."""

    programs: Path
    site: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables that commands run with: nothing of the checkout or of the outer environment's Python."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ASSAY_", "VIRTUAL"))
        }
        return kept | {"ASSAY_HOME": str(self.folder / "home")}

    def run(self, *arguments: str, program: str = "assay") -> subprocess.CompletedProcess[str]:
        """One command, from the folder."""
        return subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def must(self, *arguments: str, program: str = "assay") -> str:
        """What a command prints that must succeed."""
        done = self.run(*arguments, program=program)
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a release would be."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in a fresh environment beside hostile packages; its requirements come from the outer one."""
    root = tmp_path_factory.mktemp("installed")
    venv.create(root / "venv", with_pip=False, symlinks=True)
    site = root / "venv" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    python = root / "venv" / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel],
        check=True,
    )
    # A path file in a folder that was itself added by a path file is not read, so the editable checkout stays out.
    outer = [path for path in sys.path if path.endswith("site-packages")]
    (site / "requirements.pth").write_text("\n".join(outer) + "\n")
    folder = root / "elsewhere"
    folder.mkdir()
    for place in (site, folder):
        for name in PACKED:
            (place / name).mkdir()
            (place / name / "__init__.py").write_text(HOSTILE)
    return Installed(python.parent, site, folder)


def test_the_wheel_holds_one_top_level_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"governance"}


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel: Path) -> None:
    expected = set()
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        top = name.split("/")[0]
        if top == "governance":
            expected.add(name)
        elif top in PACKED and "/" in name:
            expected.add(f"governance/_app/{name}")
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == expected


def test_the_wheel_brings_its_licence_and_the_notices_of_what_it_carries(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name.rsplit("/", 1)[-1]: name for name in archive.namelist() if ".dist-info/licenses/" in name}
        notice = archive.read(names["NOTICE"]).decode()
        licence = archive.read(names["LICENSE"]).decode()
    assert "Apache License" in licence
    assert all(word in notice for word in ("Adult", "Fideslang", "OpenLineage", "Attribution 4.0"))


def test_the_installed_command_starts_and_is_not_the_checkouts(installed: Installed) -> None:
    assert "verify" in installed.must("--help")
    place = installed.must("-c", "import governance; print(governance.__file__)", program="python").strip()
    assert Path(place).is_relative_to(installed.site)


@dataclass(frozen=True)
class Running:
    """The installed service: its address, a key that may ask and publish, an author's key, its pinned trust file."""

    url: str
    key: str
    author: str
    trust: Path


@pytest.fixture(scope="module")
def service(installed: Installed) -> Iterator[Running]:
    """The installed service, set up by its own commands."""
    installed.must("db", "upgrade")
    installed.must("keys", "init")
    roles = ("--role", "ci", "--role", "policy_publisher")
    key = json.loads(installed.must("keys", "create", "--name", "t", *roles, "--json"))["key"]
    made = installed.must("keys", "create", "--name", "author", "--role", "policy_author", "--json")
    trust = installed.folder / "trust.json"
    installed.must("keys", "trust", "--output", str(trust))
    with serving(installed) as url:
        yield Running(url, key, json.loads(made)["key"], trust)


@contextlib.contextmanager
def serving(installed: Installed) -> Iterator[str]:
    """The installed service on a free port; gives its address."""
    port_file = installed.folder / "port"
    port_file.unlink(missing_ok=True)
    with (installed.folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [installed.programs / "assay", "serve", "--port", "0", "--port-file", port_file],
            cwd=installed.folder,
            env=installed.environment,
            stdout=log,
            stderr=log,
        )
    try:
        url = _wait(process, port_file, installed.folder / "server.log")
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], port_file: Path, log: Path) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        url = f"http://127.0.0.1:{port_file.read_text()}" if port_file.exists() else ""
        if url and _answers(url):
            return url
        time.sleep(0.05)
    pytest.fail(f"the installed service does not answer: {log.read_text()}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except (httpx.TransportError, httpx.InvalidURL):
        return False


def write_evidence(folder: Path, *, granted: dict[str, int]) -> Path:
    """Predictions for 400 people of each sex, of whom so many are granted the loan, and their manifest."""
    with (folder / "predictions.csv").open("w", newline="") as target:
        rows = csv.writer(target)
        rows.writerow(["sex", "repaid", "granted"])
        for sex, yes in granted.items():
            rows.writerows([sex, "yes" if n % 2 else "no", "yes" if n < yes else "no"] for n in range(400))
    manifest = folder / "manifest.yaml"
    manifest.write_text(MANIFEST % {"digest": "ab" * 32})
    return manifest


@pytest.mark.parametrize(("female", "verdict", "code"), [(190, "allow", 0), (60, "deny", 1)])
def test_the_installed_product_decides_and_proves(
    installed: Installed, service: Running, female: int, verdict: str, code: int
) -> None:
    (installed.folder / "policy.yaml").write_text(POLICY)
    installed.must("policy", "store", "policy.yaml", "--url", service.url, "--key", service.author)
    installed.must("policy", "publish", "wheel@1", "--url", service.url, "--key", service.key)
    manifest = write_evidence(installed.folder, granted={"male": 200, "female": female})
    bundle = installed.folder / f"{verdict}.json"
    asked = ["lender@1", "--namespace", "test", "--env", "prod", "--digest", f"sha256:{'ab' * 32}"]
    options = ["--evidence", str(manifest), "--policy", "wheel", "--trust", str(service.trust), "--bundle", str(bundle)]
    answer = installed.run("gate", *asked, *options, "--url", service.url, "--key", service.key, "--json")
    assert answer.returncode == code, answer.stdout + answer.stderr
    decided = json.loads(answer.stdout)
    assert decided["verdict"] == verdict
    assert decided["verified"] is True
    installed.must("verify", str(bundle), "--trust", str(service.trust))
