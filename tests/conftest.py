"""Fixtures that every test may use: databases of both kinds, and the material that lies outside the project."""

import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from governance.database import Database
from governance.migration import upgrade
from tests.support.postgres import NoPostgreSQL, Server, running_server

SHARED = Path(__file__).resolve().parents[2] / "shared"
_numbers = count()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--write-snapshots`` writes generated files anew before they are compared."""
    parser.addoption("--write-snapshots", action="store_true", help="write generated files anew")


def pytest_configure() -> None:
    """One width of terminal for all: a narrow one would break the words that tests look for in tables.

    How long one example of a property takes says more about what else the machine does than about the code.
    """
    os.environ["COLUMNS"] = "200"
    settings.register_profile("tests", settings(), deadline=None)
    settings.load_profile("tests")


def shared_path(name: str) -> Path:
    """A file or folder of the material beside the checkout; the test skips where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the test material {name} is not beside this checkout")
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One PostgreSQL server a session, with a migrated template database."""
    try:
        with running_server() as server:
            server.execute("CREATE DATABASE assay_template TEMPLATE template0")
            upgrade(server.url("assay_template"))
            yield server
    except NoPostgreSQL as fault:
        if os.environ.get("CI"):
            pytest.fail(f"PostgreSQL is needed where CI is set: {fault}")
        pytest.skip(f"no PostgreSQL on this machine: {fault}")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy from."""
    path = tmp_path_factory.mktemp("template") / "assay.db"
    upgrade(f"sqlite:///{path}")
    return path


def fresh_url(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of a fresh, migrated database: a file in ``folder``, or a database of the session's server.

    The server's lie in memory, ten megabytes each; they are dropped when the fixture or test that asked is done.
    """
    if kind == "sqlite":
        path = folder / "assay.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    server: Server = request.getfixturevalue("postgres_server")
    name = f"assay_{os.getpid()}_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE assay_template STRATEGY file_copy")
    request.addfinalizer(lambda: server.execute(f"DROP DATABASE {name} WITH (FORCE)"))
    return server.url(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh, migrated database; every test that asks for it runs on both kinds."""
    return fresh_url(request.param, request, tmp_path)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, migrated database of each kind."""
    opened = Database(database_url)
    yield opened
    opened.close()
