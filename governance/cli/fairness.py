"""``assay fairness``: published tables of impact ratios, audited from their own numbers."""

import gzip
import zlib
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from governance._siblings import activate
from governance.cli.output import JSON_HELP, print_json, print_table
from governance.errors import InputRefused, UsageError

if TYPE_CHECKING:
    from policies.fairness.law.recheck import RecheckedRow, RecheckedTable

app = typer.Typer(no_args_is_help=True, help="Published tables of impact ratios, computed again.")

MAX_BYTES = 64 * 2**20
"""A published table is small; more than this, unpacked, is none."""

READINGS = {
    "highest_rate": "reproduces by the highest rate",
    "two_percent_exclusion": "reproduces with groups under 2 % left out of the reference",
    "neither": "does not reproduce",
    "no_ratios": "prints no ratios",
}


@app.callback()
def _group() -> None:
    """Published tables of impact ratios, computed again."""


@app.command("recheck")
def recheck(
    file: Path = typer.Argument(..., help="The published table: CSV, or CSV in gzip."),
    tolerance: str = typer.Option("0.012", help="How far a printed ratio may lie from the computed one."),
    min_group_size: int = typer.Option(30, min=1, help="Groups of fewer people are called too small."),
    rows: bool = typer.Option(False, "--rows", help="Print every row, and not the tables alone."),
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Say which rows of a published impact-ratio table reproduce, which cannot be true, and which groups are too small.

    Exit codes: 0 every table reproduces under one reading and nothing in it is impossible, 1 otherwise.
    """
    activate()
    from policies.fairness.law.recheck import read_published
    from policies.fairness.law.recheck import recheck as recheck_rows

    tables = recheck_rows(read_published(_text(file)), tolerance=_tolerance(tolerance), min_group_size=min_group_size)
    if as_json:
        print_json({"summary": _summary(tables), "tables": [_table(table) for table in tables]})
    else:
        _print(file.name, tables, with_rows=rows or len(tables) == 1)
    reproduces = all(table.reading in ("highest_rate", "two_percent_exclusion", "no_ratios") for table in tables)
    return 0 if reproduces and not any(row.impossible for table in tables for row in table.rows) else 1


def _text(path: Path) -> str:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as fault:
        raise UsageError(
            expected=f"a readable file {path}",
            found=getattr(fault, "strerror", None) or str(fault)[:100] or type(fault).__name__,
            remedy="Check the path.",
        ) from fault
    if len(content) > MAX_BYTES:
        raise InputRefused(expected=f"at most {MAX_BYTES} bytes", found="more", remedy="Send the published table.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise InputRefused(
            expected="a CSV in UTF-8", found=str(fault)[:100], remedy="Write the file in UTF-8."
        ) from fault


def _tolerance(text: str) -> Fraction:
    from policies.fairness.law.sample import exact_score

    tolerance = exact_score(text)
    if not 0 <= tolerance <= 1:
        raise UsageError(expected="a tolerance from 0 to 1", found=text, remedy="Correct --tolerance.")
    return tolerance


def _summary(tables: "tuple[RecheckedTable, ...]") -> dict[str, int]:
    every = [row for table in tables for row in table.rows]
    return {
        "tables": len(tables),
        "tables_with_ratios": sum(table.reading != "no_ratios" for table in tables),
        **{name: sum(table.reading == name for table in tables) for name in READINGS},
        "rows": len(every),
        "rows_with_ratios": sum(row.published.ratio is not None for row in every),
        "rows_by_highest_rate": sum(row.reproduces_highest is True for row in every),
        "rows_by_two_percent_exclusion": sum(row.reproduces_exclusion is True for row in every),
        "rows_impossible": sum(bool(row.impossible) for row in every),
        "rows_too_small": sum(row.is_small for row in every),
    }


def _table(table: "RecheckedTable") -> dict[str, Any]:
    return {"table": table.name, "reading": table.reading, "rows": [_row(row) for row in table.rows]}


def _row(row: "RecheckedRow") -> dict[str, Any]:
    published = row.published
    numbers = {
        "n": published.n,
        "rate": published.rate,
        "printed_ratio": published.ratio,
        "ratio_to_highest": row.ratio_to_highest,
        "ratio_under_exclusion": row.ratio_under_exclusion,
    }
    return {
        "line": published.line,
        "group": published.category,
        **{name: None if number is None else _shown(number) for name, number in numbers.items()},
        "reproduces_highest": row.reproduces_highest,
        "reproduces_exclusion": row.reproduces_exclusion,
        "impossible": list(row.impossible),
        "too_small": row.is_small,
        "under_2_percent": row.may_be_excluded,
    }


def _shown(number: Fraction) -> str:
    text = f"{round(number * 10**4) / 10**4:.4f}"
    return text.rstrip("0").rstrip(".")


def _print(name: str, tables: "tuple[RecheckedTable, ...]", *, with_rows: bool) -> None:
    lines = [
        [
            table.name,
            READINGS[table.reading],
            str(sum(row.reproduces_highest is False for row in table.rows)),
            str(sum(bool(row.impossible) for row in table.rows)),
            str(sum(row.is_small for row in table.rows)),
        ]
        for table in tables
    ]
    print_table(name, ("table", "reading", "rows off the highest", "impossible", "too small"), lines)
    if with_rows:
        columns = ("line", "group", "n", "rate", "printed", "by highest", "under 2 % excluded", "remarks")
        print_table("Rows", columns, [_cells(row) for table in tables for row in table.rows])
    for key, count in _summary(tables).items():
        typer.echo(f"{key.replace('_', ' ')}: {count}")


def _cells(row: "RecheckedRow") -> list[str]:
    shown = _row(row)
    numbers = [shown[name] for name in ("n", "rate", "printed_ratio", "ratio_to_highest", "ratio_under_exclusion")]
    remarks = [*row.impossible]
    remarks += ["does not reproduce"] if row.reproduces_highest is row.reproduces_exclusion is False else []
    remarks += ["too small"] if row.is_small else []
    remarks += ["under 2 %"] if row.may_be_excluded else []
    text = [value if value is not None else "-" for value in numbers]
    return [str(shown["line"]), shown["group"], *text, ", ".join(remark.replace("_", " ") for remark in remarks)]
