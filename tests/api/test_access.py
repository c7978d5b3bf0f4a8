"""Every route against every role, from the OpenAPI document: who is let in, who is refused, and who is not known.

``ROUTES`` is the one table of which permission a route asks for; the permissions of a role are those of the table in
``docs/access.md``, which is held to the code. A route that is not in the table fails.
"""

import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from api.app import routed
from governance.access.roles import GRANTS, Permission, Role
from tests.support.service import Service, key_for, running

DOCS = Path(__file__).parents[2] / "docs" / "access.md"

ROUTES = """
read             GET    /api/v1/column-lineage
read             GET    /api/v1/events
read             GET    /api/v1/events/lineage
read             GET    /api/v1/events/{namespace}
read             GET    /api/v1/jobs
read             POST   /api/v1/jobs
read             GET    /api/v1/jobs/runs/{run_id}
read             GET    /api/v1/jobs/runs/{run_id}/facets
lineage.write    POST   /api/v1/jobs/runs/{run_id}/{change}
read             GET    /api/v1/lineage
lineage.write    POST   /api/v1/lineage
lineage.write    POST   /api/v1/lineage/batch
read             GET    /api/v1/namespaces
lineage.hide     DELETE /api/v1/namespaces/{namespace}
read             GET    /api/v1/namespaces/{namespace}
lineage.write    PUT    /api/v1/namespaces/{namespace}
read             GET    /api/v1/namespaces/{namespace}/datasets
lineage.hide     DELETE /api/v1/namespaces/{namespace}/datasets/{dataset}
read             GET    /api/v1/namespaces/{namespace}/datasets/{dataset}
lineage.write    PUT    /api/v1/namespaces/{namespace}/datasets/{dataset}
lineage.write    DELETE /api/v1/namespaces/{namespace}/datasets/{dataset}/fields/{field}/tags/{tag}
lineage.write    POST   /api/v1/namespaces/{namespace}/datasets/{dataset}/fields/{field}/tags/{tag}
lineage.write    DELETE /api/v1/namespaces/{namespace}/datasets/{dataset}/tags/{tag}
lineage.write    POST   /api/v1/namespaces/{namespace}/datasets/{dataset}/tags/{tag}
read             GET    /api/v1/namespaces/{namespace}/datasets/{dataset}/versions
read             GET    /api/v1/namespaces/{namespace}/datasets/{dataset}/versions/{version}
read             GET    /api/v1/namespaces/{namespace}/jobs
lineage.hide     DELETE /api/v1/namespaces/{namespace}/jobs/{job}
read             GET    /api/v1/namespaces/{namespace}/jobs/{job}
lineage.write    PUT    /api/v1/namespaces/{namespace}/jobs/{job}
read             GET    /api/v1/namespaces/{namespace}/jobs/{job}/runs
lineage.write    POST   /api/v1/namespaces/{namespace}/jobs/{job}/runs
lineage.write    DELETE /api/v1/namespaces/{namespace}/jobs/{job}/tags/{tag}
lineage.write    POST   /api/v1/namespaces/{namespace}/jobs/{job}/tags/{tag}
read             GET    /api/v1/namespaces/{namespace}/jobs/{job}/versions
read             GET    /api/v1/namespaces/{namespace}/jobs/{job}/versions/{version}
read             GET    /api/v1/runlineage/upstream
read             GET    /api/v1/search
read             GET    /api/v1/sources
read             GET    /api/v1/sources/{source}
lineage.write    PUT    /api/v1/sources/{source}
read             GET    /api/v1/stats/lineage-events
read             GET    /api/v1/stats/{asset}
read             GET    /api/v1/tags
lineage.write    PUT    /api/v1/tags/{tag}
read             GET    /api/v2beta/search/datasets
read             GET    /api/v2beta/search/jobs
-                GET    /healthz
read             GET    /metrics
-                GET    /readyz
-                GET    /spec/facets/{version}/{file}
read             GET    /v1/artifacts/{sha256}
evidence.write   PUT    /v1/artifacts/{sha256}
read             GET    /v1/attestations
attest           POST   /v1/attestations
read             GET    /v1/break-glass
break_glass      POST   /v1/break-glass
read             GET    /v1/break-glass/{grant_id}
approve          POST   /v1/break-glass/{grant_id}/review
read             GET    /v1/decisions/{decision_id}
read             GET    /v1/decisions/{decision_id}/bundle
read             GET    /v1/decisions/{decision_id}/grants
read             GET    /v1/decisions/{decision_id}/pack
report.write     POST   /v1/decisions/{decision_id}/reports/{format}
revoke           POST   /v1/decisions/{decision_id}/revocations
read             GET    /v1/decisions/{decision_id}/tlog-proof
read             POST   /v1/decisions/{decision_id}/verify
read             GET    /v1/deployments
deploy           POST   /v1/deployments
read             GET    /v1/deployments/{deployment_id}
deploy           POST   /v1/deployments/{deployment_id}/end
approve          POST   /v1/evaluations/{evaluation_id}/approvals
approve          POST   /v1/evaluations/{evaluation_id}/reviews
evidence.write   POST   /v1/evidence
read             GET    /v1/gate/evaluations
evaluate         POST   /v1/gate/evaluations
read             GET    /v1/gate/evaluations/{evaluation_id}
read             GET    /v1/gate/evaluations/{evaluation_id}/junit
read             GET    /v1/gate/evaluations/{evaluation_id}/markdown
read             GET    /v1/gate/evaluations/{evaluation_id}/sarif
read             GET    /v1/gate/refusals
-                POST   /v1/integrations/github/deployment-protection
-                POST   /v1/integrations/gitlab/status-check
read             POST   /v1/integrations/kubernetes/admission
administer       GET    /v1/keys
administer       POST   /v1/keys
administer       DELETE /v1/keys/{key_id}
read             GET    /v1/lineage
read             GET    /v1/lineage/columns
read             GET    /v1/lineage/diff
read             GET    /v1/lineage/digest
read             GET    /v1/lineage/events/{digest}
read             GET    /v1/lineage/evidence
read             GET    /v1/lineage/findings
read             GET    /v1/lineage/graph
read             GET    /v1/lineage/impact
read             GET    /v1/lineage/paths
read             GET    /v1/lineage/prunings
lineage.prune    POST   /v1/lineage/prunings
read             GET    /v1/lineage/prunings/{number}
read             GET    /v1/lineage/runs/{run_id}
read             GET    /v1/lineage/search
read             GET    /v1/lineage/serving
read             GET    /v1/lineage/tags
-                GET    /v1/log/checkpoint
-                GET    /v1/log/consistency
log.cosign       POST   /v1/log/cosignatures
-                GET    /v1/log/entries/{index}
read             GET    /v1/models
model.write      POST   /v1/models
read             GET    /v1/models/{digest}
read             GET    /v1/policies
read             GET    /v1/policies/{name}/publications
read             GET    /v1/policies/{name}/versions
policy.write     POST   /v1/policies/{name}/versions
read             GET    /v1/policies/{name}/versions/{version}
read             GET    /v1/policies/{name}/versions/{version}/changes
policy.publish   POST   /v1/policies/{name}/versions/{version}/publish
policy.publish   POST   /v1/policy-packs/{pack}/publish
read             GET    /v1/revocations
read             GET    /v1/revocations.atom
read             GET    /v1/schemas
read             GET    /v1/schemas/{name}/versions
schema.write     POST   /v1/schemas/{name}/versions
read             GET    /v1/schemas/{name}/versions/{version}
read             GET    /v1/schemas/{name}/versions/{version}/changes
-                GET    /v1/trust
read             GET    /v1/waivers
waiver.write     POST   /v1/waivers
read             GET    /v1/waivers/{waiver_id}
approve          POST   /v1/waivers/{waiver_id}/approve
waiver.revoke    POST   /v1/waivers/{waiver_id}/revoke
administer       GET    /v1/webhooks
administer       POST   /v1/webhooks
administer       DELETE /v1/webhooks/{webhook_id}
administer       GET    /v1/webhooks/{webhook_id}/deliveries
administer       POST   /v1/webhooks/{webhook_id}/test
"""
"""The permission, the method and the path of every route; ``-`` is open to all on purpose."""

VALUES = {
    "sha256": "0" * 64,
    "format": "html",
    "version": "1",
    "number": "1",
    "index": "0",
    "key_id": "aaaaaaaaaa",
    "change": "start",
    "asset": "jobs",
    "file": "x",
}
"""Values that the routes' paths take; every other place is taken by ``x``."""


@cache
def table() -> dict[tuple[str, str], str]:
    """Method and path to the permission."""
    rows = [line.split() for line in ROUTES.strip().splitlines()]
    return {(method, path): permission for permission, method, path in rows}


def operations() -> list[tuple[str, str]]:
    """Every method and path of the document."""
    paths = routed().openapi()["paths"]
    return [(method.upper(), path) for path, found in paths.items() for method in found]


@pytest.fixture(scope="module")
def walked(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all requests; who may do what does not depend on the database."""
    folder = tmp_path_factory.mktemp("access")
    shutil.copy(sqlite_template, folder / "assay.db")
    with running(folder / "home", f"sqlite:///{folder / 'assay.db'}", work={"engine": "none"}) as service:
        yield service


def send(service: Service, method: str, path: str, token: str | None) -> Any:
    """A request that is well formed as far as its address goes."""
    filled = re.sub(r"{([a-z0-9_]+)}", lambda found: VALUES.get(found[1], "x"), path)
    headers = {"Authorization": f"Bearer {token}" if token else "", "Idempotency-Key": "k"}
    return service.http.request(method, filled, headers=headers, content=b"{}" if method in ("POST", "PUT") else None)


@cache
def documented() -> dict[str, set[str]]:
    """Each role's permissions as the page of access lists them."""
    rows = re.findall(r"^\| `([a-z_]+)` \| [^|]+ \| ([^|]+) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    return {role: set(re.findall(r"`([a-z_.]+)`", listed)) for role, listed in rows}


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert set(operations()) == set(table())


def test_every_rule_names_a_permission_that_there_is() -> None:
    assert set(table().values()) <= {permission.value for permission in Permission} | {"-"}


def test_roles_give_what_the_page_says() -> None:
    assert documented() == {role.value: {one.value for one in given} for role, given in GRANTS.items()}


@pytest.mark.parametrize("role", list(Role))
def test_every_route_lets_in_the_roles_of_its_rule_and_no_other(walked: Service, role: Role) -> None:
    token, given = key_for(walked.url, role.value), documented()[role.value]
    wrong = []
    for (method, path), permission in table().items():
        answer = send(walked, method, path, token)
        refused = answer.status_code == 403 and answer.json()["code"] in ("access.not_permitted", 403)
        if answer.status_code in (401, 500) or refused != (permission not in given and permission != "-"):
            wrong.append((method, path, permission, answer.status_code, answer.text[:200]))
    assert wrong == []


@pytest.mark.parametrize("token", [None, "assay_aaaaaaaaaa_" + "x" * 43, "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.e30.AAAA"])
def test_every_route_but_the_open_ones_asks_who_it_is(walked: Service, token: str | None) -> None:
    wrong = []
    for (method, path), permission in table().items():
        answer = send(walked, method, path, token)
        if (answer.status_code == 401) != (permission != "-"):
            wrong.append((method, path, permission, answer.status_code, answer.text[:200]))
    assert wrong == []


def scoped_routes() -> set[tuple[str, str]]:
    """The routes that the page of access lists for narrowed keys."""
    text = DOCS.read_text(encoding="utf-8").partition("<!-- scoped -->")[2].partition("<!-- /scoped -->")[0]
    return {(method, path) for method, path in re.findall(r"`([A-Z]+) (/[^`]+)`", text)}


def test_a_narrowed_key_is_refused_wherever_answers_cannot_be_narrowed(walked: Service) -> None:
    roles: list[tuple[str, ...]] = [("ci", "model_owner", "data_steward", "policy_author", "policy_publisher")]
    roles += [("approver", "incident_responder", "auditor"), ("admin",)]
    tokens = {held: key_for(walked.url, *held, scopes=["mlflow://*"], name=held[0]) for held in roles}
    found = set()
    for (method, path), permission in table().items():
        if permission == "-":
            continue
        held = next(names for names in roles if any(permission in documented()[name] for name in names))
        answer = send(walked, method, path, tokens[held])
        refused = answer.status_code == 403
        if not refused:
            found.add((method, path))
    assert found == scoped_routes()
