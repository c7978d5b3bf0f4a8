"""No rule is lost between Pandera's schemas, its serialised form and the product's documents."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pandera.pandas as pandas_schemas
import pandera.polars as pa
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import InputRefused, MalformedBody, UsageError
from policies.schema.forms import read_document, read_schema
from policies.schema.objects import document_of, load_object, schema_of
from policies.schema.params import SchemaDocument

NUMBERS = st.integers(-1000, 1000)
TEXTS = st.text("abc", min_size=1, max_size=3)
BOUNDS = st.tuples(NUMBERS, NUMBERS).map(sorted)


def checks(values: st.SearchStrategy[Any], *, is_text: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Any of the checks that fit a kind of column."""
    found: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(("gt", "ge", "lt", "le", "eq", "ne"), values),
        **dict.fromkeys(("isin", "notin"), st.lists(values, min_size=1, max_size=3, unique=True)),
    }
    if is_text:
        found |= dict.fromkeys(("str_startswith", "str_endswith"), TEXTS)
        found |= {"str_matches": st.just("^a"), "str_contains": st.just("b+")}
        found |= {
            "str_length": st.fixed_dictionaries({}, optional={"min_value": st.just(1), "max_value": st.just(5)}).filter(
                bool
            )
        }
    else:
        flags = {"include_min": st.booleans(), "include_max": st.booleans()}
        bounded = st.tuples(BOUNDS, st.fixed_dictionaries(flags))
        found["in_range"] = bounded.map(lambda pair: {"min_value": pair[0][0], "max_value": pair[0][1], **pair[1]})
    return st.fixed_dictionaries({}, optional=found)


def column(dtype: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any column of a type."""
    values: dict[str, Any] = {"int64": NUMBERS, "uint8": NUMBERS, "str": TEXTS}
    return st.fixed_dictionaries(
        {
            "dtype": st.just(dtype),
            "nullable": st.booleans(),
            "unique": st.booleans(),
            "required": st.booleans(),
            "checks": checks(values[dtype], is_text=dtype == "str") if dtype in values else st.just({}),
            "description": st.none() | TEXTS,
        }
    )


DTYPES = ("int64", "uint8", "str", "bool", "float32", "date", "datetime")
DOCUMENTS = st.fixed_dictionaries(
    {
        "columns": st.dictionaries(TEXTS, st.sampled_from(DTYPES).flatmap(column), min_size=1, max_size=4),
        "strict": st.booleans(),
        "ordered": st.booleans(),
        "name": st.none() | TEXTS,
    }
).map(SchemaDocument.model_validate)


def plain(document: SchemaDocument) -> Any:
    """The document with one spelling of arguments: bounds by name, none that is absent."""
    dumped = document.document()
    columns: Any = dumped["columns"]
    for one in columns.values():
        one["checks"] = dict(sorted(one["checks"].items()))
    return dumped


@settings(max_examples=50, deadline=None)
@given(DOCUMENTS)
def test_a_document_comes_back_from_pandera_as_it_was(document: SchemaDocument) -> None:
    schema = schema_of(document)
    assert plain(document_of(schema)) == plain(document)
    assert plain(read_schema(yaml.safe_load(schema.to_yaml()))) == plain(document)
    assert schema_of(document_of(schema)) == schema


LOSSY: dict[str, tuple[Any, str]] = {
    "a function": (pa.DataFrameSchema({"a": pa.Column(int, pa.Check(lambda data: data.lazyframe))}), "a: the check"),
    "a function with a built-in's name": (
        pa.DataFrameSchema({"a": pa.Column(int, pa.Check(lambda data: data.lazyframe, name="isin"))}),
        "a: the check isin",
    ),
    "a function over the table": (
        pa.DataFrameSchema({"a": pa.Column(int)}, checks=pa.Check(lambda data: data.lazyframe)),
        "of the whole table",
    ),
    "a warning": (pa.DataFrameSchema({"a": pa.Column(int, pa.Check.ge(1, raise_warning=True))}), "raise_warning"),
    "nulls that fail": (pa.DataFrameSchema({"a": pa.Column(int, pa.Check.ge(1, ignore_na=False))}), "ignore_na"),
    "a rule twice": (pa.DataFrameSchema({"a": pa.Column(int, [pa.Check.ge(1), pa.Check.ge(2)])}), "a second time"),
    "a time zone": (pa.DataFrameSchema({"a": pa.Column(pl.Datetime("us", "UTC"))}), "the type Datetime"),
    "a nested type": (pa.DataFrameSchema({"a": pa.Column(pl.List(pl.Int64))}), "the type List"),
    "names by pattern": (pa.DataFrameSchema({"^a": pa.Column(int, regex=True)}), "pattern for names"),
    "a filter": (pa.DataFrameSchema({"a": pa.Column(int)}, strict="filter"), "strict: filter"),
    "dropped rows": (pa.DataFrameSchema({"a": pa.Column(int, drop_invalid_rows=True)}), "dropping"),
    "an index": (
        pandas_schemas.DataFrameSchema({"a": pandas_schemas.Column(int)}, index=pandas_schemas.Index(int)),
        "the index",
    ),
    "a parser": (
        pandas_schemas.DataFrameSchema({"a": pandas_schemas.Column(int, parsers=pandas_schemas.Parser(abs))}),
        "parsers",
    ),
    "a rule without counterpart": (
        pandas_schemas.DataFrameSchema({"a": pandas_schemas.Column(int, pandas_schemas.Check.unique_values_eq([1]))}),
        "unique_values_eq",
    ),
}


@pytest.mark.parametrize(("schema", "lost"), LOSSY.values(), ids=LOSSY)
def test_a_schema_whose_rules_would_be_lost_is_refused(schema: Any, lost: str) -> None:
    with pytest.raises(InputRefused, match=lost):
        document_of(schema)


@pytest.mark.filterwarnings("ignore:Only registered checks")
@pytest.mark.parametrize("name", LOSSY)
def test_its_serialised_form_is_refused_too(name: str) -> None:
    text = str(LOSSY[name][0].to_yaml())
    with pytest.raises(InputRefused, match=r"would be lost|takes a list"):
        read_schema(yaml.safe_load(text))


def test_the_text_of_a_pandas_schema_is_refused_since_it_cannot_show_parsers() -> None:
    check = pandas_schemas.Check.ge(0)
    texts = [
        str(pandas_schemas.DataFrameSchema({"a": pandas_schemas.Column(int, check, parsers=parser)}).to_yaml())
        for parser in (None, pandas_schemas.Parser(abs))
    ]
    assert texts[0] == texts[1]
    with pytest.raises(InputRefused, match="parsers"):
        read_schema(yaml.safe_load(texts[0]))
    assert document_of(pandas_schemas.DataFrameSchema({"a": pandas_schemas.Column(int, check)})).columns["a"].checks


def test_a_long_form_that_cannot_tell_whether_checks_were_left_out_is_refused() -> None:
    schema = pa.DataFrameSchema({"a": pa.Column(int)})
    with pytest.raises(InputRefused, match="written as null"):
        read_schema(yaml.safe_load(str(schema.to_yaml(minimal=False))))


def test_every_lost_rule_is_named() -> None:
    schema = pa.DataFrameSchema(
        {name: pa.Column(int, pa.Check(lambda data: data.lazyframe, name=f"own {name}")) for name in "abc"}
    )
    with pytest.raises(InputRefused, match=r"3 that would be lost: .*own a.*own b.*own c"):
        document_of(schema)


def test_schemas_of_pandas_and_model_classes_are_read() -> None:
    class Model(pandas_schemas.DataFrameModel):
        a: int = pandas_schemas.Field(ge=1, unique=True)
        b: str = pandas_schemas.Field(isin=["x"], nullable=True)

    document = document_of(Model.to_schema())
    assert document.columns["a"].checks == {"ge": 1}
    assert (document.columns["a"].unique, document.columns["b"].nullable) == (True, True)


def test_a_schema_is_loaded_from_its_own_code(tmp_path: Path) -> None:
    path = tmp_path / "schemas.py"
    path.write_text("import pandera.polars as pa\nholdout = pa.DataFrameSchema({'a': pa.Column(int)})\n")
    assert document_of(load_object(path, "holdout")).columns["a"].dtype == "int64"
    with pytest.raises(UsageError, match="no such name"):
        load_object(path, "other")
    with pytest.raises(UsageError, match="a Python file"):
        load_object(tmp_path / "absent.py", "holdout")
    with pytest.raises(InputRefused, match="DataFrameSchema"):
        document_of(load_object(path, "pa"))


def test_rules_that_pandera_has_no_word_for_are_not_dropped() -> None:
    document = SchemaDocument.model_validate({"columns": {"a": {"dtype": "int64"}}, "row_rules": ["a > 1"]})
    with pytest.raises(InputRefused, match="row_rules"):
        schema_of(document)


@pytest.mark.parametrize(
    "raw", [None, [], "x", {"schema_type": "dataframe"}, {"schema_type": "x", "columns": {"a": 1}}]
)
def test_what_is_no_schema_is_refused(raw: Any) -> None:
    with pytest.raises(InputRefused):
        read_schema(raw)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    with suppress(InputRefused, MalformedBody):
        assert read_schema(read_document(content)).columns
