"""Results on data as the assertions of OpenLineage's ``DataQualityAssertionsDatasetFacet``. Pure.

Source: OpenLineage, facet ``DataQualityAssertionsDatasetFacet`` 1-1-0.
"""

from typing import Any

from governance.types.results import CheckResult, CheckStatus, Figure

CHECKS = ("schema", "quality")
"""The checks whose results are about a dataset, and may be written to its lineage."""

_WORDS = {
    "failures of nullable": "not_null",
    "failures of unique": "unique",
    "failures of dtype": "type",
    "share missing": "not_null",
    "age of the newest instant in days": "freshness",
    "share after the check": "freshness",
    "share of keys not found": "relationships",
    "failures of isin": "accepted_values",
}
"""The common classification of a figure's rule, where the facet's readers know one."""


def assertions_of(result: CheckResult) -> list[dict[str, Any]]:
    """What was tested on a dataset and how it came out, as the items of the facet's ``assertions``.

    One for each judged figure and, of a schema, one for the columns' names and one for the number of rows. What could
    not be decided did not succeed. A result without figures, such as one of a measurement that was refused, is one
    assertion that did not succeed unless it passed. Values of rows are never among them.
    """
    found = [_of_figure(result, figure) for figure in result.figures if figure.status is not None]
    if "structure" in result.details:
        found = [*_of_shape(result), *found]
    return found or [
        {
            "assertion": result.check,
            "success": result.status is CheckStatus.PASSED,
            "severity": _severity(result.status),
            "name": f"assay.{result.check}",
            "description": result.message,
        }
    ]


def _of_figure(result: CheckResult, figure: Figure) -> dict[str, Any]:
    status = figure.status or result.status
    word = figure.name.removeprefix("failures of ").replace(" ", "_")
    place = "; ".join(f"{key} {value}" for key, value in figure.group.items() if key != "expected")
    assertion: dict[str, Any] = {
        "assertion": _WORDS.get(figure.name, word),
        "success": status is CheckStatus.PASSED,
        "severity": _severity(status),
        "name": f"assay.{result.check}.{word}",
        "description": f"{figure.name} ({place})" + (f": {figure.note}" if figure.note else ""),
        "params": {"rows": figure.n, **figure.group},
    }
    if "column" in figure.group:
        assertion["column"] = figure.group["column"]
    if figure.limit is not None:
        assertion["expected"] = figure.limit
    if figure.value is not None:
        assertion["actual"] = figure.value
    return assertion


def _of_shape(result: CheckResult) -> list[dict[str, Any]]:
    """The names of a schema's columns, and the number of rows."""
    details: dict[str, Any] = result.details
    faults = details["structure"]
    least, most, rows = details["min_rows"], details["max_rows"], details["rows"]
    return [
        {
            "assertion": "columns",
            "success": not faults,
            "severity": "error",
            "name": "assay.schema.columns",
            "description": "; ".join(f"{kind}: {', '.join(names)}" for kind, names in faults.items()) or "as declared",
        },
        {
            "assertion": "row_count",
            "success": least <= rows and (most is None or rows <= most),
            "severity": "error",
            "name": "assay.schema.row_count",
            "description": "the number of rows",
            "expected": f"{least} to {most}" if most is not None else f"at least {least}",
            "actual": str(rows),
        },
    ]


def _severity(status: CheckStatus) -> str:
    """``warn`` for what a person must look at, ``error`` for all else."""
    return "warn" if status is CheckStatus.WARNED else "error"
