"""What the tests of commands share."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def url(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database of a module's service."""
    folder = tmp_path_factory.mktemp("service")
    shutil.copy(sqlite_template, folder / "assay.db")
    return f"sqlite:///{folder / 'assay.db'}"
