"""The fairness check on a Spark data frame: the same cells and numbers as of files, counted where the rows are."""

from typing import Any

from governance.types.manifest import Manifest
from governance.types.results import Measurement
from policies.fairness.check import VERSION
from policies.fairness.measure import measure_grouped
from policies.fairness.params import FairnessParams
from policies.frames.sql import Kind, Relation, group_with_sql

_KINDS: dict[str, Kind] = {
    "string": "text",
    "boolean": "boolean",
    "float": "float32",
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint", "double"), "number"),
}

_VIEW = "assay_fairness_rows"
"""The temporary view that the queries read; it is dropped again."""


def measure_spark(frame: Any, manifest: Manifest, params: FairnessParams, *, digest: str) -> Measurement:
    """The measurement of a ``pyspark.sql.DataFrame`` whose columns the manifest names.

    Files that the manifest names are not read. ``digest`` is that of the data, as lineage knows it. Only the cells
    leave the cluster; judge and sign them with ``audits.local``.

    Raises:
        MeasurementRefused: as ``policies.frames.sql.group_with_sql`` says.
    """
    session = frame.sparkSession
    frame.createOrReplaceTempView(_VIEW)
    relation = Relation(
        run=lambda query: [row.asDict() for row in session.sql(query).collect()],
        name=_VIEW,
        columns={name: _kind(kind) for name, kind in frame.dtypes},
        digest=digest,
        quote="`",
    )
    try:
        grouped = group_with_sql(relation, manifest, tuple(sorted(manifest.sensitive)))
    finally:
        session.catalog.dropTempView(_VIEW)
    return measure_grouped(grouped, manifest, params, check_version=VERSION)


def _kind(name: str) -> Kind:
    return "number" if name.startswith("decimal") else _KINDS.get(name, "other")
