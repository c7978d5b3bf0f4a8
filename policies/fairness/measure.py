"""From a manifest's rows to a fairness measurement: cells first, then Fairlearn on the few cells."""

import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import product

import numpy as np
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
    true_negative_rate,
    true_positive_rate,
)
from sklearn.metrics import accuracy_score, precision_score

from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.manifest import Manifest
from governance.types.results import Input, Measurement
from policies.fairness.body import MAX_GROUPS, Bootstrap, FairnessBody, GroupCells, Table
from policies.fairness.bootstrap import resample
from policies.fairness.groups import axis_of, group_of
from policies.fairness.metrics import METRICS, RATES, part
from policies.fairness.params import FairnessParams
from policies.fairness.predicted import as_predicted, group_predicted
from policies.fairness.score_bootstrap import with_calibration_intervals
from policies.frames.cells import Cell, Cells, cells_by_class, confusion, read_all_cells
from policies.frames.coding import level_name
from policies.frames.counts import read_counts
from policies.frames.grouping import Grouped
from policies.frames.source import manifest_of

_FAIRLEARN = {
    "selection_rate": selection_rate,
    "true_positive_rate": true_positive_rate,
    "false_negative_rate": false_negative_rate,
    "false_positive_rate": false_positive_rate,
    "true_negative_rate": true_negative_rate,
    "accuracy": accuracy_score,
    "precision": precision_score,
}


def measure(facts: Facts, params: FairnessParams, *, check_version: str) -> Measurement:
    """The cells of every sensitive attribute and intersection of the manifest, with Fairlearn's values on them.

    All of them are measured whatever ``params`` limits, so that the evidence can be judged under another policy.

    Raises:
        MeasurementRefused: the manifest names no sensitive attribute, or not one that ``params`` names; a metric
            needs a label and there is none; the data are refused (see ``policies.frames``).
    """
    manifest = manifest_of(facts)
    _refuse_unanswerable(as_predicted(manifest) if manifest.is_predicted_by_model else manifest, params)
    if manifest.counts is not None:
        counted = read_counts(facts, _combinations(manifest))
        return _measurement(manifest, params, {"": counted.everybody}, check_version, by_table=counted.tables)
    if manifest.is_predicted_by_model:
        return _of_model(facts, params, check_version)
    return _measurement(manifest, params, read_all_cells(facts, tuple(sorted(manifest.sensitive))), check_version)


def _of_model(facts: Facts, params: FairnessParams, check_version: str) -> Measurement:
    """The measurement of what the model says in the sandbox."""
    manifest = as_predicted(manifest_of(facts))
    grouped, session = group_predicted(facts)
    found = _measurement(manifest, params, cells_by_class(grouped, manifest), check_version)
    digest = manifest.model.digest if manifest.model is not None else ""
    return found.model_copy(
        update={
            "inputs": (*found.inputs, Input(role="model", digest=digest)),
            "sandbox_level": session.sandbox_level,
        }
    )


def measure_grouped(grouped: Grouped, manifest: Manifest, params: FairnessParams, *, check_version: str) -> Measurement:
    """The same measurement of rows that another engine has grouped (see ``policies.frames.sql``).

    Raises:
        MeasurementRefused: as ``measure`` says.
    """
    _refuse_unanswerable(manifest, params)
    return _measurement(manifest, params, cells_by_class(grouped, manifest), check_version)


def _combinations(manifest: Manifest) -> list[tuple[str, ...]]:
    """Each sensitive attribute, then each declared intersection."""
    return list(dict.fromkeys([*((name,) for name in sorted(manifest.sensitive)), *manifest.intersections]))


def _measurement(
    manifest: Manifest,
    params: FairnessParams,
    by_class: Mapping[str, Cells],
    check_version: str,
    *,
    by_table: Mapping[tuple[str, ...], Cells] | None = None,
) -> Measurement:
    cells = next(iter(by_class.values()))
    everybody = group_of(cells.cells, cells, levels=())
    tables = tuple(
        _table(own if by_table is None else by_table[names], manifest, names, params, one_class=one_class)
        for one_class, own in by_class.items()
        for names in _combinations(manifest)
    )
    body = FairnessBody(
        rows=cells.rows,
        is_weighted=cells.is_weighted,
        has_label=manifest.columns.label is not None and manifest.columns.prediction is None,
        has_decision=manifest.counts is not None or cells.cells[0].decision is not None,
        is_regression=manifest.columns.prediction is not None,
        from_counts=manifest.counts is not None,
        overall=confusion(cells.cells, weighted=cells.is_weighted),
        overall_by_class={
            name: confusion(own.cells, weighted=own.is_weighted) for name, own in by_class.items() if name
        },
        everybody=everybody if everybody.scores or everybody.moments else None,
        axis=axis_of(cells.scale, manifest.threshold),
        tables=tables,
    )
    return Measurement(
        check="fairness",
        check_version=check_version,
        measured_with={"bootstrap_replicates": params.bootstrap_replicates},
        inputs=cells.inputs,
        tools={name: version(name) for name in ("fairlearn", "numpy", "pandas", "polars", "scikit-learn")},
        seed=manifest.seed,
        body=body.document(),
    )


def _refuse_unanswerable(manifest: Manifest, params: FairnessParams) -> None:
    known = {*manifest.sensitive, *("*".join(names) for names in manifest.intersections)}
    missing = [name for name in params.sensitive if name not in known]
    if not manifest.sensitive or missing:
        raise MeasurementRefused(
            expected=f"the sensitive attributes {', '.join(missing)}" if missing else "a sensitive attribute",
            found=f"only {', '.join(sorted(known)) or 'none'} in the manifest",
            remedy="Declare them in the manifest under sensitive, and intersections under intersections.",
            pointer="/sensitive",
        )
    _refuse_unmeasurable(manifest, params)


_REMEDIES = {
    "labels": "Declare columns.label, or limit the selection rate only.",
    "decisions": "Declare columns.decision, or columns.score and the threshold.",
    "scores": "Declare columns.score.",
    "predictions": "Declare columns.prediction, a number predicted for the label.",
}


def _refuse_unmeasurable(manifest: Manifest, params: FairnessParams) -> None:
    """Refuse a limit on what the manifest's columns cannot give."""
    columns = manifest.columns
    is_counted = manifest.counts is not None
    known = {
        "labels": columns.label is not None and columns.prediction is None,
        "decisions": is_counted
        or columns.decision is not None
        or (columns.score is not None and manifest.threshold is not None),
        "scores": columns.score is not None,
        "predictions": columns.prediction is not None,
    }
    for what in ("labels", "scores", "predictions", "decisions"):
        asking = [limit.name for limit in params.metrics if what in METRICS[limit.name].needs]
        if known[what] or not asking:
            continue
        is_unthresholded = what == "decisions" and columns.score is not None
        raise MeasurementRefused(
            expected=f"a threshold from which a score is a positive decision, which {', '.join(asking)} needs"
            if is_unthresholded
            else f"a column of {what}, which {', '.join(asking)} needs",
            found=f"the score {columns.score!r} without one" if is_unthresholded else "none in the manifest",
            remedy="Limit the selection rate only; counts hold no labels." if is_counted else _REMEDIES[what],
            pointer="/threshold" if is_unthresholded else "/columns",
        )


def _table(
    cells: Cells, manifest: Manifest, names: tuple[str, ...], params: FairnessParams, *, one_class: str
) -> Table:
    positions = [cells.attributes.index(name) for name in names]
    found: dict[tuple[str, ...], list[Cell]] = {}
    unknown = 0
    outside: dict[str, int] = {}
    for cell in cells.cells:
        levels = [cell.levels[position] for position in positions]
        if any(level.kind == "unknown" for level in levels):
            unknown += cell.rows
        elif any(level.kind == "outside" for level in levels):
            title = ", ".join(level.name for level in levels)
            outside[title] = outside.get(title, 0) + cell.rows
        else:
            found.setdefault(tuple(level.name for level in levels), []).append(cell)
    if len(found) > MAX_GROUPS:
        raise MeasurementRefused(
            expected=f"at most {MAX_GROUPS} groups in {'*'.join(names)}",
            found=f"{len(found)}",
            remedy="Declare fewer groups or wider bins, or leave the intersection out.",
            pointer="/intersections" if len(names) > 1 else f"/sensitive/{names[0]}",
        )
    groups = [
        group_of(
            found.get(levels, ()),
            cells,
            levels=levels,
            is_expected=len(names) == 1 and levels[0] in cells.expected.get(names[0], ()),
        )
        for levels in _listed_levels(cells, names, found)
    ]
    return Table(
        attributes=names,
        one_class=one_class,
        reference=_reference(manifest, names, groups),
        groups=with_calibration_intervals(groups, seed=manifest.seed, replicates=params.bootstrap_replicates),
        unknown_rows=unknown,
        outside_rows=dict(sorted(outside.items())[:MAX_GROUPS]),
        by_group=_by_group(groups),
        bootstrap=_bootstrap(groups, manifest.seed, params.bootstrap_replicates),
    )


def _listed_levels(
    cells: Cells, names: tuple[str, ...], found: Mapping[tuple[str, ...], object]
) -> list[tuple[str, ...]]:
    """The groups in their order: declared ones as declared, also where nobody belongs to them, others by name."""
    sides = [cells.expected.get(name) or tuple(sorted({levels[i] for levels in found})) for i, name in enumerate(names)]
    every = [cells.expected.get(name) for name in names]
    if all(every) and np.prod([len(side) for side in sides]) <= MAX_GROUPS:
        return list(product(*sides))
    order = [{level: rank for rank, level in enumerate(side)} for side in sides]
    return sorted(found, key=lambda levels: [order[i][level] for i, level in enumerate(levels)])


def _reference(manifest: Manifest, names: tuple[str, ...], groups: Sequence[GroupCells]) -> tuple[str, ...] | None:
    """The declared reference; of an intersection only where every attribute declares one."""
    declared = [manifest.sensitive[name].reference for name in names]
    if any(value is None for value in declared):
        return None
    levels = tuple(level_name(value) for value in declared)
    if levels not in {group.levels for group in groups}:
        raise MeasurementRefused(
            expected=f"the reference {', '.join(levels)} among the groups of {'*'.join(names)}",
            found=f"the groups {', '.join(' '.join(group.levels) for group in groups[:20])}",
            remedy="Correct the reference in the manifest.",
            pointer=f"/sensitive/{names[0]}/reference",
        )
    return levels


def _by_group(groups: Sequence[GroupCells]) -> dict[str, tuple[float | None, ...]]:
    """Fairlearn's values of each group, null where the denominator is zero (Fairlearn gives 0 there).

    Raises:
        MeasurementRefused: they differ from those of the cells, which would mean that one of the two is wrong.
    """
    filled = [(index, group) for index, group in enumerate(groups) if any(cell.rows for cell in group.cells)]
    if not filled or {cell.cell for _, group in filled for cell in group.cells} & {"positive", "negative", "counted"}:
        return {}
    rows = [
        (index, cell.cell in ("tp", "fn", "selected"), cell.cell in ("tp", "fp", "selected"), float(cell.count.weight))
        for index, group in filled
        for cell in group.cells
    ]
    data = pd.DataFrame(rows, columns=["group", "label", "decision", "weight"])
    labelled = {cell.cell for _, group in filled for cell in group.cells}.isdisjoint({"selected", "rejected"})
    metrics = {name: function for name, function in _FAIRLEARN.items() if labelled or not RATES[name].needs_label}
    with warnings.catch_warnings():
        # Undefined rates are set to null below from the cells' own denominators, which the warning is about.
        warnings.simplefilter("ignore")
        frame = MetricFrame(
            metrics=metrics,
            y_true=data["label"].astype(int),
            y_pred=data["decision"].astype(int),
            sensitive_features=data[["group"]],
            sample_params={name: {"sample_weight": data["weight"]} for name in metrics},
        )
    values: dict[str, tuple[float | None, ...]] = {}
    for name in metrics:
        column = frame.by_group[name]
        own = [part(group.counts, RATES[name]).rate for group in groups]
        theirs = [None if rate is None else float(column.loc[index]) for index, rate in enumerate(own)]
        _refuse_disagreement(name, [None if rate is None else float(rate) for rate in own], theirs)
        values[name] = tuple(theirs)
    return values


def _refuse_disagreement(name: str, own: Sequence[float | None], theirs: Sequence[float | None]) -> None:
    pairs = [(a, b) for a, b in zip(own, theirs, strict=True) if a is not None and b is not None]
    if all(abs(a - b) <= 1e-9 for a, b in pairs):
        return
    raise MeasurementRefused(
        expected=f"the same {name} from the cells and from Fairlearn",
        found=f"{pairs[:5]}",
        remedy="Report it: one of the two computes a wrong rate.",
    )


def _bootstrap(groups: Sequence[GroupCells], seed: int, replicates: int) -> Bootstrap | None:
    if replicates == 0:
        return None
    return resample([(group.levels, group.counts) for group in groups], seed=seed, replicates=replicates)
