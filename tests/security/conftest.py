"""A service on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import Service, running


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    """A fresh service with an embedded engine."""
    with running(tmp_path / "home", database_url) as started:
        yield started
