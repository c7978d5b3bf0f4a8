"""The two databases that a benchmark runs on, each fresh."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Row
from tests.support.postgres import running_server


def on_both(rows: Callable[[str, str, Path], list[Row]], *, postgres: str = "PostgreSQL") -> list[Row]:
    """What ``rows`` gives for the name, the URL and an empty folder of each; ``postgres`` names the second."""
    with tempfile.TemporaryDirectory() as folder:
        found = rows("SQLite", f"sqlite:///{Path(folder) / 'assay.db'}", Path(folder))
    with running_server() as server, tempfile.TemporaryDirectory() as folder:
        server.execute("CREATE DATABASE bench")
        return found + rows(postgres, server.url("bench"), Path(folder))
