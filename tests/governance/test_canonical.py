"""The one spelling of values, and the strict reader."""

import contextlib
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from governance.access.roles import Role
from governance.canonical import MAX_DEPTH, canonical, digest, read_json
from governance.errors import InputRefused, MalformedBody

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats() | st.text()


@given(JSON)
def test_canonical_bytes_read_back_as_the_same_value_and_are_stable(value: Any) -> None:
    content = canonical(value)
    assert canonical(read_json(content)) == content
    assert digest(value) == digest(json.loads(content))


@given(
    st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner), max_leaves=20)
)
@example({"\x7f\u2028/<&": '\x00\x1f\x7f"\\/\u2028\U0001f600', "b": [True, 1, -0, 2**53 - 1, None, (), {}]})
@example({"\ue000": 1, "\U0001f600": 2, "a": [0.5]})
@example([Role.CI, "\ud800"])
def test_the_fast_way_to_canonical_bytes_gives_those_of_rfc_8785(value: Any) -> None:
    try:
        expected = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        with pytest.raises(InputRefused):
            canonical(value)
    else:
        assert canonical(value) == expected


def test_keys_are_sorted_by_code_units_as_rfc_8785_says() -> None:
    """Source: RFC 8785, section 3.2.3, its example."""
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    assert list(json.loads(canonical(value))) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53 + 1, "\ud800", object()])
def test_values_without_a_canonical_form_are_refused(value: Any) -> None:
    with pytest.raises(InputRefused):
        canonical({"a": value})


def test_nesting_is_taken_to_the_limit_and_no_further() -> None:
    for opened, closed in (("[", "]"), ('{"a":', "}")):
        middle = "1"
        assert read_json((opened * MAX_DEPTH + middle + closed * MAX_DEPTH).encode()) is not None
        with pytest.raises(MalformedBody, match="nests deeper"):
            read_json((opened * (MAX_DEPTH + 1) + middle + closed * (MAX_DEPTH + 1)).encode())
    wide = [[n] for n in range(500)]
    assert read_json(json.dumps(wide).encode()) == wide
    assert read_json(json.dumps("[" * 500).encode()) == "[" * 500


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"a":1,"a":2}', b"NaN", b"[Infinity]", b"1e999", b"\xff", b"\xef\xbb\xbf1", b"[" * 10**5, b"1 2"],
)
def test_what_is_not_one_strict_json_value_is_malformed(content: bytes) -> None:
    with pytest.raises(MalformedBody):
        read_json(content)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_a_value_or_an_error_of_ours(content: bytes) -> None:
    with contextlib.suppress(MalformedBody):
        read_json(content)
