"""The neutral form of ``shared/cases`` as manifests, files and parameters of the checks; references lie beside it.

Everything is mapped by the fields of the form; no case is known by its name. What cannot be mapped is refused with
``NotServed``, which says why. ``ASSAY_TEST_CASES`` and ``ASSAY_TEST_REFERENCE`` name other folders of the same form.
"""

import csv
import gzip
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from governance.check import Facts
from governance.errors import AssayError
from governance.plugins import load_check
from governance.types.manifest import Manifest
from governance.types.results import CheckResult, CheckStatus
from governance.types.value import parse_value

SHARED = Path(__file__).resolve().parents[3] / "shared"

VERDICTS = {
    CheckStatus.PASSED: "pass",
    CheckStatus.WARNED: "warn",
    CheckStatus.FAILED: "fail",
    CheckStatus.INSUFFICIENT_EVIDENCE: "undetermined",
}
"""The neutral word of each outcome; refused input is ``error``."""

Rows = list[dict[str, str]]


class NotServed(Exception):
    """The neutral form asks for something that no check answers yet; the message says what."""


@dataclass(frozen=True)
class Task:
    """One check on one manifest: what the gate would be asked."""

    check: str
    manifest: dict[str, Any]
    params: dict[str, Any]
    files: dict[str, Path]


@dataclass(frozen=True)
class Answer:
    """What the check said: its neutral verdict, and its result or the fault with which the input was refused."""

    verdict: str
    result: CheckResult | None = None
    fault: AssayError | None = None


def cases_folder() -> Path:
    """The folder of cases."""
    return Path(os.environ.get("ASSAY_TEST_CASES", SHARED / "cases"))


def reference_folder() -> Path:
    """The folder of reference tables."""
    return Path(os.environ.get("ASSAY_TEST_REFERENCE", SHARED / "reference"))


def case_documents() -> dict[str, Path]:
    """The folder of each case by its name; empty where the material is not beside the checkout."""
    return {path.parent.name: path.parent for path in sorted(cases_folder().glob("*/case.json"))}


def reference_documents() -> dict[str, Path]:
    """The file of each reference table by its id."""
    return {path.stem: path for path in sorted(reference_folder().glob("*.json"))}


def read(path: Path) -> dict[str, Any]:
    """A document of the neutral form."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def ask(task: Task) -> Answer:
    """Run the check as the gate runs it: parse, measure, judge."""
    check = load_check(task.check)
    try:
        manifest = parse_value(Manifest, task.manifest, what="a manifest")
        params = parse_value(check.params, task.params, what="the parameters")
        facts = Facts(
            subject=manifest.subject,
            environment="test",
            evaluated_at=datetime(2026, 1, 1, tzinfo=UTC),
            manifest=manifest,
            files=task.files,
        )
        result = check.judge(check.measure(facts, params), params)
    except AssayError as fault:
        return Answer("error", fault=fault)
    return Answer(VERDICTS[result.status], result=result)


def map_case(case: Mapping[str, Any], folder: Path) -> Task:
    """The task of a case; which check is asked is a field of its policy.

    Raises:
        NotServed: no mapping for its check, or a field that the mapping does not know.
    """
    mappings: dict[str, Callable[[Mapping[str, Any], Path], Task]] = {"fairness": _fairness_case}
    check = str(case["policy"].get("check"))
    if check not in mappings:
        raise NotServed(f"cases of the check {check!r} are not mapped")
    return mappings[check](case, folder)


def variants(case: Mapping[str, Any], folder: Path, work: Path) -> dict[str, Task]:
    """The further tasks that a case's expectations speak of, by the name of the expectation.

    ``without_F`` leaves the policy's field F out; ``with_N_selected`` leaves N selected in the group that has fewest.
    """
    found: dict[str, Task] = {}
    for expectation in case["expect"]:
        if left_out := re.fullmatch(r"without_(\w+)", expectation):
            name = left_out.group(1)
            fields = [field for field in case["policy"] if field in (name, f"decision_{name}")]
            # The plain name is also that of the metric's limit; the decision's is meant where there is one.
            policy = {key: value for key, value in case["policy"].items() if key != max(fields, key=len)}
            found[expectation] = map_case({**case, "policy": policy}, folder)
        if changed := re.fullmatch(r"with_(\d+)_selected", expectation):
            found[expectation] = _with_selected(case, folder, work, int(changed.group(1)))
    return found


def _with_selected(case: Mapping[str, Any], folder: Path, work: Path, selected: int) -> Task:
    policy = case["policy"]
    task = map_case(case, folder)
    uri, path = next(iter(task.files.items()))
    rows = read_csv(path)
    group, decision = policy["sensitive"][0], policy["y_pred"]
    positive = str(policy["positive_label"])
    counts = {row[group]: 0 for row in rows}
    for row in rows:
        counts[row[group]] += row[decision] == positive
    fewest = min(counts, key=lambda name: counts[name])
    other = next(row[decision] for row in rows if row[decision] != positive)
    for row in rows:
        if row[group] == fewest and row[decision] == positive and counts[fewest] > selected:
            row[decision] = other
            counts[fewest] -= 1
    changed = write_csv(work / "changed.csv", rows)
    return replace(task, files={uri: changed})


_FAIRNESS_FIELDS = {
    "check",
    "metric",
    "threshold",
    "y_pred",
    "y_true",
    "sensitive",
    "positive_label",
    "decision_threshold",
    "expected_groups",
    "min_group_size",
    "combine",
    "sample_weight",
    "reference_group",
}


def _fairness_case(case: Mapping[str, Any], folder: Path) -> Task:
    policy = case["policy"]
    unknown = sorted(set(policy) - _FAIRNESS_FIELDS)
    if unknown or len(case["input_files"]) != 1:
        raise NotServed(f"a fairness case with {', '.join(unknown) or 'several files'}")
    names = policy["sensitive"]
    scores = policy.get("decision_threshold") is not None
    positive = policy.get("positive_label")
    columns = {"label": policy.get("y_true"), "weight": policy.get("sample_weight")}
    columns |= {"score" if scores else "decision": policy["y_pred"]}
    attributes: dict[str, dict[str, Any]] = {name: {} for name in names}
    for field, target in (("expected_groups", "groups"), ("reference_group", "reference")):
        declared = policy.get(field)
        by_name = declared if isinstance(declared, dict) else dict.fromkeys(names, declared)
        attributes = {name: {**attributes[name], target: by_name.get(name)} for name in names}
    together = len(names) > 1 and policy.get("combine") not in (None, "separately")
    return fairness_task(
        folder / case["input_files"][0],
        columns=columns,
        positive={"label": positive if policy.get("y_true") else None, "decision": None if scores else positive},
        sensitive=attributes,
        intersections=[names] if together else [],
        threshold=str(policy["decision_threshold"]) if scores else None,
        params={
            "metrics": [{"name": policy["metric"], "limit": str(policy["threshold"])}],
            "sensitive": ["*".join(names)] if together else names,
            **_mode(policy.get("min_group_size")),
        },
    )


def _mode(min_group_size: int | None) -> dict[str, Any]:
    """A policy without a minimum is judged as written; see the cases' own README."""
    if min_group_size is None:
        return {"mode": "as_written"}
    return {"mode": "statistical", "min_group_size": min_group_size}


def fairness_task(path: Path, *, params: dict[str, Any], **fields: Any) -> Task:
    """A task for the fairness check on one file; ``fields`` are the manifest's."""
    content = path.read_bytes()
    uri = f"artifact:sha256:{hashlib.sha256(content).hexdigest()}"
    manifest = {
        "kind": "assay.evidence/v1",
        "subject": {"namespace": "tests", "name": "neutral", "version": "1", "digest": f"sha256:{'0' * 64}"},
        "predictions": {"uri": uri, "format": "parquet" if path.suffix == ".parquet" else "csv"},
        **{name: value for name, value in fields.items() if value is not None},
    }
    return Task("fairness", manifest, {"bootstrap_replicates": 200, **params}, {uri: path})


def read_csv(path: Path) -> Rows:
    """The rows of a CSV, compressed or not, as text."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
    header, *lines = csv.reader(io.StringIO(text))
    # Of a column that occurs twice the first is kept, as everybody reads these files.
    return [dict(reversed(list(zip(header, line, strict=True)))) for line in lines]


def write_csv(path: Path, rows: Rows) -> Path:
    """The path, after the rows were written there."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
