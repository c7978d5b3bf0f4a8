"""Attributions against values worked out otherwise, for every kind of model and of preparation that is explained."""

from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import ensemble, linear_model, neighbors, svm, tree
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from governance.errors import MeasurementRefused
from policies.explainability.attribute import attribute, predict
from tests.audits.sandbox.models import label, preparation, table

FRAME = table()
NUMBERS = FRAME[["b"]].assign(d=FRAME["b"] ** 2, e=np.arange(len(FRAME)) % 5)
LABEL = label(FRAME)
TARGET = FRAME["b"] * 3 + NUMBERS["e"]
REQUEST: dict[str, Any] = {"positive": ["yes"], "background_rows": 40}

CLASSIFIERS = {
    "logistic": (linear_model.LogisticRegression(), "log-odds"),
    "stochastic gradient": (linear_model.SGDClassifier(loss="log_loss", random_state=0), "log-odds"),
    "ridge": (linear_model.RidgeClassifier(), "score"),
    "tree": (tree.DecisionTreeClassifier(max_depth=4, random_state=0), "probability"),
    "forest": (ensemble.RandomForestClassifier(5, random_state=0, n_jobs=2), "probability"),
    "extra trees": (ensemble.ExtraTreesClassifier(5, random_state=0), "probability"),
    "boosting": (ensemble.GradientBoostingClassifier(n_estimators=5), "log-odds"),
}
REGRESSORS = {
    "linear": linear_model.LinearRegression(),
    "lasso": linear_model.Lasso(0.1),
    "tree": tree.DecisionTreeRegressor(max_depth=4, random_state=0),
    "forest": ensemble.RandomForestRegressor(5, random_state=0),
    "boosting": ensemble.GradientBoostingRegressor(n_estimators=5),
    "histogram boosting": ensemble.HistGradientBoostingRegressor(max_iter=5),
}


def adds_up(found: Any) -> None:
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.output, atol=1e-9)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_attributions_of_a_classifier_add_up_for_either_class(name: str) -> None:
    estimator, scale = CLASSIFIERS[name]
    model = make_pipeline(preparation(), estimator).fit(FRAME, LABEL)
    yes = attribute(model, FRAME, REQUEST)
    no = attribute(model, FRAME, {**REQUEST, "positive": ["no"]})
    assert (yes.scale, yes.explained_class, no.explained_class) == (scale, "yes", "no")
    assert yes.values.shape == (200, 3)
    assert yes.features == ["a", "b", "c"]
    for found in (yes, no):
        adds_up(found)
        np.testing.assert_allclose(
            predict(model, FRAME.iloc[40:], {**REQUEST, "positive": [found.explained_class]}), found.predictions
        )
    np.testing.assert_allclose(yes.values, -no.values, atol=1e-9)


def test_attributions_of_histogram_boosting_add_up() -> None:
    model = ensemble.HistGradientBoostingClassifier(max_iter=5, early_stopping=True).fit(FRAME[["a", "b"]], LABEL)
    found = attribute(model, FRAME, REQUEST)
    assert found.scale == "log-odds"
    adds_up(found)


@pytest.mark.parametrize("name", REGRESSORS)
def test_attributions_of_a_regression_add_up(name: str) -> None:
    model = REGRESSORS[name].fit(NUMBERS, TARGET)
    found = attribute(model, NUMBERS, REQUEST)
    assert (found.scale, found.classes, found.explained_class) == ("value", None, None)
    np.testing.assert_allclose(found.output, model.predict(NUMBERS.iloc[40:]))
    adds_up(found)


def test_a_linear_contribution_is_its_weight_times_the_distance_from_the_whole_background() -> None:
    # 150 background rows: more than the hundred that the library samples unless it is told otherwise.
    model = linear_model.LinearRegression().fit(NUMBERS, TARGET)
    found = attribute(model, NUMBERS, {"background_rows": 150})
    distance = NUMBERS.iloc[150:] - NUMBERS.iloc[:150].mean()
    np.testing.assert_allclose(found.values, model.coef_ * distance.to_numpy(), atol=1e-9)
    np.testing.assert_allclose(found.base, model.predict(NUMBERS.iloc[:150]).mean())


def test_contributions_of_one_hot_columns_are_summed_to_their_feature() -> None:
    model = make_pipeline(preparation(), linear_model.LogisticRegression()).fit(FRAME, LABEL)
    found = attribute(model, FRAME, REQUEST)
    encoded = model[0].transform(FRAME)
    each = model[1].coef_[0] * (encoded[40:] - encoded[:40].mean(axis=0))
    np.testing.assert_allclose(found.values[:, 2], each[:, :3].sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(found.values[:, :2], each[:, 3:], atol=1e-9)


def expectation(fitted: Any, row: np.ndarray, known: set[int], node: int = 0) -> float:
    """The mean of a tree's output given some features, by the training rows in its nodes."""
    inner = fitted.tree_
    left, right = inner.children_left[node], inner.children_right[node]
    if left == -1:
        return float(inner.value[node].ravel()[0])
    feature = inner.feature[node]
    if feature in known:
        return expectation(fitted, row, known, left if row[feature] <= inner.threshold[node] else right)
    weights = inner.weighted_n_node_samples
    parts = [weights[child] / weights[node] * expectation(fitted, row, known, child) for child in (left, right)]
    return float(sum(parts))


def test_tree_contributions_are_the_shapley_values_of_its_path_dependent_expectation() -> None:
    # Source: Lundberg et al. 2020, equation 5 and algorithm 1, worked out over all subsets.
    model = tree.DecisionTreeRegressor(max_depth=3, random_state=0).fit(NUMBERS.to_numpy(), TARGET)
    named = tree.DecisionTreeRegressor(max_depth=3, random_state=0).fit(NUMBERS, TARGET)
    found = attribute(named, NUMBERS, {"background_rows": 230})
    for position, row in enumerate(NUMBERS.iloc[230:].to_numpy(dtype=np.float32)):
        for feature in range(3):
            others = [other for other in range(3) if other != feature]
            value = sum(
                factorial(size)
                * factorial(2 - size)
                / factorial(3)
                * (expectation(model, row, {*subset, feature}) - expectation(model, row, set(subset)))
                for size in range(3)
                for subset in combinations(others, size)
            )
            assert found.values[position, feature] == pytest.approx(value, abs=1e-9)


def test_columns_are_matched_by_name_whatever_their_order() -> None:
    model = make_pipeline(preparation(), linear_model.LogisticRegression()).fit(FRAME, LABEL)
    moved = attribute(model, FRAME.assign(extra=1)[["extra", "c", "b", "a"]], REQUEST)
    np.testing.assert_array_equal(moved.values, attribute(model, FRAME, REQUEST).values)
    assert moved.features == ["a", "b", "c"]


def test_a_missing_feature_is_an_error() -> None:
    model = linear_model.LinearRegression().fit(NUMBERS, TARGET)
    with pytest.raises(MeasurementRefused, match="no d, e"):
        attribute(model, NUMBERS[["b"]], REQUEST)


def test_a_model_without_names_is_refused() -> None:
    model = linear_model.LinearRegression().fit(NUMBERS.to_numpy(), TARGET)
    with pytest.raises(MeasurementRefused, match="named columns"):
        attribute(model, NUMBERS, REQUEST)


@pytest.mark.parametrize(
    ("classes", "positive", "explain_class", "explained"),
    [
        (["approve", "deny"], ["approve"], None, "approve"),
        (["approve", "deny"], [1], "deny", "deny"),
        (["approve", "deny"], ["approve"], "approve", "approve"),
        ([0, 1], [0], None, 0),
        ([0, 1], [1.0], None, 1),
        ([False, True], [True], None, True),
        ([0.0, 1.0], [1], None, 1.0),
        (["a", "b"], ["x", "b"], None, "b"),
    ],
)
def test_the_class_is_the_positive_decision_or_the_one_the_policy_names(
    classes: list[Any], positive: list[Any], explain_class: Any, explained: Any
) -> None:
    model = linear_model.LogisticRegression().fit(NUMBERS, np.array(classes)[(NUMBERS["e"] > 2).astype(int)])
    request = {"positive": positive, "explain_class": explain_class, "background_rows": 9}
    found = attribute(model, NUMBERS, request).explained_class
    assert (found, type(found)) == (explained, type(explained))


@pytest.mark.parametrize(
    ("positive", "explain_class"),
    [([], None), (["Approve"], None), ([1], None), ([True], None), (["approve", "deny"], None), (["approve"], "deny")],
)
def test_a_class_that_is_not_named_is_never_guessed(positive: list[Any], explain_class: Any) -> None:
    labels = np.where(NUMBERS["e"] > 2, "approve", "deny")
    model = linear_model.LogisticRegression().fit(NUMBERS, labels)
    with pytest.raises(MeasurementRefused, match="named as the one to explain"):
        attribute(model, NUMBERS, {"positive": positive, "explain_class": explain_class, "background_rows": 9})


def test_truth_values_are_not_numbers() -> None:
    model = linear_model.LogisticRegression().fit(NUMBERS, (NUMBERS["e"] > 2).astype(int))
    with pytest.raises(MeasurementRefused, match="named as the one"):
        attribute(model, NUMBERS, {"positive": [True], "background_rows": 9})


def test_a_forest_of_several_classes_is_explained_for_the_named_one() -> None:
    labels = np.array(["x", "y", "z", "x", "y"])[NUMBERS["e"]]
    model = ensemble.RandomForestClassifier(5, random_state=0).fit(NUMBERS, labels)
    found = attribute(model, NUMBERS, {"positive": ["z"], "background_rows": 9})
    np.testing.assert_allclose(found.predictions, model.predict_proba(NUMBERS.iloc[9:])[:, 2])
    adds_up(found)


@pytest.mark.parametrize(
    ("model", "frame", "target", "says"),
    [
        (neighbors.KNeighborsRegressor(), NUMBERS, TARGET, "KNeighborsRegressor"),
        (svm.SVC(), NUMBERS, LABEL, "SVC"),
        (ensemble.AdaBoostClassifier(), NUMBERS, LABEL, "AdaBoostClassifier"),
        (linear_model.PoissonRegressor(), NUMBERS, TARGET - TARGET.min(), "PoissonRegressor"),
        (linear_model.LinearRegression(), NUMBERS, np.column_stack([TARGET, TARGET]), "one output"),
        (ensemble.RandomForestRegressor(2), NUMBERS, np.column_stack([TARGET, TARGET]), "one output"),
        (linear_model.LogisticRegression(), NUMBERS, np.array(["yes", "no", "maybe"])[NUMBERS["e"] % 3], "two classes"),
        (ensemble.GradientBoostingClassifier(loss="exponential"), NUMBERS, LABEL, "log_loss"),
        (ensemble.HistGradientBoostingRegressor(loss="poisson"), NUMBERS, TARGET - TARGET.min(), "scale of the target"),
        (linear_model.SGDClassifier(loss="modified_huber"), NUMBERS, LABEL, "logistic"),
        (make_pipeline(PCA(2), linear_model.Ridge()), NUMBERS, TARGET, "PCA"),
        (make_pipeline(FunctionTransformer(np.abs), linear_model.Ridge()), NUMBERS, TARGET, "FunctionTransformer"),
        (ensemble.HistGradientBoostingRegressor(categorical_features=["e"]), NUMBERS, TARGET, "categorical"),
    ],
)
def test_what_cannot_be_explained_faithfully_is_refused_by_name(
    model: Any, frame: pd.DataFrame, target: Any, says: str
) -> None:
    with pytest.raises(MeasurementRefused, match=says):
        attribute(model.fit(frame, target), frame, REQUEST)


@pytest.mark.parametrize(
    "columns",
    [
        ColumnTransformer([("o", OrdinalEncoder(), ["c"]), ("p", "passthrough", ["b"])]),
        ColumnTransformer([("o", OneHotEncoder(drop="first"), ["c"])], remainder=SimpleImputer(add_indicator=True)),
        ColumnTransformer([("o", OneHotEncoder(drop="if_binary"), [2]), ("s", StandardScaler(), slice(1, 2))]),
        ColumnTransformer(
            [("o", OneHotEncoder(max_categories=2), ["c"]), ("d", "drop", ["a"])], remainder="passthrough"
        ),
        ColumnTransformer([("o", OneHotEncoder(sparse_output=False), lambda _: ["c"]), ("n", "passthrough", [])]),
        ColumnTransformer([("s", make_pipeline(SimpleImputer(), StandardScaler()), [True, True, False])]),
        ColumnTransformer([("s", SimpleImputer(), ["a", "b"])]).set_output(transform="pandas"),
    ],
    ids=["ordinal", "drop first and indicator", "positions", "infrequent", "callable", "mask", "frames"],
)
def test_each_way_to_name_and_encode_columns_is_traced_to_its_features(columns: ColumnTransformer) -> None:
    model = make_pipeline(columns, linear_model.Ridge()).fit(FRAME, TARGET)
    found = attribute(model, FRAME, {"background_rows": 40})
    adds_up(found)
    # Moving one feature alone moves that feature's contribution alone.
    changed = FRAME.copy()
    changed.loc[40:, "b"] = changed.loc[40:, "b"] + 1
    moved = attribute(model, changed, {"background_rows": 40}).values - found.values
    assert np.abs(moved[:, [0, 2]]).max() < 1e-9
    before, after = model.predict(FRAME), model.predict(changed)
    np.testing.assert_allclose(moved[:, 1], (after - before)[40:], atol=1e-9)


def test_a_column_that_was_empty_when_the_imputer_was_fitted_carries_nothing() -> None:
    frame = NUMBERS.assign(d=np.nan)
    with pytest.warns(UserWarning, match="Skipping features"):
        model = make_pipeline(SimpleImputer(), linear_model.Ridge()).fit(frame, TARGET)
    with pytest.warns(UserWarning, match="Skipping features"):
        found = attribute(model, frame, {"background_rows": 40})
    assert np.abs(found.values[:, 1]).max() == 0
    adds_up(found)
