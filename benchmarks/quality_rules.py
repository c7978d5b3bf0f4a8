"""The quality check at ten million rows of twenty columns: each kind of rule in a process of its own.

Half of the values have another form than the rule asks for, nine keys of ten are in no other table, and one row of ten
was trained on: millions of rows that break a rule are counted, and ten of them are named.
"""

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.data_quality import DOCUMENT, LIMIT_MEGABYTES, PEER_ROWS, ROWS, generate
from benchmarks.report import Row

COLUMNS = tuple(DOCUMENT["columns"])
FEATURES = ("i1", "f0", "s1", "b")

RULES: dict[str, dict[str, Any]] = {
    "formats": {"formats": [{"column": "i0", "pattern": "[1-4]?[0-9]{1,2}"}, {"column": "s1", "format": "email"}]},
    "missing": {"missing": [{"column": name} for name in COLUMNS] + [{"column": "f0", "by": "s0"}]},
    "completeness": {"completeness": [{"columns": COLUMNS}, {"columns": ["s0"], "values": ["alpha", "omega"]}]},
    "outliers": {"outliers": [{"column": "f0", "method": name, "factor": "0.5"} for name in ("iqr", "z", "mad")]},
    "balance": {"balance": [{"column": "s0"}, {"column": "b"}]},
    "freshness": {"freshness": [{"column": "d", "in_order": True}]},
    "referential": {"referential": [{"columns": ["id"], "table": "training", "to": ["id"]}]},
    "leakage": {"leakage": [{"key": ["id"], "target": {"features": FEATURES}}]},
    "drift": {"drift": [{"reference": "training"}]},
}
"""Every kind of rule, each on columns that many rows break."""

COUNTED = {"formats": 5_000_000, "referential": 9_000_000, "leakage": 1_000_000}
"""The rows that the first rule of a kind counts, by how the rows are made."""


def run() -> list[Row]:
    """Peak memory and time of each kind, and the size of what it says.

    Raises:
        RuntimeError: a kind counts other rows than were made to break it.
    """
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large.parquet", Path(folder) / "small.parquet"
        # A child starts with its parent's peak memory on record, so the parent stays small.
        _child("generate", large, small)
        found = {kind: _child(kind, large, small) for kind in RULES}
    wrong = {kind: found[kind]["count"] for kind in COUNTED if found[kind]["count"] != COUNTED[kind]}
    if wrong:
        raise RuntimeError(f"the counts differ: {wrong}, and not {COUNTED}")
    return [_row(kind, answer) for kind, answer in found.items()]


def _row(kind: str, answer: dict[str, Any]) -> Row:
    return Row(
        f"{kind}: peak memory, 10 million rows of 20 columns, Parquet",
        f"{answer['megabytes']:.0f} MB; {answer['seconds']:.1f} s; a body of {answer['bytes'] / 1000:.0f} kB",
        f"{LIMIT_MEGABYTES} MB",
        LIMIT_MEGABYTES / answer["megabytes"],
        "at least 1",
    )


def _child(what: str, large: Path, small: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.quality_rules", what, str(large), str(small)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _measured(kind: str, large: Path, small: Path) -> dict[str, Any]:
    from governance.canonical import canonical
    from governance.check import Facts
    from governance.types.manifest import Manifest
    from policies.quality.check import CHECK
    from policies.quality.params import QualityParams

    entries = [(path, f"artifact:sha256:{hashlib.sha256(path.name.encode()).hexdigest()}") for path in (large, small)]
    files = [{"uri": uri, "format": "parquet"} for _, uri in entries]
    manifest = Manifest.model_validate(
        {
            "kind": "assay.evidence/v1",
            "subject": {"namespace": "bench", "name": "model", "version": "1", "digest": f"sha256:{'0' * 64}"},
            "dataset": {"namespace": "bench", "name": "rows", "file": files[0]},
            "tables": {"training": files[1]},
            "columns": {"label": "b"},
            "positive": {"label": True},
        }
    )
    now = datetime(2026, 1, 1, tzinfo=UTC)
    facts = Facts(manifest.subject, "bench", now, manifest, {uri: path for path, uri in entries})
    started = time.perf_counter()
    body: dict[str, Any] = dict(CHECK.measure(facts, QualityParams.model_validate(RULES[kind])).body)
    seconds = time.perf_counter() - started
    first = body[kind][0]
    return {
        "seconds": seconds,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "bytes": len(canonical(body)),
        "count": first["rows"]["count"] if kind == "leakage" else first.get("count"),
    }


def main() -> int:
    """Make the files, or measure one kind of rule in this process; print the answer as JSON."""
    what, large, small = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if what == "generate":
        generate(large, ROWS)
        generate(small, PEER_ROWS)
        print("{}")
        return 0
    print(json.dumps(_measured(what, large, small)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
