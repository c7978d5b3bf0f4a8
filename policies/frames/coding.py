"""What the distinct values of a column mean: positive or negative, or which group. Pure; nothing is guessed.

A typed column is compared within its own kind: text with text, numbers with numbers by value, booleans with booleans.
A column of a format without types is text, and a declared value is matched by one strict rule per kind: text exactly;
a number with text that spells a decimal of the same value (``1`` and ``1.0``, not ``01``); a boolean with ``true`` or
``false`` in any case.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal

from governance.errors import MeasurementRefused
from governance.types.manifest import Attribute, Scalar
from governance.types.value import decimal_text

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
MAX_LEVELS = 500
"""A column with more distinct values than this is no attribute of groups, and naming each of them helps nobody."""


@dataclass(frozen=True, slots=True, order=True)
class Level:
    """Where a row stands in an attribute: in a named group, unknown, or outside of those that were declared."""

    kind: Literal["group", "unknown", "outside"]
    name: str = ""


UNKNOWN = Level("unknown")


def is_missing(value: Any) -> bool:
    """Whether a value is null or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def decode(
    column: str,
    counts: Mapping[Any, int],
    *,
    positive: Scalar | tuple[Scalar, ...] | None,
    negative: Scalar | tuple[Scalar, ...] | None,
    is_text: bool,
) -> dict[Any, bool]:
    """True or false for each distinct value of ``column``; ``counts`` maps the values to their rows.

    A column that holds no positive value is legitimate: nobody was selected.

    Raises:
        MeasurementRefused: values are null or NaN (with the count); the positive value is not named; a declared value
            is of another kind than the column; a value is both positive and negative; the column holds fractions,
            or a value beyond those that the coding allows.
    """
    missing = sum(rows for value, rows in counts.items() if is_missing(value))
    if missing:
        raise MeasurementRefused(
            expected=f"a value of {column!r} in every row",
            found=f"{missing} rows without one",
            remedy="Leave such rows out on purpose, or find their value.",
            pointer=column,
        )
    _refuse_fractions(column, counts)
    positives = _several(positive)
    negatives = _several(negative)
    if not positives:
        raise MeasurementRefused(
            expected=f"the positive value of {column!r}",
            found=f"none named; the column holds {_listed(counts)}",
            remedy="Name it in the manifest under positive; it is never guessed.",
            pointer=column,
        )
    for declared in (*positives, *negatives):
        _refuse_other_kind(column, counts, declared, is_text=is_text)
    meaning = {value: _side(column, value, positives, negatives, is_text=is_text) for value in counts}
    others = [value for value, side in meaning.items() if side is None]
    allowed = 0 if negatives else 1
    if len({_canonical(value, is_text=is_text) for value in others}) > allowed:
        raise MeasurementRefused(
            expected=f"two classes in {column!r}",
            found=f"{_listed({value: counts[value] for value in others})} beside the declared values",
            remedy="Name every value that counts as positive and every one that counts as negative; several classes "
            "are not measured as one against the rest unless you say so.",
            pointer=column,
        )
    return {value: bool(side) for value, side in meaning.items()}


def place(column: str, counts: Mapping[Any, int], attribute: Attribute, *, is_text: bool) -> dict[Any, Level]:
    """The level of each distinct value of a sensitive attribute without bins.

    Null, NaN and blank text are unknown. With declared groups a value beyond them is outside, never a new group.

    Raises:
        MeasurementRefused: a declared group is of another kind than the column, or there are more than ``MAX_LEVELS``
            distinct values.
    """
    if attribute.groups is None and len(counts) > MAX_LEVELS:
        raise MeasurementRefused(
            expected=f"at most {MAX_LEVELS} groups in {column!r}",
            found=f"{len(counts)} distinct values",
            remedy="Declare the groups, or the bins of a numeric attribute.",
            pointer=column,
        )
    declared = attribute.groups or ()
    for group in declared:
        _refuse_other_kind(column, counts, group, is_text=is_text)
    levels: dict[Any, Level] = {}
    for value in counts:
        if is_missing(value) or (isinstance(value, str) and not value.strip()):
            levels[value] = UNKNOWN
        elif attribute.groups is None:
            levels[value] = Level("group", level_name(value))
        else:
            match = next((group for group in declared if _matches(value, group, is_text=is_text)), None)
            kind: Literal["group", "outside"] = "outside" if match is None else "group"
            levels[value] = Level(kind, level_name(value if match is None else match))
    return levels


def level_name(value: Any) -> str:
    """A group's name: numbers without a needless point, booleans as ``true`` and ``false``, text as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return decimal_text(value)
    return str(value)


def bin_names(edges: Sequence[float]) -> list[str]:
    """The names of half-open bins, in order; the last includes its upper edge."""
    pairs = list(pairwise(edges))
    closing = [")"] * (len(pairs) - 1) + ["]"]
    return [f"[{decimal_text(a)}, {decimal_text(b)}{end}" for (a, b), end in zip(pairs, closing, strict=True)]


def _several(declared: Scalar | tuple[Scalar, ...] | None) -> tuple[Scalar, ...]:
    if declared is None:
        return ()
    return declared if isinstance(declared, tuple) else (declared,)


def _number(value: Any) -> Fraction | None:
    """The exact number a value or a plain decimal text stands for."""
    if isinstance(value, str):
        return Fraction(value) if _DECIMAL.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        return None
    return Fraction(value)


def _matches(value: Any, declared: Scalar, *, is_text: bool) -> bool:
    if isinstance(declared, bool):
        if is_text:
            return isinstance(value, str) and value.lower() == str(declared).lower()
        return isinstance(value, bool) and value is declared
    if isinstance(declared, str):
        return isinstance(value, str) and value == declared
    if isinstance(value, str) and not is_text:
        return False
    number = _number(value)
    # A double is read as its shortest decimal, so that the text 0.1 and the number 0.1 are the same value.
    return number is not None and (number == Fraction(declared) or number == Fraction(str(declared)))


def _side(
    column: str, value: Any, positives: Sequence[Scalar], negatives: Sequence[Scalar], *, is_text: bool
) -> bool | None:
    positive = any(_matches(value, declared, is_text=is_text) for declared in positives)
    negative = any(_matches(value, declared, is_text=is_text) for declared in negatives)
    if positive and negative:
        raise MeasurementRefused(
            expected=f"values of {column!r} that are positive or negative",
            found=f"{value!r} declared as both",
            remedy="Correct the coding in the manifest.",
            pointer=column,
        )
    return positive or (False if negative else None)


def _canonical(value: Any, *, is_text: bool) -> Any:
    """Equal for two spellings of one number in a column without types."""
    number = _number(value) if is_text else None
    return value if number is None else number


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float | Decimal):
        return "number"
    return "text" if isinstance(value, str) else type(value).__name__


def _refuse_other_kind(column: str, counts: Mapping[Any, int], declared: Scalar, *, is_text: bool) -> None:
    kinds = {_kind(value) for value in counts if not is_missing(value)}
    if is_text or not kinds or _kind(declared) in kinds:
        return
    raise MeasurementRefused(
        expected=f"a declared value of the column's kind, {' or '.join(sorted(kinds))}",
        found=f"{declared!r}, a {_kind(declared)}, for {column!r}",
        remedy="Write the value as the column holds it; text is not turned into numbers or back.",
        pointer=column,
    )


def _refuse_fractions(column: str, counts: Mapping[Any, int]) -> None:
    fractions = [value for value in counts if (number := _number(value)) is not None and number.denominator != 1]
    if fractions:
        raise MeasurementRefused(
            expected=f"classes in {column!r}",
            found=f"fractions such as {_listed(dict.fromkeys(fractions, 0), with_rows=False)}",
            remedy="If these are scores, declare the column as the score, with the decision threshold.",
            pointer=column,
        )


def _listed(counts: Mapping[Any, int], *, with_rows: bool = True) -> str:
    """Up to five values with their rows, for a message."""
    shown = [f"{value!r} ({rows} rows)" if with_rows else repr(value) for value, rows in list(counts.items())[:5]]
    more = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
    return (", ".join(shown) or "no value") + more
