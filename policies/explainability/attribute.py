"""Predictions and SHAP attributions of one scikit-learn model: features in, numbers out. Runs inside the sandbox.

Linear models get LinearExplainer on the transformed matrix, tree ensembles TreeExplainer (path dependent); the
contributions of derived columns (one-hot, indicators) are summed back to the column they come from. What these two do
not explain faithfully is refused, never approximated: categorical splits, several outputs, other kinds of model.

Labels and sensitive attributes are not known here, and nothing here judges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import shap
from sklearn import ensemble, linear_model, tree
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from governance.errors import MeasurementRefused

_IDENTITY_LINEAR = (
    linear_model.LinearRegression,
    linear_model.Ridge,
    linear_model.RidgeCV,
    linear_model.Lasso,
    linear_model.LassoCV,
    linear_model.ElasticNet,
    linear_model.ElasticNetCV,
    linear_model.BayesianRidge,
    linear_model.HuberRegressor,
    linear_model.SGDRegressor,
)
_LINEAR_CLASSIFIERS = (
    linear_model.LogisticRegression,
    linear_model.RidgeClassifier,
    linear_model.RidgeClassifierCV,
    linear_model.SGDClassifier,
)
_AVERAGED_TREES = (
    tree.DecisionTreeClassifier,
    tree.DecisionTreeRegressor,
    ensemble.RandomForestClassifier,
    ensemble.RandomForestRegressor,
    ensemble.ExtraTreesClassifier,
    ensemble.ExtraTreesRegressor,
)
_BOOSTED_TREES = (ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor)
_BINNED_TREES = (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)
_ONE_TO_ONE = (
    StandardScaler,
    MinMaxScaler,
    MaxAbsScaler,
    RobustScaler,
    PowerTransformer,
    QuantileTransformer,
    OrdinalEncoder,
)
_IDENTITY_LOSSES = {"squared_error", "absolute_error", "quantile", "huber"}


@dataclass(frozen=True, slots=True)
class Attribution:
    """What the model says about rows, and why.

    ``predictions`` (n_rows,): the probability of the explained class, the score where the model has no probabilities,
    or the predicted value. ``output`` (n_rows,): the same on ``scale``, which is what ``values`` (n_rows, n_features)
    and ``base`` add up to. ``features`` names the columns of ``values``, in the model's own order.
    """

    kind: str
    explainer: str
    scale: str
    classes: list[Any] | None
    explained_class: Any
    features: list[str]
    base: float
    predictions: np.ndarray
    output: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, slots=True)
class _Target:
    """The output that is explained: its class, the class's position and the sign it has in a binary margin."""

    classes: list[Any] | None
    explained: Any
    position: int
    sign: float
    scale: str


def predict(model: Any, frame: pd.DataFrame, request: Mapping[str, Any]) -> np.ndarray:
    """Predictions of the explained output alone, one for each row of ``frame``.

    Raises:
        MeasurementRefused: as ``attribute``.
    """
    aligned, estimator, target = _prepare(model, frame, request)
    return _predictions(model, estimator, aligned, target)


def attribute(model: Any, frame: pd.DataFrame, request: Mapping[str, Any]) -> Attribution:
    """Predictions and attributions of the rows of ``frame`` after its first ``request["background_rows"]``.

    Those first rows are the background that a linear model's contributions are measured from; a tree ensemble has its
    own (the training rows counted in its nodes). Columns are matched by name, their order does not matter.

    Raises:
        MeasurementRefused: a feature is missing, the model was fitted without names, its kind or one of its
            transformers cannot be explained faithfully, or the class to explain is not named or not known.
    """
    aligned, estimator, target = _prepare(model, frame, request)
    names = list(aligned.columns)
    owners, matrix = _transformed(model, aligned)
    count = int(request["background_rows"])
    rows, explained = aligned.iloc[count:], matrix[count:]
    if isinstance(estimator, _IDENTITY_LINEAR + _LINEAR_CLASSIFIERS):
        base, derived = _linear(estimator, matrix[:count], explained, target)
        kind, explainer = "linear", "shap.LinearExplainer"
    else:
        base, derived = _tree(estimator, explained, target)
        kind, explainer = "tree ensemble", "shap.TreeExplainer (path dependent)"
    values = np.zeros((len(rows), len(names)))
    np.add.at(values.T, owners, derived.T)
    predictions = _predictions(model, estimator, rows, target)
    return Attribution(
        kind=kind,
        explainer=explainer,
        scale=target.scale,
        classes=target.classes,
        explained_class=target.explained,
        features=names,
        base=base,
        predictions=predictions,
        output=_output(model, rows, target, predictions),
        values=values,
    )


def _refuse(expected: str, found: str, remedy: str) -> NoReturn:
    raise MeasurementRefused(expected=expected, found=found, remedy=remedy, pointer="model")


def _prepare(model: Any, frame: pd.DataFrame, request: Mapping[str, Any]) -> tuple[pd.DataFrame, Any, _Target]:
    """The frame in the model's own column order, the final estimator, and the output to explain."""
    estimator = model.steps[-1][1] if isinstance(model, Pipeline) else model
    _check_kind(estimator)
    aligned = _align(model, frame)
    return aligned, estimator, _target(estimator, request.get("positive") or [], request.get("explain_class"))


def _align(model: Any, frame: pd.DataFrame) -> pd.DataFrame:
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        _refuse(
            "a model that was fitted on a table with named columns",
            "no feature_names_in_",
            "Fit it on a pandas or polars table: columns are matched by name, never by position.",
        )
    missing = [str(name) for name in names if name not in frame.columns]
    if missing:
        _refuse(
            f"the features {', '.join(map(str, names))}",
            f"no {', '.join(missing)}",
            "Name every feature of the model in columns.features, and deliver its column.",
        )
    return frame[[str(name) for name in names]]


def _check_kind(estimator: Any) -> None:
    """Refuse what the two explainers would get wrong or cannot take.

    Raises:
        MeasurementRefused: the message names the kind or the property.
    """
    name = type(estimator).__name__
    linear = _IDENTITY_LINEAR + _LINEAR_CLASSIFIERS
    if not isinstance(estimator, linear + _AVERAGED_TREES + _BOOSTED_TREES + _BINNED_TREES):
        _refuse("a linear model or a tree ensemble of scikit-learn", name, "This kind is not explained yet.")
    if isinstance(estimator, _BINNED_TREES):
        categorical = getattr(estimator, "is_categorical_", None)
        if categorical is not None and np.any(categorical):
            _refuse(
                "trees without categorical splits",
                f"{name} with categorical features",
                "Attributions of such splits do not add up to the prediction; encode the categories in the pipeline.",
            )
    boosted_regressor = not is_classifier(estimator) and isinstance(estimator, _BOOSTED_TREES + _BINNED_TREES)
    if boosted_regressor and estimator.loss not in _IDENTITY_LOSSES:
        _refuse("a loss on the scale of the target", f"loss={estimator.loss}", "This loss is not explained yet.")
    if isinstance(estimator, linear_model.SGDClassifier) and estimator.loss == "modified_huber":
        _refuse("a loss whose probabilities are logistic", "loss=modified_huber", "Use loss=log_loss.")
    if isinstance(estimator, ensemble.GradientBoostingClassifier) and estimator.loss != "log_loss":
        _refuse("loss=log_loss", f"loss={estimator.loss}", "This loss is not explained yet.")
    if getattr(estimator, "n_outputs_", 1) != 1 or np.ndim(getattr(estimator, "intercept_", 0.0)) > 1:
        _refuse("a model with one output", f"{name} with several outputs", "Explain one model for each output.")


def _target(estimator: Any, positive: Sequence[Any], explain_class: Any) -> _Target:
    """The class to explain: the positive decision value if it is a class, else the policy's, else a refusal."""
    if not is_classifier(estimator):
        if np.ndim(getattr(estimator, "coef_", np.zeros(1))) > 1 and len(estimator.coef_) > 1:
            _refuse("a model with one output", "several targets", "Explain one model for each output.")
        return _Target(None, None, 0, 1.0, "value")
    classes = [item.item() if isinstance(item, np.generic) else item for item in estimator.classes_]
    wanted = [value for value in positive if _position(classes, value) is not None]
    if explain_class is not None and _position(classes, explain_class) is not None:
        wanted = [*wanted, explain_class]
    positions = {_position(classes, value) for value in wanted}
    if len(positions) != 1:
        _refuse(
            f"one of the classes {', '.join(map(repr, classes))} named as the one to explain",
            ", ".join(map(repr, wanted)) if wanted else f"{[*positive, explain_class]!r}",
            "Set positive.decision in the manifest to the model's own value, or explain_class in the policy.",
        )
    position = positions.pop() or 0
    averaged = isinstance(estimator, _AVERAGED_TREES)
    if not averaged and len(classes) != 2:
        _refuse("two classes", f"{len(classes)} classes", "Boosting and linear models of several classes come later.")
    probabilistic = hasattr(estimator, "predict_proba")
    scale = "probability" if averaged else ("log-odds" if probabilistic else "score")
    return _Target(classes, classes[position], position, 1.0 if position == 1 else -1.0, scale)


def _position(classes: Sequence[Any], value: Any) -> int | None:
    """Where the value stands among the classes. True is not 1 here, though Python says so; 1 and 1.0 are one."""
    for position, candidate in enumerate(classes):
        if candidate == value and isinstance(candidate, bool) == isinstance(value, bool):
            return position
    return None


def _predictions(model: Any, estimator: Any, frame: pd.DataFrame, target: _Target) -> np.ndarray:
    if target.classes is None:
        return np.asarray(model.predict(frame), dtype=float).reshape(len(frame))
    if hasattr(estimator, "predict_proba"):
        return np.asarray(model.predict_proba(frame), dtype=float)[:, target.position]
    return target.sign * np.asarray(model.decision_function(frame), dtype=float)


def _output(model: Any, frame: pd.DataFrame, target: _Target, predictions: np.ndarray) -> np.ndarray:
    if target.scale != "log-odds":
        return predictions
    return target.sign * np.asarray(model.decision_function(frame), dtype=float)


def _linear(estimator: Any, background: np.ndarray, explained: np.ndarray, target: _Target) -> tuple[float, np.ndarray]:
    weights = target.sign * np.asarray(estimator.coef_, dtype=float).reshape(-1)
    intercept = target.sign * float(np.asarray(estimator.intercept_, dtype=float).reshape(-1)[0])
    # The default masker would draw 100 rows of the background; all of them are meant.
    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.LinearExplainer((weights, intercept), masker)
    return float(np.ravel(explainer.expected_value)[0]), np.asarray(explainer.shap_values(explained), dtype=float)


def _tree(estimator: Any, explained: np.ndarray, target: _Target) -> tuple[float, np.ndarray]:
    """Base and values for the explained class, whichever of its shapes the library answers with.

    Averaged classifiers give one slice a class, boosted ones the margin of the second class alone.
    """
    explainer = shap.TreeExplainer(estimator, feature_perturbation="tree_path_dependent")
    values = explainer.shap_values(explained, check_additivity=False)
    stacked = np.stack(values, axis=-1) if isinstance(values, list) else np.asarray(values, dtype=float)
    bases = np.ravel(explainer.expected_value).astype(float)
    if stacked.ndim == 2:
        return target.sign * float(bases[-1]), target.sign * stacked
    return float(bases[target.position]), stacked[:, :, target.position]


def _transformed(model: Any, aligned: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """For each column that the estimator sees, the feature it comes from; and those columns as a dense matrix."""
    owners = list(range(aligned.shape[1]))
    matrix: Any = aligned
    if isinstance(model, Pipeline) and len(model.steps) > 1:
        front = model[:-1]
        owners = _trace(front, owners)
        matrix = front.transform(aligned)
    if hasattr(matrix, "toarray"):
        matrix = matrix.toarray()
    dense = np.asarray(matrix, dtype=float)
    if dense.shape[1] != len(owners):
        _refuse(
            f"{len(owners)} transformed columns, by the transformers' own account",
            str(dense.shape[1]),
            "Report the pipeline: its columns cannot be traced back to features.",
        )
    return np.asarray(owners, dtype=int), dense


def _trace(transformer: Any, owners: list[int]) -> list[int]:
    """The owner of each output column of a fitted transformer, given the owner of each input column.

    Raises:
        MeasurementRefused: a kind of transformer whose columns cannot be traced.
    """
    if transformer is None or transformer == "passthrough":
        return owners
    if isinstance(transformer, Pipeline):
        for _, step in transformer.steps:
            owners = _trace(step, owners)
        return owners
    if isinstance(transformer, ColumnTransformer):
        return _trace_columns(transformer, owners)
    if isinstance(transformer, _ONE_TO_ONE):
        return owners
    if isinstance(transformer, FunctionTransformer) and transformer.func is None:
        return owners
    if isinstance(transformer, SimpleImputer):
        return _trace_imputer(transformer, owners)
    if isinstance(transformer, OneHotEncoder):
        return [owner for owner, width in zip(owners, _widths(transformer), strict=True) for _ in range(width)]
    _refuse(
        "pipelines of ColumnTransformer, encoders, scalers and SimpleImputer",
        type(transformer).__name__,
        "Its columns cannot be traced back to features.",
    )


def _trace_columns(transformer: ColumnTransformer, owners: list[int]) -> list[int]:
    names = [str(name) for name in getattr(transformer, "feature_names_in_", range(len(owners)))]
    result: list[int] = []
    for _, part, columns in transformer.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        chosen = _chosen(columns, names)
        if chosen:
            result += _trace(part, [owners[position] for position in chosen])
    return result


def _chosen(columns: Any, names: list[str]) -> list[int]:
    """The positions of the columns that a part takes, in any of the ways in which the library lets them be named."""
    if isinstance(columns, str):
        return [names.index(columns)]
    if isinstance(columns, slice) and isinstance(columns.start or columns.stop, str):
        _refuse("columns named one by one", "a slice of names", "List the columns in the ColumnTransformer.")
    listed = columns if isinstance(columns, slice | int) else list(columns)
    if isinstance(listed, list) and all(isinstance(column, str) for column in listed):
        return [names.index(column) for column in listed]
    return [int(position) for position in np.ravel(np.arange(len(names))[listed])]


def _trace_imputer(transformer: SimpleImputer, owners: list[int]) -> list[int]:
    """An imputer drops columns that were empty when it was fitted, and may append indicators of missing values."""
    kept = owners
    if not transformer.keep_empty_features and transformer.strategy != "constant":
        kept = [owner for owner, filler in zip(owners, transformer.statistics_, strict=True) if not pd.isna(filler)]
    if transformer.add_indicator:
        kept = [*kept, *(owners[position] for position in transformer.indicator_.features_)]
    return kept


def _widths(encoder: OneHotEncoder) -> list[int]:
    widths = []
    infrequent = getattr(encoder, "infrequent_categories_", None) or [None] * len(encoder.categories_)
    dropped = encoder.drop_idx_ if encoder.drop_idx_ is not None else [None] * len(encoder.categories_)
    for categories, rare, drop in zip(encoder.categories_, infrequent, dropped, strict=True):
        width = len(categories) - (len(rare) - 1 if rare is not None else 0)
        widths.append(width - (drop is not None))
    return widths
