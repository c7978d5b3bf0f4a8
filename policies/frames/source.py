"""The files of a manifest as lazy frames. Columns of a CSV stay text: the format has no types to trust."""

import csv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars import selectors
from polars.exceptions import PolarsError

from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.manifest import DataFile, Manifest


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its role, its digest, its rows as a lazy frame and what its columns hold.

    ``is_text`` says that every column is text because the format has no types. ``repeated`` names the columns that
    occur more than once, which nobody can refer to. ``path`` is the file itself, in ``format``.
    """

    role: str
    digest: str
    frame: pl.LazyFrame
    schema: dict[str, pl.DataType]
    is_text: bool
    repeated: frozenset[str] = frozenset()
    path: Path | None = None
    format: str = ""


@contextmanager
def refusing_unreadable(what: str) -> Iterator[None]:
    """Turn a fault of the reading engine into a refusal that names the file.

    Raises:
        MeasurementRefused: the file is truncated, not of its declared format, or not valid UTF-8.
    """
    try:
        yield
    except (PolarsError, OSError, csv.Error, UnicodeDecodeError) as fault:
        raise MeasurementRefused(
            expected=f"{what} in its declared format",
            found=f"{type(fault).__name__}: {str(fault).splitlines()[0][:200] if str(fault) else 'no detail'}",
            remedy="Write the file again, or correct the format in the manifest.",
        ) from fault


def manifest_of(facts: Facts) -> Manifest:
    """The manifest among the facts.

    Raises:
        MeasurementRefused: there is none, so nothing says what the columns mean.
    """
    if facts.manifest is None:
        raise MeasurementRefused(
            expected="an evidence manifest that says what the columns mean",
            found="none",
            remedy="Send a manifest with the dataset or the predictions.",
        )
    return facts.manifest


def open_sources(facts: Facts) -> tuple[Source, ...]:
    """The dataset and the predictions, those of them that the manifest gives as files, in this order.

    Raises:
        MeasurementRefused: no manifest, no file in it, a file that is not at hand, or one that cannot be read.
    """
    manifest = manifest_of(facts)
    files = {
        "dataset": manifest.dataset.file if manifest.dataset is not None else None,
        "predictions": manifest.predictions,
    }
    sources = tuple(_open(facts, role, file) for role, file in files.items() if file is not None)
    if not sources:
        raise MeasurementRefused(
            expected="a file of rows: predictions, or a dataset with a file",
            found="a manifest without either",
            remedy="Upload the file and name it in the manifest.",
        )
    return sources


def open_counts(facts: Facts) -> Source:
    """The manifest's table of counts.

    Raises:
        MeasurementRefused: no manifest, no counts in it, a file that is not at hand, or one that cannot be read.
    """
    file = manifest_of(facts).counts
    if file is None:
        raise MeasurementRefused(
            expected="a table of counts",
            found="a manifest without one",
            remedy="Upload the table and name it in the manifest.",
            pointer="/counts",
        )
    return _open(facts, "counts", file)


def open_further(facts: Facts, name: str) -> Source:
    """The manifest's further table of this name.

    Raises:
        MeasurementRefused: no manifest, no such table in it, a file that is not at hand, or one that cannot be read.
    """
    file = manifest_of(facts).tables.get(name)
    if file is None:
        raise MeasurementRefused(
            expected=f"a table {name!r}",
            found=f"{', '.join(sorted(manifest_of(facts).tables)) or 'no table'} in the manifest",
            remedy="Upload the file and name it in the manifest.",
            pointer=f"/tables/{name}",
        )
    return _open(facts, name, file)


def _open(facts: Facts, role: str, file: DataFile) -> Source:
    path = facts.files.get(file.uri)
    if path is None:
        raise MeasurementRefused(
            expected=f"the bytes of the {role}",
            found=f"no file for {file.uri}",
            remedy="Upload the file, then ask again.",
            pointer=file.uri,
        )
    with refusing_unreadable(f"the {role}"):
        is_text = file.format == "csv"
        repeated = _repeated_names(path) if is_text else frozenset[str]()
        # A column of dictionary codes means its words; they are compared as text.
        frame = _SCANS[file.format](path).with_columns((selectors.categorical() | selectors.enum()).cast(pl.String))
        schema = dict(frame.collect_schema())
        if is_text:
            # A line with too many fields has shifted its values, and is only seen where all columns are read.
            frame.select(pl.all().is_not_null().sum()).collect(engine="streaming")
    return Source(
        role=role,
        digest=file.digest,
        frame=frame,
        schema=schema,
        is_text=is_text,
        repeated=repeated,
        path=path,
        format=file.format,
    )


def _scan_parquet(path: Path) -> pl.LazyFrame:
    # A path is one file and says nothing about the data, whatever characters it holds.
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def _scan_csv(path: Path) -> pl.LazyFrame:
    return pl.scan_csv(path, infer_schema=False, glob=False, truncate_ragged_lines=False, encoding="utf8")


def _scan_jsonl(path: Path) -> pl.LazyFrame:
    # All lines are read for the types: from the first lines alone, later values of another kind would become null.
    return pl.scan_ndjson(path, infer_schema_length=None)


def _scan_arrow(path: Path) -> pl.LazyFrame:
    return pl.scan_ipc(path, glob=False, hive_partitioning=False)


_SCANS: Mapping[str, Callable[[Path], pl.LazyFrame]] = {
    "parquet": _scan_parquet,
    "csv": _scan_csv,
    "jsonl": _scan_jsonl,
    "arrow": _scan_arrow,
}
"""How each format of a manifest is read."""


def _repeated_names(path: Path) -> frozenset[str]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        header = next(csv.reader(stream), [])
    return frozenset(name for name in header if header.count(name) > 1)
