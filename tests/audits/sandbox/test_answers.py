"""Every lie that a model could tell in an answer is an error."""

from typing import Any

import numpy as np
import pytest

from audits.sandbox.answers import check_determinism, explanation, predictions
from governance.errors import MeasurementRefused

HEADER: dict[str, Any] = {
    "status": "ok",
    "kind": "linear",
    "explainer": "e",
    "scale": "log-odds",
    "classes": ["n", "p"],
    "explained_class": "p",
    "features": ["a", "b"],
}


def numbers(*changes: tuple[int, float], rows: int = 3, features: int = 2) -> bytes:
    """A true answer for three rows whose log-odds are 0, with changes by position."""
    values = np.concatenate([np.full(rows, 0.5), np.zeros(rows), [0.0], np.zeros(rows * features)])
    for position, value in changes:
        values[position] = value
    return values.astype("<f8").tobytes()


def explained(payload: bytes | None = None, **changes: Any) -> dict[str, Any]:
    return explanation(
        {**HEADER, **changes}, numbers() if payload is None else payload, rows=3, columns=["b", "a", "c"]
    )


def test_a_true_answer_has_its_shapes() -> None:
    answer = explained()
    shapes = {name: answer[name].shape for name in ("predictions", "output", "attributions")}
    assert shapes == {"predictions": (3,), "output": (3,), "attributions": (3, 2)}
    assert (answer["base"], answer["features"], answer["classes"]) == (0.0, ("a", "b"), ("n", "p"))


@pytest.mark.parametrize(
    "changes",
    [
        {"features": ["a", "d"]},
        {"features": ["a", "a"]},
        {"features": "ab"},
        {"features": None},
        {"features": ["a", ["b"]]},
        {"features": ["a"]},
        {"kind": None},
        {"kind": "x\n"},
        {"explainer": "x" * 61},
        {"scale": "decibel"},
        {"scale": "value"},
        {"scale": ["log-odds"]},
        {"classes": None},
        {"classes": ["p"]},
        {"classes": {"n": "p"}},
        {"classes": ["n", {"p": 1}]},
        {"classes": None, "explained_class": None},
        {"explained_class": "q"},
        {"explained_class": None},
        {"classes": [0, 1], "explained_class": True},
    ],
)
def test_a_header_that_does_not_hold_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MeasurementRefused):
        explained(**changes)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "0 bytes"),
        (numbers()[:-1], "bytes"),
        (numbers() + bytes(8), "bytes"),
        (numbers((0, float("nan"))), "finite"),
        (numbers((12, float("inf"))), "finite"),
        (numbers((0, 1.01)), r"\[0, 1\]"),
        (numbers((0, -0.01)), r"\[0, 1\]"),
        (numbers((3, 1.0)), "agrees with the prediction"),
        (numbers((0, 0.9)), "agrees with the prediction"),
    ],
)
def test_numbers_that_do_not_hold_are_refused(payload: bytes, says: str) -> None:
    with pytest.raises(MeasurementRefused, match=says):
        explained(payload)


def test_on_the_other_scales_the_output_is_the_prediction() -> None:
    with pytest.raises(MeasurementRefused, match="agrees"):
        explained(scale="probability")
    regression: dict[str, Any] = {"scale": "value", "classes": None, "explained_class": None}
    with pytest.raises(MeasurementRefused, match="agrees"):
        explained(**regression)
    beyond = numbers(*((position, 7.0) for position in range(6)))
    assert explained(beyond, **regression)["predictions"].tolist() == [7.0] * 3
    assert explained(beyond, scale="score")["scale"] == "score"


def test_strongly_negative_log_odds_are_a_probability_of_zero() -> None:
    payload = numbers((0, 0.0), (3, -800.0), (1, 1.0), (4, 800.0))
    assert explained(payload)["predictions"].tolist() == [0.0, 1.0, 0.5]


def test_predictions_have_their_length_and_are_finite() -> None:
    assert predictions(np.ones(2).tobytes(), rows=2).tolist() == [1.0, 1.0]
    with pytest.raises(MeasurementRefused):
        predictions(np.ones(3).tobytes(), rows=2)
    with pytest.raises(MeasurementRefused):
        predictions(np.array([np.nan, 1]).tobytes(), rows=2)


def test_rows_that_are_predicted_otherwise_the_second_time_are_refused() -> None:
    check_determinism(np.array([0.5, 1e9]), np.array([0.5 + 1e-9, 1e9 + 1]))
    with pytest.raises(MeasurementRefused, match="1 of 2 rows differ"):
        check_determinism(np.array([0.5, 0.5]), np.array([0.5, 0.5001]))
