"""The measurement of the explainability check: a sample is explained in the sandbox, and its numbers are reduced here.

Labels and sensitive attributes stay in this process: the model sees the declared features and nothing else.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import polars as pl

from governance.check import Facts, ModelSession
from governance.errors import MeasurementRefused
from governance.types.manifest import Attribute, Manifest
from governance.types.results import Input, Measurement
from policies.explainability.dictionary import entries, with_dictionary
from policies.explainability.numbers import additivity_error, association, direction, group_means, share
from policies.explainability.params import MEASURED_WITH, ExplainabilityParams
from policies.frames.coding import bin_names, place
from policies.frames.features import declared_features, feature_types
from policies.frames.source import manifest_of, refusing_unreadable
from policies.frames.table import Table, open_table

_TOOLS = ("scikit-learn", "shap", "skops", "numpy")


def measure(facts: Facts, params: ExplainabilityParams, *, check_version: str) -> Measurement:
    """Shares of attribution, their errors, and the group means that decompose each gap, from a seeded sample.

    ``body`` is described in ``docs/checks/explainability.md``.

    Raises:
        MeasurementRefused: no model or no features in the manifest; a feature that is a label, decision, score,
            weight or row id; a file that cannot be read; whatever the sandbox refuses; attributions that do not add
            up to the output within ``params.additivity``.
    """
    manifest = with_dictionary(manifest_of(facts), facts.files)
    features = declared_features(manifest)
    session, digest = _session(facts)
    table = open_table(facts, [*features, *manifest.sensitive, *_order_key(manifest)])
    sample, population = _sample(table, manifest, params.sample_rows)
    frame = sample.select(features).with_columns(feature_types(table, features))
    background = min(params.background_rows, len(frame))
    request = {
        "positive": _positive(manifest),
        "explain_class": params.explain_class,
        "background_rows": background,
        "seconds": params.time_budget_seconds,
    }
    # The background comes first; no column but the features is in the table.
    answer = session.call(request, pl.concat([frame.head(background), frame]).to_arrow())
    attributions = _by_declared_feature(answer, features)
    error = _additivity(answer, attributions, params)
    levels = {
        name: _levels(sample[name], name, attribute, is_text=name in table.text_only)
        for name, attribute in manifest.sensitive.items()
    }
    return Measurement(
        check="explainability",
        check_version=check_version,
        measured_with={name: params.document()[name] for name in sorted(MEASURED_WITH)},
        inputs=(*table.inputs(population), Input(role="model", digest=digest)),
        tools={name: version(name) for name in _TOOLS},
        seed=manifest.seed,
        sandbox_level=session.sandbox_level,
        body={
            "model": _model(manifest, answer),
            "rows": len(frame),
            "population": population,
            "background_rows": background,
            "additivity_error": error,
            **_numbers(manifest, levels, frame, answer, attributions),
        },
    )


def _session(facts: Facts) -> tuple[ModelSession, str]:
    model = manifest_of(facts).model
    if model is None or facts.model is None:
        raise MeasurementRefused(
            expected="the model file in the manifest, and a sandbox to open it in",
            found="no model in the manifest" if model is None else "no sandbox",
            remedy="Save the model with skops.io.dump, upload it and name it under model; a linear model or a tree "
            "ensemble of scikit-learn can be explained.",
            pointer="/model",
        )
    return facts.model, model.digest


def _additivity(answer: Mapping[str, Any], attributions: np.ndarray, params: ExplainabilityParams) -> float:
    error = additivity_error(answer["base"], attributions, answer["output"])
    if error is None or error > float(params.additivity):
        raise MeasurementRefused(
            expected=f"attributions that add up to the output within {params.additivity} standard deviations of it",
            found=f"{error:.3g}" if error is not None else "a constant output that is missed",
            remedy="The explainer is wrong for this model; its numbers are not published. Tell the developers.",
            pointer="model",
        )
    return error


def _numbers(
    manifest: Manifest,
    levels: Mapping[str, Sequence[str | None]],
    frame: pl.DataFrame,
    answer: Mapping[str, Any],
    attributions: np.ndarray,
) -> dict[str, Any]:
    features = frame.columns
    undocumented = [name for name in features if not _is_documented(manifest, name)]
    return {
        "shape": [len(frame), len(features)],
        "base": answer["base"],
        "features": _features(manifest, answer, frame, attributions),
        "sets": {
            "sensitive": share(attributions, _mask(features, manifest.sensitive)),
            "undocumented": share(attributions, _mask(features, undocumented)),
        },
        "groups": _groups(manifest, levels, frame, answer["output"], attributions),
    }


def _order_key(manifest: Manifest) -> list[str]:
    """The key of joined files, by which their rows are put in order: a join keeps none, and a seed needs one."""
    two = manifest.predictions is not None and manifest.dataset is not None and manifest.dataset.file is not None
    if not two or manifest.dataset is None or manifest.dataset.file is None or manifest.predictions is None:
        return []
    key = manifest.dataset.file.join_on or manifest.predictions.join_on
    return [key] if key is not None else []


def _sample(table: Table, manifest: Manifest, rows: int) -> tuple[pl.DataFrame, int]:
    """Rows drawn without replacement by the manifest's seed, in random order, and the number they are drawn from."""
    key = _order_key(manifest)
    ordered = table.frame.sort(key) if key else table.frame
    with refusing_unreadable("the rows"):
        population = int(table.frame.select(pl.len()).collect(engine="streaming").item())
        if population < 2:
            raise MeasurementRefused(
                expected="at least two rows", found=str(population), remedy="Send the evaluation data."
            )
        drawn = np.random.default_rng(manifest.seed).permutation(population)[:rows]
        positions = pl.LazyFrame({"assay row": np.sort(drawn)}, schema={"assay row": pl.UInt32})
        found = (
            ordered.with_row_index("assay row")
            .join(positions, on="assay row", how="semi")
            .sort("assay row")
            .drop("assay row")
            .collect()
        )
    return found[[int(place) for place in np.argsort(np.argsort(drawn))]], population


def _positive(manifest: Manifest) -> list[Any]:
    declared = manifest.positive.decision
    if declared is None:
        return []
    return list(declared) if isinstance(declared, tuple) else [declared]


def _by_declared_feature(answer: Mapping[str, Any], features: Sequence[str]) -> np.ndarray:
    """Attributions (n_rows, n_features) in the order of the declared features; 0 for those the model does not take."""
    given = answer["attributions"]
    result = np.zeros((given.shape[0], len(features)))
    for position, name in enumerate(answer["features"]):
        result[:, features.index(name)] = given[:, position]
    return result


def _model(manifest: Manifest, answer: Mapping[str, Any]) -> dict[str, Any]:
    digest = manifest.model.digest if manifest.model is not None else None
    classes = answer["classes"]
    return {
        "digest": digest,
        "is_subject": digest == manifest.subject.digest,
        "kind": answer["kind"],
        "explainer": answer["explainer"],
        "scale": answer["scale"],
        "classes": list(classes) if classes is not None else None,
        "explained_class": answer["explained_class"],
        "warnings": list(answer.get("warnings", ())),
    }


def _is_documented(manifest: Manifest, feature: str) -> bool:
    """Whether the feature has a dictionary entry with a source in lineage or a lawful basis."""
    entry = entries(manifest).get(feature)
    return entry is not None and (entry.source is not None or entry.lawful_basis is not None)


def _mask(features: Sequence[str], chosen: Any) -> np.ndarray:
    return np.array([float(name in chosen) for name in features])


def _features(
    manifest: Manifest, answer: Mapping[str, Any], frame: pl.DataFrame, attributions: np.ndarray
) -> list[dict[str, Any]]:
    features, result = frame.columns, []
    for position, name in enumerate(features):
        entry = entries(manifest).get(name)
        result.append(
            {
                "name": name,
                "is_input": name in answer["features"],
                "is_sensitive": name in manifest.sensitive,
                "is_documented": _is_documented(manifest, name),
                "justification": entry.justification if entry is not None else None,
                **share(attributions, _mask(features, [name])),
                "mean_absolute": float(np.abs(attributions[:, position]).mean()),
                "direction": direction(frame[name].to_list(), attributions[:, position]),
            }
        )
    return result


def _groups(
    manifest: Manifest,
    levels: Mapping[str, Sequence[str | None]],
    frame: pl.DataFrame,
    output: np.ndarray,
    attributions: np.ndarray,
) -> list[dict[str, Any]]:
    """For each sensitive attribute: its reference, group means, and how much each feature tells about it."""
    result = []
    for name, own in levels.items():
        strengths = np.array([association(frame[feature].to_list(), own) for feature in frame.columns])
        attribute = manifest.sensitive[name]
        reference = attribute.reference
        result.append(
            {
                "attribute": name,
                "reference": None if reference is None else _level_of(name, reference, attribute),
                "without_group": sum(level is None for level in own),
                "levels": group_means(own, output, attributions),
                "associations": [float(strength) for strength in strengths],
                "proxy": share(attributions, strengths),
            }
        )
    return result


def _level_of(name: str, value: Any, attribute: Attribute) -> str:
    return place(name, {value: 1}, Attribute(groups=attribute.groups), is_text=False)[value].name


def _levels(column: pl.Series, name: str, attribute: Attribute, *, is_text: bool) -> list[str | None]:
    """The group of each row; null where it is unknown or outside of the declared groups or bins."""
    if attribute.bins is not None:
        numbers = column.cast(pl.Float64, strict=False).to_list()
        return [_bin(number, attribute.bins) for number in numbers]
    values = column.to_list()
    levels = place(name, dict.fromkeys(values, 1), attribute, is_text=is_text)
    return [levels[value].name if levels[value].kind == "group" else None for value in values]


def _bin(number: float | None, edges: Sequence[float]) -> str | None:
    if number is None or not edges[0] <= number <= edges[-1]:
        return None
    position = int(np.searchsorted(edges, number, side="right")) - 1
    return bin_names(edges)[min(position, len(edges) - 2)]
