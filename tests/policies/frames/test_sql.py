"""The reduction as SQL gives the cells of the files to the last digit, in DuckDB and, where it is there, in Spark."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from governance.errors import MeasurementRefused
from governance.types.manifest import Manifest
from policies.fairness.check import CHECK
from policies.fairness.measure import measure_grouped
from policies.fairness.params import FairnessParams
from policies.frames.cells import cells_by_class
from policies.frames.sql import Kind, Relation, group_with_sql
from tests.support.evidence import facts, write

PARAMS = {"bootstrap_replicates": 20}
DIGEST = f"sha256:{'5' * 64}"


def sample(rows: int = 3000) -> pl.DataFrame:
    """People with everything a manifest can name; some groups and ages are missing."""
    draw = np.random.default_rng(8)
    label = draw.integers(0, 2, rows)
    score = np.clip(0.3 + 0.3 * label + draw.normal(0, 0.2, rows), 0, 1)
    return pl.DataFrame(
        {
            "id": range(rows),
            "label": label,
            "decision": np.where(draw.random(rows) < score, "yes", "no"),
            "class": draw.choice(["a", "b", "c"], rows),
            "score": score,
            "short": score.round(2).astype(np.float32),
            "group": [None if one == "z" else one for one in draw.choice(["f", "m", "z"], rows, p=[0.5, 0.45, 0.05])],
            "age": draw.integers(15, 90, rows).astype(float),
            "w": draw.integers(1, 10**9, rows) / 10**6,
            "salary": draw.normal(50_000, 9000, rows),
            "predicted": draw.normal(50_000, 9000, rows),
        }
    )


CASES: dict[str, dict[str, Any]] = {
    "decisions": {"columns": {"label": "label", "decision": "decision"}, "positive": {"label": 1, "decision": "yes"}},
    "weights": {
        "columns": {"label": "label", "decision": "decision", "weight": "w"},
        "positive": {"label": 1, "decision": "yes"},
    },
    "scores": {"columns": {"label": "label", "score": "score"}, "positive": {"label": 1}, "threshold": "0.5"},
    "few scores of 32 bits": {
        "columns": {"label": "label", "score": "short", "weight": "w"}, "positive": {"label": 1}, "threshold": "0.7",
    },
    "predictions": {"columns": {"label": "salary", "prediction": "predicted", "weight": "w"}, "positive": {}},
    "bins and intersection": {
        "columns": {"row_id": "id", "label": "label", "decision": "decision"},
        "positive": {"label": 1, "decision": "yes"},
        "sensitive": {"age": {"bins": [18, 40, 65]}, "group": {"groups": ["f", "m", "x"]}},
        "intersections": [["age", "group"]],
    },
    "classes": {"columns": {"decision": "class"}, "positive": {}, "classes": ["a", "b", "c"]},
}  # fmt: skip
"""What the engines must agree on."""


def limits(fields: dict[str, Any]) -> list[dict[str, str]]:
    """A limit that the case can be judged by."""
    name = "mean_error_difference" if "prediction" in fields["columns"] else "selection_rate_ratio"
    return [{"name": name, "limit": "0.8"}]


def of_files(tmp_path: Path, frame: pl.DataFrame, fields: dict[str, Any]) -> tuple[Manifest, FairnessParams, Any]:
    """The manifest, the parameters and the measurement of the rows as a file."""
    known = facts(write(tmp_path / "rows.parquet", frame), **fields)
    params = FairnessParams.model_validate({"metrics": limits(fields), **PARAMS})
    assert known.manifest is not None
    return known.manifest, params, CHECK.measure(known, params).body


Engine = Callable[[pl.DataFrame], Relation]


@pytest.fixture(scope="module")
def duckdb() -> Iterator[Engine]:
    """Relations in a DuckDB of this process."""
    engine = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    connection = engine.connect()

    def relation(frame: pl.DataFrame) -> Relation:
        connection.register("people", frame.to_arrow())

        def run(query: str) -> list[dict[str, Any]]:
            answer = connection.execute(query)
            names = [column[0] for column in answer.description]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

        return Relation(run, "people", {name: kind(dtype) for name, dtype in frame.schema.items()}, DIGEST)

    yield relation
    connection.close()


def kind(dtype: pl.DataType) -> Kind:
    """What a column holds."""
    if dtype == pl.Float32:
        return "float32"
    if dtype.is_numeric():
        return "number"
    return "text" if dtype == pl.String else "boolean" if dtype == pl.Boolean else "other"


@pytest.mark.parametrize("name", sorted(CASES))
def test_sql_gives_the_cells_of_the_files(tmp_path: Path, duckdb: Engine, name: str) -> None:
    frame = sample()
    manifest, params, expected = of_files(tmp_path, frame, CASES[name])
    grouped = group_with_sql(duckdb(frame), manifest, sorted(manifest.sensitive))
    found = measure_grouped(grouped, manifest, params, check_version="1")
    assert found.body == expected
    assert (found.inputs[0].digest, found.inputs[0].rows) == (DIGEST, len(frame))


@pytest.mark.parametrize(
    ("change", "fields", "found"),
    [
        ({"score": [None, 0.5]}, {"columns": {"score": "score"}, "positive": {}, "threshold": "0.5"}, "1 rows missing"),
        ({"score": [float("inf"), 0.5]}, {"columns": {"score": "score"}, "positive": {}, "threshold": "1"}, "infinite"),
        ({"score": ["x", "y"]}, {"columns": {"score": "score"}, "positive": {}, "threshold": "1"}, "a column of text"),
        ({"w": [-1.0, 1.0]}, {"columns": {"decision": "decision", "weight": "w"}}, "out of range"),
        ({"id": [1, 1]}, {"columns": {"decision": "decision", "row_id": "id"}}, "1 different"),
        ({}, {"columns": {"decision": "absent"}}, "only"),
        ({"decision": [None, 1]}, {"columns": {"decision": "decision"}}, "1 rows without one"),
    ],
)
def test_what_files_refuse_is_refused(
    tmp_path: Path, duckdb: Engine, change: dict[str, Any], fields: dict[str, Any], found: str
) -> None:
    rows = {"decision": [1, 0], "group": ["a", "b"], **change}
    manifest = facts(write(tmp_path / "rows.parquet", {"x": [1]}), **{"positive": {"decision": 1}, **fields}).manifest
    assert manifest is not None
    relation = duckdb(pl.DataFrame(rows))
    with pytest.raises(MeasurementRefused) as fault:
        cells_by_class(group_with_sql(relation, manifest, ["group"]), manifest)
    assert found in fault.value.found


def test_no_rows_are_refused(tmp_path: Path, duckdb: Engine) -> None:
    frame = pl.DataFrame({"decision": [1], "group": ["a"]}).clear()
    manifest = facts(write(tmp_path / "x.parquet", {"x": [1]}), columns={"decision": "decision"}).manifest
    assert manifest is not None
    with pytest.raises(MeasurementRefused, match="rows to measure"):
        group_with_sql(duckdb(frame), manifest, ["group"])


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """A small Spark session on this machine."""
    pyspark = pytest.importorskip("pyspark.sql", reason="pyspark is not installed: assay-governance[spark]")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, and there is none on the path")
    session = (
        pyspark.SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "1")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.mark.parametrize("name", sorted(CASES))
def test_spark_gives_the_cells_of_the_files(tmp_path: Path, spark: Any, name: str) -> None:
    from policies.fairness.spark import measure_spark

    manifest, params, expected = of_files(tmp_path, sample(800), CASES[name])
    frame = spark.read.parquet(str(tmp_path / "rows.parquet"))
    assert measure_spark(frame, manifest, params, digest=DIGEST).body == expected
