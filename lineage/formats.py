"""The string formats that OpenLineage's schemas assert. Pure.

jsonschema skips a format whose checker is not installed, without a word; these three are always there.
"""

import re
from datetime import datetime

from jsonschema import FormatChecker

from lineage.identity import is_uuid
from lineage.redaction import MARK

_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:)(\d\d)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)")
_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:"
    r"(?://(?:(?:[\w.~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?(?:\[[0-9A-Fa-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)"
    r"(?::\d*)?(?:/(?:[\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?|(?:[\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)"
    r"(?:\?(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?(?:#(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?",
    re.ASCII,
)


def is_date_time(text: object) -> bool:
    """Whether a string is a date-time of RFC 3339, section 5.6; what is no string passes, as JSON Schema has it."""
    if not isinstance(text, str):
        return True
    match = _DATE_TIME.fullmatch(text) if text.isascii() else None
    if match is None:
        return False
    day, minute, second = match.groups()
    try:
        datetime.fromisoformat(f"{day}T{minute}{'59' if second == '60' else second}")
    except ValueError:
        return False
    return True


def is_uri(text: object) -> bool:
    """Whether a string is a URI of RFC 3986 with a scheme; a part that was redacted counts as if it were there."""
    return not isinstance(text, str) or _URI.fullmatch(text.replace(MARK, "redacted")) is not None


def is_uuid_text(text: object) -> bool:
    """Whether a string is a UUID in its hyphenated form."""
    return not isinstance(text, str) or is_uuid(text)


def format_checker() -> FormatChecker:
    """A checker of exactly these three formats."""
    checker = FormatChecker(formats=())
    for name, holds in (("date-time", is_date_time), ("uri", is_uri), ("uuid", is_uuid_text)):
        checker.checks(name)(holds)
    return checker
