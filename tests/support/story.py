"""Small evidence for tests: people, decisions and manifests about them."""

import hashlib
from typing import Any

from tests.support.service import Service, key_for

DIGEST = "sha256:" + "5a" * 32


def subject(name: str = "credit-line", version: str = "1", digest: str = DIGEST) -> dict[str, Any]:
    """A model version."""
    return {"namespace": "mlflow://models.test", "name": name, "version": version, "digest": digest}


def decisions_csv(groups: dict[str, tuple[int, int]]) -> bytes:
    """A table with a row a person: each group's (selected, rejected); labels agree with decisions."""
    rows = ["row_id,sex,label,decision"]
    for group, (selected, rejected) in groups.items():
        for decision in ["yes"] * selected + ["no"] * rejected:
            rows.append(f"{len(rows)},{group},{decision},{decision}")
    return ("\n".join(rows) + "\n").encode()


def upload(service: Service, content: bytes) -> str:
    """Upload bytes and give their artifact URI."""
    name = hashlib.sha256(content).hexdigest()
    answer = service.http.put(f"/v1/artifacts/{name}", content=content)
    assert answer.status_code == 201, answer.text
    return f"artifact:sha256:{name}"


def manifest(uri: str, **changes: Any) -> dict[str, Any]:
    """A manifest over one uploaded table of decisions."""
    return {
        "kind": "assay.evidence/v1",
        "subject": subject(),
        "predictions": {"uri": uri, "format": "csv"},
        "columns": {"row_id": "row_id", "label": "label", "decision": "decision"},
        "positive": {"label": "yes", "decision": "yes"},
        "negative": {"label": "no", "decision": "no"},
        "sensitive": {"sex": {"groups": ["f", "m"]}},
        "seed": 7,
        **changes,
    }


def submit(service: Service, groups: dict[str, tuple[int, int]], **changes: Any) -> str:
    """Upload a table and submit a manifest over it; the evidence's digest."""
    answer = service.post_json("/v1/evidence", manifest(upload(service, decisions_csv(groups)), **changes))
    assert answer.status_code == 201, answer.text
    digest: str = answer.json()["digest"]
    return digest


def policy(name: str = "fair", **changes: Any) -> dict[str, Any]:
    """A policy that asks for fairness alone."""
    params = {"metrics": [{"name": "selection_rate_ratio", "limit": "0.8"}]}
    return {
        "kind": "assay.policy/v1",
        "name": name,
        "checks": [{"id": "fairness", "params": params}],
        **changes,
    }


def author(service: Service) -> dict[str, str]:
    """The headers of somebody who writes policies, and is not the service's publisher."""
    return {"Authorization": f"Bearer {key_for(service.url, 'policy_author', subject='the author')}"}


def publish(service: Service, document: dict[str, Any], *, stage: str = "enforce") -> dict[str, Any]:
    """Store a version as its author and bring it to a stage as the service's publisher; its name, version, digest."""
    path = f"/v1/policies/{document['name']}/versions"
    stored = service.post_json(path, document, **author(service))
    assert stored.is_success, stored.text
    made = service.post_json(f"{path}/{stored.json()['version']}/publish", {"stage": stage})
    assert made.is_success, made.text
    reference: dict[str, Any] = made.json()["policy"]
    return reference


def ask(service: Service, *, key: str = "k1", wait: int = 25, **changes: Any) -> Any:
    """Ask the gate and wait."""
    body = {"subject": subject(), "environment": "prod", "policy": "fair", **changes}
    return service.post_json("/v1/gate/evaluations", body, **{"Idempotency-Key": key, "Prefer": f"wait={wait}"})


FAIR = {"f": (100, 100), "m": (102, 98)}
UNFAIR = {"f": (30, 170), "m": (110, 90)}
