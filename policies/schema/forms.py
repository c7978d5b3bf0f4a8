"""The forms in which a schema document comes: the product's own, and Pandera's serialised one. Pure.

What Pandera wrote is taken where every rule in it has a counterpart here, and refused otherwise: nothing is left out.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from governance.errors import InputRefused, MalformedBody
from governance.types.value import parse_value
from policies.schema.params import SchemaDocument

CHECKS = {
    "greater_than": "gt",
    "greater_than_or_equal_to": "ge",
    "less_than": "lt",
    "less_than_or_equal_to": "le",
    "equal_to": "eq",
    "not_equal_to": "ne",
    "in_range": "in_range",
    "isin": "isin",
    "notin": "notin",
    "str_matches": "str_matches",
    "str_contains": "str_contains",
    "str_startswith": "str_startswith",
    "str_endswith": "str_endswith",
    "str_length": "str_length",
}
"""Pandera's name of each rule and the product's."""

_TYPES = {
    **{f"{name}int{bits}": f"{name}int{bits}" for name in ("", "u") for bits in (8, 16, 32, 64)},
    **{name: name for name in ("float32", "float64", "bool", "str", "date")},
    "boolean": "bool",
    "string": "str",
    "object": "str",
    "datetime": "datetime",
    "timestamp": "datetime",
    "bytetype()": "int8",
    "shorttype()": "int16",
    "integertype()": "int32",
    "longtype()": "int64",
    "floattype()": "float32",
    "doubletype()": "float64",
    "stringtype()": "str",
    "booleantype()": "bool",
    "datetype()": "date",
    "timestamptype()": "datetime",
    "timestampntztype()": "datetime",
}
_NAIVE = re.compile(r"datetime64\[[a-z]+\]|datetime\((time_unit='\w+', time_zone=none)?\)|(string|str)\[\w+\]")

_DROPPED = " that are written as null"
"""In its short form the library writes null for checks that it left out, in its long form for no checks as well."""

_OF_PANDAS = "dataframe"
_UNSAID = "parsers, which change data before they are judged, and which the text of a pandas schema leaves out"
"""The library's schemas of Polars and Spark have no parsers that it would run."""

_COLUMN = {"title", "description", "nullable", "unique", "required", "coerce"}
_WITHOUT_MEANING: dict[str, tuple[Any, ...]] = {
    # What these hold by default says nothing; any other value is a rule that would be lost.
    "regex": (False, None),
    "default": (None,),
    "drop_invalid_rows": (False, None),
    "parsers": (None, []),
    "metadata": (None,),
}
_WHOLE = {"strict", "ordered", "unique", "coerce", "name", "title", "description", "add_missing_columns"}
_OF_NO_RULE = {"schema_type", "version", "api", "report_duplicates", "unique_column_names", "columns"}


def read_document(text: bytes) -> Any:
    """The YAML or JSON document in ``text``.

    Raises:
        MalformedBody: it is neither.
    """
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as fault:
        raise MalformedBody(
            expected="one YAML or JSON document", found=str(fault)[:200], remedy="Correct the schema's syntax."
        ) from fault


def read_schema(raw: Any) -> SchemaDocument:
    """The document in ``raw``, in the product's form or in Pandera's (``schema_type: dataframe`` and the like).

    Raises:
        InputRefused: it is neither, or it has rules that would be lost; the message names every one of them.
    """
    if not isinstance(raw, Mapping):
        raise InputRefused(
            expected="the document of a schema",
            found=type(raw).__name__,
            remedy="Write columns and their rules as in docs/schemas.md.",
        )
    form = _from_pandera(raw) if "schema_type" in raw else raw
    return parse_value(SchemaDocument, form, what="the document of a schema")


def refuse_lost(lost: list[str]) -> None:
    """Refuse a schema of which these rules would not be kept.

    Raises:
        InputRefused: there are any.
    """
    if lost:
        raise InputRefused(
            expected="a schema all of whose rules can be kept",
            found=f"{len(lost)} that would be lost: {'; '.join(lost[:20])}{'; ...' if len(lost) > 20 else ''}",
            remedy="Write them with the rules of docs/schemas.md, or as checks of the quality family. Where checks are "
            "null, and in the text of a pandas schema, Pandera may have left some out: register the schema's own code, "
            "FILE.py:name.",
        )


def dtype_of(text: str | None) -> str | None:
    """The product's name of a type that Pandera writes; None where there is none, or where it is no such type."""
    lower = (text or "").lower()
    if _NAIVE.fullmatch(lower):
        return "str" if lower.startswith("str") else "datetime"
    return _TYPES.get(lower)


def _from_pandera(raw: Mapping[str, Any]) -> dict[str, Any]:
    lost: list[str] = []
    columns = raw.get("columns")
    if not isinstance(columns, Mapping):
        raise InputRefused(expected="columns", found=type(columns).__name__, remedy="Serialise the schema again.")
    document: dict[str, Any] = {name: raw[name] for name in sorted(_WHOLE) if raw.get(name) is not None}
    if document.get("strict") == "filter":
        lost.append("strict: filter, which drops columns before they are judged")
    for name, value in raw.items():
        if name in _WHOLE | _OF_NO_RULE or value in _WITHOUT_MEANING.get(str(name), (None, [])):
            continue
        lost.append(f"{name} of the whole table")
    lost += [_UNSAID] if raw["schema_type"] == _OF_PANDAS else []
    lost += [f"checks of the whole table{_DROPPED}"] if "checks" in raw and not raw["checks"] else []
    document["columns"] = {
        str(name): _column(str(name), column, lost) if isinstance(column, Mapping) else column
        for name, column in columns.items()
    }
    refuse_lost(lost)
    return document


def _column(name: str, raw: Mapping[str, Any], lost: list[str]) -> dict[str, Any]:
    column = {key: raw[key] for key in sorted(_COLUMN) if raw.get(key) is not None}
    dtype = raw.get("dtype")
    if dtype is not None and dtype_of(str(dtype)) is None:
        lost.append(f"{name}: the type {dtype}")
    column["dtype"] = dtype_of(None if dtype is None else str(dtype))
    checks: dict[str, Any] = {}
    lost += [f"{name}: checks{_DROPPED}"] if "checks" in raw and not raw["checks"] else []
    for key, value in _listed(raw):
        if key in CHECKS and CHECKS[key] in checks:
            lost.append(f"{name}: the check {key} a second time")
        elif key in CHECKS:
            checks[CHECKS[key]] = _argument(f"{name}: {key}", value, lost)
        elif key not in _COLUMN | {"dtype", "name", "report_duplicates", "checks"}:
            lost.extend([] if value in _WITHOUT_MEANING.get(key, ()) else [f"{name}: {key}"])
    return {**column, "checks": checks}


def _listed(raw: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The members of a column with its checks among them: as keys of their own, in a mapping, or in a list."""
    members = [(str(key), value) for key, value in raw.items() if key != "checks"]
    checks = raw.get("checks")
    if isinstance(checks, Mapping):
        members += [(str(key), value) for key, value in checks.items()]
    for check in checks if isinstance(checks, list) else []:
        options = check.get("options", {}) if isinstance(check, Mapping) else {}
        key = str(options.get("check_name", check))
        rest = {k: v for k, v in check.items() if k != "options"} if isinstance(check, Mapping) else {}
        kept = {k: v for k, v in options.items() if k != "check_name"}
        members.append((key, {**rest, **kept} if kept or set(rest) != {"value"} else rest["value"]))
    return members


_OPTIONS: dict[str, tuple[Any, ...]] = {"raise_warning": (False,), "ignore_na": (True,), "n_failure_cases": (None,)}


def _argument(place: str, value: Any, lost: list[str]) -> Any:
    """The argument of a check without options that say nothing; any other option is a rule that would be lost."""
    if not isinstance(value, Mapping):
        return value
    options = {key: value[key] for key in value if key in (*_OPTIONS, "error", "title", "description")}
    lost.extend(
        f"{place} with {key}" for key, option in options.items() if key in _OPTIONS and option not in _OPTIONS[key]
    )
    rest = {key: one for key, one in value.items() if key not in options and one is not None}
    return rest["value"] if set(rest) == {"value"} else next(iter(rest.values())) if _is_single(rest) else rest


def _is_single(rest: Mapping[str, Any]) -> bool:
    """Whether a mapping holds the one argument of a check under the name that the library gives it."""
    return len(rest) == 1 and next(iter(rest)) in {"values", "pattern", "string", "allowed_values", "forbidden_values"}
