"""The neutral form of ``shared/cases`` as manifests, files and parameters of the checks, mapped by its fields."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
import skops.io
from sklearn.linear_model import LinearRegression

from tests.support.neutral import NotServed, Task, artifact_uri, file_task, read_csv, write_csv


def map_case(case: Mapping[str, Any], folder: Path, work: Path) -> Task:
    """The task of a case; which check is asked is a field of its policy. What has to be made is made in ``work``.

    Raises:
        NotServed: no mapping for its check, or a field that the mapping does not know.
    """
    mappings: dict[str, Callable[[Mapping[str, Any], Path, Path], Task]] = {
        "fairness": _fairness_case,
        "schema": _schema_case,
        "explainability": _explainability_case,
    }
    check = str(case["policy"].get("check"))
    if check not in mappings:
        raise NotServed(f"cases of the check {check!r} are not mapped")
    return mappings[check](case, folder, work)


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
            found[expectation] = map_case({**case, "policy": policy}, folder, work)
        if changed := re.fullmatch(r"with_(\d+)_selected", expectation):
            found[expectation] = _with_selected(case, folder, work, int(changed.group(1)))
    return found


def _with_selected(case: Mapping[str, Any], folder: Path, work: Path, selected: int) -> Task:
    policy = case["policy"]
    task = map_case(case, folder, work)
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
    "classes",
}


def _fairness_case(case: Mapping[str, Any], folder: Path, _work: Path) -> Task:
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
    classes = _classes(policy, folder / case["input_files"][0])
    together = len(names) > 1 and policy.get("combine") not in (None, "separately")
    return file_task(
        "fairness",
        folder / case["input_files"][0],
        columns=columns,
        positive={
            "label": positive if policy.get("y_true") and not classes else None,
            "decision": None if scores else positive,
        },
        classes=classes,
        sensitive=attributes,
        intersections=[names] if together else [],
        threshold=str(policy["decision_threshold"]) if scores else None,
        params={
            "metrics": [{"name": policy["metric"], "limit": str(policy["threshold"])}],
            "sensitive": ["*".join(names)] if together else names,
            "bootstrap_replicates": 200,
            **_mode(policy.get("min_group_size")),
        },
    )


def _classes(policy: Mapping[str, Any], path: Path) -> list[Any]:
    """The declared classes; a positive label that is null on purpose asks for each class that there is."""
    if "classes" in policy:
        return list(policy["classes"])
    if "positive_label" not in policy or policy["positive_label"] is not None:
        return []
    found = sorted({row[policy["y_pred"]] for row in read_csv(path)})
    return [int(one) if one.lstrip("-").isdigit() else one for one in found] if len(found) > 2 else []


def _schema_case(case: Mapping[str, Any], folder: Path, _work: Path) -> Task:
    policy = case["policy"]
    unknown = sorted(set(policy) - {"check", "schema"})
    if unknown or len(case["input_files"]) != 1:
        raise NotServed(f"a schema case with {', '.join(unknown) or 'several files'}")
    return file_task("schema", folder / case["input_files"][0], params={"document": policy["schema"]})


def _mode(min_group_size: int | None) -> dict[str, Any]:
    """A policy without a minimum is judged as written; see the cases' own README."""
    if min_group_size is None:
        return {"mode": "as_written"}
    return {"mode": "statistical", "min_group_size": min_group_size}


def _explainability_case(case: Mapping[str, Any], folder: Path, work: Path) -> Task:
    """The case's model is fitted on its data (or written down, where it is a formula) and saved as skops."""
    policy = case["policy"]
    unknown = sorted(set(policy) - {"check", "model", "metric", "threshold", "explain_class"})
    if unknown or "data.csv" not in case["input_files"]:
        raise NotServed(f"an explainability case with {', '.join(unknown) or 'no data.csv'}")
    described = policy["model"]
    model = work / "model.skops"
    skops.io.dump(_model(described, folder), model)
    task = file_task(
        "explainability",
        folder / "data.csv",
        params={
            "undocumented_share": None,
            **({"explain_class": policy["explain_class"]} if "explain_class" in policy else {}),
            **({"additivity": str(policy["threshold"])} if policy.get("metric") == "additivity_error_max" else {}),
        },
        columns={"features": described["features"]},
        model={"uri": artifact_uri(model), "format": "skops"},
    )
    subject = {**task.manifest["subject"], "digest": artifact_uri(model).removeprefix("artifact:")}
    return replace(
        task,
        manifest={**task.manifest, "subject": subject},
        files={**task.files, artifact_uri(model): model},
        model=model,
    )


def _model(described: Mapping[str, Any], folder: Path) -> Any:
    features = described["features"]
    if "formula" in described:
        named = re.fullmatch(r"prediction = (\w+)", described["formula"])
        if named is None:
            raise NotServed(f"the formula {described['formula']!r}")
        rows = pl.read_csv(folder / "background.csv").to_pandas()
        model = LinearRegression().fit(rows[features], rows[named.group(1)])
        # Columns of a small background can be multiples of one another; the formula says which one counts.
        model.coef_[:] = [float(name == named.group(1)) for name in features]
        model.intercept_ = 0.0
        return model
    module, _, name = described["class"].rpartition(".")
    if not module.startswith("sklearn."):
        raise NotServed(f"the model class {described['class']!r}")
    rows = pl.read_csv(folder / "data.csv").to_pandas()
    return getattr(import_module(module), name)(**described["params"]).fit(rows[features], rows[described["target"]])
