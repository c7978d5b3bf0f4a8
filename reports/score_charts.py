"""Pictures of scores by group: how they are distributed, and whether they promise what happens. Pure.

Each group has a panel of its own, so that nothing rests on colour; the threshold and the line of perfect calibration
are dashed, and the description says in words what the picture shows.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

from reports.charts import Scene, Shape, cut_name, short, tick_text

MAX_PANELS = 12
"""Groups of one picture; the others stand in the JSON report, and the picture says how many."""

_WIDTH, _LEFT, _RIGHT = 760, 210, 30
_PANEL, _GAP, _TOP = 54, 12, 10
_SQUARE, _COLUMNS = 190, 3


def score_charts(prefix: str, details: Mapping[str, Any]) -> tuple[Scene, ...]:
    """The distributions and the calibration of each table of a fairness result whose scores were measured.

    ``details`` are those of a result of the fairness check; a table without scores gives no picture.
    """
    scenes: list[Scene] = []
    for name, table in details.get("tables", {}).items():
        scores = table.get("scores")
        if scores is None:
            continue
        number = len(scenes) + 1
        scenes.append(_distribution(f"{prefix}-scores-{number}", str(name), scores))
        if _are_probabilities(scores) and any(group["calibration"] for group in scores["groups"]):
            scenes.append(_calibration(f"{prefix}-calibration-{number}", str(name), scores))
    return tuple(scenes)


def _are_probabilities(scores: Mapping[str, Any]) -> bool:
    """Whether all scores lie between 0 and 1; others promise no share of positive labels."""
    return bool(float(scores["bands"][0][0]) >= 0 and float(scores["bands"][-1][1]) <= 1)


def _group_name(group: Mapping[str, Any]) -> str:
    return " / ".join(group["group"])


def _distribution(identity: str, name: str, scores: Mapping[str, Any]) -> Scene:
    """A panel a group: bars over the bands of scores, as high as the group's share per unit of score."""
    bands = [(float(low), float(high)) for low, high in scores["bands"]]
    groups = scores["groups"][:MAX_PANELS]
    # The threshold may lie beyond every score.
    cut = [] if scores["threshold"] is None else [float(scores["threshold"])]
    low, high = min((bands[0][0], *cut)), max((bands[-1][1], *cut))
    span = high - low or 1.0
    least = span / 200

    def place(score: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (score - low) / span

    densities = [
        [float(share) / max(end - start, least) for share, (start, end) in zip(group["shares"], bands, strict=True)]
        for group in groups
    ]
    top = max((density for own in densities for density in own), default=0.0) or 1.0
    shapes: list[Shape] = []
    for index, (group, own) in enumerate(zip(groups, densities, strict=True)):
        bottom = _TOP + (index + 1) * _PANEL + index * _GAP
        name_of = _group_name(group)
        shapes.append(
            Shape("text", "label", _LEFT - 8, bottom - 20, text=cut_name(name_of, 26), anchor="end", hint=name_of)
        )
        shapes.append(Shape("line", "axis", _LEFT, bottom, _WIDTH - _RIGHT, bottom))
        for density, (start, end) in zip(own, bands, strict=True):
            height = _PANEL * density / top
            width = max(place(max(end, start + least)) - place(start), 1.5)
            if density > 0:
                shapes.append(Shape("rect", "bar", place(start), bottom - height, width, height))
    bottom = _TOP + len(groups) * (_PANEL + _GAP)
    shapes += _ticks(place, low, span, bottom)
    if scores["threshold"] is not None:
        x = place(cut[0])
        shapes.append(Shape("line", "limit", x, 0, x, bottom - _GAP + 4))
        said = f"threshold {short(scores['threshold'])}"
        # Near the right edge the words would leave the picture.
        anchor: Literal["middle", "end"] = "end" if x > _WIDTH - 80 else "middle"
        shapes.append(Shape("text", "small", x, bottom + 28, text=said, anchor=anchor))
    shapes += _left_out(scores, bottom + 28)
    title = f"Scores by {name}"
    return Scene(identity, title, _distribution_words(title, scores, bands), _WIDTH, bottom + 36, tuple(shapes))


def _ticks(place: Any, low: float, span: float, bottom: float) -> list[Shape]:
    return [
        Shape("text", "small", place(low + span * part / 4), bottom + 10,
              text=tick_text(float(f"{low + span * part / 4:.3g}")), anchor="middle")
        for part in range(5)
    ]  # fmt: skip


def _left_out(scores: Mapping[str, Any], y: float) -> list[Shape]:
    more = len(scores["groups"]) - MAX_PANELS
    return [Shape("text", "small", 8, y, text=f"{more} more groups in the JSON report")] if more > 0 else []


def _distribution_words(title: str, scores: Mapping[str, Any], bands: Sequence[tuple[float, float]]) -> str:
    """The share of each group at or above the threshold, or the band that holds its middle score."""
    threshold = scores["threshold"]
    said = []
    for group in scores["groups"][:MAX_PANELS]:
        shares = [float(share) for share in group["shares"]]
        if threshold is not None:
            above = sum(share for share, (low, _) in zip(shares, bands, strict=True) if low >= float(threshold))
            said.append(f"{_group_name(group)} {100 * above:.1f} %")
        else:
            said.append(f"{_group_name(group)} {_middle(shares, bands):.3g}")
    what = f"share at or above the threshold of {short(threshold)}" if threshold is not None else "middle score about"
    return f"{title}; {what}: {', '.join(said)}."


def _middle(shares: Sequence[float], bands: Sequence[tuple[float, float]]) -> float:
    running = 0.0
    for share, (low, high) in zip(shares, bands, strict=True):
        running += share
        if running >= 0.5:
            return (low + high) / 2
    return bands[-1][1]


def _calibration(identity: str, name: str, scores: Mapping[str, Any]) -> Scene:
    """A square a group: observed share of positive labels over the mean score of each band."""
    groups = [group for group in scores["groups"] if group["calibration"]][:MAX_PANELS]
    side = _SQUARE + 44
    shapes: list[Shape] = []
    for index, group in enumerate(groups):
        x, y = 36 + index % _COLUMNS * (side + 12), 24 + index // _COLUMNS * (side + 20)
        shapes += _square(group, x, y)
    rows = -(-len(groups) // _COLUMNS)
    height = 24 + rows * (side + 20)
    shapes += _left_out(scores, height - 4)
    title = f"Calibration by {name}"
    said = ", ".join(f"{_group_name(group)} {short(group['expected_calibration_error'])}" for group in groups)
    words = f"{title}: share of positive labels over mean score, by bands; mean distance from the dashed line: {said}."
    return Scene(identity, title, words, _WIDTH, height, tuple(shapes))


def _square(group: Mapping[str, Any], x: float, y: float) -> list[Shape]:
    bottom = y + _SQUARE
    shapes = [
        Shape("text", "label", x, y - 8, text=cut_name(_group_name(group), 26), hint=_group_name(group)),
        Shape("line", "axis", x, bottom, x + _SQUARE, bottom),
        Shape("line", "axis", x, y, x, bottom),
        Shape("line", "limit", x, bottom, x + _SQUARE, y),
        *(Shape("text", "small", x + _SQUARE * part, bottom + 14, text=f"{part:g}", anchor="middle")
          for part in (0, 0.5, 1)),
        *(Shape("text", "small", x - 6, bottom - _SQUARE * part + 4, text=f"{part:g}", anchor="end")
          for part in (0, 0.5, 1)),
        Shape("text", "small", x + _SQUARE / 2, bottom + 28, text="mean score", anchor="middle"),
    ]  # fmt: skip
    places = [
        (x + _SQUARE * float(band["mean_score"]), bottom - _SQUARE * float(band["observed"]))
        for band in group["calibration"]
    ]
    shapes += [Shape("line", "whisker", *one, *two) for one, two in pairwise(places)]
    return [*shapes, *(Shape("dot", "mark", left, up, 3.5) for left, up in places)]
