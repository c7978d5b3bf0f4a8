"""Models, decisions and deployments on the command line, against a service at an address."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import fresh_url
from tests.support.life import allowed, assay, bearer, denied, listening
from tests.support.service import Service, running
from tests.support.story import DIGEST

PLACE = ["--platform", "k8s://b/claims", "--endpoint", "triage", "--revision", "7"]
ASKED = ["--digest", DIGEST, "--env", "prod"]


@pytest.fixture
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A fresh service."""
    with running(tmp_path / "home", fresh_url("sqlite", request, tmp_path)) as started:
        yield started


@pytest.fixture
def there(service: Service) -> Iterator[list[str]]:
    """Where the service listens, as options."""
    with listening(service) as options:
        yield options


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def by_person(service: Service, there: list[str]) -> list[str]:
    """The options of an approver."""
    key = bearer(service, "approver", subject="user:ada")["Authorization"].removeprefix("Bearer ")
    return [*there[:3], key]


def test_a_model_is_registered_listed_and_shown(
    there: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights")
    digest = "sha256:" + hashlib.sha256(b"weights").hexdigest()
    told = [
        "triage@7", "--digest", str(file), "--namespace", "mlflow://m", "--objective", "order claims", "--risk-tier",
        "high", "--owner", "user:ines", "--owner", "team:claims", "--jurisdiction", "EU",
    ]  # fmt: skip
    assert assay("model", "register", *told, *there) == 0
    assert f"triage@7 {digest}" in capsys.readouterr().out
    assert assay("model", "register", *told, *there) == 0, "the same again changes nothing"
    assert assay("model", "register", *told[:-1], "US", *there) == 4, "other words are refused"
    capsys.readouterr()
    assert assay("model", "list", "--name", "triage", "--json", *there) == 0
    (model,) = printed(capsys)["models"]
    assert (model["digest"], model["owners"]) == (digest, ["user:ines", "team:claims"])
    assert assay("model", "show", str(file), *there) == 0
    assert "owners user:ines, team:claims" in capsys.readouterr().out
    assert assay("model", "show", "sha256:" + "0" * 64, *there) == 4
    assert assay("model", "register", "triage", *told[1:], *there) == 4


def test_a_deploy_job_verifies_records_and_is_stopped_by_a_revocation(
    service: Service, there: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    decision = allowed(service)["decision_id"]
    assert assay("decision", "verify", decision, *ASKED, *there) == 0
    assert assay("deployment", "record", decision, *PLACE, *ASKED, *there) == 0
    assert assay("deployment", "record", decision, *PLACE, *ASKED, *there) == 0
    capsys.readouterr()
    assert assay("deployment", "list", "--env", "prod", "--json", *there) == 0
    (found,) = printed(capsys)["deployments"]
    assert found["running_with"] == "valid"
    why = ["--cause", "incident", "--reason", "Payments stand still."]
    assert assay("decision", "revoke", decision, *why, *there) == 5, "a pipeline takes nothing back"
    assert assay("decision", "revoke", decision, *why, *by_person(service, there)) == 0
    assert "number 1 of the feed" in capsys.readouterr().out
    assert assay("decision", "verify", decision, *ASKED, *there) == 1
    assert assay("deployment", "record", decision, *PLACE[:-1], "8", *ASKED, *there) == 1
    assert "one that is revoked" in capsys.readouterr().err
    assert assay("deployment", "list", *there) == 1, "something runs with a decision that holds no more"
    assert "revoked" in capsys.readouterr().out
    assert assay("deployment", "end", found["deployment_id"], "--how", "rolled_back", *there) == 0
    assert assay("deployment", "list", *there) == 0
    capsys.readouterr()
    assert assay("decision", "revocations", "--json", *there) == 0
    assert [each["decision_id"] for each in printed(capsys)["revocations"]] == [decision]


def test_every_status_but_valid_stops_the_job(service: Service, there: list[str]) -> None:
    decision = allowed(service)["decision_id"]
    elsewhere = ["--digest", DIGEST, "--env", "test"]
    assert assay("decision", "verify", decision, *elsewhere, *there) == 1
    refused = denied(service)["decision_id"]
    assert assay("decision", "verify", decision, *ASKED, *there) == 1, "superseded"
    assert assay("decision", "verify", refused, *ASKED, *there) == 1
    assert assay("decision", "verify", "none", *ASKED, *there) == 4
    assert assay("decision", "verify", refused, *ASKED, *there[:3], "wrong") == 5
    assert assay("deployment", "record", "none", *PLACE, *ASKED, *there) == 4
