"""Charts: right places, nothing outside the picture, and readable without colour."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from governance.types.ancestry import Ancestry
from governance.types.results import CheckStatus, Figure, Interval
from governance.types.value import decimal_text
from reports.charts import (
    MAX_CHARTS,
    MAX_NODES,
    MAX_ROWS,
    Scene,
    Shape,
    check_charts,
    cut,
    cut_name,
    lineage_chart,
    short,
    tick_text,
)
from tests.policies.gdpr.build import ancestry, data, edge, model, run, step
from tests.policies.gdpr.test_examples import credit_lineage


def figure(name: str, level: str, value: str | None, key: str = "sex", **changes: object) -> Figure:
    return Figure.model_validate({"name": name, "value": value, "group": {key: level}, **changes})


def texts(scene: Scene) -> list[str]:
    return [shape.text for shape in scene.shapes if shape.kind == "text"]


def marks(scene: Scene) -> list[Shape]:
    return [shape for shape in scene.shapes if shape.style in {"mark", "hollow", "outside", "bar", "negative"}]


def extent(shape: Shape) -> tuple[float, float]:
    """From where to where a text reaches, by the width of an average letter."""
    width = len(shape.text) * (7.2 if shape.style == "label" else 6.2)
    start = shape.x - {"start": 0, "middle": width / 2, "end": width}[shape.anchor]
    return start, start + width


def inside(scene: Scene) -> bool:
    for shape in scene.shapes:
        if shape.kind == "text" and not (0 <= extent(shape)[0] <= extent(shape)[1] <= scene.width):
            return False
        wide = shape.x + shape.x2 if shape.kind == "rect" else max(shape.x, shape.x2 if shape.kind == "line" else 0)
        tall = shape.y + shape.y2 if shape.kind == "rect" else max(shape.y, shape.y2 if shape.kind == "line" else 0)
        if not (0 <= shape.x <= wide <= scene.width and -1e-9 <= shape.y <= tall <= scene.height):
            return False
    return True


def test_a_point_lies_at_its_value_and_its_interval_around_it() -> None:
    interval = {"lower": "0.2", "upper": "0.4", "method": "Wilson"}
    (scene,) = check_charts("c", [figure("rate", "a", "0.3", interval=interval), figure("rate", "b", "1")])
    first, second = marks(scene)
    zero = next(shape.x for shape in scene.shapes if shape.text == "0")
    assert (first.x - zero) / (second.x - zero) == pytest.approx(0.3)
    whiskers = [shape for shape in scene.shapes if shape.style == "whisker"]
    assert len(whiskers) == 3
    assert whiskers[0].x < first.x < whiskers[0].x2


def test_the_limit_is_a_dashed_line_with_its_number() -> None:
    (scene,) = check_charts("c", [figure("ratio", "a", "0.3", limit="0.8"), figure("ratio", "b", "1", limit="0.8")])
    assert [shape.style for shape in scene.shapes].count("limit") == 1
    assert "limit 0.8" in texts(scene)
    assert scene.description == "ratio by sex: from 0.3 (a) to 1 (b); limit 0.8."


def test_what_is_outside_its_limit_and_the_reference_differ_in_shape() -> None:
    bad = figure("ratio", "a", "0.3", status=CheckStatus.FAILED)
    reference = figure("ratio", "b", "1", flags=("reference",))
    (scene,) = check_charts("c", [bad, reference])
    assert [(mark.kind, mark.style) for mark in marks(scene)] == [("rect", "outside"), ("dot", "hollow")]


def test_one_group_against_the_limit_is_drawn() -> None:
    interval = {"lower": "0.2936", "upper": "0.3587", "method": "log scale"}
    (scene,) = check_charts("c", [figure("ratio", "Female", "0.3242", interval=interval, limit="0.8", status="failed")])
    assert scene.description == "ratio by sex: 0.3242 (Female); limit 0.8."
    assert [mark.style for mark in marks(scene)] == ["outside"]
    assert "1" in texts(scene)


def test_features_are_bars_from_zero_the_largest_first() -> None:
    values = {"a": "0.1", "b": "-0.4", "c": "0.3"}
    (scene,) = check_charts("c", [figure("gap", name, value, "feature") for name, value in values.items()])
    labels = [text for text in texts(scene) if text in values]
    assert labels == ["b", "c", "a"]
    b, c, _ = marks(scene)
    zero = next(shape.x for shape in scene.shapes if shape.text == "0")
    assert [b.style, c.style] == ["negative", "bar"]
    assert [b.x + b.x2, c.x] == pytest.approx([zero, zero])
    assert b.x2 / c.x2 == pytest.approx(4 / 3)


def test_each_gap_has_its_own_chart() -> None:
    figures = [
        figure("gap", feature, value).model_copy(update={"group": {"feature": feature, "sex": pair}})
        for pair in ("m against f", "x against f")
        for feature, value in (("a", "0.1"), ("b", "0.2"))
    ]
    assert [scene.title for scene in check_charts("c", figures)] == [
        "gap by feature (sex m against f)",
        "gap by feature (sex x against f)",
    ]


def test_what_a_picture_cannot_tell_is_not_drawn() -> None:
    assert check_charts("c", [figure("rate", "a", "1"), figure("rate", "b", None)]) == ()
    assert check_charts("c", [figure("failures", "a", "0", limit="0"), figure("failures", "b", "0", limit="0")]) == ()
    assert check_charts("c", [figure("rate", "*", "1"), figure("rate", "*", "2")]) == ()
    assert check_charts("c", [Figure(name="rate", value="1"), Figure(name="rate", value="2")]) == ()


def test_long_series_and_many_series_are_cut_and_said() -> None:
    (scene,) = check_charts("c", [figure("rate", f"g{number}", f"0.{number + 1}") for number in range(MAX_ROWS + 5)])
    assert "5 more in the table" in texts(scene)
    many = [
        figure(f"rate{n}", level, value) for n in range(MAX_CHARTS + 3) for level, value in (("a", "0.5"), ("b", "0.6"))
    ]
    assert len(check_charts("c", many)) == MAX_CHARTS


def test_numbers_too_large_to_draw_are_left_to_the_table() -> None:
    figures = [figure("x", "a", "1e300"), figure("x", "b", "1"), figure("x", "c", "2")]
    (scene,) = check_charts("c", figures)
    assert len(marks(scene)) == 2


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.lists(st.tuples(numbers, numbers, numbers), min_size=2, max_size=30),
    numbers,
    st.sampled_from(["feature", "sex"]),
)
@example([(0.0, 0.0, 0.0), (0.0, 0.0, 5e-324)], 0.0, "sex")
@example([(0.0, 0.0, 0.0), (-1000000.4375, 0.0, 0.0)], 0.0, "sex")
def test_any_numbers_stay_inside_the_picture(rows: list[tuple[float, float, float]], limit: float, key: str) -> None:
    figures = [
        Figure(
            name="x",
            value=decimal_text(value),
            limit=decimal_text(limit),
            interval=Interval(lower=decimal_text(lower), upper=decimal_text(upper), method="any"),
            group={key: f"g{index}"},
        )
        for index, (value, lower, upper) in enumerate(rows)
    ]
    assert all(inside(scene) for scene in check_charts("c", figures))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "none"), ("48842", "48842"), ("0.303512345", "0.3035"), ("0.5", "0.5"), ("1.0", "1"), ("0", "0"),
        ("0.0000123", "1.23e-5"), ("-0.25", "-0.25"), ("1e300", "1.00e+300"), ("-12.34567", "-12.3457"),
    ],
)  # fmt: skip
def test_numbers_are_short_and_right(text: str | None, said: str) -> None:
    assert short(text) == said


def test_long_names_are_cut_with_an_ellipsis() -> None:
    assert (cut("abcdef", 6), cut("abcdefg", 6)) == ("abcdef", "abcd…g")


def test_the_lineage_runs_from_sources_on_the_left_to_the_model_on_the_right() -> None:
    scene = lineage_chart("l", credit_lineage())
    assert scene is not None
    left = {shape.text: shape.x for shape in scene.shapes if shape.style == "label"}
    assert (
        left["applications"] == left["web_clicks"] < left["prep"] < left["features"] < left["train"] < left["credit/3"]
    )
    assert "ethnicity" not in left
    assert scene.description == "3 data set versions and 2 runs lead to credit/3."
    assert inside(scene)


def test_over_approximate_flows_are_dashed() -> None:
    scene = lineage_chart("l", ancestry([data("d"), model()], [run("t")], step(["d"], "t", "m", "over-approximate")))
    assert scene is not None
    assert {shape.style for shape in scene.shapes if shape.kind == "line"} == {"loose"}


def test_wide_and_deep_lineages_are_cut_and_said() -> None:
    wide = [data(f"d{number}") for number in range(MAX_NODES + 4)]
    scene = lineage_chart("l", ancestry([*wide, model()], [run("t")], step([node.key for node in wide], "t", "m")))
    assert scene is not None
    assert "4 more" in texts(scene)
    assert inside(scene)
    chain = [data(f"d{number}") for number in range(9)]
    edges = [e for number in range(8) for e in step([f"d{number + 1}"], f"r{number}", f"d{number}")]
    runs = [run("t"), *(run(f"r{number}") for number in range(8))]
    deep = lineage_chart("l", ancestry([*chain, model()], runs, [*edges, *step(["d0"], "t", "m")]))
    assert deep is not None
    assert "10 more further upstream" in texts(deep)
    assert inside(deep)


def test_a_cycle_is_drawn_once() -> None:
    found = ancestry([data("d"), model()], [run("t")], [*step(["d"], "t", "m"), edge("t", "d", role="output")])
    scene = lineage_chart("l", found)
    assert scene is not None
    assert texts(scene).count("d") == 1


def test_an_unknown_model_has_no_picture() -> None:
    assert lineage_chart("l", Ancestry(subject=None)) is None


def test_names_that_differ_at_their_end_stay_apart() -> None:
    names = [f"A group whose name goes on and on, number {number}" for number in (12, 13)]
    assert cut_name(names[0], 29) != cut_name(names[1], 29)
    both = "American Indian or Alaska Native / Female"
    assert cut_name(both, 29).endswith(" / Female")
    assert len(cut_name(both, 29)) <= 29
    assert cut_name("Male", 29) == "Male"


def test_a_group_without_members_keeps_its_place() -> None:
    figures = [figure("rate", "a", "0.3"), figure("rate", "b", "0.6"), figure("rate", "nobody", None)]
    (scene,) = check_charts("c", figures)
    assert "nobody" in texts(scene)
    assert "none" in texts(scene)
    assert len(marks(scene)) == 2
    assert scene.description == "rate by sex: from 0.3 (a) to 0.6 (b); no value of nobody."


def test_equal_values_are_said_once() -> None:
    interval = {"lower": "0", "upper": "0.1", "method": "Wilson"}
    (scene,) = check_charts("c", [figure("rate", name, "0", interval=interval) for name in "ab"])
    assert scene.description == "rate by sex: 0 (everywhere)."


def test_only_ratios_are_read_against_one() -> None:
    def drawn(name: str) -> list[str]:
        (scene,) = check_charts("c", [figure(name, "a", "0.1"), figure(name, "b", "0.2")])
        return texts(scene)

    assert "1" in drawn("impact_ratio")
    assert "1" not in drawn("calibration_gap")


def test_the_limits_line_ends_above_the_numbers_of_the_axis() -> None:
    (scene,) = check_charts("c", [figure("ratio", "a", "0.3", limit="0.8"), figure("ratio", "b", "1", limit="0.8")])
    line = next(shape for shape in scene.shapes if shape.style == "limit")
    tick = next(shape for shape in scene.shapes if shape.text == "0.8")
    assert line.y2 < tick.y - 8


def test_numbers_of_an_axis_are_whole_where_they_can_be() -> None:
    assert [tick_text(tick) for tick in (0.25, 1250000.0, -500.0, 2e9, 1e-7)] == [
        "0.25", "1,250,000", "-500", "2e+09", "1e-07",
    ]  # fmt: skip
