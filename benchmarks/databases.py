"""The two databases that a benchmark runs on, each fresh, and the service on one of them."""

import gc
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def as_delivered(home: Path, url: str) -> Iterator[Service]:
    """The service as ``assay serve`` runs it: what is loaded is left out of collections, and it sweeps as by default.

    Tests sweep fifteen times as often.
    """
    with running(home, url, work=WorkSettings().model_dump()) as service:
        gc.collect()
        gc.freeze()
        try:
            yield service
        finally:
            gc.unfreeze()
