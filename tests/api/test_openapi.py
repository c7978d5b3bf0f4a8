"""The OpenAPI document: current, with examples that the service takes, and a permission on every route."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from api import people_examples
from api.app import SUBJECTS, routed
from api.examples import EVALUATION, MANIFEST, POLICY
from governance.types.approval import ApprovalRequest, ReviewRequest
from governance.types.break_glass import BreakGlassRequest, BreakGlassReview
from governance.types.evaluation import EvaluationRequest
from governance.types.manifest import Manifest
from governance.types.policy import Policy
from governance.types.waiver import WaiverApproval, WaiverRequest, WaiverRevocation
from tests.support.service import Service

SNAPSHOT = Path(__file__).parents[2] / "api" / "openapi.json"

OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/v1/trust"),
    ("GET", "/v1/log/checkpoint"),
    ("GET", "/v1/log/consistency"),
    ("GET", "/v1/log/entries/{index}"),
    ("GET", "/spec/facets/{version}/{file}"),
}
"""Routes that need no key: liveness, and what a stranger needs to verify decisions, watch the log and read facets."""


SIGNED = {
    ("POST", "/v1/integrations/github/deployment-protection"),
    ("POST", "/v1/integrations/gitlab/status-check"),
}
"""Routes that take no key, since their senders sign what they send; off until a secret is set."""

ASKED_BY_POST = {"/v1/integrations/kubernetes/admission", "/api/v1/jobs", "/v1/decisions/{decision_id}/verify"}
"""Routes that write nothing: Marquez's web pages ask for a list so, and what is verified stays out of addresses."""


def document() -> str:
    return json.dumps(routed().openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_the_committed_snapshot_is_current(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--write-snapshots"):
        SNAPSHOT.write_text(document(), encoding="utf-8")
    assert SNAPSHOT.read_text(encoding="utf-8") == document(), "run: make snapshots"


def routes() -> list[APIRoute]:
    return [route for module in SUBJECTS for route in module.router.routes if isinstance(route, APIRoute)]


def permissions(route: APIRoute) -> set[str]:
    return {
        str(dependency.call.permission)  # type: ignore[union-attr] # set by permit()
        for dependency in route.dependant.dependencies
        if hasattr(dependency.call, "permission")
    }


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{min(route.methods)} {route.path}")
def test_every_route_names_a_permission_or_is_open_on_purpose(route: APIRoute) -> None:
    for method in route.methods or ():
        if (method, route.path) not in OPEN | SIGNED:
            assert permissions(route), f"{method} {route.path} needs dependencies=[permit(...)]"


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{min(route.methods)} {route.path}")
def test_a_route_that_writes_needs_more_than_reading(route: APIRoute) -> None:
    if route.path in ASKED_BY_POST | {path for _, path in SIGNED}:
        return
    if (route.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}:
        assert permissions(route) - {"read"}


def test_no_operation_of_the_document_answers_without_a_key(service: Service) -> None:
    walked = 0
    for path, operations in routed().openapi()["paths"].items():
        for method in operations:
            if (method.upper(), path) in OPEN | SIGNED:
                continue
            answer = service.http.request(method, re.sub(r"{[^}]+}", "x", path), headers={"Authorization": ""})
            assert answer.status_code in (401, 422), (method, path, answer.text)
            # Where the placeholder is not a valid name, a valid one must not open the door either.
            if answer.status_code == 422:
                valid = re.sub(r"{sha256}", "0" * 64, path).replace("{format}", "html").replace("{version}", "1")
                valid = re.sub(r"{[^}]+}", "x", valid)
                headers = {"Authorization": "", "Idempotency-Key": "k"}
                answer = service.http.request(method, valid, headers=headers)
                assert answer.status_code == 401, (method, path, answer.text)
            walked += 1
    assert walked > 10


def test_there_are_routes_to_look_at() -> None:
    assert len(routes()) > 15


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (EvaluationRequest, EVALUATION),
        (Manifest, MANIFEST),
        (Policy, POLICY),
        (WaiverRequest, people_examples.WAIVER),
        (WaiverApproval, people_examples.WAIVER_APPROVAL),
        (WaiverRevocation, people_examples.WAIVER_REVOCATION),
        (ApprovalRequest, people_examples.APPROVAL),
        (ReviewRequest, people_examples.REVIEW),
        (BreakGlassRequest, people_examples.BREAK_GLASS),
        (BreakGlassReview, people_examples.BREAK_GLASS_REVIEW),
    ],
)
def test_examples_are_what_the_service_takes(model: Any, example: dict[str, Any]) -> None:
    model.model_validate(example)
