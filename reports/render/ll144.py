"""The public page of a bias audit under New York City's Local Law 144 (6 RCNY 5-303), as one self-contained HTML page.

Pure: the same result gives the same bytes. It holds no verdict and no threshold, since the rule sets none.
"""

from dataclasses import dataclass
from typing import Any

from governance.errors import UsageError
from governance.types.bias_audit import BiasAudit
from governance.types.results import CheckResult
from governance.types.subject import Subject
from governance.types.value import parse_value
from reports.render.html import environment

TABLE_TITLES = {"sex": "Sex", "race_ethnicity": "Race or ethnicity", "sex*race_ethnicity": "Sex and race or ethnicity"}
MODE_TITLES = {
    "per_table": "People of unknown category are left out only of tables that need what is unknown.",
    "complete_case": "People of unknown sex, race or ethnicity are left out of every table.",
}


@dataclass(frozen=True, slots=True)
class TableView:
    """One table with its title; ``has_exclusions`` asks for the second column of ratios."""

    title: str
    document: dict[str, Any]
    has_exclusions: bool
    has_large_column: bool


@dataclass(frozen=True, slots=True)
class Section:
    """The tables of one rate, one assigned group and one way of counting unknown people."""

    title: str
    rate: str
    is_main: bool
    explanation: str
    tables: tuple[TableView, ...]


def render_ll144(result: CheckResult, subject: Subject) -> bytes:
    """The page of a judged audit, in UTF-8.

    Raises:
        UsageError: the result is not one of the ll144 check, or holds no tables.
    """
    details: dict[str, Any] = dict(result.details)
    if result.check != "ll144" or not details.get("tables"):
        raise UsageError(
            expected="a result of the check ll144 with its tables",
            found=f"{result.check}: {result.message}"[:200],
            remedy="Correct what the message names, then render the page.",
        )
    facts = parse_value(BiasAudit, details["facts"], what="the facts of a bias audit")
    text = (
        environment()
        .get_template("ll144.html.j2")
        .render(
            subject=subject,
            facts=facts,
            details=details,
            sections=_sections(details),
            unknown=_main(details)[0]["unknown"],
        )
    )
    return text.encode("utf-8")


def _main(details: dict[str, Any]) -> list[dict[str, Any]]:
    return [table for table in details["tables"] if table["unknowns"] == details["unknowns"]]


def _sections(details: dict[str, Any]) -> list[Section]:
    """The sections, those counted as the policy says first."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for table in details["tables"]:
        found.setdefault((table["unknowns"], table["rate"], table["assigned_group"] or ""), []).append(table)
    order = sorted(found, key=lambda key: key[0] != details["unknowns"])
    return [_section(key, found[key], is_main=key[0] == details["unknowns"]) for key in order]


def _section(key: tuple[str, str, str], tables: list[dict[str, Any]], *, is_main: bool) -> Section:
    mode, rate, assigned = key
    title = f"{rate.capitalize()} rates and impact ratios" + (f" of people assigned to {assigned}" if assigned else "")
    return Section(
        title=title if is_main else f"{title}, counted the other way",
        rate=rate,
        is_main=is_main,
        explanation=MODE_TITLES[mode],
        tables=tuple(
            TableView(
                title=TABLE_TITLES[table["table"]],
                document=table,
                has_exclusions=any(row["is_excluded"] for row in table["rows"]),
                has_large_column=table["has_small_reference"],
            )
            for table in tables
        ),
    )
