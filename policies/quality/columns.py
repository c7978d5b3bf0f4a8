"""Measuring rules over one column, or a few, of one file: exact counts over the whole of it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from governance.errors import MeasurementRefused
from governance.types.manifest import Attribute
from governance.types.value import decimal_text
from policies.frames.coding import level_name, place
from policies.frames.source import Source
from policies.quality.data import Data, instant_of, number_of, present, text_of, unreadable
from policies.quality.params import (
    BalanceRule,
    CompletenessRule,
    FormatRule,
    FreshnessRule,
    MissingRule,
    OutlierRule,
)

Reading = dict[str, Any]
"""What was measured for one rule, as JSON."""

MAX_GROUPS = 500

_FORMATS = {
    "email": r"^[^@\s]+@[^@\s]+\.[^@\s.]+$",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s]+$",
    "uuid": r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    "ipv4": r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])$",
    "e164": r"^\+[1-9][0-9]{1,14}$",
    "integer": r"^[+-]?[0-9]+$",
    "decimal": r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$",
}


def formats(data: Data, rule: FormatRule) -> Reading:
    """``count`` present values of another form, ``of`` present ones."""
    source = data.holding([rule.column])
    broken = present(source, rule.column) & ~_has_form(rule)
    return _counted(data, source, [rule.column], broken, of=present(source, rule.column))


def _has_form(rule: FormatRule) -> pl.Expr:
    text = text_of(rule.column)
    if rule.pattern is not None:
        return text.str.contains(f"^(?:{rule.pattern})$")
    if rule.format == "iso_date":
        return text.str.contains(r"^\d{4}-\d{2}-\d{2}$") & text.str.to_date("%Y-%m-%d", strict=False).is_not_null()
    if rule.format == "iso_datetime":
        zone = text.str.replace(r"(Z|[+-]\d{2}:?\d{2})$", "").str.replace("T", " ", literal=True)
        return zone.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False).is_not_null()
    return text.str.contains(_FORMATS[str(rule.format)])


def _counted(data: Data, source: Source, names: list[str], broken: pl.Expr, *, of: pl.Expr) -> Reading:
    """How many rows are broken, of how many, and the first of them."""
    counts = source.frame.select(broken.sum().alias("count"), of.sum().alias("of")).collect(engine="streaming")
    found = counts.row(0, named=True)
    examples = data.examples(source.frame, names, broken) if found["count"] else []
    return {"columns": names, **found, "examples": examples}


def missing(data: Data, rule: MissingRule) -> Reading:
    """``count`` missing values ``of`` all rows, and the same for each group of ``by``."""
    source = data.holding([rule.column, *([rule.by] if rule.by else [])])
    absent = ~present(source, rule.column)
    if rule.words:
        absent = absent | text_of(rule.column).str.strip_chars().is_in(list(rule.words)).fill_null(value=False)
    counts = source.frame.select(absent.sum().alias("count"), pl.len().alias("of")).collect(engine="streaming")
    reading: Reading = {"columns": [rule.column], **counts.row(0, named=True), "groups": []}
    if rule.by is not None:
        grouped = source.frame.group_by(rule.by).agg(absent.sum().alias("count"), pl.len().alias("of"))
        reading["groups"] = _groups(grouped, rule.by)
    return reading


def _groups(grouped: pl.LazyFrame, by: str) -> list[Reading]:
    found = grouped.head(MAX_GROUPS + 1).collect(engine="streaming")
    if len(found) > MAX_GROUPS:
        raise _too_many(by)
    rows = [
        {"group": "missing" if row[by] is None else level_name(row[by]), "count": row["count"], "of": row["of"]}
        for row in found.iter_rows(named=True)
    ]
    return sorted(rows, key=lambda row: str(row["group"]))


def _too_many(name: str) -> MeasurementRefused:
    return MeasurementRefused(
        expected=f"at most {MAX_GROUPS} different values in {name!r}",
        found="more",
        remedy="Name a column of groups or classes.",
        pointer=name,
    )


def completeness(data: Data, rule: CompletenessRule) -> Reading:
    """``count`` incomplete rows ``of`` all, or expected values that do not occur ``of`` all expected ones."""
    names = list(rule.columns)
    source = data.holding(names)
    if rule.values is None:
        broken = ~pl.all_horizontal(present(source, name) for name in names)
        reading = _counted(data, source, names, broken, of=broken | ~broken)
        return {**reading, "absent": []}
    counts = _value_counts(source, names[0])
    levels = place(names[0], counts, Attribute(groups=rule.values), is_text=source.is_text)
    met = {level.name for level in levels.values() if level.kind == "group"}
    absent = [name for name in map(level_name, rule.values) if name not in met]
    return {
        "columns": names,
        "count": len(absent),
        "of": len(rule.values),
        "examples": [],
        "absent": absent,
    }


def _value_counts(source: Source, name: str) -> dict[Any, int]:
    grouped = source.frame.group_by(name).agg(pl.len().alias("rows")).head(MAX_GROUPS + 2).collect(engine="streaming")
    if len(grouped) > MAX_GROUPS + 1:
        raise _too_many(name)
    pairs = sorted(grouped.iter_rows(), key=lambda pair: (-pair[1], repr(pair[0])))
    return dict(pairs)


def outliers(data: Data, rule: OutlierRule) -> Reading:
    """``count`` outliers ``of`` the numbers present, the fences, and infinite values among them.

    ``lower`` is null where the values have no spread by the method's measure, and nothing can be said to be far off.
    """
    source = data.holding([rule.column])
    number = number_of(source, rule.column)
    values = source.frame.select(number.alias("value")).drop_nulls().collect(engine="streaming")["value"].to_numpy()
    finite = values[np.isfinite(values)]
    bad_text = int(source.frame.select(unreadable(source, rule.column).sum()).collect(engine="streaming").item())
    infinite = len(values) - len(finite)
    reading: Reading = {"columns": [rule.column], "of": len(values), "infinite": infinite, "unreadable": bad_text}
    fences = _FENCES[rule.method](finite, rule.width) if len(finite) else None
    if fences is None:
        return {**reading, "count": infinite, "lower": None, "upper": None, "examples": []}
    lower, upper = fences
    broken = (number < lower) | (number > upper)
    count = int(((finite < lower) | (finite > upper)).sum()) + infinite
    examples = data.examples(source.frame, [rule.column], broken) if count else []
    return {
        **reading,
        "count": count,
        "lower": decimal_text(lower),
        "upper": decimal_text(upper),
        "examples": examples,
    }


def _iqr(values: Any, factor: float) -> tuple[float, float] | None:
    first, third = np.percentile(values, [25, 75])
    spread = third - first
    return (float(first - factor * spread), float(third + factor * spread)) if spread > 0 else None


def _z(values: Any, factor: float) -> tuple[float, float] | None:
    mean, deviation = values.mean(), values.std(ddof=1) if len(values) > 1 else 0.0
    return (float(mean - factor * deviation), float(mean + factor * deviation)) if deviation > 0 else None


NORMAL_MAD = 0.6744897501960817
"""The median absolute deviation of a standard normal variable, which makes the scaled one comparable with it."""


def _mad(values: Any, factor: float) -> tuple[float, float] | None:
    middle = np.median(values)
    spread = np.median(np.abs(values - middle)) / NORMAL_MAD
    return (float(middle - factor * spread), float(middle + factor * spread)) if spread > 0 else None


_FENCES: Mapping[str, Callable[[Any, float], tuple[float, float] | None]] = {"iqr": _iqr, "z": _z, "mad": _mad}


def balance(data: Data, rule: BalanceRule) -> Reading:
    """The rows of each value, declared ones first, and of those that are missing or were not declared."""
    source = data.holding([rule.column])
    counts = _value_counts(source, rule.column)
    levels = place(rule.column, counts, Attribute(groups=rule.values), is_text=source.is_text)
    rows = dict.fromkeys(map(level_name, rule.values or ()), 0)
    others = {"unknown": 0, "outside": 0}
    for value, count in counts.items():
        level = levels[value]
        if level.kind == "group":
            rows[level.name] = rows.get(level.name, 0) + count
        else:
            others[level.kind] += count
    values = [{"value": name, "count": count} for name, count in rows.items()]
    return {"columns": [rule.column], "values": values, "of": sum(rows.values()), **others}


def freshness(data: Data, rule: FreshnessRule) -> Reading:
    """The oldest and newest instants, how many lie after the check, and rows that are earlier than the one before."""
    source = data.holding([rule.column])
    instant = instant_of(source, rule.column)
    now = data.facts.evaluated_at
    frame = source.frame.select(instant.alias("at"), pl.col(rule.column).is_not_null().alias("present"))
    later = pl.col("at") > pl.lit(now).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    wanted = (
        pl.col("present").sum(),
        pl.col("at").is_not_null().sum().alias("of"),
        pl.col("at").min().alias("oldest"),
        pl.col("at").max().alias("newest"),
        later.sum().alias("count"),
    )
    found = frame.select(wanted).collect(engine="streaming").row(0, named=True)
    reading = {
        "columns": [rule.column],
        "count": found["count"],
        "of": found["of"],
        "unreadable": found["present"] - found["of"],
        "oldest": _instant_text(found["oldest"]),
        "newest": _instant_text(found["newest"]),
        "evaluated_at": now.isoformat(),
        "out_of_order": None,
    }
    if rule.in_order:
        instants = frame.select("at").drop_nulls().collect(engine="streaming")["at"]
        reading["out_of_order"] = _steps_back(instants)
    return reading


def _steps_back(instants: pl.Series) -> int:
    """How many instants are earlier than the one before them."""
    return int((np.diff(instants.to_physical().to_numpy()) < 0).sum())


def _instant_text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
