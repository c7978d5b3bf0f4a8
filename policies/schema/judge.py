"""The judgement of a schema measurement: passed only where rows were looked at and nothing was broken. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from governance.types.results import CheckResult, CheckStatus, Figure, Finding, Measurement
from governance.types.value import Severity, decimal_text
from policies.schema.params import SchemaParams

NOT_CHECKED = (
    "distributions, drift, referential rules and freshness",
    "whether the values are true",
    "the predictions, where the dataset comes with a file of its own",
)

_STRUCTURE = {
    "missing": "columns are missing",
    "unexpected": "columns are not in the document",
    "repeated": "column names occur more than once",
    "misplaced": "columns are not in the document's order",
}


def judge(measurement: Measurement, params: SchemaParams) -> CheckResult:  # noqa: ARG001 - the document was measured
    """Failed by any broken rule; no rows, or a rule that could not be looked at, is insufficient evidence."""
    body: Mapping[str, Any] = measurement.body
    rows = int(body["rows"])
    broken = [rule for rule in body["rules"] if rule["failures"]]
    open_rules = [rule for rule in body["rules"] if rule["failures"] is None]
    structure = {kind: body[kind] for kind in _STRUCTURE if body["counts"][kind]}
    status, reason = _status(body, broken, open_rules, structure)
    failures = sum(rule["failures"] for rule in broken) + sum(body["counts"].values())
    return CheckResult(
        check=measurement.check,
        check_version=measurement.check_version,
        status=status,
        reason=reason,
        message=_message(body, broken, open_rules, structure),
        observed=decimal_text(failures),
        limit="0",
        n=decimal_text(rows),
        figures=tuple(_figures(body)),
        findings=tuple(_findings(body, broken, structure)),
        not_checked=NOT_CHECKED,
        details=_details(body, broken, structure),
    )


def _status(
    body: Mapping[str, Any], broken: list[Any], open_rules: list[Any], structure: Mapping[str, Any]
) -> tuple[CheckStatus, str]:
    if broken or structure:
        return CheckStatus.FAILED, "schema.broken"
    if body["rows"] == 0:
        return CheckStatus.INSUFFICIENT_EVIDENCE, "schema.no_rows"
    if body["rows"] < body["min_rows"]:
        return CheckStatus.FAILED, "schema.too_few_rows"
    if body["max_rows"] is not None and body["rows"] > body["max_rows"]:
        return CheckStatus.FAILED, "schema.too_many_rows"
    if open_rules:
        return CheckStatus.INSUFFICIENT_EVIDENCE, "schema.not_evaluated"
    return CheckStatus.PASSED, "schema.kept"


def _message(body: Mapping[str, Any], broken: list[Any], open_rules: list[Any], structure: Mapping[str, Any]) -> str:
    parts = [f"{_STRUCTURE[kind]}: {', '.join(names)}" for kind, names in structure.items()]
    parts += [_sentence(rule, body["rows"]) for rule in broken]
    if body["rows"] == 0:
        parts.append("the file has no rows")
    elif body["rows"] < body["min_rows"]:
        parts.append(f"the file has {body['rows']} rows, fewer than {body['min_rows']}")
    elif body["max_rows"] is not None and body["rows"] > body["max_rows"]:
        parts.append(f"the file has {body['rows']} rows, more than {body['max_rows']}")
    if not parts:
        parts = [f"{_place(rule)} could not be evaluated: {rule['note']}" for rule in open_rules]
    shown = "; ".join(parts[:10]) + (f"; and {len(parts) - 10} more" if len(parts) > 10 else "")
    return shown or f"all {len(body['rules'])} rules hold in {body['rows']} rows"


def _place(rule: Mapping[str, Any]) -> str:
    return f"{', '.join(rule['columns'])}: {rule['rule']}"


def _sentence(rule: Mapping[str, Any], rows: int) -> str:
    note = f", {rule['note']}" if rule["note"] else ""
    return f"{_place(rule)} ({rule['expected']}) is broken in {rule['failures']} of {rows} rows{note}"


def _figures(body: Mapping[str, Any]) -> Iterator[Figure]:
    rows = decimal_text(body["rows"])
    for rule in body["rules"]:
        failures = rule["failures"]
        if failures is None:
            status = CheckStatus.INSUFFICIENT_EVIDENCE
        else:
            status = CheckStatus.FAILED if failures else CheckStatus.PASSED
        yield Figure(
            name=f"failures of {rule['rule']}",
            value=None if failures is None else decimal_text(failures),
            n=rows,
            limit="0",
            group={
                "column" if len(rule["columns"]) == 1 else "columns": ", ".join(rule["columns"]),
                "expected": rule["expected"],
            },
            status=status,
            note=rule["note"],
        )


def _findings(body: Mapping[str, Any], broken: list[Any], structure: Mapping[str, Any]) -> Iterator[Finding]:
    for kind, names in structure.items():
        yield Finding(
            code=f"schema.{kind}_columns",
            severity=Severity.HIGH,
            message=f"{_STRUCTURE[kind]}: {', '.join(names)}",
            remediation="Deliver the columns that the document declares.",
            data={"columns": names, "count": body["counts"][kind]},
        )
    for rule in broken:
        yield Finding(
            code=f"schema.{rule['rule']}",
            severity=Severity.HIGH,
            message=_sentence(rule, body["rows"]),
            remediation="Correct these values at their source, or the document where it is wrong.",
            data={"columns": rule["columns"], "failures": rule["failures"], "examples": rule["examples"]},
        )
    for option in body["not_honoured"]:
        yield Finding(
            code="schema.option_not_honoured",
            severity=Severity.INFO,
            message=f"{option} is not honoured: data are judged as they were delivered",
            remediation="Take the option out of the document.",
        )


def _details(body: Mapping[str, Any], broken: list[Any], structure: Mapping[str, Any]) -> dict[str, Any]:
    """Where the failures lie. Rows and values are those of the examples; the counts are of the whole file."""
    counts: dict[str, int] = {}
    for rule in broken:
        for name in rule["columns"]:
            counts[name] = counts.get(name, 0) + rule["failures"]
    examples = [example for rule in broken for example in rule["examples"]]
    return {
        "rows": body["rows"],
        "min_rows": body["min_rows"],
        "max_rows": body["max_rows"],
        "structure": dict(structure),
        "missing_columns": body["missing"],
        "unexpected_columns": body["unexpected"],
        "failure_counts": dict(counts),
        # Rows of Spark have no numbers.
        "failing_rows": sorted({example["row"] for example in examples if example["row"] is not None}),
        "failing_values": sorted({example["value"] for example in examples}),
        "masked": body["masked"],
    }
