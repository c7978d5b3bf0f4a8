"""Pictures of a dossier's numbers and lineage as scenes of plain shapes, which a template draws as SVG.

Pure: the same values give the same scene. Meaning never rests on colour: limits are dashed, references hollow, what
is outside its limit is a square, and every number stands in a table beside the picture.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import floor, isfinite, log10
from typing import Literal

from governance.types.ancestry import Ancestry, AncestryEdge, DatasetVersion
from governance.types.results import CheckStatus, Figure

ChartStyle = Literal["axis", "grid", "limit", "whisker", "mark", "hollow", "outside", "bar", "negative"]
GraphStyle = Literal["box", "model", "run", "edge", "loose", "node"]
Style = ChartStyle | GraphStyle | Literal["label", "small"]

SMALLEST_SPAN = 1e-9
"""Numbers that lie closer together than this are drawn as one: no reader tells them apart, and ticks would repeat."""

MAX_ROWS = 24
"""Rows of one chart; the rest is counted on it and stands in the table."""

MAX_CHARTS = 8
"""Charts of one check."""

WIDTH = 760
LABEL = 210
RIGHT = 90
ROW = 22
TOP = 14


@dataclass(frozen=True, slots=True)
class Shape:
    """A line, rectangle, dot or text. ``x2`` and ``y2`` are the other end, the width and height, or the radius."""

    kind: Literal["line", "rect", "dot", "text"]
    style: Style
    x: float
    y: float
    x2: float = 0
    y2: float = 0
    text: str = ""
    anchor: Literal["start", "middle", "end"] = "start"
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture with a title and a description for those who do not see it."""

    id: str
    title: str
    description: str
    width: int
    height: int
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    value: float | None
    lower: float | None
    upper: float | None
    figure: Figure


def check_charts(prefix: str, figures: Sequence[Figure]) -> tuple[Scene, ...]:
    """The charts of a check: one a series of figures that share a name and the kind of group they belong to.

    Values per feature are drawn as bars (shares of attribution, contributions to a gap), others as points with their
    intervals and the limit; a group without a value keeps its place. Figures without a group, or for all groups, are
    not drawn; nor is a series of equal values without intervals, or a single value without interval and limit.
    """
    series: dict[tuple[str, ...], list[Figure]] = defaultdict(list)
    for figure in figures:
        if figure.group and "*" not in figure.group.values():
            series[_series(figure)].append(figure)
    charts: list[Scene] = []
    for members in series.values():
        rows = [row for figure in members if (row := _row(figure)) is not None]
        if not _tells_something(rows) or len(charts) == MAX_CHARTS:
            continue
        charts.append(_chart(f"{prefix}-{len(charts) + 1}", rows))
    return tuple(charts)


def _series(figure: Figure) -> tuple[str, ...]:
    """Features of one gap belong together; groups of one attribute do."""
    if "feature" in figure.group:
        rest = sorted((key, level) for key, level in figure.group.items() if key != "feature")
        return (figure.name, "feature", *(f"{key}={level}" for key, level in rest))
    return (figure.name, *sorted(figure.group))


def _tells_something(rows: Sequence[_Row]) -> bool:
    known = [row for row in rows if row.value is not None]
    intervals = any(row.lower is not None for row in known)
    if len(known) == 1:
        return intervals and known[0].figure.limit is not None
    return intervals or len({row.value for row in known}) > 1


def _row(figure: Figure) -> _Row | None:
    value = _number(figure.value)
    if value is None and figure.value is not None:
        return None
    interval = figure.interval
    lower, upper = (_number(interval.lower), _number(interval.upper)) if interval else (None, None)
    label = figure.group.get("feature") or " / ".join(figure.group[key] for key in sorted(figure.group))
    return _Row(label, value, lower, upper, figure)


def _number(text: str | None) -> float | None:
    """The number, null where there is none or it is too large to be drawn."""
    if text is None:
        return None
    number = float(text)
    return number if isfinite(number) and abs(number) < 1e15 else None


def _chart(name: str, rows: list[_Row]) -> Scene:
    first = rows[0].figure
    is_bars = "feature" in first.group
    if is_bars:
        rows = sorted(rows, key=lambda row: (-abs(row.value or 0), row.label))
    shown, left_out = rows[:MAX_ROWS], len(rows) - MAX_ROWS
    limits = {limit for row in rows if (limit := _number(row.figure.limit)) is not None}
    axis = _Axis.over(shown, limits)
    bottom = TOP + ROW * len(shown)
    shapes = [*axis.shapes(bottom), *(shape for limit in sorted(limits) for shape in axis.limit(limit, bottom))]
    for index, row in enumerate(shown):
        y = TOP + ROW * index + ROW / 2
        shapes += _bar(axis, row, y) if is_bars else _point(axis, row, y)
    if left_out > 0:
        more = f"{left_out} more in the table"
        shapes.append(Shape("text", "small", 8, bottom + 32, text=more))
    title = _title(first)
    return Scene(name, title, _description(title, shown, limits), WIDTH, bottom + 40, tuple(shapes))


def _title(figure: Figure) -> str:
    name = figure.name.replace("_", " ")
    if "feature" in figure.group:
        rest = [f"{key} {figure.group[key]}" for key in sorted(figure.group) if key != "feature"]
        return f"{name} by feature" + (f" ({', '.join(rest)})" if rest else "")
    return f"{name} by {' and '.join(sorted(figure.group))}"


def _description(title: str, rows: Sequence[_Row], limits: Iterable[float]) -> str:
    """The picture in words: lowest and highest, and where the limit lies."""
    known = sorted((row for row in rows if row.value is not None), key=lambda row: row.value or 0)
    if not known:
        return f"{title}: no values."
    low, high = known[0], known[-1]
    said = f"{title}: from {short(low.figure.value)} ({low.label}) to {short(high.figure.value)} ({high.label})"
    if low.value == high.value:
        said = f"{title}: {short(low.figure.value)} ({low.label if len(known) == 1 else 'everywhere'})"
    absent = [row.label for row in rows if row.value is None]
    said += f"; no value of {', '.join(absent)}" if absent else ""
    at = ", ".join(f"{limit:g}" for limit in sorted(limits))
    return f"{said}; limit {at}." if at else f"{said}."


@dataclass(frozen=True, slots=True)
class _Axis:
    """A horizontal scale from ``low`` to ``high`` with ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, rows: Sequence[_Row], limits: Iterable[float]) -> "_Axis":
        numbers = [number for row in rows for number in (row.value, row.lower, row.upper) if number is not None]
        # A ratio is read against 1, where the groups are equal.
        parity = [1.0] if "ratio" in rows[0].figure.name.split("_") else []
        numbers = [*numbers, *limits, *parity, 0.0]
        low, high = min(numbers), max(numbers)
        if high - low < SMALLEST_SPAN:
            high = low + 1
        step = _nice((high - low) / 5)
        first, last = floor(low / step), -floor(-high / step)
        return cls(first * step, last * step, tuple(round(index * step, 12) for index in range(first, last + 1)))

    def place(self, value: float) -> float:
        inside = WIDTH - LABEL - RIGHT
        return LABEL + inside * (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)

    def shapes(self, bottom: float) -> list[Shape]:
        drawn = [Shape("line", "axis", LABEL, bottom, WIDTH - RIGHT, bottom)]
        for tick in self.ticks:
            x = self.place(tick)
            drawn.append(Shape("line", "grid", x, TOP, x, bottom))
            drawn.append(Shape("text", "small", x, bottom + 15, text=tick_text(tick), anchor="middle"))
        return drawn

    def limit(self, value: float, bottom: float) -> list[Shape]:
        x = self.place(value)
        said = Shape("text", "small", x, bottom + 32, text=f"limit {value:g}", anchor="middle")
        return [Shape("line", "limit", x, TOP - 8, x, bottom), said]


def _nice(step: float) -> float:
    """The next larger of 1, 2, 2.5 and 5 times a power of ten."""
    power = 10.0 ** floor(log10(step))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * (1 - 1e-9))


def _label(row: _Row, y: float) -> list[Shape]:
    value = short(row.figure.value)
    # Longer numbers would leave the picture; the table has every digit.
    value = value if len(value) <= 12 else f"{row.value:.4g}"
    return [
        Shape("text", "label", LABEL - 12, y + 4, text=cut_name(row.label, 26), anchor="end", hint=row.label),
        Shape("text", "small", WIDTH - RIGHT + 12, y + 4, text=value),
    ]


def _whisker(axis: _Axis, row: _Row, y: float) -> list[Shape]:
    if row.lower is None or row.upper is None:
        return []
    left, right = axis.place(row.lower), axis.place(row.upper)
    ends = [Shape("line", "whisker", x, y - 4, x, y + 4) for x in (left, right)]
    return [Shape("line", "whisker", left, y, right, y), *ends]


def _point(axis: _Axis, row: _Row, y: float) -> list[Shape]:
    if row.value is None:
        return _label(row, y)
    x = axis.place(row.value)
    bad = row.figure.status in {CheckStatus.FAILED, CheckStatus.WARNED}
    if bad:
        mark = Shape("rect", "outside", x - 5, y - 5, 10, 10)
    else:
        mark = Shape("dot", "hollow" if "reference" in row.figure.flags else "mark", x, y, 5)
    return [*_label(row, y), *_whisker(axis, row, y), mark]


def _bar(axis: _Axis, row: _Row, y: float) -> list[Shape]:
    if row.value is None:
        return _label(row, y)
    zero, end = axis.place(0), axis.place(row.value)
    style: Style = "bar" if row.value >= 0 else "negative"
    bar = Shape("rect", style, min(zero, end), y - 7, abs(end - zero), 14)
    return [*_label(row, y), bar, *_whisker(axis, row, y)]


def short(text: str | None) -> str:
    """A number as people read it: integers whole, others with four decimals, small ones with three digits."""
    if text is None:
        return "none"
    number = Decimal(text)
    if number == number.to_integral_value() and abs(number) < 10**15:
        return f"{number:.0f}"
    if not Decimal("0.001") <= abs(number) < 10**15:
        return f"{number:.2e}"
    return f"{number:.4f}".rstrip("0").rstrip(".")


def tick_text(tick: float) -> str:
    """A number of an axis: whole thousands are grouped, and only what is huge or tiny has an exponent."""
    return f"{tick:,.10g}" if 1e-4 <= abs(tick) < 1e9 else f"{tick:g}"


def cut(text: str, length: int) -> str:
    """The text, or its ends around an ellipsis: names often differ in their last characters alone."""
    tail = (length - 1) // 3
    return text if len(text) <= length else f"{text[: length - 1 - tail]}…{text[-tail:]}"


def cut_name(text: str, length: int) -> str:
    """A group's name in so many characters; of several levels the longest is cut first, so that each is still told."""
    parts = text.split(" / ")
    sizes = [len(part) for part in parts]
    while sum(sizes) > length - 3 * (len(parts) - 1) and max(sizes) > 4:
        sizes[sizes.index(max(sizes))] -= 1
    return " / ".join(cut(part, size) for part, size in zip(parts, sizes, strict=True))


MAX_LAYERS = 9
MAX_NODES = 6
"""Layers of the lineage picture, nearest to the model first, and nodes of one layer."""

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y = 150, 40, 48, 16


def lineage_chart(name: str, ancestry: Ancestry) -> Scene | None:
    """Sources on the left, the model on the right, runs between; null when lineage does not know the model.

    A node's layer is its least number of steps to the model. At most ``MAX_LAYERS`` layers and ``MAX_NODES`` nodes in
    each are drawn; how many more there are stands in their place.
    """
    if ancestry.subject is None:
        return None
    steps = _steps(ancestry.subject, ancestry.edges)
    layers = _layers(ancestry, steps)
    hidden = sum(step >= MAX_LAYERS for step in steps.values())
    tallest = max(min(len(layer), MAX_NODES + 1) for layer in layers)
    places = _places(layers, tallest)
    shapes: list[Shape] = [
        shape
        for edge in ancestry.edges
        if {edge.source, edge.target} <= places.keys()
        for shape in _arrow(edge, places)
    ]
    texts = _texts(ancestry)
    for key, (x, y) in places.items():
        shapes += _box(x, y, texts[key], "model" if key == ancestry.subject else _kind(ancestry, key))
    shapes += _more(layers, tallest)
    height = 30 + tallest * (BOX_HEIGHT + GAP_Y) + (18 if hidden else 0)
    if hidden:
        shapes.append(Shape("text", "small", 10, height - 8, text=f"{hidden} more further upstream"))
    width = 20 + len(layers) * BOX_WIDTH + (len(layers) - 1) * GAP_X
    data = sum(node.key in steps for node in ancestry.datasets) - 1
    counts = f"{data} data set versions and {sum(run.key in steps for run in ancestry.runs)} runs"
    said = f"{counts} lead to {texts[ancestry.subject][0]}."
    return Scene(name, "Where the model came from", said, max(width, 320), height, tuple(shapes))


def _steps(subject: str, edges: Iterable[AncestryEdge]) -> dict[str, int]:
    """The least number of edges from each node to the subject."""
    incoming: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        incoming[edge.target].append(edge.source)
    steps, layer = {subject: 0}, [subject]
    while layer:
        following = sorted({source for key in layer for source in incoming[key]} - steps.keys())
        steps |= dict.fromkeys(following, steps[layer[0]] + 1)
        layer = following
    return steps


def _layers(ancestry: Ancestry, steps: dict[str, int]) -> list[list[str]]:
    """The drawn layers from left to right; those by the same name stand in the order of their keys."""
    depth = min(max(steps.values()) + 1, MAX_LAYERS)
    layers: list[list[str]] = [[] for _ in range(depth)]
    for key in sorted(key for key in _texts(ancestry) if key in steps):
        if steps[key] < depth:
            layers[depth - 1 - steps[key]].append(key)
    return layers


def _texts(ancestry: Ancestry) -> dict[str, tuple[str, str]]:
    """Name and second line of every node."""
    texts = {node.key: (node.name, cut(_version(node), 22)) for node in ancestry.datasets}
    return texts | {run.key: (run.job_name, f"run, {run.state.lower()}") for run in ancestry.runs}


def _version(node: DatasetVersion) -> str:
    return node.version or node.content_digest or "version unknown"


def _kind(ancestry: Ancestry, key: str) -> Style:
    return "run" if any(run.key == key for run in ancestry.runs) else "box"


def _places(layers: list[list[str]], tallest: int) -> dict[str, tuple[float, float]]:
    places: dict[str, tuple[float, float]] = {}
    for column, layer in enumerate(layers):
        shown = layer[:MAX_NODES]
        top = 15 + (tallest - min(len(layer), MAX_NODES + 1)) * (BOX_HEIGHT + GAP_Y) / 2
        for row, key in enumerate(shown):
            places[key] = (10 + column * (BOX_WIDTH + GAP_X), top + row * (BOX_HEIGHT + GAP_Y))
    return places


def _more(layers: list[list[str]], tallest: int) -> list[Shape]:
    return [
        Shape(
            "text", "small", 10 + column * (BOX_WIDTH + GAP_X), 15 + (tallest - 1) * (BOX_HEIGHT + GAP_Y) + 24,
            text=f"{len(layer) - MAX_NODES} more",
        )
        for column, layer in enumerate(layers)
        if len(layer) > MAX_NODES
    ]  # fmt: skip


def _arrow(edge: AncestryEdge, places: dict[str, tuple[float, float]]) -> list[Shape]:
    """A line from box to box with a dot at its head; dashed where the flow is over-approximate."""
    (x, y), (x2, y2) = places[edge.source], places[edge.target]
    style: Style = "loose" if edge.precision == "over-approximate" else "edge"
    middle = BOX_HEIGHT / 2
    start = (x + BOX_WIDTH, y + middle) if x < x2 else (x, y + middle + 8)
    end = (x2, y2 + middle) if x < x2 else (x2 + BOX_WIDTH, y2 + middle + 8)
    return [Shape("line", style, *start, *end), Shape("dot", "node", end[0] - 3 if x < x2 else end[0] + 3, end[1], 3)]


def _box(x: float, y: float, texts: tuple[str, str], style: Style) -> list[Shape]:
    name, second = texts
    return [
        Shape("rect", style, x, y, BOX_WIDTH, BOX_HEIGHT, hint=name),
        Shape("text", "label", x + 8, y + 17, text=cut(name, 22), hint=name),
        Shape("text", "small", x + 8, y + 32, text=cut(second, 24)),
    ]
