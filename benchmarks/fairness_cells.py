"""The fairness check at ten million rows against Fairlearn's MetricFrame on the rows themselves.

Each side runs in a process of its own, so that its memory is its own; imports are not timed. The peer is timed at one
million rows and multiplied by ten, which flatters it a little: it is at best linear.
"""

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.report import Row

ROWS = 10_000_000
PEER_ROWS = 1_000_000
RACES = ("A", "B", "C", "D", "E", "F")
SEXES = ("female", "male")
METRICS = (
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
    "false_negative_rate",
    "accuracy",
    "precision",
)


def run() -> list[Row]:
    """The check's time, memory and values against the peer's.

    Raises:
        RuntimeError: the two disagree on a value; their times would then compare different things.
    """
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large.parquet", Path(folder) / "small.parquet"
        # A child starts with its parent's peak memory on record, so the parent stays small.
        _child("large", large)
        _child("small", small)
        ours = _child("cells", large)
        resampled = _child("bootstrap", large)
        same = _child("cells", small)
        peer = _child("peer", small)
    differences = [abs(same["values"][name] - peer["values"][name]) for name in peer["values"]]
    if len(differences) != len(METRICS) * len(RACES) * len(SEXES) or max(differences) > 1e-12:
        raise RuntimeError(f"the values differ by up to {max(differences, default=float('nan'))}")
    extrapolated = peer["seconds"] * ROWS / PEER_ROWS
    return [
        Row(
            "measurement, 10 million rows, 12 groups",
            f"{ours['seconds']:.2f} s",
            f"{extrapolated:.0f} s: MetricFrame, {peer['seconds']:.1f} s at 1 million rows, extrapolated linearly",
            extrapolated / ours["seconds"],
            "at least 300",
        ),
        Row(
            "the same with intervals from 10,000 replicates of three tables",
            f"{resampled['seconds']:.2f} s",
            f"{extrapolated:.0f} s: MetricFrame without intervals, extrapolated",
            extrapolated / resampled["seconds"],
            "none",
        ),
        Row(
            "peak memory of the process",
            f"{max(ours['megabytes'], resampled['megabytes']):.0f} MB",
            "500 MB",
            500 / max(ours["megabytes"], resampled["megabytes"]),
            "at least 1",
        ),
        Row(
            "largest difference of 72 values",
            f"{max(differences):.1e}",
            "MetricFrame on the same million rows; 1e-12 is the tolerance",
            min(1e6, 1e-12 / max(*differences, 1e-18)),
            "at least 1",
        ),
    ]


def _generate(path: Path, rows: int) -> dict[str, float]:
    draw = np.random.default_rng(7)
    race, sex = draw.integers(0, len(RACES), rows, dtype=np.int8), draw.integers(0, len(SEXES), rows, dtype=np.int8)
    label = draw.random(rows, dtype=np.float32) < 0.3 + 0.02 * race
    decision = draw.random(rows, dtype=np.float32) < np.where(label, 0.7, 0.2) + 0.05 * sex
    pl.DataFrame(
        {
            "race": pl.Series(RACES).gather(race),
            "sex": pl.Series(SEXES).gather(sex),
            "label": label.astype(np.int8),
            "decision": decision.astype(np.int8),
        }
    ).write_parquet(path)
    return {}


def _child(what: str, path: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fairness_cells", what, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _cells(path: Path, replicates: int) -> Callable[[], dict[str, float]]:
    from governance.check import Facts
    from governance.types.manifest import Manifest
    from policies.fairness.measure import measure
    from policies.fairness.params import FairnessParams

    uri = f"artifact:sha256:{hashlib.sha256(str(path).encode()).hexdigest()}"
    manifest = Manifest.model_validate(
        {
            "kind": "assay.evidence/v1",
            "subject": {"namespace": "bench", "name": "model", "version": "1", "digest": f"sha256:{'0' * 64}"},
            "predictions": {"uri": uri, "format": "parquet"},
            "columns": {"label": "label", "decision": "decision"},
            "positive": {"label": 1, "decision": 1},
            "sensitive": {"race": {}, "sex": {}},
            "intersections": [["race", "sex"]],
        }
    )
    facts = Facts(manifest.subject, "bench", datetime(2026, 1, 1, tzinfo=UTC), manifest, {uri: path})
    params = FairnessParams(bootstrap_replicates=replicates)

    def values() -> dict[str, float]:
        body: Any = measure(facts, params, check_version="1").body
        table = next(one for one in body["tables"] if len(one["attributes"]) > 1)
        return {
            f"{name} {'/'.join(group['levels'])}": table["by_group"][name][position]
            for name in METRICS
            for position, group in enumerate(table["groups"])
        }

    return values


def _peer(path: Path) -> Callable[[], dict[str, float]]:
    from fairlearn import metrics as fairlearn
    from sklearn.metrics import accuracy_score, precision_score

    functions = {name: getattr(fairlearn, name, None) for name in METRICS}
    functions |= {"accuracy": accuracy_score, "precision": precision_score}
    rows = pl.read_parquet(path).to_pandas()

    def values() -> dict[str, float]:
        frame = fairlearn.MetricFrame(
            metrics=functions,
            y_true=rows["label"],
            y_pred=rows["decision"],
            sensitive_features=rows[["race", "sex"]],
        )
        frame.difference()
        frame.ratio()
        return {
            f"{name} {'/'.join(group)}": float(value)
            for name in METRICS
            for group, value in frame.by_group[name].items()
        }

    return values


def main() -> int:
    """Time one side in this process and print seconds, peak memory and values as JSON."""
    what, path = sys.argv[1], Path(sys.argv[2])
    sides: dict[str, Callable[[], Callable[[], dict[str, float]]]] = {
        "large": lambda: lambda: _generate(path, ROWS),
        "small": lambda: lambda: _generate(path, PEER_ROWS),
        "cells": lambda: _cells(path, 0),
        "bootstrap": lambda: _cells(path, 10_000),
        "peer": lambda: _peer(path),
    }
    prepared = sides[what]()
    started = time.perf_counter()
    values = prepared()
    seconds = time.perf_counter() - started
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": megabytes, "values": values}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
