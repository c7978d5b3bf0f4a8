"""What may import what: the contracts of ``importlinter.ini``, and what a fresh interpreter really loads."""

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, modules, sources

SCIENTIFIC = ("fairlearn", "pandas", "pandera", "polars", "pyarrow", "scipy", "shap", "sklearn", "skops")
SERVER = ("alembic", "fastapi", "pyarrow", "sqlalchemy", "starlette", "uvicorn", *SCIENTIFIC)

LOADED = """
import importlib, json, sys
from governance._siblings import activate
activate()
importlib.import_module(sys.argv[1])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[2].split(",")))))
"""

WATCHED = """
import importlib, sys, threading
from pathlib import Path

root, names = Path(sys.argv[1]), sys.argv[2].split(",")
own = tuple(str(root / name) + "/" for name in ("governance", "lineage", "policies", "audits", "reports", "api"))
acts = {"open", "os.mkdir", "socket.connect", "socket.bind", "sqlite3.connect", "subprocess.Popen", "os.fork"}

def actor():
    # The nearest frame that is ours, unless an import statement lies between it and the act: what a library does while
    # it is imported is its own affair.
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return None
        if frame.f_code.co_filename.startswith(own):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return None

def watch(event, arguments):
    if event in acts and (place := actor()):
        print(place, event, str(arguments[:1]))

sys.addaudithook(watch)
for name in names:
    importlib.import_module(name)
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        print("thread", thread.name)
"""


def run(program: str, *arguments: str) -> str:
    """What the program prints in an interpreter of its own, started at the root of the checkout."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_import_linter_finds_every_contract_kept() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-logo", "--no-cache", "importlinter.ini"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_server_starts_without_scientific_libraries() -> None:
    assert run(LOADED, "api.app", ",".join(SCIENTIFIC)) == "[]"


@pytest.mark.parametrize(
    "module",
    ["governance.client", "governance.cli", "governance.verify", "governance.check", "governance.types.policy"],
)
def test_what_ci_jobs_and_notebooks_import_stays_light(module: str) -> None:
    assert run(LOADED, module, ",".join(SERVER)) == "[]"


def test_nothing_happens_when_the_packages_are_imported() -> None:
    assert run(WATCHED, str(ROOT), ",".join(modules())) == ""


def test_an_act_at_import_would_be_seen(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("root")
    (root / "governance").mkdir()
    (root / "governance" / "__init__.py").write_text("open(__file__).close()\n")
    program = f"import sys; sys.path.insert(0, {str(root)!r})\n{WATCHED}"
    assert "open" in run(program, str(root), "governance")


def test_no_module_reads_the_environment_or_the_clock_while_it_is_imported() -> None:
    forbidden = (
        "os.environ",
        "os.getenv",
        "datetime.now",
        "time.time",
        "Settings",
        "create_engine",
        "FastAPI",
        "Database",
    )
    found = []
    for source in sources():
        if source.path.startswith(("tests/", "benchmarks/", "migrations/")):
            continue
        for node in _run_at_import(source.tree):
            names = [ast.unparse(part.func) for part in ast.walk(node) if isinstance(part, ast.Call)]
            names += [ast.unparse(part) for part in ast.walk(node) if isinstance(part, ast.Attribute)]
            found += [f"{source.path}:{node.lineno} {name}" for name in names if name.endswith(forbidden)]
    assert found == []


def _run_at_import(tree: ast.Module) -> list[ast.stmt]:
    """The module's statements outside functions, classes and the ``__main__`` block."""
    skipped = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    return [
        node
        for node in tree.body
        if not isinstance(node, skipped) and not (isinstance(node, ast.If) and "__name__" in ast.unparse(node.test))
    ]


def test_pure_modules_ask_no_clock_no_chance_and_no_environment() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / "importlinter.ini")
    pure = tuple(name for name in contracts["importlinter:contract:pure"]["source_modules"].split() if name)
    asks = ("datetime.now", "datetime.utcnow", "date.today", "time.time", "getenv", "uuid4", "uuid7", "system_clock")
    found = []
    for source in sources():
        module = source.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if not any(module == name or module.startswith(f"{name}.") for name in pure):
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "sys.argv"):
                found.append(f"{source.path}:{node.lineno} {ast.unparse(node)}")
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            unseeded = name.endswith("default_rng") and not node.args and not node.keywords
            if unseeded or name.endswith(asks):
                found.append(f"{source.path}:{node.lineno} {name}")
    assert found == []


def test_tests_replace_none_of_our_own_code() -> None:
    found = [
        f"{source.path}:{node.lineno}"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
        and any(
            "mock" in name.split(".") for name in [getattr(node, "module", None) or "", *(a.name for a in node.names)]
        )
    ]
    assert found == []
