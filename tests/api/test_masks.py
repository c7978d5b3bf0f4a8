"""Values of people stay out of every answer, also where the evidence shows them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audits.local import check_locally, signed_result
from governance.access.signers import trust_signer
from governance.localfiles import read_manifest
from governance.signing.keys import SigningKey
from governance.types.policy import Policy
from tests.api.test_gate_lineage import send, train
from tests.lineage.material import dataset, run_event, run_id
from tests.support.service import Service
from tests.support.story import ask, publish, subject

SECRET = "ada@example.org"
SHOWN = "[user.contact.email]"
POLICY: dict[str, Any] = {
    "kind": "assay.policy/v1",
    "name": "kept",
    "evidence": {"least_origin": "attested"},
    "checks": [
        {
            "id": "schema",
            "params": {"document": {"columns": {"email": {"dtype": "str", "checks": {"str_endswith": ".test"}}}}},
        },
        {"id": "quality", "params": {"formats": [{"column": "email", "pattern": "nobody"}]}},
    ],
}


@pytest.fixture
def evidence(service: Service, tmp_path: Path) -> str:
    """The digest of a signed test result that shows an address, made where no lineage was known."""
    (tmp_path / "rows.csv").write_text(f"email\n{SECRET}\n")
    about = {
        "kind": "assay.evidence/v1",
        "subject": subject(),
        "predictions": {"uri": "file:rows.csv", "format": "csv"},
    }
    (tmp_path / "manifest.yaml").write_text(json.dumps(about))
    local = read_manifest(tmp_path / "manifest.yaml")
    policy = Policy.model_validate(POLICY)
    run = check_locally(
        local, policy, environment="prod", at=datetime.now(UTC), lineage=None, seconds=60, memory_bytes=2**32
    )
    key = SigningKey.generate()
    with service.state.database.unit() as unit:
        trust_signer(unit, keyid=key.keyid, name="nightly", public_key=key.public.der)
    content = signed_result(local, run, key)
    answer = service.http.post("/v1/evidence", content=content)
    assert answer.status_code == 201, answer.text
    digest: str = answer.json()["digest"]
    return digest


def recorded(service: Service) -> None:
    """Lineage of the model, in which the features hold addresses."""
    columns = [{"path": "email", "categories": ["user.contact.email"]}]
    features = dataset("features", assay_provenance={"columns": columns})
    send(service, run_event(run=run_id(8), job="features", outputs=[features]))
    train(service)


def answers(service: Service, evidence: str) -> dict[str, str]:
    """Every answer about a decision on the evidence, as text."""
    publish(service, POLICY)
    made = ask(service, policy="kept", evidence=[{"digest": evidence}])
    assert made.json()["verdict"] == "deny", made.text
    found = made.json()["decision_id"]
    reports = {kind: service.http.post(f"/v1/decisions/{found}/reports/{kind}") for kind in ("json", "html")}
    decision = service.http.get(made.json()["links"]["decision"])
    assert decision.is_success
    assert all(one.is_success for one in reports.values())
    return {"answer": made.text, "decision": decision.text, **{kind: one.text for kind, one in reports.items()}}


def test_a_value_that_lineage_calls_personal_is_in_no_answer(service: Service, evidence: str) -> None:
    recorded(service)
    texts = answers(service, evidence)
    assert [name for name, text in texts.items() if SECRET in text] == []
    assert SHOWN in texts["decision"]
    assert SHOWN in texts["json"]
    assert SHOWN in texts["html"]


def test_a_value_of_a_column_about_nobody_is_shown(service: Service, evidence: str) -> None:
    train(service)
    texts = answers(service, evidence)
    assert SECRET in texts["decision"]
    assert SECRET in texts["json"]
