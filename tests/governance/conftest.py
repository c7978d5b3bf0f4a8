"""An instance that has decided, and its trust file, for the tests of what it proves."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from governance.bundle import Trust
from governance.database import Database
from governance.verify import read_trust
from tests.support.proof import Instance, build_instance


@pytest.fixture(scope="module")
def instance(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("instance")
    shutil.copy(sqlite_template, folder / "assay.db")
    database = Database(f"sqlite:///{folder / 'assay.db'}")
    yield build_instance(database, folder / "home")
    database.close()


@pytest.fixture(scope="module")
def trust(instance: Instance) -> Trust:
    return read_trust(instance.trust())
