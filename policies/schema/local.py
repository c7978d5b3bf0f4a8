"""A schema check on a file at hand, without a manifest, a policy or a service."""

from datetime import UTC, datetime
from pathlib import Path

from governance.check import Facts
from governance.errors import UsageError
from governance.localfiles import file_digest
from governance.types.manifest import Manifest
from governance.types.results import CheckResult, Measurement
from policies.frames.source import Source, open_sources
from policies.schema.check import CHECK
from policies.schema.measure import measure
from policies.schema.params import SchemaDocument, SchemaParams

FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".arrow": "arrow",
    ".feather": "arrow",
}
"""The format that a file's ending stands for."""


def open_file(path: Path) -> Source:
    """The file as a source of rows.

    Raises:
        UsageError: it cannot be read, or its ending says no format. MeasurementRefused: it is not of that format.
    """
    return open_sources(_facts(path))[0]


def check_file(path: Path, document: SchemaDocument) -> tuple[Measurement, CheckResult]:
    """What the file breaks of the document, measured and judged as the gate does it.

    Raises:
        UsageError: the file cannot be read, or its ending says no format. MeasurementRefused: as ``measure`` says.
    """
    params = SchemaParams(document=document)
    measurement = measure(_facts(path), params, check_version=CHECK.version)
    return measurement, CHECK.judge(measurement, params)


def _facts(path: Path) -> Facts:
    format_name = FORMATS.get(path.suffix.lower())
    if format_name is None:
        raise UsageError(
            expected=f"a file that ends in {', '.join(FORMATS)}", found=path.name, remedy="Rename or convert the file."
        )
    digest = file_digest(path)
    uri = f"artifact:{digest}"
    manifest = Manifest.model_validate(
        {
            "kind": "assay.evidence/v1",
            "subject": {"namespace": "file", "name": path.name, "version": "1", "digest": digest},
            "dataset": {"namespace": "file", "name": path.name, "file": {"uri": uri, "format": format_name}},
        }
    )
    # No rule of a schema looks at the time.
    return Facts(manifest.subject, "local", datetime.min.replace(tzinfo=UTC), manifest, {uri: path})
