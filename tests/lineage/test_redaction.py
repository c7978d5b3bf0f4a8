"""Secrets are gone before anything is stored or hashed, and nothing else is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.conformance import findings
from lineage.receiving import parse_event
from lineage.redaction import MARK, names_secret, redact
from tests.lineage.material import body, dataset, facet, real_bodies, run_event

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----"


def redacted(value: Any) -> Any:
    return redact(value)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://scott:tiger@db:5432/x", f"postgres://{MARK}@db:5432/x"),
        ("jdbc:postgresql://scott:ti%40ger@db/x?ssl=true", f"jdbc:postgresql://{MARK}@db/x?ssl=true"),
        ("https://token123@github.com/o/r", f"https://{MARK}@github.com/o/r"),
        ("abfss://container@account.dfs.core.windows.net/p", "abfss://container@account.dfs.core.windows.net/p"),
        ("abfss://user:secret@account/p", f"abfss://{MARK}@account/p"),
        ("mail bob@example.org", "mail bob@example.org"),
        ("https://h/x?a=1&X-Amz-Signature=abcd&b=2", f"https://h/x?a=1&X-Amz-Signature={MARK}&b=2"),
        ("https://h/x?sv=2020&sig=abc%3D", f"https://h/x?sv=2020&sig={MARK}"),
        ("jdbc:sqlserver://h;user=sa;password=hunter2;x=1", f"jdbc:sqlserver://h;user={MARK};password={MARK};x=1"),
        (f"before {KEY} after", f"before {MARK} after"),
        ("key AKIAIOSFODNN7EXAMPLE.", f"key {MARK}."),
        ("ghp_" + "a" * 36, MARK),
        ("Authorization: Bearer abcdefghijklmnop.q", f"Authorization: Bearer {MARK}"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln", MARK),
        ("SELECT token FROM users WHERE password = 'x'", "SELECT token FROM users WHERE password = 'x'"),
        ("sha256:" + "a" * 64, "sha256:" + "a" * 64),
        ("s3://bucket/path/key=value/part.parquet", "s3://bucket/path/key=value/part.parquet"),
    ],
)
def test_a_string_loses_what_has_the_form_of_a_secret(text: str, expected: str) -> None:
    assert redacted({"a": [text]}) == {"a": [expected]}


@pytest.mark.parametrize(
    "name",
    ["password", "dbPassword", "DB_PASSWORD", "aws.secret.access-key", "apiKey", "api_key", "accessToken", "token",
     "credentials", "spark.hadoop.fs.s3a.secret.key", "client_secret", "PRIVATE_KEY", "passwd", "pwd"],
)  # fmt: skip
def test_a_member_that_names_a_secret_loses_its_text(name: str) -> None:
    assert names_secret(name)
    assert redacted({name: "hunter2=x", "other": "kept"}) == {name: MARK, "other": "kept"}


@pytest.mark.parametrize(
    "name", ["key", "keys", "tokenizer", "max_tokens", "passenger", "secretary", "primaryKey", "monkey"]
)
def test_other_names_are_left_alone(name: str) -> None:
    assert redacted({name: "value"}) == {name: "value"}


def test_only_text_is_replaced_at_any_depth() -> None:
    assert redacted({"secret": {"a": ["x", 1, None, True], "b": {"c": "y"}}}) == {
        "secret": {"a": [MARK, 1, None, True], "b": {"c": MARK}}
    }


def test_key_value_lists_lose_the_value_beside_such_a_key() -> None:
    parameters = [{"key": "learning_rate", "value": "0.05"}, {"key": "db_password", "value": "x", "name": "kept"}]
    assert redacted({"parameters": parameters}) == {
        "parameters": [parameters[0], {"key": "db_password", "value": MARK, "name": "kept"}]
    }


def test_environment_variables_keep_their_names_and_an_allow_list() -> None:
    variables = [{"name": name, "value": "v"} for name in ("HOME", "LANG", "SPARK_VERSION")]
    held = redacted({"environmentVariables": facet(environmentVariables=variables)})
    assert [item["value"] for item in held["environmentVariables"]["environmentVariables"]] == [MARK, "v", "v"]


def test_the_configuration_of_debezium_keeps_its_names() -> None:
    held = redacted({"debezium_config": {"configs": ["database.user=postgres", "alone"], "_producer": "p"}})
    assert held == {"debezium_config": {"configs": [f"database.user={MARK}", MARK], "_producer": "p"}}


def test_a_column_called_password_is_lineage() -> None:
    sources = [{"namespace": "n", "name": "t", "field": "password"}]
    document = run_event(
        outputs=[
            dataset(
                "out",
                columnLineage={"fields": {"password": {"inputFields": sources}, "token": {"inputFields": sources}}},
                schema={"fields": [{"name": "password", "type": "string"}]},
                dataQualityMetrics={"columnMetrics": {"secret": {"quantiles": {"0.5": 1}, "text": "kept"}}},
            )
        ]
    )
    assert redact(document) == (document, False)


def test_the_frame_of_a_facet_is_kept() -> None:
    document = {"credentials": facet(user="scott")}
    assert redacted(document) == {"credentials": facet(user=MARK)}


def test_the_real_debezium_event_loses_its_password_and_says_so() -> None:
    event = parse_event(real_bodies()["datahub-tests/debezium_event.json"])
    assert b"database.password=postgres" not in event.body
    assert b"database.password=[redacted]" in event.body
    assert "/run/facets/debezium_config/configs/16" in {
        item.pointer for item in findings(event) if item.code == "secret.redacted"
    }


def test_an_event_without_secrets_keeps_its_bytes() -> None:
    content = b'{"eventTime" : "2026-03-01T12:00:00Z", "job":{"namespace":"n","name":"a=b@c"}}'
    assert parse_event(content).body == content


def test_a_secret_in_a_namespace_is_not_stored_and_the_names_agree() -> None:
    first = parse_event(body(run_event(inputs=[{"namespace": "postgres://a:1@db", "name": "t"}])))
    second = parse_event(body(run_event(inputs=[{"namespace": "postgres://b:2@db", "name": "t"}])))
    assert first.inputs[0].namespace == f"postgres://{MARK}@db"
    assert first.digest == second.digest


def test_the_names_of_members_lose_what_has_the_form_of_a_secret() -> None:
    held = {"postgres://a:b@db/t": 1, "postgres://c:d@db/t": 2, "other": 3}
    assert redacted(held) == {f"postgres://{MARK}@db/t 0": 1, f"postgres://{MARK}@db/t 1": 2, "other": 3}


def test_an_escaped_secret_is_found() -> None:
    content = body(run_event()).replace(b'"producer":', b'"p\\u0061ssword":"hunter2","producer":')
    assert b"hunter2" not in parse_event(content).body


TEXTS = (
    st.sampled_from(["password", "token", "a", "x://u:p@h", "?sig=abc", "Bearer " + "a" * 20, MARK, "key", "fields"])
    | st.text()
)
VALUES = st.recursive(
    TEXTS | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=15,
)


@given(VALUES)
def test_redacting_twice_gives_what_redacting_once_gives(value: Any) -> None:
    once, changed = redact(value)
    assert redact(once) == (once, False)
    assert changed == (once != value)


@given(VALUES)
def test_rules_that_the_bytes_rule_out_would_have_changed_nothing(value: Any) -> None:
    assert redact(value, json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) == redact(value)
