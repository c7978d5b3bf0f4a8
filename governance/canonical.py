"""One spelling for every value that is hashed: RFC 8785 bytes, SHA-256 digests, and a strict JSON reader."""

import hashlib
import json
from typing import Any

import rfc8785

from governance.errors import InputRefused, MalformedBody

MAX_DEPTH = 64
"""Nesting beyond this is refused: no event or document seen in the wild comes near, and recursion is bounded."""


def canonical(value: Any) -> bytes:
    """The RFC 8785 bytes of a JSON value (dicts with text keys, lists, text, finite numbers, booleans, null).

    Raises:
        InputRefused: it holds NaN, an infinity, an integer that a double does not hold, or something that is not JSON.
    """
    try:
        return _dumped(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as fault:
        raise InputRefused(
            expected="a JSON value with finite numbers and valid Unicode",
            found=str(fault) or type(fault).__name__,
            remedy="Write large or undefined numbers as text or leave them out.",
        ) from fault


_SAFE = 2**53
_MOST_PLAIN = 1_000_000
_PLAIN = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _is_plain(value: Any) -> bool:
    """Whether the standard library, which is much faster, spells the value as RFC 8785 does.

    It does where no number has a fraction or exceeds what a double holds, and where all keys are ASCII, so that their
    code points and their UTF-16 units sort alike.
    """
    waiting = [value]
    for item in waiting:  # the list grows meanwhile, up to a bound, which a cycle reaches
        kind = type(item)
        if kind is dict:
            try:
                is_plain = "".join(item).isascii()
            except TypeError:  # a key that is no text
                return False
            if not is_plain or len(waiting) > _MOST_PLAIN:
                return False
            waiting.extend(item.values())
        elif kind is list or kind is tuple:
            if len(waiting) > _MOST_PLAIN:
                return False
            waiting.extend(item)
        elif kind is int:
            if not -_SAFE < item < _SAFE:
                return False
        elif item is not None and kind is not bool and not isinstance(item, str):
            return False
    return True


def _dumped(value: Any) -> bytes:
    if _is_plain(value):
        return _PLAIN.encode(value).encode()
    try:
        return rfc8785.dumps(value)
    except rfc8785.IntegerDomainError:
        # A double of 2**53 or more is spelt like an integer and reads back as one; its bytes must stay the same.
        return rfc8785.dumps(_as_doubles(value))


def _as_doubles(value: Any) -> Any:
    """The value with those integers as floats that are spelt as a double is."""
    if isinstance(value, dict):
        return {key: _as_doubles(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_as_doubles(inner) for inner in value]
    if isinstance(value, int) and 2**53 <= abs(value) < 2**1023 and rfc8785.dumps(float(value)) == str(value).encode():
        return float(value)
    return value


def sha256(content: bytes) -> str:
    """``sha256:`` and the lower-case hexadecimal digest of the bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def digest(value: Any) -> str:
    """The digest of the value's RFC 8785 bytes."""
    return sha256(canonical(value))


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} occurs twice")
    return result


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is beyond the range of a double")
    return number


def is_shallow(value: Any) -> bool:
    """Whether containers nest at most ``MAX_DEPTH`` deep."""
    layer = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        inside = (inner for outer in layer for inner in (outer.values() if isinstance(outer, dict) else outer))
        layer = [inner for inner in inside if isinstance(inner, dict | list)]
        if not layer:
            return True
    return False


def read_json(content: bytes) -> Any:
    """The JSON value in ``content`` (UTF-8, a byte order mark is not taken).

    Raises:
        MalformedBody: not JSON; a key twice in one object; NaN or Infinity; a number beyond a double; nesting beyond
            ``MAX_DEPTH``; not UTF-8.
    """
    try:
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_finite
        )
        # Few opening brackets cannot nest too deep, and most bodies have few.
        if content.count(b"{") + content.count(b"[") > MAX_DEPTH and not is_shallow(value):
            raise ValueError(f"it nests deeper than {MAX_DEPTH} levels")
        return value
    except (ValueError, RecursionError) as fault:
        raise MalformedBody(
            expected="one JSON value in UTF-8 with unique keys and finite numbers",
            found=str(fault)[:200],
            remedy="Send valid JSON.",
        ) from fault
