"""The quality check at the gate: further tables of a manifest are uploaded, measured and judged again."""

from typing import Any

from tests.support.service import Service
from tests.support.story import ask, manifest, publish, upload

TEST, TRAINING = b"id,a\n1,x\n2,y\n", b"id,a\n2,y\n3,z\n"


def policy(limit: str) -> dict[str, Any]:
    """A policy that asks for no more rows in both tables than the limit."""
    rules = {"leakage": [{"key": ["id"], "max_row_share": limit, "max_key_share": limit}]}
    return {"kind": "assay.policy/v1", "name": "prepared", "checks": [{"id": "quality", "params": rules}]}


def evidence(service: Service, **tables: Any) -> Any:
    """The answer to a manifest over the test data with further tables."""
    body = manifest(upload(service, TEST), columns={}, positive={}, negative={}, sensitive={}, tables=tables)
    return service.post_json("/v1/evidence", body)


def test_leakage_denies_and_is_judged_again_under_another_limit_without_measuring(service: Service) -> None:
    training = {"uri": upload(service, TRAINING), "format": "csv"}
    digest = evidence(service, training=training).json()["digest"]
    publish(service, policy("0"))
    denied = ask(service, policy="prepared", evidence=[{"digest": digest}]).json()
    assert (denied["verdict"], denied["checks"][0]["status"]) == ("deny", "failed")
    assert "1 of 2 (50 %) rows of the test data are in the training data too" in denied["checks"][0]["message"]
    publish(service, policy("0.5"))
    allowed = ask(service, key="k2", policy="prepared", evidence=[{"digest": digest}]).json()
    assert allowed["verdict"] == "allow"
    decisions = [service.http.get(one["links"]["decision"]).json() for one in (denied, allowed)]
    measured = {one["checks"][0]["measurement_digest"] for one in decisions}
    assert len(measured) == 1


def test_a_table_that_was_not_uploaded_is_refused_and_one_that_is_not_named_blocks(service: Service) -> None:
    absent = {"uri": f"artifact:sha256:{'7' * 64}", "format": "csv"}
    assert evidence(service, training=absent).status_code == 404
    digest = evidence(service).json()["digest"]
    publish(service, policy("0"))
    answer = ask(service, policy="prepared", evidence=[{"digest": digest}]).json()
    assert (answer["verdict"], answer["checks"][0]["status"]) == ("indeterminate", "error")
    assert "a table 'training'" in answer["checks"][0]["message"]
