"""Lines of CSV that a spreadsheet reads as text and numbers, never as formulas. Pure."""

import csv
import io
from collections.abc import Sequence

_STARTS = frozenset("=+-@\t\r\n＝＋－＠")
"""What a spreadsheet takes for the beginning of a formula, or skips before one; also in full width."""


def csv_line(cells: Sequence[str | int | float | None]) -> str:
    """One line of CSV (RFC 4180), ended by CR LF. Texts are neutralised, numbers stay numbers, None is empty.

    >>> csv_line([1, "=1+1", None, 2.5]).rstrip()
    "1,'=1+1,,2.5"
    """
    held = io.StringIO()
    csv.writer(held, lineterminator="\r\n").writerow(
        [neutral_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    )
    return held.getvalue()


def neutral_cell(text: str) -> str:
    """The text, after an apostrophe where its first or first non-space character could begin a formula.

    Source: OWASP, CSV Injection.

    >>> neutral_cell("  @SUM(A1)"), neutral_cell("a=b")
    ("'  @SUM(A1)", 'a=b')
    """
    first = next((character for character in text if character in _STARTS or not character.isspace()), "")
    return f"'{text}" if first in _STARTS else text
