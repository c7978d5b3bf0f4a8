"""The two databases that a benchmark runs on, each fresh, and the service on one of them."""

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.report import Row
from governance.settings import WorkSettings
from tests.support.postgres import running_server
from tests.support.service import Service, running


def on_both(rows: Callable[[str, str, Path], list[Row]], *, postgres: str = "PostgreSQL") -> list[Row]:
    """What ``rows`` gives for the name, the URL and an empty folder of each; ``postgres`` names the second."""
    with tempfile.TemporaryDirectory() as folder:
        found = rows("SQLite", f"sqlite:///{Path(folder) / 'assay.db'}", Path(folder))
    with running_server() as server, tempfile.TemporaryDirectory() as folder:
        server.execute("CREATE DATABASE bench")
        return found + rows(postgres, server.url("bench"), Path(folder))


def as_delivered(home: Path, url: str) -> AbstractContextManager[Service]:
    """The service with the work settings that it has by default: tests sweep fifteen times as often."""
    return running(home, url, work=WorkSettings().model_dump())
