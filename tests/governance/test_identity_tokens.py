"""The ID token of a CI job: laid down by GitLab, or asked for at GitHub's runner (a server of the same contract)."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from governance.errors import Unreachable, UsageError
from governance.identity_tokens import identity_token

AUDIENCE = "https://assay.example/?a=b&c"


class Runner(BaseHTTPRequestHandler):
    """Answers as GitHub documents it: the audience in the query, the request token as bearer, ``value`` in the body."""

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        allowed = self.headers["Authorization"] == "Bearer request-token" and query["api-version"] == ["2.0"]
        body = json.dumps({"count": 1, "value": f"ey.for.{query['audience'][0]}"} if allowed else {"message": "no"})
        self.send_response(200 if allowed else 403)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Nothing: the output is the test's."""


@pytest.fixture
def runner() -> Iterator[str]:
    """The address that a job is given."""
    server = HTTPServer(("127.0.0.1", 0), Runner)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/token?api-version=2.0"
    server.shutdown()
    thread.join()
    server.server_close()


def test_github_gives_a_token_for_the_audience(runner: str) -> None:
    job = {"ACTIONS_ID_TOKEN_REQUEST_URL": runner, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token"}
    assert identity_token(job, audience=AUDIENCE) == f"ey.for.{AUDIENCE}"


def test_gitlab_laid_it_down() -> None:
    assert identity_token({"ASSAY_ID_TOKEN": "ey.a.b\n"}, audience=AUDIENCE) == "ey.a.b"


def test_a_job_without_the_right_is_told_what_it_lacks(runner: str) -> None:
    with pytest.raises(UsageError, match="id-token: write"):
        identity_token({}, audience=AUDIENCE)
    with pytest.raises(Unreachable, match="status 403"):
        identity_token(
            {"ACTIONS_ID_TOKEN_REQUEST_URL": runner, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "another"}, audience=AUDIENCE
        )


def test_a_runner_that_does_not_answer_is_no_token() -> None:
    job = {"ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:1/?x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}
    with pytest.raises(Unreachable):
        identity_token(job, audience=AUDIENCE)
