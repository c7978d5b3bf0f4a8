"""``assay fairness``: published tables computed again, stored audits judged again, the public page of an audit."""

import gzip
import json
import zlib
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from governance._siblings import activate
from governance.cli.output import CHECK_COLUMNS, JSON_HELP, check_rows, print_json, print_table
from governance.errors import InputRefused, UsageError

if TYPE_CHECKING:
    from governance.types.policy import Policy
    from governance.types.results import Measurement
    from policies.fairness.law.recheck import RecheckedRow, RecheckedTable

app = typer.Typer(no_args_is_help=True, help="Published, stored and public audits of fairness.")

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
    """Published, stored and public audits of fairness."""


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


@app.command("judge")
def judge(
    file: Path = typer.Argument(..., help="A stored measurement (JSON), or what `assay check --output` wrote."),
    policy: str = typer.Option("baseline", help="A policy file, or the name of a pack that ships."),
    environment: str = typer.Option("prod", "--env", help="The environment it is judged for."),
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Judge a stored audit again under a policy, from its cells alone; the data are not needed.

    Signatures are not looked at: the gate does that. Exit codes: 0 the gate would allow, 1 deny, 2 anything else.
    """
    activate()
    from audits.local import judge_again

    run = judge_again(_measurements(file), _policy(policy), environment=environment)
    rows = [result.document() | {"id": result.check} for result in run.results]
    if as_json:
        print_json({"verdict": run.combined.verdict.value, "checks": rows})
    else:
        print_table(f"{file.name} under {policy}", CHECK_COLUMNS, check_rows(rows))
        typer.echo(f"The gate would answer: {run.combined.verdict.value}")
    return {"allow": 0, "deny": 1}.get(run.combined.verdict.value, 2)


@app.command("ll144-page")
def ll144_page(
    manifest: Path = typer.Argument(..., help="The evidence manifest (YAML) with its `audit`."),
    output: Path = typer.Option(..., "--output", "-o", help="Where to write the page (HTML)."),
    policy: str = typer.Option("us-nyc-ll144", help="A policy file or pack with the check ll144."),
) -> None:
    """Write the public summary of a bias audit under New York City's Local Law 144, and print its digest.

    The page is the same for the same data. It shows no verdict: the rule sets no threshold.
    """
    activate()
    from governance.check import Facts
    from governance.localfiles import file_digest, read_manifest
    from governance.plugins import load_check
    from reports.render.ll144 import render_ll144

    local = read_manifest(manifest)
    check = load_check("ll144")
    lines = [line for line in _policy(policy).checks if line.id == "ll144"]
    if not lines:
        raise UsageError(
            expected="a policy with the check ll144", found=policy, remedy="Name the pack us-nyc-ll144, or your own."
        )
    params = check.params.model_validate(lines[0].params)
    subject = local.manifest.subject
    facts = Facts(subject, "publication", datetime.now(UTC), manifest=local.manifest, files=local.files)
    page = render_ll144(check.judge(check.measure(facts, params), params), subject)
    output.write_bytes(page)
    typer.echo(f"{output}: {file_digest(output)}")


def _policy(name: str) -> "Policy":
    from audits.catalog import pack, read_policy

    return read_policy(Path(name).read_bytes() if Path(name).is_file() else pack(name))


def _measurements(path: Path) -> "list[Measurement]":
    """The measurements in a file, whatever signed it."""
    from governance.signing.dsse import decode, read_envelope
    from governance.signing.statement import MEASUREMENTS_FIELD
    from governance.types.results import Measurement
    from governance.types.value import parse_value

    document = _json(_text(path).encode())
    if isinstance(document, dict) and "payload" in document:
        statement = _json(decode(read_envelope(_text(path).encode()).payload, what="the payload"))
        predicate = statement.get("predicate") if isinstance(statement, dict) else None
        kept = predicate.get(MEASUREMENTS_FIELD) if isinstance(predicate, dict) else None
        found = kept.get("measurements") if isinstance(kept, dict) else None
    else:
        found = document if isinstance(document, list) else [document]
    if not isinstance(found, list) or not found:
        raise InputRefused(
            expected="a measurement, or a test result with its measurements",
            found="neither",
            remedy="Send the file that `assay check --output` wrote.",
        )
    return [parse_value(Measurement, one, what="a measurement") for one in found]


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as fault:
        raise InputRefused(expected="a JSON document", found=str(fault)[:100], remedy="Check the file.") from fault


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
