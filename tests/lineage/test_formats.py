"""The three string formats that the schemas assert."""

import pytest

from lineage.formats import is_date_time, is_uri


@pytest.mark.parametrize(
    "text",
    ["https://a.b/c?d=e#f", "urn:x:y", "http://123", "s3://b/k%20x", "file:///a", "https://[::1]:80/", "mailto:a@b.c",
     "https://[redacted]@host/x"],
)  # fmt: skip
def test_uris_are_taken(text: str) -> None:
    assert is_uri(text)


@pytest.mark.parametrize(
    "text", ["", "file", "not a uri", "a/b", "http://a b", "https://a/%zz", "http://é.org", "1http://a"]
)
def test_other_texts_are_no_uris(text: str) -> None:
    assert not is_uri(text)


@pytest.mark.parametrize(
    "text", ["2026-03-01T12:00:00Z", "2026-03-01t12:00:00.123456789+02:00", "2016-12-31T23:59:60Z"]
)
def test_date_times_of_rfc_3339_are_taken(text: str) -> None:
    assert is_date_time(text)


@pytest.mark.parametrize(
    "text",
    ["2026-03-01", "2026-03-01T12:00:00", "2026-02-30T12:00:00Z", "2026-03-01 12:00:00Z", "２026-03-01T12:00:00Z"],
)
def test_other_texts_are_no_date_times(text: str) -> None:
    assert not is_date_time(text)


def test_what_is_no_string_passes_as_json_schema_has_it() -> None:
    assert is_uri(7)
    assert is_date_time(None)
