"""The schema check at ten million rows of twenty columns, against Pandera in memory and Great Expectations.

Each side runs in a process of its own, so that its memory is its own; imports are not timed. The peers look at one
million rows with the same rules and are multiplied by ten, which flatters them: they hold the whole frame in memory.
Great Expectations is installed for the run, into a virtual environment that is removed after it (or found by
``ASSAY_BENCH_GX_PYTHON``); where that cannot be done its row says so.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.report import Row

ROWS = 10_000_000
PEER_ROWS = 1_000_000
LIMIT_MEGABYTES = 1024
WORDS = ("alpha", "beta", "gamma", "delta")

DOCUMENT: dict[str, Any] = {
    "columns": {
        "id": {"dtype": "int64", "unique": True, "checks": {"ge": 0}},
        **{f"i{n}": {"dtype": "int64", "checks": {"in_range": [0, 999]}} for n in range(7)},
        **{f"f{n}": {"dtype": "float64", "checks": {"le": 1}} for n in range(6)},
        **{f"s{n}": {"dtype": "str", "checks": {"isin": list(WORDS)}} for n in range(4)},
        "b": {"dtype": "bool"},
        "d": {"dtype": "date"},
    },
    "strict": True,
}
"""Twenty columns: none may be missing, one is a key, and all but two have a rule for their values."""

BAD: dict[str, Any] = {**DOCUMENT, "columns": {**DOCUMENT["columns"], "i0": {"dtype": "int64", "checks": {"lt": 500}}}}
"""The same, and one rule that half of the rows break: five million of ten."""

# Run by the interpreter that has Great Expectations; it knows the rules as JSON.
GREAT_EXPECTATIONS = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
import pandas as pd
import great_expectations as gx
import great_expectations.expectations as gxe
path, document = sys.argv[1], json.loads(sys.argv[2])
context = gx.get_context(mode="ephemeral")
context.variables.progress_bars = {"globally": False}
suite = gx.ExpectationSuite(name="rules")
for name, column in document["columns"].items():
    suite.add_expectation(gxe.ExpectColumnValuesToNotBeNull(column=name))
    if column.get("unique"):
        suite.add_expectation(gxe.ExpectColumnValuesToBeUnique(column=name))
    for rule, value in column.get("checks", {}).items():
        if rule == "isin":
            suite.add_expectation(gxe.ExpectColumnValuesToBeInSet(column=name, value_set=value))
            continue
        low, high = (value, None) if rule == "ge" else (None, value)
        low, high = value if rule == "in_range" else (low, high)
        suite.add_expectation(
            gxe.ExpectColumnValuesToBeBetween(column=name, min_value=low, max_value=high, strict_max=rule == "lt")
        )
frame = pd.read_parquet(path)
batch = context.data_sources.add_pandas("rows").add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all")
started = time.perf_counter()
result = batch.get_batch({"dataframe": frame}).validate(suite, result_format="BASIC")
seconds = time.perf_counter() - started
failures = sum(int(one.result.get("unexpected_count", 0)) for one in result.results)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "megabytes": peak, "failures": failures, "version": gx.__version__}))
"""


def run() -> list[Row]:
    """Time, memory and counts of the check, and of the peers.

    Raises:
        RuntimeError: a peer that ran counts other failures; the times would then compare different things.
    """
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large.parquet", Path(folder) / "small.parquet"
        # A child starts with its parent's peak memory on record, so the parent stays small.
        _child("large", large)
        _child("small", small)
        good, bad = _child("good", large), _child("bad", large)
        same, peer = _child("bad", small), _child("pandera", small)
        other = _great_expectations(small, Path(folder) / "peer")
    if peer["failures"] != same["failures"] or (other and other["failures"] != same["failures"]):
        raise RuntimeError(f"the counts differ: {same['failures']}, {peer['failures']}, {other}")
    return [*_own_rows(good, bad), *_peer_rows(bad, peer, other)]


def _own_rows(good: dict[str, Any], bad: dict[str, Any]) -> list[Row]:
    peak = max(good["megabytes"], bad["megabytes"])
    return [
        Row(
            "peak memory, 10 million rows of 20 columns, Parquet",
            f"{peak:.0f} MB; {good['seconds']:.1f} s",
            f"{LIMIT_MEGABYTES} MB",
            LIMIT_MEGABYTES / peak,
            "at least 1",
        ),
        Row(
            "five million bad cells: memory beside that without any",
            f"{bad['megabytes']:.0f} MB, a body of {bad['bytes'] / 1000:.0f} kB; {bad['failures']:,} failures counted",
            f"{good['megabytes']:.0f} MB without bad cells",
            good["megabytes"] / bad["megabytes"],
            "at least 0.8",
        ),
    ]


def _peer_rows(bad: dict[str, Any], peer: dict[str, Any], other: dict[str, Any] | None) -> list[Row]:
    scale = ROWS / PEER_ROWS
    rows = [
        Row(
            "time, the same rules, half of one column bad",
            f"{bad['seconds']:.1f} s",
            f"{peer['seconds'] * scale:.1f} s: Pandera in memory, {peer['seconds']:.2f} s and "
            f"{peer['megabytes']:.0f} MB at 1 million rows, extrapolated linearly",
            peer["seconds"] * scale / bad["seconds"],
            "none",
        )
    ]
    if other is None:
        absent = "not measured: Great Expectations could not be installed for this run"
        return [
            *rows,
            Row("time, the same rules, half of one column bad", f"{bad['seconds']:.1f} s", absent, 0, "none"),
        ]
    return [
        *rows,
        Row(
            "time, the same rules, half of one column bad",
            f"{bad['seconds']:.1f} s",
            f"{other['seconds'] * scale:.1f} s: Great Expectations {other['version']} on pandas, "
            f"{other['seconds']:.2f} s and {other['megabytes']:.0f} MB at 1 million rows, extrapolated linearly",
            other["seconds"] * scale / bad["seconds"],
            "none",
        ),
    ]


def generate(path: Path, rows: int) -> dict[str, Any]:
    """Write the rows as Parquet, half a million at a time; the same ones each time."""
    from pyarrow import parquet

    draw = np.random.default_rng(7)
    writer = None
    for start in range(0, rows, 500_000):
        size = min(500_000, rows - start)
        columns: dict[str, Any] = {"id": np.arange(start, start + size)}
        # Each value of i0 occurs as often as any other, so that exactly half of the rows break its rule.
        columns["i0"] = np.arange(start, start + size) % 1000
        columns |= {f"i{n}": draw.integers(0, 1000, size) for n in range(1, 7)}
        columns |= {f"f{n}": draw.random(size) for n in range(6)}
        columns |= {f"s{n}": pl.Series(WORDS).gather(draw.integers(0, 4, size)) for n in range(4)}
        columns["b"] = draw.random(size) < 0.5
        columns["d"] = pl.Series(draw.integers(18_000, 20_000, size).astype(np.int32)).cast(pl.Date)
        table = pl.DataFrame(columns).to_arrow()
        writer = writer or parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return {}


def _child(what: str, path: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.data_quality", what, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _great_expectations(path: Path, folder: Path) -> dict[str, Any] | None:
    """What Great Expectations takes; None where it is not installed and cannot be."""
    python = os.environ.get("ASSAY_BENCH_GX_PYTHON")
    if python is None:
        venv.create(folder, with_pip=True)
        python = str(folder / "bin" / "python")
        install = [python, "-m", "pip", "install", "--quiet", "great_expectations", "pyarrow"]
        if subprocess.run(install, capture_output=True, check=False).returncode:
            return None
    program = [python, "-c", GREAT_EXPECTATIONS, str(path), json.dumps(BAD)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _ours(path: Path, document: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    from governance.canonical import canonical
    from policies.frames.source import Source
    from policies.schema.measure import examine
    from policies.schema.params import SchemaDocument

    frame = pl.scan_parquet(path)
    source = Source("dataset", "", frame, dict(frame.collect_schema()), is_text=False, path=path, format="parquet")
    rules = SchemaDocument.model_validate(document)

    def check() -> dict[str, Any]:
        body = examine(source, rules, {})
        return {"failures": sum(rule["failures"] for rule in body["rules"]), "bytes": len(canonical(body))}

    return check


def _pandera(path: Path) -> Callable[[], dict[str, Any]]:
    import pandera.polars as pa

    from policies.schema.objects import schema_of
    from policies.schema.params import SchemaDocument

    schema = schema_of(SchemaDocument.model_validate(BAD))
    frame = pl.read_parquet(path)

    def check() -> dict[str, Any]:
        try:
            schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as faults:
            return {"failures": len(faults.failure_cases)}
        return {"failures": 0}

    return check


def main() -> int:
    """Time one side in this process and print seconds, peak memory and counts as JSON."""
    what, path = sys.argv[1], Path(sys.argv[2])
    sides: dict[str, Callable[[], Callable[[], dict[str, Any]]]] = {
        "large": lambda: lambda: generate(path, ROWS),
        "small": lambda: lambda: generate(path, PEER_ROWS),
        "good": lambda: _ours(path, DOCUMENT),
        "bad": lambda: _ours(path, BAD),
        "pandera": lambda: _pandera(path),
    }
    prepared = sides[what]()
    started = time.perf_counter()
    answer = prepared()
    seconds = time.perf_counter() - started
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": megabytes, **answer}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
