"""Names in paths: decoded once, one segment each, whatever is in them."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.app import SUBJECTS
from api.errors import install
from api.names import EncodedNames, NameInPath, kept_path
from lineage.identity import name_fault

NAMES = st.text(min_size=1, max_size=40).filter(lambda name: name_fault(name) is None)


@pytest.fixture(scope="module")
def http() -> Iterator[TestClient]:
    """An application that says which names it was asked for."""
    app = FastAPI()
    app.add_middleware(EncodedNames)
    install(app)

    @app.get("/api/v1/things/{namespace}/of/{name}")
    def two(namespace: NameInPath, name: NameInPath) -> list[str]:
        return [namespace, name]

    @app.get("/api/v1/events/{namespace:path}")
    def rest(namespace: NameInPath) -> list[str]:
        return [namespace]

    with TestClient(app) as client:
        yield client


@given(namespace=NAMES, name=NAMES)
def test_every_name_arrives_as_it_was_encoded(http: TestClient, namespace: str, name: str) -> None:
    encoded = [quote(part, safe="").replace(".", "%2E") for part in (namespace, name)]
    answer = http.get(f"/api/v1/things/{encoded[0]}/of/{encoded[1]}")
    assert answer.json() == [namespace, name]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/api/v1/things/s3:%2F%2Flake/of/a%2Fb", ["s3://lake", "a/b"]),
        ("/api/v1/things/100%25/of/%252F", ["100%", "%2F"]),
        ("/api/v1/things/a/of/b/", ["a", "b"]),
        ("/api/v1/things/a/of/%20%2F", ["a", " /"]),
        ("/api/v1/events/s3:%2F%2Flake%2F", ["s3://lake/"]),
        ("/api/v1/events/s3://lake/x/", ["s3://lake/x/"]),
    ],
)
def test_a_slash_inside_a_name_is_no_separator(http: TestClient, path: str, names: list[str]) -> None:
    assert http.get(path).json() == names


@pytest.mark.parametrize("name", ["%00", "a%00b", "x" * 2049, "%ff", "%C3%28"])
def test_what_cannot_be_a_name_is_refused_in_marquezs_shape(http: TestClient, name: str) -> None:
    answer = http.get(f"/api/v1/things/a/of/{name}")
    assert (answer.status_code, answer.json()["code"]) == (422, 422)
    assert set(answer.json()) == {"code", "message", "details"}


def test_a_name_of_the_greatest_length_is_taken(http: TestClient) -> None:
    longest = "表" * 2048
    assert http.get(f"/api/v1/things/a/of/{quote(longest)}").json() == ["a", longest]


@given(st.binary(max_size=60))
def test_a_path_keeps_its_segments_or_is_refused(raw: bytes) -> None:
    kept = kept_path(b"/api/v1/x/" + raw.replace(b"?", b""))
    assert kept is None or kept.startswith("/api/v1/x")


def test_every_parameter_of_marquezs_paths_is_a_name_or_of_a_type_without_slashes() -> None:
    plain = [
        (route.path, parameter.name)
        for module in SUBJECTS
        for route in module.router.routes
        if isinstance(route, APIRoute) and route.path.startswith(("/api/v1/", "/api/v2beta/"))
        for parameter in route.dependant.path_params
        if parameter.field_info.annotation is str and not parameter.field_info.metadata
    ]
    assert plain == []
