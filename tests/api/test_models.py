"""Registering models over HTTP, on both databases."""

from typing import Any

from api.examples import MODEL
from tests.support.service import Service

OTHER = "sha256:" + "0" * 64


def test_a_version_is_registered_once_and_found_by_its_digest(service: Service) -> None:
    first = service.post_json("/v1/models", MODEL)
    again = service.post_json("/v1/models", MODEL)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    found = service.http.get(f"/v1/models/{MODEL['digest']}").json()
    assert found == first.json()
    assert (found["risk_tier"], found["owners"]) == ("high", ["user:ines", "team:credit"])


def test_the_same_version_with_another_digest_and_two_models_with_one_are_409(service: Service) -> None:
    service.post_json("/v1/models", MODEL)
    for changes in ({"digest": OTHER}, {"version": "8"}):
        refused = service.post_json("/v1/models", {**MODEL, **changes})
        assert refused.status_code == 409, refused.text
        assert refused.json()["pointer"] in ("/digest", "/name")


def test_models_come_in_pages(service: Service) -> None:
    for number in range(5):
        sent = {**MODEL, "version": str(number), "digest": f"sha256:{number:064x}"}
        assert service.post_json("/v1/models", sent).status_code == 201
    shown: list[str] = []
    cursor: Any = None
    while True:
        asked = {"limit": 2, "name": MODEL["name"]} | ({"cursor": cursor} if cursor else {})
        page = service.http.get("/v1/models", params=asked).json()
        shown += [model["version"] for model in page["models"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert shown == ["0", "1", "2", "3", "4"]
    assert service.http.get("/v1/models", params={"name": "none"}).json()["models"] == []


def test_an_unknown_model_is_404_and_a_bad_one_422(service: Service) -> None:
    assert service.http.get(f"/v1/models/{OTHER}").status_code == 404
    assert service.http.get("/v1/models/%00").status_code == 404
    assert service.post_json("/v1/models", {**MODEL, "owners": []}).json()["pointer"] == "/owners"
    assert service.http.get("/v1/models", params={"name": "a\x00"}).json()["models"] == []
