"""What the parent checks in an answer of the child, which is as untrusted as the model. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from governance.errors import MeasurementRefused

SCALES = frozenset({"value", "probability", "log-odds", "score"})

TOLERANCE = 1e-7
"""How far two predictions of one row may differ, relative to the larger, plus the same absolutely.

Sums of doubles in another order differ by about 1e-15 a term; models that look at their neighbours by much more.
"""


def explanation(header: Mapping[str, Any], payload: bytes, *, rows: int, columns: Sequence[str]) -> dict[str, Any]:
    """The answer to ``explain`` as named arrays, after every check that the parent can make.

    ``predictions`` and ``output`` have the shape (n_rows,), ``attributions`` (n_rows, n_features) with the columns
    ``features``; ``base`` is a number.

    Raises:
        MeasurementRefused: a field is missing or of the wrong kind, names are unknown or repeated, lengths do not
            match, a number is not finite, a probability lies outside of [0, 1], or probability and log-odds differ.
    """
    features = header.get("features")
    if not isinstance(features, list) or len(set(map(repr, features))) != len(features):
        _refuse("features once each", repr(features)[:200])
    if not set(map(repr, features)) <= set(map(repr, columns)):
        _refuse("features that were sent", repr(features)[:200])
    texts = {name: header.get(name) for name in ("kind", "explainer", "scale")}
    if not all(isinstance(text, str) and text.isprintable() and len(text) <= 60 for text in texts.values()):
        _refuse("a kind, an explainer and a scale", repr(texts)[:200])
    if texts["scale"] not in SCALES:
        _refuse(f"a scale among {', '.join(sorted(SCALES))}", repr(texts["scale"]))
    classes, explained = _classes(header, str(texts["scale"]))
    numbers = _numbers(payload, 2 * rows + 1 + rows * len(features))
    predictions, output = numbers[:rows], numbers[rows : 2 * rows]
    _check_scale(str(texts["scale"]), predictions, output)
    return {
        **texts,
        "classes": classes,
        "explained_class": explained,
        "features": tuple(features),
        "base": float(numbers[2 * rows]),
        "predictions": predictions,
        "output": output,
        "attributions": numbers[2 * rows + 1 :].reshape(rows, len(features)),
    }


def predictions(payload: bytes, *, rows: int) -> np.ndarray:
    """The answer to ``predict``: one finite number a row.

    Raises:
        MeasurementRefused: another length, or a number that is not finite.
    """
    return _numbers(payload, rows)


def check_determinism(first: np.ndarray, second: np.ndarray) -> None:
    """Two predictions of the same rows are the same, whatever stands beside them and in which order.

    Raises:
        MeasurementRefused: they differ beyond ``TOLERANCE``.
    """
    gap = np.abs(first - second)
    allowed = TOLERANCE * (1 + np.maximum(np.abs(first), np.abs(second)))
    if np.any(gap > allowed):
        _refuse(
            "the same prediction for the same row in another order",
            f"{int(np.sum(gap > allowed))} of {len(gap)} rows differ, by up to {float(gap.max()):.3g}",
        )


def _numbers(payload: bytes, count: int) -> np.ndarray:
    if len(payload) != 8 * count:
        _refuse(f"{count} numbers", f"{len(payload)} bytes")
    numbers = np.frombuffer(payload, dtype="<f8")
    if not np.all(np.isfinite(numbers)):
        _refuse("finite numbers", f"{int(np.sum(~np.isfinite(numbers)))} that are not")
    return numbers


def _classes(header: Mapping[str, Any], scale: str) -> tuple[tuple[Any, ...] | None, Any]:
    classes, explained = header.get("classes"), header.get("explained_class")
    if classes is None and explained is None:
        if scale != "value":
            _refuse("classes, where probabilities or scores are explained", "none")
        return None, None
    if not isinstance(classes, list) or not 2 <= len(classes) <= 1000 or not all(map(_is_label, classes)):
        _refuse("a list of two to a thousand classes", repr(classes)[:200])
    if not _is_label(explained) or repr(explained) not in map(repr, classes) or scale == "value":
        _refuse("one of the classes, explained as a probability or score", f"{explained!r:.100} on scale {scale}")
    return tuple(classes), explained


def _is_label(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= 1000
    return isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))


def _check_scale(scale: str, predictions: np.ndarray, output: np.ndarray) -> None:
    if scale in {"probability", "log-odds"} and np.any((predictions < 0) | (predictions > 1)):
        _refuse("probabilities within [0, 1]", f"{float(predictions.min()):g} to {float(predictions.max()):g}")
    expected = predictions
    if scale == "log-odds":
        # exp overflows to infinity for strongly negative output, which is the right limit: a probability of zero.
        with np.errstate(over="ignore"):
            output = 1 / (1 + np.exp(-output))
    if np.any(np.abs(output - expected) > TOLERANCE * (1 + np.abs(expected))):
        _refuse("an explained output that agrees with the prediction", f"another one, on scale {scale}")


def _refuse(expected: str, found: str) -> NoReturn:
    raise MeasurementRefused(
        expected=expected,
        found=f"{found} in the answer of the sandboxed model",
        remedy="The model does not behave like one that can be explained; look at the file.",
        pointer="model",
    )
