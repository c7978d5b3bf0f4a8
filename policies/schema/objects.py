"""Schemas that are objects of Pandera, from and to documents. Registration takes none whose rules would be lost."""

import importlib.util
from pathlib import Path
from typing import Any

import pandera.polars as pa

from governance.errors import InputRefused, UsageError
from governance.types.value import parse_value
from policies.schema.checks import built_in
from policies.schema.forms import CHECKS, dtype_of, refuse_lost
from policies.schema.params import ColumnRules, SchemaDocument, check_arguments, kind_of
from policies.schema.source import declared_type

_USUAL: dict[str, tuple[Any, ...]] = {
    "raise_warning": (False,),
    "ignore_na": (True,),
    "element_wise": (False,),
    "groupby": (None,),
    "groups": (None,),
}
"""Options of a check that change what it says, and what they hold where they change nothing."""


def load_object(path: Path, name: str) -> Any:
    """The object called ``name`` in a Python file, which is run; a model class gives its schema.

    Raises:
        UsageError: there is no such file or name.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UsageError(expected=f"a Python file {path}", found="none", remedy="Check the path.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, name, None)
    if found is None:
        raise UsageError(expected=f"{name!r} in {path.name}", found="no such name", remedy="Check the name.")
    return found.to_schema() if hasattr(found, "to_schema") else found


def document_of(schema: Any) -> SchemaDocument:
    """The document that says all that a Pandera schema (of Polars, pandas or PySpark) says.

    Raises:
        InputRefused: it is no such schema, or it has rules that would be lost: checks that are functions, parsers,
            patterns for column names, warnings in place of failures, rules of an index.
    """
    if not hasattr(schema, "columns") or not hasattr(schema, "checks"):
        raise InputRefused(
            expected="a Pandera DataFrameSchema or DataFrameModel",
            found=type(schema).__name__,
            remedy="Name the schema's variable: FILE.py:schema.",
        )
    lost = [f"the check {_name(check)} of the whole table" for check in schema.checks or []]
    lost += ["parsers of the whole table"] if getattr(schema, "parsers", None) else []
    lost += ["a type for all columns"] if schema.dtype is not None else []
    lost += ["the rules of the index"] if getattr(schema, "index", None) is not None else []
    lost += ["strict: filter, which drops columns before they are judged"] if schema.strict == "filter" else []
    columns = {str(name): _column(str(name), column, lost) for name, column in schema.columns.items()}
    refuse_lost(lost)
    unique = getattr(schema, "unique", None)
    form = {
        "columns": columns,
        "strict": bool(schema.strict),
        "ordered": bool(schema.ordered),
        "unique": list(unique) if unique else [],
        "coerce": bool(schema.coerce),
        "drop_invalid_rows": bool(getattr(schema, "drop_invalid_rows", False)),
        "add_missing_columns": bool(getattr(schema, "add_missing_columns", False)),
        **{name: getattr(schema, name, None) for name in ("name", "title", "description")},
    }
    return parse_value(SchemaDocument, form, what="the document of a schema")


def _column(name: str, column: Any, lost: list[str]) -> dict[str, Any]:
    dtype = None if column.dtype is None else dtype_of(str(column.dtype))
    lost.extend([f"{name}: the type {column.dtype}"] if column.dtype is not None and dtype is None else [])
    lost.extend([f"{name}: parsers"] if getattr(column, "parsers", None) else [])
    lost.extend([f"{name}: a pattern for names of columns"] if getattr(column, "regex", False) else [])
    lost.extend([f"{name}: a default value"] if getattr(column, "default", None) is not None else [])
    lost.extend([f"{name}: dropping of invalid rows"] if getattr(column, "drop_invalid_rows", False) else [])
    checks: dict[str, Any] = {}
    for check in column.checks or []:
        key = CHECKS.get(str(check.name))
        unusual = [option for option, usual in _USUAL.items() if getattr(check, option, usual[0]) not in usual]
        if key is None or key in checks or unusual or not _is_built_in(check):
            why = f" with {', '.join(unusual)}" if unusual else " a second time" if key in checks else ""
            lost.append(f"{name}: the check {_name(check)}{why}")
            continue
        statistics = dict(check.statistics)
        if len(statistics) == 1 and key not in ("in_range", "str_length"):
            statistics = next(iter(statistics.values()))
        checks[key] = _as_json(statistics)
    return {
        "dtype": dtype,
        "nullable": bool(column.nullable),
        "unique": bool(getattr(column, "unique", False)),
        "required": bool(column.required),
        "coerce": bool(column.coerce),
        "checks": checks,
        "title": column.title,
        "description": column.description,
    }


def _is_built_in(check: Any) -> bool:
    """Whether the check is the library's own, and not a function that somebody gave a built-in's name."""
    function = getattr(check, "_check_fn", None)
    return type(function).__name__ == "Dispatcher" or getattr(function, "__module__", "").startswith("pandera.")


def _name(check: Any) -> str:
    return str(check.name or "without a name")


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_json(one) for key, one in value.items() if one is not None}
    if isinstance(value, list | tuple | set | frozenset):
        return [_as_json(one) for one in (value if isinstance(value, list | tuple) else sorted(value))]
    return value.isoformat() if hasattr(value, "isoformat") else value


def schema_of(document: SchemaDocument) -> Any:
    """The Pandera schema of Polars that says what the document says.

    Raises:
        InputRefused: Pandera has no counterpart for row rules, row counts and several sets of unique columns.
    """
    extra = {
        "row_rules": bool(document.row_rules),
        "min_rows": document.min_rows > 1,
        "max_rows": document.max_rows is not None,
        "several sets of unique columns": len(document.unique) > 1,
        "categories": bool(document.masks()),
    }
    refuse_lost([name for name, there in extra.items() if there])
    return pa.DataFrameSchema(
        {name: _column_of(rules) for name, rules in document.columns.items()},
        strict=document.strict,
        ordered=document.ordered,
        unique=list(document.unique[0]) if document.unique else None,
        coerce=document.coerce,
        drop_invalid_rows=document.drop_invalid_rows,
        add_missing_columns=document.add_missing_columns,
        name=document.name,
        title=document.title,
        description=document.description,
    )


def _column_of(rules: ColumnRules) -> Any:
    kind = kind_of(rules.dtype)
    return pa.Column(
        None if rules.dtype is None else declared_type(rules.dtype),
        [built_in(check, check_arguments(check, value, kind)) for check, value in rules.checks.items()],
        nullable=rules.nullable,
        unique=rules.unique,
        required=rules.required,
        coerce=rules.coerce,
        title=rules.title,
        description=rules.description,
    )
