"""The neutral form of ``shared/reference``: published tables as tasks of the fairness check, and what it answers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from governance.types.results import CheckResult, CheckStatus
from policies.fairness.metrics import RATES
from tests.support.neutral import (
    SHARED,
    NotServed,
    Rows,
    Task,
    file_task,
    read_csv,
    reference_folder,
    write_csv,
)


@dataclass(frozen=True)
class _Role:
    """A column of the neutral form with what makes it positive: values, or a threshold from which on."""

    column: str
    positive: Any = None
    threshold: str | None = None


def _literal(text: str) -> Any:
    quoted = re.fullmatch(r"'([^']*)'", text.strip())
    return quoted.group(1) if quoted else int(text)


def _role(expression: str, positive: Any) -> _Role:
    """The column and the meaning of an expression such as ``score_text in {'Medium','High'}``."""
    if re.fullmatch(r"\w+", expression):
        return _Role(expression, positive)
    if equal := re.fullmatch(r"(\w+) == (.+)", expression):
        return _Role(equal.group(1), _literal(equal.group(2)))
    if member := re.fullmatch(r"(\w+) in \{(.+)\}", expression):
        return _Role(member.group(1), [_literal(part) for part in member.group(2).split(",")])
    if above := re.fullmatch(r"(\w+) >= (\d+(?:\.\d+)?)", expression):
        return _Role(above.group(1), threshold=above.group(2))
    raise NotServed(f"the expression {expression!r}")


def _kept(rows: Rows, condition: str) -> Rows:
    """The rows that fulfil a filter of the forms ``Column == 'value'``, ``Column in {...}`` and ``Column > 0``."""
    if equal := re.fullmatch(r"(\w+) == '([^']*)'", condition):
        return [row for row in rows if row[equal.group(1)] == equal.group(2)]
    if member := re.fullmatch(r"(\w+) in \{('[^']*'(?:,'[^']*')*)\}", condition):
        values = {_literal(part) for part in member.group(2).split(",")}
        return [row for row in rows if row[member.group(1)] in values]
    if filled := re.fullmatch(r"(\w+) > 0", condition):
        return [row for row in rows if float(row[filled.group(1)] or 0) > 0]
    if condition == "rows with Missing/Unknown sex or race removed":
        return [row for row in rows if "Missing/Unknown" not in (row["sex"], row["race_ethnicity"])]
    if between := re.fullmatch(r"(-?\d+) <= (\w+) <= (-?\d+)(?: \(null excluded\))?", condition):
        low, name, high = between.groups()
        return [row for row in rows if row[name] != "" and int(low) <= float(row[name]) <= int(high)]
    if other := re.fullmatch(r"(\w+) != ('[^']*'|-?\d+)", condition):
        return [row for row in rows if row[other.group(1)] != str(_literal(other.group(2)))]
    raise NotServed(f"the filter {condition!r}")


def map_reference(reference: Mapping[str, Any], work: Path) -> Task:
    """The task of a reference table: its rows with every rate limited, judged as written.

    Raises:
        NotServed: the input uses an expression that is not known.
    """
    source = reference["input"]
    if "total" in source or str(source["file"]).endswith("counts.csv"):
        return _counted(reference, work)
    return rows_task(reference, kept_rows(reference), work / "rows.csv")


def kept_rows(reference: Mapping[str, Any]) -> Rows:
    """The rows of a reference that its filters keep."""
    rows = read_csv(input_file(reference["input"]["file"]))
    for condition in reference["input"]["filter"]:
        rows = _kept(rows, condition)
    return rows


def rows_task(reference: Mapping[str, Any], rows: Rows, path: Path, *, weight: str | None = None) -> Task:
    """The task of some rows: decisions where the reference has them, else labels, else one of two groups as a label."""
    source = reference["input"]
    expression = source.get("y_pred", source.get("selected"))
    decision = _role(expression, 1) if expression else None
    attributes = _attributes(reference, rows)
    label = _role(source["y_true"], 1) if "y_true" in source else None
    if decision is None and label is None:
        label = _role(next(name for name in attributes if {row[name] for row in rows} == {"0", "1"}), 1)
    threshold = decision.threshold if decision else None
    rates = [
        name
        for name, rate in RATES.items()
        if (label or not rate.needs_label) and (decision or not rate.needs_decision)
    ]
    return file_task(
        "fairness",
        write_csv(path, rows),
        columns={
            "label": label.column if label else None,
            "score" if threshold else "decision": decision.column if decision else None,
            "weight": weight,
        },
        positive={
            "label": label.positive if label else None,
            "decision": decision.positive if decision else None,
        },
        threshold=threshold,
        sensitive={name: {"reference": _reference_group(reference, name)} for name in attributes},
        intersections=_intersections(reference, attributes),
        params={
            "metrics": [{"name": f"{rate}_ratio", "limit": "0.8"} for rate in rates],
            "mode": "as_written",
            "bootstrap_replicates": 200,
        },
    )


def _attributes(reference: Mapping[str, Any], rows: Rows) -> list[str]:
    """The sensitive attributes, and whatever else its lines count by."""
    fixed = _fixed(reference)
    named = [name for check in reference["checks"] for name in check["group"] if name in rows[0] and name not in fixed]
    return list(dict.fromkeys([*reference["input"].get("sensitive", []), *named]))


def _fixed(reference: Mapping[str, Any]) -> set[str]:
    """Columns of which a filter leaves one value; lines may repeat it."""
    return {condition.split(" == ")[0] for condition in reference["input"]["filter"]}


def _intersections(reference: Mapping[str, Any], attributes: list[str]) -> list[list[str]]:
    pairs = [
        tuple(name for name in check["group"] if name in attributes)
        for check in reference["checks"]
    ]  # fmt: skip
    return [list(pair) for pair in dict.fromkeys(pairs) if len(pair) > 1]


def _counted(reference: Mapping[str, Any], work: Path) -> Task:
    """The task of a reference of counts: the check's counts input, its selection rates judged as written."""
    source = reference["input"]
    rows = kept_rows(reference)
    people, selected = source.get("total", "n_applicants"), source.get("selected", "n_selected")
    attributes = [name for name in ("group", "race_ethnicity", "sex") if name in rows[0]]
    lines = []
    for row in rows:
        levels: dict[str, str] = {name: "" if row[name] == "Total" else row[name] for name in attributes}
        table = "*".join(name for name, level in levels.items() if level)
        lines.append({"table": table, **levels, "n": _people(row[people]), "selected": _people(row[selected])})
    path = write_csv(work / "counts.csv", lines)
    task = file_task(
        "fairness",
        path,
        sensitive={name: {} for name in attributes},
        intersections=sorted({tuple(line["table"].split("*")) for line in lines if "*" in line["table"]}),
        params={
            "metrics": [{"name": "selection_rate_ratio", "limit": "0.8"}],
            "mode": "as_written",
            "bootstrap_replicates": 200,
        },
    )
    manifest = {**task.manifest, "counts": task.manifest["predictions"]}
    del manifest["predictions"]
    return replace(task, manifest=manifest)


def _people(number: str) -> str:
    """A count as whole people; some tables print ``170.0``, and some a product of a rounded rate, which is none."""
    if not float(number).is_integer():
        raise NotServed("its selected are products of rounded rates, and the check takes whole people")
    return str(int(float(number)))


def _reference_group(reference: Mapping[str, Any], attribute: str) -> str | None:
    named = {check["reference"][attribute] for check in reference["checks"] if attribute in check.get("reference", {})}
    if len(named) > 1:
        raise NotServed(f"several reference groups of {attribute}")
    return named.pop() if named else None


def look_up(result: CheckResult, check: Mapping[str, Any], reference: Mapping[str, Any]) -> Any:
    """The value that the result holds for one line of a reference table: a number, a truth value, or None.

    Raises:
        NotServed: the fairness check does not give this metric, or not for this group.
    """
    details: Any = result.details
    fixed = _fixed(reference)
    group = {
        name: str(level) for name, level in check["group"].items() if name not in {*fixed, "table"} and level != "Total"
    }
    metric = {"pp": "predicted_positives", "pn": "predicted_negatives"}.get(check["metric"], check["metric"])
    if not group:
        return _of_everybody(details, metric)
    if "attribute" in group and metric.endswith("_parity"):
        return _parity(details["tables"][group["attribute"]], metric.removesuffix("_parity"))
    table = details["tables"].get("*".join(group))
    if table is None:
        raise NotServed(f"no table of {sorted(group)}")
    entry = next((one for one in table["groups"] if one["group"] == group), None)
    if entry is None:
        raise NotServed(f"no group {group}")
    if metric in ("impact_ratio", "adverse_impact_four_fifths"):
        judged = [one for one in table["judged"] if one["metric"] == "selection_rate_ratio" and "value" in one]
        if all(one["reference"] == list(group.values()) for one in judged):
            return "1" if metric == "impact_ratio" else False
        own = next(one for one in judged if one["group"] == list(group.values()))
        return own["value"] if metric == "impact_ratio" else own["status"] == CheckStatus.FAILED
    if metric.endswith("_ratio_to_reference"):
        entry, metric = entry["ratio_to_reference"], metric.removesuffix("_ratio_to_reference")
    if metric not in entry:
        raise NotServed(f"the metric {metric!r}")
    return entry[metric]


def _of_everybody(details: Any, metric: str) -> Any:
    only = next(iter(details["tables"].values())) if len(details["tables"]) == 1 else None
    if metric in details["overall"]:
        return details["overall"][metric]
    if metric == "predicted_positive_total":
        return details["overall"]["predicted_positives"]
    if only is not None and ":" in metric:
        kind, name = metric.split(":")
        return only["between"][name][kind]
    if only is not None and metric in only["metrics"]:
        return only["metrics"][metric]
    raise NotServed(f"the metric {metric!r} for everybody")


def _parity(table: Any, rate: str) -> bool:
    judged = [one for one in table["judged"] if one["metric"] == f"{rate}_ratio"]
    if not judged:
        raise NotServed(f"the limit on {rate!r}")
    return all(one["status"] == CheckStatus.PASSED for one in judged)


def input_file(name: str) -> Path:
    """A reference's input: relative to the folder above the references, or to the shared material."""
    beside = reference_folder().parent / name
    return beside if beside.exists() else SHARED / name
