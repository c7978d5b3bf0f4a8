"""The comparison grammar of row rules: a column, an operator, a column or a literal. Nothing is evaluated as code."""

import re
from dataclasses import dataclass
from typing import Literal

Operator = Literal["<", "<=", ">", ">=", "==", "!="]

_OPERATORS: dict[str, Operator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "==", "!=": "!="}
_OPERAND = (
    r"(?:`(?P<{0}_quoted>[^`]+)`|'(?P<{0}_text>[^']*)'|(?P<{0}_number>[+-]?\d+(?:\.\d+)?)|(?P<{0}_name>[^\W\d]\w*))"
)
_RULE = re.compile(
    r"\s*{left}\s*(?P<operator><=|>=|==|!=|<|>)\s*{right}\s*".format(
        left=_OPERAND.format("left"), right=_OPERAND.format("right")
    )
)


@dataclass(frozen=True, slots=True)
class RowRule:
    """One comparison that every row must meet. ``right`` is a column where ``right_is_column``, else a literal."""

    text: str
    left: str
    operator: Operator
    right: str | int | float
    right_is_column: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it names."""
        return (self.left, str(self.right)) if self.right_is_column else (self.left,)


def parse_rule(text: str) -> RowRule:
    """The rule that the text spells: ``low <= high``, ``age >= 18``, ```Net pay` < gross``, ``state != 'closed'``.

    Names that are no plain words stand in backticks, texts in single quotes.

    Raises:
        ValueError: it is anything else, arithmetic included.
    """
    match = _RULE.fullmatch(text)
    if match is None or len(text) > 500:
        raise ValueError(
            f"{text[:80]!r} is no comparison of a column with a column, a number or a quoted text "
            "(low <= high, age >= 18, `Net pay` < gross, state != 'closed')"
        )
    found = match.groupdict()
    left = found["left_quoted"] or found["left_name"]
    if left is None:
        raise ValueError(f"{text[:80]!r} must begin with a column")
    name = found["right_quoted"] or found["right_name"]
    operator: Operator = _OPERATORS[str(found["operator"])]
    if name is not None:
        return RowRule(text, left, operator, name, right_is_column=True)
    number = found["right_number"]
    literal = found["right_text"] if number is None else (float(number) if "." in number else int(number))
    return RowRule(text, left, operator, literal, right_is_column=False)
