"""The numbers that are taken from attributions: shares with errors, group means, associations. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

CATEGORIES = 50
"""Values of a feature that are told apart when its association with an attribute is measured; the rest are one."""


def additivity_error(base: float, attributions: np.ndarray, output: np.ndarray) -> float | None:
    """``max |base + sum(phi) - f(x)| / sd(f)``; null where the output is constant and something is missing anyhow.

    ``attributions`` (n_rows, n_features), ``output`` (n_rows,). A constant output that is met gives 0.
    """
    worst = float(np.max(np.abs(base + attributions.sum(axis=1) - output)))
    spread = float(np.std(output))
    # Below this the spread is rounding, and a quotient by it says nothing.
    negligible = 1e-12 * (1 + float(np.max(np.abs(output))))
    if spread > negligible:
        return worst / spread
    return 0.0 if worst <= 1e-9 * (1 + float(np.max(np.abs(output)))) else None


def share(attributions: np.ndarray, weights: np.ndarray) -> dict[str, float | None]:
    """The weighted share of attribution ``sum_j w_j |phi_j| / sum_j |phi_j|`` and its standard error.

    ``weights`` (n_features,): 1 for the features in question and 0 for others, or any number between. The error is
    that of a ratio of two means by the delta method. Both are null where nothing carries attribution.

    Source: Cochran, Sampling Techniques, 3rd ed., section 2.11 (ratio estimate).
    """
    absolute = np.abs(attributions)
    totals = absolute.sum(axis=1)
    mean = float(totals.mean())
    if mean == 0:
        return {"share": None, "standard_error": None}
    parts = absolute @ weights
    value = float(parts.mean()) / mean
    residuals = parts - value * totals
    error = float(np.std(residuals, ddof=1)) / (mean * np.sqrt(len(totals))) if len(totals) > 1 else 0.0
    return {"share": value, "standard_error": float(error)}


def direction(values: Sequence[Any], attributions: np.ndarray) -> float | None:
    """Pearson's correlation of a numeric feature with its attribution; null for text, and where either is constant."""
    if any(isinstance(value, str) for value in values):
        return None
    try:
        numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        return None
    known = np.isfinite(numbers)
    if known.sum() < 2 or np.ptp(numbers[known]) == 0 or np.ptp(attributions[known]) == 0:
        return None
    correlation = float(np.corrcoef(numbers[known], attributions[known])[0, 1])
    return correlation if np.isfinite(correlation) else None


def group_means(levels: Sequence[str | None], output: np.ndarray, attributions: np.ndarray) -> list[dict[str, Any]]:
    """For each group, by name: rows, mean and standard deviation of the output, mean of each attribution.

    ``levels`` (n_rows,) names the group of each row, null where it has none. The difference of the means of the
    output between two groups is the sum of the differences of the means of the attributions, because both add up.
    """
    result = []
    for level in sorted({level for level in levels if level is not None}):
        member = np.array([candidate == level for candidate in levels])
        own = output[member]
        result.append(
            {
                "level": level,
                "n": int(member.sum()),
                "mean": float(own.mean()),
                "standard_deviation": float(np.std(own, ddof=1)) if len(own) > 1 else None,
                "attributions": [float(value) for value in attributions[member].mean(axis=0)],
            }
        )
    return result


def association(values: Sequence[Any], levels: Sequence[str | None]) -> float:
    """How much a feature tells about an attribute: bias-corrected Cramér's V in [0, 1]; 0 where either is constant.

    Numbers are put into tenths first. Rows without a level are left out.

    Source: Bergsma, A bias-correction for Cramér's V and Tschuprow's T, 2013.
    """
    known = [position for position, level in enumerate(levels) if level is not None]
    rows = _codes(_categories([values[position] for position in known]))
    columns = _codes([levels[position] for position in known])
    if not known or rows.max() == 0 or columns.max() == 0:
        return 0.0
    counts = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(counts, (rows, columns), 1)
    n = counts.sum()
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    r, k = counts.shape
    corrected = max(0.0, float(((counts - expected) ** 2 / expected).sum()) / n - (r - 1) * (k - 1) / (n - 1))
    width = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return min(1.0, float(np.sqrt(corrected / width))) if width > 0 else 0.0


def _codes(values: Sequence[Any]) -> np.ndarray:
    numbers: Mapping[Any, int] = {value: code for code, value in enumerate(dict.fromkeys(values))}
    return np.array([numbers[value] for value in values], dtype=int)


def _categories(values: Sequence[Any]) -> list[Any]:
    """Tenths of a numeric feature with many values, the commonest values of another; a missing value is one of them."""
    numeric = [
        isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value) for value in values
    ]
    distinct = {value for value, is_number in zip(values, numeric, strict=True) if is_number}
    if len(distinct) > 10:
        finite = np.array([value for value, is_number in zip(values, numeric, strict=True) if is_number], dtype=float)
        edges = np.unique(np.quantile(finite, np.linspace(0, 1, 11)[1:-1]))
        return [
            int(np.searchsorted(edges, value, side="right")) if is_number else "missing"
            for value, is_number in zip(values, numeric, strict=True)
        ]
    texts = [repr(value) for value in values]
    counts = {text: texts.count(text) for text in set(texts)} if len(set(texts)) > CATEGORIES else {}
    common = set(sorted(counts, key=lambda text: (-counts[text], text))[:CATEGORIES])
    return [text if not counts or text in common else "other" for text in texts]
