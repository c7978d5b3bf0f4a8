"""The packs of named laws through the service: published as they ship, judged, and printed in the report."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from governance.migration import upgrade
from tests.policies.fairness.law.build import audit, fourteen_rows
from tests.policies.fairness.law.test_ll144_check import EXCLUDED
from tests.policies.fairness.law.test_regb import CREDIT, denied
from tests.support.evidence import write
from tests.support.service import Service, running
from tests.support.story import subject, upload


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service, on SQLite: the packs are tested, and not the database."""
    home = tmp_path_factory.mktemp("packs")
    url = f"sqlite:///{home / 'assay.db'}"
    upgrade(url)
    with running(home / "home", url) as started:
        yield started


def answered(service: Service, name: str, path: Path, fields: dict[str, Any]) -> dict[str, Any]:
    """The gate's answer under a pack to a file of rows."""
    published = service.post_json(f"/v1/policy-packs/{name}/publish", {"stage": "enforce"})
    assert published.is_success, published.text
    manifest = {
        "kind": "assay.evidence/v1",
        "subject": subject(),
        "predictions": {"uri": upload(service, path.read_bytes()), "format": "csv"},
        **fields,
    }
    # Dates travel as text.
    kept = service.post_json("/v1/evidence", json.loads(json.dumps(manifest, default=str)))
    assert kept.status_code == 201, kept.text
    body = {
        "subject": subject(),
        "environment": "prod",
        "policy": name,
        "evidence": [{"digest": kept.json()["digest"]}],
    }
    answer = service.post_json("/v1/gate/evaluations", body, **{"Idempotency-Key": name, "Prefer": "wait=25"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


PEOPLE: dict[str, Any] = {
    "columns": {"decision": "selected"},
    "positive": {"decision": 1},
    "sensitive": {"sex": {}, "race_ethnicity": {}},
}


def test_local_law_144_is_allowed_when_every_step_was_done(service: Service, tmp_path: Path) -> None:
    path = write(tmp_path / "people.csv", fourteen_rows())
    answer = answered(service, "us-nyc-ll144", path, {**PEOPLE, "audit": audit(excluded=EXCLUDED)})
    (check,) = answer["checks"]
    assert (answer["verdict"], check["id"], check["status"]) == ("allow", "ll144", "passed")
    report = service.http.post(f"/v1/decisions/{answer['decision_id']}/reports/html")
    assert report.is_success, report.text
    assert "Bias audit by New York City" in report.text


def test_four_fifths_denies_what_is_below_and_significant(service: Service, tmp_path: Path) -> None:
    path = write(tmp_path / "people.csv", fourteen_rows())
    answer = answered(service, "us-eeoc-ugesp", path, PEOPLE)
    (check,) = answer["checks"]
    assert (answer["verdict"], check["id"], check["status"]) == ("deny", "ugesp", "failed")
    assert "Black or African American" in check["message"] or "four fifths" in check["message"]


def test_regulation_b_is_allowed_when_reasons_are_in_order(service: Service, tmp_path: Path) -> None:
    answer = answered(service, "us-ecoa-regb", write(tmp_path / "denied.csv", denied()), {"credit": CREDIT})
    (check,) = answer["checks"]
    assert (answer["verdict"], check["id"], check["status"]) == ("allow", "regb", "passed")
