"""The adapter from the neutral form of ``shared/cases`` and ``shared/reference`` to the checks: what both share.

``neutral_cases`` and ``neutral_reference`` map the documents by their fields; no case is known by its name. What cannot
be mapped is refused with ``NotServed``, which says why. ``ASSAY_TEST_CASES`` and ``ASSAY_TEST_REFERENCE`` name other
folders of the same form.
"""

import csv
import gzip
import io
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from audits.sandbox.session import SandboxedModel
from governance.canonical import sha256
from governance.check import Facts
from governance.errors import AssayError
from governance.plugins import load_check
from governance.types.manifest import Manifest
from governance.types.results import CheckResult, CheckStatus
from governance.types.value import parse_value

SHARED = Path(__file__).resolve().parents[3] / "shared"

VERDICTS = {
    CheckStatus.PASSED: "pass",
    CheckStatus.WARNED: "warn",
    CheckStatus.FAILED: "fail",
    CheckStatus.INSUFFICIENT_EVIDENCE: "undetermined",
    CheckStatus.ERROR: "error",
}
"""The neutral word of each outcome; refused input is ``error``."""

Rows = list[dict[str, str]]


class NotServed(Exception):
    """The neutral form asks for something that no check answers yet; the message says what."""


@dataclass(frozen=True)
class Task:
    """One check on one manifest: what the gate would be asked."""

    check: str
    manifest: dict[str, Any]
    params: dict[str, Any]
    files: dict[str, Path]
    model: Path | None = None


@dataclass(frozen=True)
class Answer:
    """What the check said: its neutral verdict, and its result or the fault with which the input was refused."""

    verdict: str
    result: CheckResult | None = None
    fault: AssayError | None = None


def cases_folder() -> Path:
    """The folder of cases."""
    return Path(os.environ.get("ASSAY_TEST_CASES", SHARED / "cases"))


def reference_folder() -> Path:
    """The folder of reference tables."""
    return Path(os.environ.get("ASSAY_TEST_REFERENCE", SHARED / "reference"))


def case_documents() -> dict[str, Path]:
    """The folder of each case by its name; empty where the material is not beside the checkout."""
    return {path.parent.name: path.parent for path in sorted(cases_folder().glob("*/case.json"))}


def reference_documents() -> dict[str, Path]:
    """The file of each reference table by its id."""
    return {path.stem: path for path in sorted(reference_folder().glob("*.json"))}


def read(path: Path) -> dict[str, Any]:
    """A document of the neutral form."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def ask(task: Task) -> Answer:
    """Run the check as the gate runs it: parse, measure, judge."""
    check = load_check(task.check)
    session = None if task.model is None else SandboxedModel(task.model, sha256(task.model.read_bytes()), "skops")
    try:
        manifest = parse_value(Manifest, task.manifest, what="a manifest")
        params = parse_value(check.params, task.params, what="the parameters")
        facts = Facts(
            subject=manifest.subject,
            environment="test",
            evaluated_at=datetime(2026, 1, 1, tzinfo=UTC),
            manifest=manifest,
            files=task.files,
            model=session,
        )
        result = check.judge(check.measure(facts, params), params)
    except AssayError as fault:
        return Answer("error", fault=fault)
    finally:
        if session is not None:
            session.close()
    return Answer(VERDICTS[result.status], result=result)


def file_task(check: str, path: Path, *, params: dict[str, Any], **fields: Any) -> Task:
    """A task for a check on one file; ``fields`` are the manifest's."""
    uri = artifact_uri(path)
    manifest = {
        "kind": "assay.evidence/v1",
        "subject": {"namespace": "tests", "name": "neutral", "version": "1", "digest": f"sha256:{'0' * 64}"},
        "predictions": {"uri": uri, "format": path.suffix.removeprefix(".")},
        **{name: value for name, value in fields.items() if value is not None},
    }
    return Task(check, manifest, params, {uri: path})


def artifact_uri(path: Path) -> str:
    """The name of a file's bytes in a manifest."""
    return f"artifact:{sha256(path.read_bytes())}"


def read_csv(path: Path) -> Rows:
    """The rows of a CSV, compressed or not, or of a Parquet file, as text; what is missing is empty."""
    if path.suffix == ".parquet":
        columns = pl.read_parquet(path).with_columns(pl.all().cast(pl.String).fill_null(""))
        return [dict(row) for row in columns.iter_rows(named=True)]
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
    header, *lines = csv.reader(io.StringIO(text))
    # Of a column that occurs twice the first is kept, as everybody reads these files.
    return [dict(reversed(list(zip(header, line, strict=True)))) for line in lines]


def write_csv(path: Path, rows: Rows) -> Path:
    """The path, after the rows were written there."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
