"""Small evidence for tests of checks: a table written to a file, and the facts that name it."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from governance.check import Facts
from governance.types.manifest import Manifest


def artifact(path: Path) -> dict[str, Any]:
    """The manifest's entry for a file."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"uri": f"artifact:sha256:{digest}", "format": path.suffix.removeprefix(".")}


def write(path: Path, table: Mapping[str, Any] | pl.DataFrame) -> Path:
    """The path, after the table was written there in the format of its suffix."""
    frame = table if isinstance(table, pl.DataFrame) else pl.DataFrame(dict(table), strict=False)
    writers: dict[str, Callable[[Path], object]] = {
        ".csv": frame.write_csv,
        ".parquet": frame.write_parquet,
        ".jsonl": frame.write_ndjson,
        ".arrow": frame.write_ipc,
    }
    writers[path.suffix](path)
    return path


def facts(path: Path, *more: Path, **fields: Any) -> Facts:
    """Facts whose predictions are ``path``; ``fields`` are the manifest's.

    By default ``label`` and ``decision`` are coded 1 and 0, and ``group`` is sensitive. A second file is the dataset's,
    joined on ``id``.
    """
    document: dict[str, Any] = {
        "kind": "assay.evidence/v1",
        "subject": {"namespace": "tests", "name": "model", "version": "1", "digest": f"sha256:{'0' * 64}"},
        "columns": {"label": "label", "decision": "decision"},
        "positive": {"label": 1, "decision": 1},
        "sensitive": {"group": {}},
        "predictions": artifact(path) | ({"join_on": "id"} if more else {}),
        **fields,
    }
    if more:
        document["dataset"] = {"namespace": "tests", "name": "data", "file": artifact(more[0])}
    manifest = Manifest.model_validate(document)
    return Facts(
        subject=manifest.subject,
        environment="test",
        evaluated_at=datetime(2026, 1, 1, tzinfo=UTC),
        manifest=manifest,
        files={str(artifact(one)["uri"]): one for one in (path, *more)},
    )
