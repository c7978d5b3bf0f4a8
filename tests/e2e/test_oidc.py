"""A CI job without a stored secret asks the gate: the command line, a service process, and a host's keys in a file."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.issuer import AUDIENCE, GITLAB, gitlab_claims, jwks, rsa_key, signed
from tests.support.shell import Shell, evidence, gate, publish, serving
from tests.support.story import FAIR

KEY = rsa_key("gitlab")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A service that takes the tokens of one project's protected branches."""
    folder = tmp_path_factory.mktemp("oidc")
    (folder / "jwks.json").write_bytes(jwks(KEY))
    issuer: dict[str, Any] = {
        "host": "gitlab",
        "issuer": GITLAB,
        "audience": AUDIENCE,
        "jwks_file": str(folder / "jwks.json"),
        "bindings": [
            {"claims": {"project_id": "20", "ref_protected": "true"}, "scopes": ["mlflow://models.test/fair"]}
        ],
    }
    with serving(folder, ASSAY_OIDC__ISSUERS=json.dumps([issuer])) as started:
        yield started


def ask(shell: Shell, name: str, model: Path, about: Path, **claims: Any) -> Any:
    """`assay gate --oidc` as a job with these claims, which has no service key."""
    token = signed(gitlab_claims(datetime.now(UTC), **claims), KEY)
    more = ("--evidence", str(about), "--oidc", AUDIENCE)
    return gate(shell, name, model, *more, ASSAY_ID_TOKEN=token, ASSAY_KEY="")


def test_a_job_of_a_bound_project_gets_its_verdict(shell: Shell) -> None:
    model, about, _ = evidence(shell, "fair", FAIR)
    publish(shell, "fair")
    done = ask(shell, "fair", model, about)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Verdict: allow (signature verified)" in done.stdout


def test_another_project_an_open_branch_and_an_old_token_get_none(shell: Shell) -> None:
    model, about, _ = evidence(shell, "fair", FAIR)
    old = int((datetime.now(UTC) - timedelta(hours=2)).timestamp())
    for claims in ({"project_id": "21"}, {"ref_protected": "false"}, {"iat": old, "nbf": old, "exp": old + 3600}):
        done = ask(shell, "fair", model, about, **claims)
        assert done.returncode == 5, done.stdout + done.stderr


def test_a_model_outside_of_the_binding_is_not_found(shell: Shell) -> None:
    model, about, _ = evidence(shell, "other", FAIR)
    publish(shell, "other")
    done = ask(shell, "other", model, about)
    assert done.returncode == 4
    assert "404" in done.stderr or "within the scopes" in done.stderr
