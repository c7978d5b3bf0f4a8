"""Distinct values mean what the manifest declares, by strict rules, or are refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import MeasurementRefused
from governance.types.manifest import Attribute, Scalar
from policies.frames.coding import MAX_LEVELS, UNKNOWN, Level, bin_names, decode, place


def coded(values: list[Any], positive: Any, negative: Any = None, *, is_text: bool = False) -> dict[Any, bool]:
    """The meaning of values that occur in one row each."""
    return decode("column", dict.fromkeys(values, 1), positive=positive, negative=negative, is_text=is_text)


@pytest.mark.parametrize(
    ("values", "positive", "is_text", "expected"),
    [
        ([0, 1], 1, False, {0: False, 1: True}),
        ([0.0, 1.0], 1, False, {0.0: False, 1.0: True}),
        ([True, False], True, False, {True: True, False: False}),
        (["no", "yes"], "yes", False, {"no": False, "yes": True}),
        (["0", "1"], 1, True, {"0": False, "1": True}),
        (["0.0", "1.0"], 1, True, {"0.0": False, "1.0": True}),
        (["0", "1"], "1", True, {"0": False, "1": True}),
        (["True", "false"], True, True, {"True": True, "false": False}),
        (["Low", "Medium", "High"], ("Medium", "High"), False, {"Low": False, "Medium": True, "High": True}),
        ([0, 2], 1, False, None),
        ([0], 1, False, {0: False}),
    ],
)
def test_values_are_matched_within_their_kind(
    values: list[Any], positive: Any, is_text: bool, expected: dict[Any, bool] | None
) -> None:
    if expected is None:
        with pytest.raises(MeasurementRefused, match="two classes"):
            coded(values, positive, is_text=is_text)
    else:
        assert coded(values, positive, is_text=is_text) == expected


@pytest.mark.parametrize(
    ("values", "positive", "negative", "is_text", "found"),
    [
        ([0, 1], None, None, False, "none named"),
        (["no", "yes"], None, None, True, "none named"),
        ([0, 1], "1", None, False, "'1', a text"),
        (["0", "1"], 1, None, False, "1, a number"),
        ([True, False], 1, None, False, "1, a number"),
        ([0, 1], True, None, False, "True, a boolean"),
        ([0, 1, 2], 1, None, False, "0 (1 rows), 2 (1 rows)"),
        (["yes", "no", "maybe"], "yes", None, True, "'no' (1 rows), 'maybe' (1 rows)"),
        (["01", "0"], 1, None, True, "'01' (1 rows), '0' (1 rows)"),
        ([0.2, 0.9], 1, None, False, "fractions such as 0.2, 0.9"),
        (["0.2", "1"], 1, None, True, "fractions such as '0.2'"),
        ([0, 1, None], 1, None, False, "1 rows without one"),
        ([0.0, 1.0, float("nan")], 1, None, False, "1 rows without one"),
        ([0, 1], 1, 2, False, "0 (1 rows) beside the declared"),
        ([0, 1], 1, 1, False, "1 declared as both"),
        ([0, 1], (0, 1), 1, False, "1 declared as both"),
    ],
)
def test_a_column_that_the_coding_does_not_cover_is_refused(
    values: list[Any], positive: Any, negative: Any, is_text: bool, found: str
) -> None:
    with pytest.raises(MeasurementRefused) as fault:
        coded(values, positive, negative, is_text=is_text)
    assert found in fault.value.found


def test_two_spellings_of_one_number_are_one_other_value() -> None:
    assert coded(["0", "0.0", "1"], 1, is_text=True) == {"0": False, "0.0": False, "1": True}


def test_several_negatives_are_taken_as_declared() -> None:
    assert coded(["a", "b", "c"], "a", ("b", "c")) == {"a": True, "b": False, "c": False}


@given(st.lists(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()), unique=True), st.booleans())
def test_any_values_are_decoded_whole_or_refused(values: list[Any], is_text: bool) -> None:
    try:
        meaning = coded(values, 1, is_text=is_text)
    except MeasurementRefused:
        return
    assert set(map(repr, meaning)) == set(map(repr, dict.fromkeys(values)))
    assert all(isinstance(side, bool) for side in meaning.values())


def levels(values: list[Any], groups: tuple[Scalar, ...] | None = None, *, is_text: bool = False) -> dict[Any, Level]:
    """The level of values that occur in one row each."""
    return place("column", dict.fromkeys(values, 1), Attribute(groups=groups), is_text=is_text)


def test_null_nan_and_blank_are_unknown_and_nobody_guesses() -> None:
    found = levels([None, "", "  ", "a"])
    assert found == {None: UNKNOWN, "": UNKNOWN, "  ": UNKNOWN, "a": Level("group", "a")}
    assert set(levels([1.0, float("nan")]).values()) == {Level("group", "1"), UNKNOWN}


def test_a_value_beyond_the_declared_groups_is_outside_and_no_new_group() -> None:
    found = levels(["Male", "Female", "male"], ("Male", "Female"))
    assert found["male"] == Level("outside", "male")
    assert found["Male"] == Level("group", "Male")


def test_declared_groups_of_another_kind_than_the_column_are_refused() -> None:
    with pytest.raises(MeasurementRefused, match="not turned into numbers"):
        levels([1, 2], ("1", "2"))


def test_numbers_in_text_match_declared_numbers_by_value() -> None:
    assert levels(["1.0", "2"], (1, 2), is_text=True) == {"1.0": Level("group", "1"), "2": Level("group", "2")}


def test_a_column_that_names_people_is_no_attribute() -> None:
    with pytest.raises(MeasurementRefused, match="distinct values"):
        levels([f"person {number}" for number in range(MAX_LEVELS + 1)])


def test_bins_are_half_open_and_the_last_is_closed() -> None:
    assert bin_names((18, 30, 45.5)) == ["[18, 30)", "[30, 45.5]"]
