"""Search over HTTP, on both databases."""

from typing import Any

import pytest

from tests.api.test_lineage_columns import get, send
from tests.lineage.material import dataset, dataset_event, run_event
from tests.lineage.test_columns import LAKE
from tests.support.service import Service

SEARCH = "/v1/lineage/search"


def test_results_show_what_lists_show(service: Service) -> None:
    of = {
        "schema": {"fields": [{"name": "home", "fields": [{"name": "zipCode"}]}]},
        "documentation": {"description": "everybody we billed"},
        "tags": {"tags": [{"key": "pii", "value": "true", "field": "home.zipCode"}]},
        "ownership": {"owners": [{"name": "team:billing", "type": "MAINTAINER"}]},
    }
    send(service, dataset_event(dataset("customers", **of)))
    answer = get(service, SEARCH, q="zip")
    (result,) = answer.json()["results"]
    assert answer.headers["etag"]
    assert result == {
        "kind": "dataset", "type": None, "subtype": None, "namespace": LAKE, "name": "customers", "canonical": None,
        "updated_at": "2026-03-01T12:00:00Z", "description": "everybody we billed",
        "tags": [{"tag": "pii", "value": "true", "field": "home.zipCode"}],
        "owners": [{"name": "team:billing", "type": "MAINTAINER"}], "matched_fields": ["home.zipCode"],
    }  # fmt: skip


def test_pages_are_walked_by_their_cursors(service: Service) -> None:
    send(service, *(dataset_event(dataset(f"table_{number}")) for number in range(5)))
    found: list[str] = []
    parameters: dict[str, Any] = {"q": "table", "limit": 2, "sort": "name"}
    while True:
        page = get(service, SEARCH, **parameters).json()
        assert page["total_count"] == 5
        found += [result["name"] for result in page["results"]]
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]
    assert found == [f"table_{number}" for number in range(5)]


def test_filters_may_be_repeated(service: Service) -> None:
    send(service, run_event(job="claims", inputs=["claims_in"], outputs=[dataset("claims_out", "hdfs://far")]))
    names = {
        result["name"]
        for result in get(service, SEARCH, q="claims", namespace=["batch", "hdfs://far"]).json()["results"]
    }
    assert names == {"claims", "claims_out"}


@pytest.mark.parametrize(
    "parameters",
    [{"cursor": "x"}, {"sort": "size"}, {"limit": 0}, {"kind": "run"}, {"after": "0001-01-01T00:00:00+14:00"}],
)
def test_what_cannot_be_asked_is_refused(service: Service, parameters: dict[str, Any]) -> None:
    assert get(service, SEARCH, q="a", **parameters).status_code == 422
