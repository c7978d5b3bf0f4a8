"""A CI host for tests: keys, tokens with the claims that the hosts document, and a JWKS over real HTTP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

AUDIENCE = "https://assay.example"
GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.example"


def rsa_key(kid: str) -> RSAKey:
    """A new RSA key."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"}, private=True)


def ec_key(kid: str) -> ECKey:
    """A new key on P-256."""
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"}, private=True)


def jwks(*keys: RSAKey | ECKey) -> bytes:
    """The public halves as a key set."""
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


def github_claims(now: datetime, **changes: Any) -> dict[str, Any]:
    """Claims as in GitHub's "OpenID Connect reference"; a claim that is changed to None is left out."""
    seconds = int(now.timestamp())
    claims = {
        "jti": "example-id",
        "sub": "repo:bank/credit-line:environment:prod",
        "environment": "prod",
        "aud": AUDIENCE,
        "ref": "refs/heads/main",
        "sha": "example-sha",
        "repository": "bank/credit-line",
        "repository_owner": "bank",
        "actor_id": "12",
        "repository_visibility": "private",
        "repository_id": "74",
        "repository_owner_id": "65",
        "run_id": "example-run-id",
        "run_number": "10",
        "run_attempt": "2",
        "runner_environment": "github-hosted",
        "actor": "octocat",
        "workflow": "release",
        "head_ref": "",
        "base_ref": "",
        "event_name": "workflow_dispatch",
        "ref_type": "branch",
        "job_workflow_ref": "bank/automation/.github/workflows/oidc.yml@refs/heads/main",
        "iss": GITHUB,
        "nbf": seconds,
        "exp": seconds + 900,
        "iat": seconds,
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


def gitlab_claims(now: datetime, **changes: Any) -> dict[str, Any]:
    """Claims as in GitLab's "ID token authentication"; a claim that is changed to None is left out."""
    seconds = int(now.timestamp())
    claims = {
        "namespace_id": "72",
        "namespace_path": "bank",
        "project_id": "20",
        "project_path": "bank/credit-line",
        "user_id": "1",
        "user_login": "sample-user",
        "user_email": "sample-user@bank.example",
        "pipeline_id": "574",
        "pipeline_source": "push",
        "job_id": "302",
        "ref": "main",
        "ref_type": "branch",
        "ref_path": "refs/heads/main",
        "ref_protected": "true",
        "environment": "production",
        "environment_protected": "true",
        "runner_id": 1,
        "runner_environment": "self-hosted",
        "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
        "project_visibility": "private",
        "ci_config_ref_uri": "gitlab.example/bank/credit-line//.gitlab-ci.yml@refs/heads/main",
        "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b",
        "iss": GITLAB,
        "iat": seconds,
        "nbf": seconds - 5,
        "exp": seconds + 3600,
        "sub": "project_path:bank/credit-line:ref_type:branch:ref:main",
        "aud": AUDIENCE,
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


def signed(claims: dict[str, Any], key: RSAKey | ECKey, **header: Any) -> str:
    """The claims as a token of ``key``."""
    algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
    whole = {"typ": "JWT", "alg": algorithm, "kid": key.kid, **header}
    return jwt.encode({k: v for k, v in whole.items() if v is not None}, claims, key, algorithms=[algorithm])


@dataclass
class KeyServer:
    """Where a CI host publishes its keys: what it answers, and how often it was asked."""

    url: str
    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0


@contextmanager
def serving_keys(body: bytes) -> Iterator[KeyServer]:
    """A key server on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            self.send_response(served.status)
            for name, value in served.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(served.body)))
            self.end_headers()
            self.wfile.write(served.body)

        def log_message(self, *_: object) -> None:
            """Nothing: the output is the test's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = KeyServer(f"http://127.0.0.1:{server.server_port}/jwks", body)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
