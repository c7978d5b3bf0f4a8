"""Classes of past vulnerabilities of comparable products, each input on every route that takes such a value.

The routes come from the OpenAPI document: every text in a path, a query or an example of a body is put to the test, so
that a new route is among them. A row of the table of classes has one test here that bears its number; where a class has
an area of its own, the test says where the rest is.
"""

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import joblib
import pytest

from api.app import routed
from tests.support.issuer import AUDIENCE, GITHUB, github_claims, jwks, rsa_key, serving_keys, signed
from tests.support.service import Service, key_for, running
from tests.support.story import FAIR, ask, decisions_csv, manifest, policy, publish, submit, upload

TRAVERSALS = ["../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "/etc/passwd", "....//....//etc/passwd"]
FILES = ["file:///etc/", "file:///etc/passwd", "//proc/self/root", "http:///?/../../../../etc/passwd"]
FRAGMENTS = ["http:///#/../../../../etc/passwd", "http:///;/../../etc/passwd", "http://x/#/../../etc/passwd"]
WINDOWS = ["C:/", "..\\..\\x", "C:\\Windows\\win.ini", "\\\\host\\share"]
SCRIPTS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    '"><svg onload=alert(1)>',
]
METADATA = ["http://169.254.169.254/", "http://[::ffff:169.254.169.254]/", "http://metadata.google.internal/"]
FIXED = {"sha256": "0" * 64, "format": "json", "version": "1", "number": "1", "index": "0", "change": "start"}
ROLES = [
    ("ci", "model_owner", "data_steward", "policy_author", "policy_publisher"),
    ("approver", "incident_responder", "auditor"),
    ("admin",),
]


class Trap(BaseHTTPRequestHandler):
    """A host that nobody has a reason to speak to; it notes who does."""

    asked: list[str] = []  # noqa: RUF012 - one list for all requests is what it is for

    def do_GET(self) -> None:
        Trap.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815 - the names that the library calls

    def log_message(self, *_: object) -> None:
        """Nothing: the output is the test's."""


@pytest.fixture(scope="module")
def trap() -> Iterator[str]:
    """The trap's address, on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Trap)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def attacked(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all attacks; what they leave behind makes later ones worse."""
    folder = tmp_path_factory.mktemp("attacked")
    shutil.copy(sqlite_template, folder / "assay.db")
    with running(folder / "home", f"sqlite:///{folder / 'assay.db'}") as service:
        yield service


@pytest.fixture(scope="module")
def keys(attacked: Service) -> list[dict[str, str]]:
    """Headers of keys which between them may do everything."""
    made = [key_for(attacked.url, *roles, name=roles[0]) for roles in ROLES]
    return [{"Authorization": f"Bearer {token}", "Idempotency-Key": "k"} for token in made]


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every route."""
    paths = routed().openapi()["paths"]
    return [(method.upper(), path, told) for path, found in paths.items() for method, told in found.items()]


def files_of(service: Service) -> set[str]:
    """What lies in and beside the home folder, but for the database, the checkpoint, and artifacts by digest."""
    root = service.settings.home.parent
    names = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    own = ("assay.db", "/sha256/", "home/checkpoint")
    return {name for name in names if not any(part in name for part in own)}


def harmless(answer: Any) -> bool:
    """Neither a fault of ours nor anything of a file of the host; and no page that a browser would run."""
    is_page = answer.headers.get("content-type", "").startswith("text/html")
    guarded = "default-src 'none'" in answer.headers.get("content-security-policy", "")
    return answer.status_code < 500 and "root:x:0" not in answer.text and (not is_page or guarded)


def let_in(service: Service, keys: Sequence[dict[str, str]], method: str, url: str, **parts: Any) -> Any:
    """The answer to the first of the keys that may ask."""
    answer: Any = None
    for headers in keys:
        answer = service.http.request(method, url, headers={**headers, **parts.get("headers", {})}, **{
            name: value for name, value in parts.items() if name != "headers"
        })  # fmt: skip
        if answer.status_code != 403:
            break
    return answer


def put_into_addresses(service: Service, keys: Sequence[dict[str, str]], value: str) -> list[Any]:
    """Every route with ``value`` in each place of its path and each text of its query; those that did harm."""
    harmed = []
    for method, path, told in operations():
        places = re.findall(r"{([a-z0-9_]+)}", path)
        texts = [p["name"] for p in told.get("parameters", []) if p["in"] == "query" and "string" in json.dumps(p)]
        for free in [name for name in places if name not in FIXED] or ["", *places[:1]]:
            filled = path
            for name in places:
                filled = filled.replace(f"{{{name}}}", quote(value, safe="") if name == free else FIXED.get(name, "x"))
            answer = let_in(service, keys, method, filled, params=dict.fromkeys(texts, value) or None)
            if not harmless(answer):
                harmed.append((method, path, answer.status_code, answer.text[:200]))
    return harmed


def leaves(document: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all texts in a document."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        if isinstance(value, str):
            yield (*at, key)
        yield from leaves(value, (*at, key))


def bodies_with(value: str) -> Iterator[tuple[str, str, tuple[Any, ...], str, str]]:
    """Method, address, place, media type and body: every documented body with ``value`` for one of its texts."""
    for method, path, told in operations():
        url = re.sub(r"{([a-z0-9_]+)}", lambda found: FIXED.get(found[1], "x"), path)
        for media, content in told.get("requestBody", {}).get("content", {}).items():
            example = content.get("example")
            yield from ((method, url, at, media, json.dumps(changed(example, at, value))) for at in leaves(example))


def changed(example: Any, at: tuple[Any, ...], value: str) -> Any:
    """The example with ``value`` at a place."""
    body = json.loads(json.dumps(example))
    inner = body
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return body


def put_into_bodies(service: Service, keys: Sequence[dict[str, str]], value: str) -> list[Any]:
    """Every documented body with ``value`` in place of each of its texts, one at a time; those that did harm."""
    harmed, sent = [], 0
    for method, url, at, media, body in bodies_with(value):
        answer = let_in(service, keys, method, url, content=body, headers={"Content-Type": media})
        sent += 1
        if not harmless(answer):
            harmed.append((method, url, at, answer.status_code, answer.text[:200]))
    assert sent > 50
    return harmed


@pytest.mark.parametrize("value", TRAVERSALS[:3])
def test_sec_01_and_07_a_path_in_an_address_reads_and_writes_nothing(
    attacked: Service, keys: list[dict[str, str]], value: str
) -> None:
    before = files_of(attacked)
    assert put_into_addresses(attacked, keys, value) == []
    assert files_of(attacked) <= before


@pytest.mark.parametrize("value", [*FILES[:1], *FRAGMENTS[:2], *WINDOWS[:2]])
def test_sec_02_to_06_a_uri_in_an_address_opens_nothing(
    attacked: Service, keys: list[dict[str, str]], value: str
) -> None:
    before = files_of(attacked)
    assert put_into_addresses(attacked, keys, value) == []
    assert files_of(attacked) <= before


@pytest.mark.parametrize("value", [*FILES[1:], FRAGMENTS[0], FRAGMENTS[1], WINDOWS[1]])
def test_sec_02_to_06_a_uri_in_a_body_opens_nothing(attacked: Service, keys: list[dict[str, str]], value: str) -> None:
    before = files_of(attacked)
    assert put_into_bodies(attacked, keys, value) == []
    assert files_of(attacked) <= before


@pytest.mark.parametrize("uri", [*FILES, *FRAGMENTS, *METADATA, "artifact:../../etc/passwd", "artifact:sha256:../x"])
@pytest.mark.parametrize("place", ["predictions", "dataset", "model", "counts"])
def test_sec_02_evidence_names_uploaded_bytes_and_nothing_else(attacked: Service, place: str, uri: str) -> None:
    file = {"uri": uri, "format": "skops" if place == "model" else "csv"}
    value = {"namespace": "n", "name": "d", "file": file} if place == "dataset" else file
    document = manifest("artifact:sha256:" + "0" * 64, **{place: value})
    assert attacked.post_json("/v1/evidence", document).status_code in (404, 422)


@pytest.mark.parametrize(
    "name", ["../x", "..%2Fx", "x", "0" * 63 + "/", "%00" + "0" * 63, "A" * 64, "sha256:" + "0" * 64]
)
def test_sec_07_an_upload_is_kept_under_its_digest_or_not_at_all(attacked: Service, name: str) -> None:
    before = files_of(attacked)
    assert attacked.http.put(f"/v1/artifacts/{name}", content=b"x").status_code in (404, 405, 422)
    assert attacked.http.put(f"/v1/artifacts/{'0' * 64}", content=b"x").status_code == 422
    assert files_of(attacked) == before


def test_sec_08_a_name_that_a_host_chooses_for_its_keys_is_no_path(tmp_path: Path, database_url: str) -> None:
    key = rsa_key("first")
    with serving_keys(jwks(key)) as host:
        host.headers = {"Content-Disposition": "attachment; filename=../x"}
        issuer = {"host": "github", "issuer": GITHUB, "audience": AUDIENCE, "jwks_url": host.url, "private": True}
        issuer["bindings"] = [{"claims": {"repository_id": "74"}, "scopes": ["*"]}]
        with running(tmp_path / "home", database_url, oidc={"issuers": [issuer]}) as service:
            before = files_of(service)
            token = signed(github_claims(service.state.database.clock()), key)
            assert service.http.get("/v1/policies", headers={"Authorization": f"Bearer {token}"}).status_code == 200
            assert host.asked == 1
            assert files_of(service) == before


def test_sec_09_the_service_fetches_nothing_that_a_request_names(
    attacked: Service, keys: list[dict[str, str]], trap: str
) -> None:
    Trap.asked.clear()
    for url in (METADATA[0], trap):
        assert put_into_bodies(attacked, keys, url) == []
    assert Trap.asked == []


INNER = [
    "http://169.254.169.254/",
    "https://169.254.169.254/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0x7f000001/",
]
INNER += [
    "https://2130706433/",
    "https://0177.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://10.0.0.1/",
]
INNER += ["file:///etc/passwd", "gopher://127.0.0.1/", "https://localhost/", "https://user@127.0.0.1/"]


@pytest.mark.parametrize("url", INNER)
def test_sec_10_a_webhook_to_an_inner_address_is_refused_or_never_sent(
    attacked: Service, keys: list[dict[str, str]], url: str
) -> None:
    made = let_in(attacked, keys, "POST", "/v1/webhooks", content=json.dumps({"url": url}))
    if made.status_code == 201:  # a name, whose address is looked at when something is sent
        tried = let_in(attacked, keys, "POST", f"/v1/webhooks/{made.json()['id']}/test")
        assert tried.json()["delivered"] is False
        assert set(tried.json()) == {"delivered", "status", "fault"}
    else:
        assert made.status_code == 422, made.text


@pytest.mark.parametrize("value", SCRIPTS[:2])
def test_sec_11_a_script_is_never_answered_as_a_page(attacked: Service, keys: list[dict[str, str]], value: str) -> None:
    assert put_into_addresses(attacked, keys, value) == []
    assert put_into_bodies(attacked, keys, value) == []


def test_sec_11_a_script_in_a_column_or_a_group_is_text_in_the_report(service: Service) -> None:
    evil = SCRIPTS[1]
    publish(service, policy())
    table = decisions_csv({evil: (100, 100), "m": (102, 98)}).replace(b"sex", b"s<b>x")
    document = manifest(upload(service, table), sensitive={"s<b>x": {"groups": [evil, "m"]}})
    assert service.post_json("/v1/evidence", document).status_code == 201
    decided = ask(service).json()
    page = service.http.post(f"/v1/decisions/{decided['decision_id']}/reports/html")
    assert page.status_code == 200
    assert "<img src=x" not in page.text
    assert "s<b>x" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_sec_12_who_may_write_does_not_delete_what_is_not_theirs(attacked: Service) -> None:
    """The whole walk of routes and roles is ``tests/api/test_access.py``."""
    writer = {"Authorization": f"Bearer {key_for(attacked.url, 'ci')}"}
    for path in ("/api/v1/namespaces/n", "/api/v1/namespaces/n/datasets/d", "/api/v1/namespaces/n/jobs/j"):
        assert attacked.http.delete(path, headers=writer).status_code == 403
    assert attacked.http.delete("/v1/keys/aaaaaaaaaa", headers=writer).status_code == 403


class Marker:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, (f"touch {self.path}",)


def test_sec_13_a_model_file_that_runs_code_when_it_is_read_runs_nothing(service: Service, tmp_path: Path) -> None:
    """What is opened at all, and where, is ``tests/audits/sandbox``."""
    marker, file = tmp_path / "marker", tmp_path / "model.joblib"
    joblib.dump(Marker(marker), file)
    uri = upload(service, file.read_bytes())
    for form in ("joblib", "pickle", "cloudpickle"):
        document = manifest(upload(service, decisions_csv(FAIR)), model={"uri": uri, "format": form})
        assert service.post_json("/v1/evidence", document).status_code == 422
    publish(service, policy(checks=[{"id": "explainability", "params": {}}]))
    submit(service, FAIR, model={"uri": uri, "format": "skops"}, features={"dictionary": uri})
    assert ask(service).json()["verdict"] != "allow"
    assert not marker.exists()


def test_sec_14_a_token_with_any_signature_opens_nothing(tmp_path: Path, database_url: str) -> None:
    key = rsa_key("first")
    with serving_keys(jwks(key)) as host:
        issuer = {"host": "github", "issuer": GITHUB, "audience": AUDIENCE, "jwks_url": host.url, "private": True}
        issuer["bindings"] = [{"claims": {"repository_id": "74"}, "scopes": ["*"]}]
        with running(tmp_path / "home", database_url, oidc={"issuers": [issuer]}) as service:
            true = signed(github_claims(service.state.database.clock()), key)
            head, claims, signature = true.split(".")
            forged = [f"{head}.{claims}.", f"{head}.{claims}.AAAA", f"{head}.{claims}.{signature[:-4]}AAAA"]
            assert service.http.get("/v1/policies", headers={"Authorization": f"Bearer {true}"}).status_code == 200
            for token in forged:
                answer = service.http.get("/v1/policies", headers={"Authorization": f"Bearer {token}"})
                assert answer.status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1;v1%2fusers%2flogin/namespaces",
        "/api/v1;v1%2fusers%2flogin/events/lineage",
        "/v1/trust/../policies",
        "/v1/trust%2f..%2fpolicies",
        "/v1;/trust/policies",
        "/healthz/../v1/policies",
        "/v1/policies;/v1/trust",
        "/v1/policies/%2e%2e/policies",
        "//v1/policies",
        "/V1/POLICIES",
        "/v1/policies?/v1/trust",
        "/v1/policies#/v1/trust",
        "/api/v1/../../v1/policies",
    ],
)
def test_sec_15_no_trick_with_the_path_gets_past_the_key(attacked: Service, path: str) -> None:
    answer = attacked.http.get(path, headers={"Authorization": ""}, follow_redirects=True)
    assert answer.status_code in (401, 404), (path, answer.text)


def test_sec_16_nobody_becomes_another_and_set_up_gives_no_second_first_key(attacked: Service, tmp_path: Path) -> None:
    from governance.cli.server import set_up

    url = f"sqlite:///{tmp_path / 'new.db'}"
    assert set_up(tmp_path / "new", url, name="first") is not None
    assert set_up(tmp_path / "new", url, name="first") is None
    for role in ("ci", "model_owner", "approver", "auditor", "policy_publisher"):
        headers = {"Authorization": f"Bearer {key_for(attacked.url, role, subject=f'user:{role}')}"}
        for body in ({"name": "mine", "roles": ["admin"]}, {"name": "theirs", "roles": ["ci"], "subject": "user:2"}):
            assert attacked.post_json("/v1/keys", body, **headers).status_code == 403
    admin = {"Authorization": f"Bearer {key_for(attacked.url, 'admin', subject='user:3')}"}
    self_made = {"name": "mine", "roles": ["approver"], "subject": "user:3"}
    assert attacked.post_json("/v1/keys", self_made, **admin).status_code == 403


def test_sec_17_a_rule_that_cannot_look_something_up_blocks(service: Service) -> None:
    """Every way in which a look-up fails has its test with the check; here what a whole evaluation makes of it."""
    publish(service, policy(checks=[{"id": "gdpr", "params": {"rules": ["R1"]}}]))
    submit(service, FAIR)
    decided = ask(service).json()
    assert decided["verdict"] in ("deny", "indeterminate")
    assert decided["checks"][0]["status"] not in ("passed", "not_applicable", "skipped")
    missing = ask(service, key="k2", policy="nothing")
    assert missing.status_code == 404
    other = "sha256:" + hashlib.sha256(b"never seen").hexdigest()
    unknown = ask(service, key="k3", subject={"namespace": "n", "name": "m", "version": "1", "digest": other}).json()
    assert unknown["verdict"] == "indeterminate"
