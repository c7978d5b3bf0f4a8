"""What differs between two versions of a schema, and whom it concerns. Pure.

A change *tightens* where data that were right may now be wrong, *loosens* where data that were wrong may now be right,
and does both where neither can be said. Producers must look at what tightens, consumers at what loosens.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from governance.types.value import Value
from policies.schema.params import ColumnRules, SchemaDocument, kind_of

Effect = Literal["tightens", "loosens", "both", "none"]


class Change(Value):
    """One difference: the place, what was there before and after as text (null for nothing), and its effect."""

    place: str
    before: str | None
    after: str | None
    effect: Effect


def changes(old: SchemaDocument, new: SchemaDocument) -> tuple[Change, ...]:
    """Every difference of rules from ``old`` to ``new``; titles and descriptions have no effect."""
    found = [*_of_columns(old, new)]
    for name in ("strict", "ordered"):
        found += _of_flag(name, getattr(old, name), getattr(new, name))
    found += _of_bound("min_rows", old.min_rows, new.min_rows, rising="tightens")
    found += _of_bound("max_rows", old.max_rows, new.max_rows, rising="loosens")
    for name in ("row_rules", "unique"):
        before, after = ({_text(one) or "" for one in getattr(document, name)} for document in (old, new))
        found += [Change(place=name, before=one, after=None, effect="loosens") for one in sorted(before - after)]
        found += [Change(place=name, before=None, after=one, effect="tightens") for one in sorted(after - before)]
    for name in ("name", "title", "description"):
        found += _unequal(name, getattr(old, name), getattr(new, name), "none")
    return tuple(found)


def _of_columns(old: SchemaDocument, new: SchemaDocument) -> Iterator[Change]:
    for name, rules in old.columns.items():
        if name not in new.columns:
            yield Change(place=name, before=_summary(rules), after=None, effect="both" if new.strict else "loosens")
    for name, rules in new.columns.items():
        if name not in old.columns:
            # A column that must be there is new work for producers; an optional one was refused before if at all.
            effect: Effect = "both" if old.strict else "tightens"
            yield Change(place=name, before=None, after=_summary(rules), effect=effect)
        else:
            yield from _of_column(name, old.columns[name], rules)
    before = [name for name in old.columns if name in new.columns]
    after = [name for name in new.columns if name in old.columns]
    if new.ordered and before != after:
        yield Change(place="order of columns", before=", ".join(before), after=", ".join(after), effect="both")


def _of_column(name: str, old: ColumnRules, new: ColumnRules) -> Iterator[Change]:
    if old.dtype is None or new.dtype is None:
        yield from _unequal(f"{name}.dtype", old.dtype, new.dtype, "tightens" if old.dtype is None else "loosens")
    else:
        yield from _unequal(f"{name}.dtype", old.dtype, new.dtype, "both")
    yield from _of_flag(f"{name}.required", old.required, new.required)
    yield from _of_flag(f"{name}.unique", old.unique, new.unique)
    yield from _unequal(f"{name}.nullable", old.nullable, new.nullable, "loosens" if new.nullable else "tightens")
    for key in sorted(old.checks.keys() | new.checks.keys()):
        before, after = old.checks.get(key), new.checks.get(key)
        alike = kind_of(old.dtype) == kind_of(new.dtype)
        yield from _unequal(f"{name}.{key}", before, after, _effect(key, before, after) if alike else "both")
    for text in ("categories", "title", "description"):
        yield from _unequal(f"{name}.{text}", getattr(old, text) or None, getattr(new, text) or None, "none")


def _effect(key: str, before: Any, after: Any) -> Effect:
    """What a changed rule over values does; both versions of it were checked to fit the column's kind."""
    if before is None or after is None:
        return "tightens" if before is None else "loosens"
    if key in ("gt", "ge", "lt", "le"):
        return "tightens" if (before < after) == (key in ("gt", "ge")) else "loosens"
    if key in ("isin", "notin"):
        kept, given = ({repr(one) for one in values} for values in (before, after))
        if kept < given or given < kept:
            return "loosens" if (kept < given) == (key == "isin") else "tightens"
    if key in ("in_range", "str_length"):
        return _of_range(before, after)
    return "both"


def _of_range(before: Any, after: Any) -> Effect:
    first, second = _bounds(before), _bounds(after)
    if first is None or second is None:
        return "both"
    if first[0] <= second[0] and second[1] <= first[1]:
        return "tightens"
    return "loosens" if second[0] <= first[0] and first[1] <= second[1] else "both"


def _bounds(value: Any) -> tuple[Any, Any] | None:
    """Both bounds where they are included; None for other forms, of which less can be said."""
    if isinstance(value, list):
        return value[0], value[1]
    plain = isinstance(value, Mapping) and value.get("include_min", True) and value.get("include_max", True)
    return (value["min_value"], value["max_value"]) if plain and {"min_value", "max_value"} <= set(value) else None


def _of_flag(place: str, before: bool, after: bool) -> list[Change]:
    return _unequal(place, before, after, "tightens" if after else "loosens")


def _of_bound(
    place: str, before: int | None, after: int | None, *, rising: Literal["tightens", "loosens"]
) -> list[Change]:
    falling: Effect = "loosens" if rising == "tightens" else "tightens"
    if before is None or after is None:
        return _unequal(place, before, after, falling if before is None else rising)
    return _unequal(place, before, after, rising if after > before else falling)


def _unequal(place: str, before: Any, after: Any, effect: Effect) -> list[Change]:
    if before == after and type(before) is type(after):
        return []
    return [Change(place=place, before=_text(before), after=_text(after), effect=effect)]


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _summary(rules: ColumnRules) -> str:
    words = [rules.dtype or "any type", "nullable" if rules.nullable else "", "" if rules.required else "optional"]
    return ", ".join(word for word in words if word)
