"""The HTTP client that CI jobs, notebooks and the command line use. It imports no server code."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import httpx

from governance.canonical import read_json
from governance.errors import AssayError, InputRefused, NotAuthenticated, NotFound, NotPermitted, Unreachable
from governance.localfiles import file_digest
from governance.types.evaluation import EvaluationRequest
from governance.types.manifest import Manifest

CHUNK = 2**20
LONGEST_WAIT = 25
"""Seconds one request waits for a verdict; below the idle limit of common proxies."""

Parameter = str | int | float | bool | Sequence[str] | None
"""A parameter of a query; None is left out."""

ERRORS: dict[int, type[AssayError]] = {401: NotAuthenticated, 403: NotPermitted, 404: NotFound}


class Client:
    """A connection to one service. An answer that is not understood raises: it is never taken for a yes."""

    def __init__(
        self, url: str, key: str | None, *, timeout: float = 60, renew: Callable[[], str] | None = None
    ) -> None:
        """Speak to the service at ``url`` with a service key or an ID token; ``timeout`` is in seconds.

        ``renew`` gives another token where the one that was shown has expired in the meantime.
        """
        self._renew = renew
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # The environment's proxies and certificates apply, as CI systems set them; redirects are not followed,
        # since a key must not travel to another host.
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One exchange.

        Raises:
            Unreachable: no answer, a server fault, or a redirect. Other AssayErrors: what the service refused, in its
            own words.
        """
        try:
            response = self._http.request(method, path, **options)
            if response.status_code == 401 and self._renew is not None and "content" not in options:
                self._http.headers["Authorization"] = f"Bearer {self._renew()}"
                response = self._http.request(method, path, **options)
        except httpx.HTTPError as fault:
            raise Unreachable(
                expected=f"an answer from {self._http.base_url}",
                found=f"{type(fault).__name__}: {fault}",
                remedy="Check the address and that the service runs.",
            ) from fault
        if response.is_success:
            return response
        raise _fault(response)

    def _document(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        response = self.request(method, path, **options)
        try:
            document = read_json(response.content)
        except AssayError:
            document = None
        if not isinstance(document, dict):
            raise Unreachable(
                expected="a JSON object",
                found=f"HTTP {response.status_code} with {response.content[:40]!r}",
                remedy="Check that the address is Assay's.",
            )
        return document

    def upload(self, path: Path) -> str:
        """Upload a file under its digest, which is given."""
        digest = file_digest(path)
        self.request("PUT", f"/v1/artifacts/{digest.removeprefix('sha256:')}", content=_chunks(path))
        return digest

    def submit_manifest(self, manifest: Manifest, files: Mapping[str, Path]) -> str:
        """Upload what the manifest names from ``files`` (by URI), submit it and give its digest."""
        for path in files.values():
            self.upload(path)
        return str(self._document("POST", "/v1/evidence", json=manifest.document())["digest"])

    def submit_test_result(self, envelope: bytes) -> str:
        """Submit a signed test result and give its digest."""
        return str(self._document("POST", "/v1/evidence", content=envelope)["digest"])

    def store_policy(self, name: str, document: bytes) -> dict[str, Any]:
        """Store a version of a policy (YAML or JSON) as its author; it is in force once somebody publishes it."""
        return self._document("POST", f"/v1/policies/{quote(name)}/versions", content=document)

    def publish_policy(self, name: str, version: int, *, stage: str = "enforce", note: str = "") -> dict[str, Any]:
        """Bring a version that somebody else wrote to a stage."""
        return self._document(
            "POST", f"/v1/policies/{quote(name)}/versions/{version}/publish", json={"stage": stage, "note": note}
        )

    def publish_pack(self, pack: str, *, stage: str = "enforce", note: str = "") -> dict[str, Any]:
        """Bring a pack that ships to a stage, exactly as it ships."""
        return self._document("POST", f"/v1/policy-packs/{quote(pack)}/publish", json={"stage": stage, "note": note})

    def policy(self, reference: str) -> dict[str, Any]:
        """A stored version (``prod-default@3``): its document, author and publications."""
        name, _, version = reference.partition("@")
        return self.get(f"/v1/policies/{quote(name)}/versions/{quote(version)}")

    def register_schema(self, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Register a version of a schema; what the newest version says already keeps its number."""
        return self._document("POST", f"/v1/schemas/{name}/versions", json=dict(document))

    def schema(self, reference: str) -> dict[str, Any]:
        """The document of a registered schema (``holdout@3``)."""
        name, _, version = reference.partition("@")
        document: dict[str, Any] = self.get(f"/v1/schemas/{quote(name)}/versions/{quote(version)}")["document"]
        return document

    def send_events(self, bodies: Sequence[bytes]) -> dict[str, Any]:
        """Send OpenLineage events as one batch and give the service's summary."""
        return self._document(
            "POST",
            "/api/v1/lineage/batch",
            content=b"[" + b",".join(bodies) + b"]",
            headers={"Content-Type": "application/json"},
        )

    def get(self, path: str, **parameters: Parameter) -> dict[str, Any]:
        """The JSON object at ``path``; a parameter with several values is repeated."""
        return self._document("GET", path, params={k: v for k, v in parameters.items() if v is not None})

    def pages(self, path: str, member: str, /, **parameters: Parameter) -> list[dict[str, Any]]:
        """Everything that the list at ``path`` gives under ``member``, page by page."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.get(path, cursor=cursor, limit=100, **parameters)
            found += page[member]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def post(self, path: str, document: Mapping[str, Any], **headers: str) -> dict[str, Any]:
        """The JSON object that the service answers to ``document``; underscores in names of headers are hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._document("POST", path, json=dict(document), headers=named)

    def download(self, path: str, **parameters: Parameter) -> bytes:
        """The bytes at ``path``, whatever they are."""
        return self.request("GET", path, params={k: v for k, v in parameters.items() if v is not None}).content

    def evaluate(self, request: EvaluationRequest, *, key: str | None = None, wait_seconds: float) -> dict[str, Any]:
        """Ask the gate and wait up to ``wait_seconds`` for the verdict; the answer may still say ``pending``.

        ``key`` makes the request safe to repeat; one is drawn when it is left out.
        """
        until = time.monotonic() + wait_seconds
        answer = self._document(
            "POST",
            "/v1/gate/evaluations",
            json=request.document(),
            headers={
                "Idempotency-Key": key or uuid4().hex,
                "Prefer": f"wait={int(min(LONGEST_WAIT, max(0.0, wait_seconds)))}",
            },
            timeout=LONGEST_WAIT + 30,
        )
        # A poll token outlives the ID token of a job, and opens this one answer.
        poll = answer.get("poll_token")
        headers = {"Authorization": f"Bearer {poll}"} if isinstance(poll, str) else {}
        while answer.get("verdict") == "pending" and time.monotonic() < until:
            left = min(LONGEST_WAIT, max(0.0, until - time.monotonic()))
            answer = self._document("GET", _place_of(answer), params={"wait": left}, timeout=left + 30, headers=headers)
        return answer

    def bundle(self, decision_id: str) -> bytes:
        """The Sigstore bundle of a decision."""
        return self.request("GET", f"/v1/decisions/{decision_id}/bundle").content

    def report(self, decision_id: str, format_name: str) -> bytes:
        """A report of a decision, as `html` or `json`; issued and logged when it does not exist yet."""
        return self.request("POST", f"/v1/decisions/{decision_id}/reports/{format_name}").content

    def trust(self) -> bytes:
        """The instance's trust file, for pinning."""
        return self.request("GET", "/v1/trust").content


def _place_of(pending: dict[str, Any]) -> str:
    """Where a pending answer says that it can be asked again; an answer that does not say is not understood."""
    links = pending.get("links")
    place = links.get("self") if isinstance(links, dict) else None
    if not isinstance(place, str) or not place.startswith("/"):
        raise Unreachable(
            expected="a pending answer that says where to ask again",
            found="one without such a link",
            remedy="Check that the address is Assay's.",
        )
    return place


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            yield chunk


def _fault(response: httpx.Response) -> AssayError:
    try:
        body = read_json(response.content)
    except AssayError:
        body = None
    problem: dict[str, Any] = body if isinstance(body, dict) else {}
    if response.status_code >= 500 or response.status_code < 400 or not problem:
        return Unreachable(
            expected="an answer from the service",
            found=f"HTTP {response.status_code} {problem.get('detail') or problem.get('message') or ''}".strip(),
            remedy=str(problem.get("remedy") or "Try again; if it persists, look at the service's log."),
        )
    kind = ERRORS.get(response.status_code, InputRefused)
    return kind(
        expected=str(problem.get("expected") or "a request that the service takes"),
        found=str(problem.get("found") or problem.get("detail") or problem.get("details") or problem.get("message")),
        remedy=str(problem.get("remedy") or "Correct the request."),
        pointer=problem.get("pointer"),
    )
