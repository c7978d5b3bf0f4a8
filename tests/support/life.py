"""Decisions that were taken, and what is done with them, for tests of what becomes of decisions."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from governance.cli import app as command_line
from governance.errors import AssayError
from tests.support.ready import measured
from tests.support.service import Service, key_for
from tests.support.story import DIGEST, FAIR, UNFAIR, ask, policy, publish

DATA = {"cause": "data_recalled", "reason": "The bureau withdrew its scores of March."}


def bearer(service: Service, *roles: str, subject: str | None = None, **narrowed: Any) -> dict[str, str]:
    """The header of a fresh key with these roles."""
    return {"Authorization": f"Bearer {key_for(service.url, *roles, subject=subject, **narrowed)}"}


def allowed(service: Service, **asked: Any) -> dict[str, Any]:
    """An enforced allow about the usual model in prod."""
    publish(service, policy())
    evidence = measured(service, FAIR)
    answer: dict[str, Any] = ask(service, **{"evidence": [{"digest": evidence}], **asked}).json()
    assert answer["verdict"] == "allow", answer
    return answer


def again(service: Service, key: str) -> str:
    """Another allow on the same evidence; its id."""
    evidence = measured(service, FAIR)
    answer = ask(service, key=key, evidence=[{"digest": evidence}]).json()
    assert answer["verdict"] == "allow", answer
    return str(answer["decision_id"])


def denied(service: Service, *, key: str = "later", **asked: Any) -> dict[str, Any]:
    """An enforced deny about the usual model, under the same policy and other evidence."""
    evidence = measured(service, UNFAIR)
    answer: dict[str, Any] = ask(service, key=key, **{"evidence": [{"digest": evidence}], **asked}).json()
    assert answer["verdict"] == "deny", answer
    return answer


def verify(service: Service, decision_id: str, *, digest: str = DIGEST, environment: str = "prod") -> Any:
    """What the service says that a decision is worth now."""
    asked = {"digest": digest, "environment": environment}
    answer = service.post_json(f"/v1/decisions/{decision_id}/verify", asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def revoke(service: Service, decision_id: str, **changes: str) -> Any:
    """A person takes a decision back."""
    headers = bearer(service, "approver", subject="user:ada")
    return service.post_json(f"/v1/decisions/{decision_id}/revocations", {**DATA, **changes}, **headers)


def rollout(decision_id: str, **changes: Any) -> dict[str, Any]:
    """The body of a deployment."""
    return {
        "decision_id": decision_id,
        "digest": DIGEST,
        "environment": "prod",
        "platform_namespace": "k8s://b/claims",
        "endpoint": "triage",
        "revision": "7",
        **changes,
    }


def deploy(service: Service, decision_id: str, *, key: str = "rollout", **changes: Any) -> Any:
    """Record a deployment."""
    return service.post_json("/v1/deployments", rollout(decision_id, **changes), **{"Idempotency-Key": key})


def runs(service: Service, **asked: Any) -> list[dict[str, Any]]:
    """What runs, or ran then."""
    answer = service.http.get("/v1/deployments", params=asked)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["deployments"]
    return found


def assay(*arguments: str) -> int:
    """The exit code of a command."""
    try:
        code = command_line(list(arguments), standalone_mode=False)
    except AssayError as fault:
        return fault.exit_code
    return code if isinstance(code, int) else 0


@contextmanager
def listening(service: Service) -> Iterator[list[str]]:
    """The service at an address, as options of the command line."""
    server = uvicorn.Server(uvicorn.Config(service.app, port=0, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < until
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        key = str(service.http.headers["Authorization"]).removeprefix("Bearer ")
        yield ["--url", f"http://127.0.0.1:{port}", "--key", key]
    finally:
        server.should_exit = True
        thread.join()
