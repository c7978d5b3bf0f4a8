"""The areas of the security specification that exist, each with the trap that is known for it.

Where an area has tests of its own, they are named in place of a second copy: paths and fetches in
``test_cve_table.py``; keys and roles in ``tests/api/test_access.py`` and ``tests/governance/access``; scopes in
``tests/api/test_scopes.py``; tables that only grow in ``tests/architecture/test_migrations.py``; outgoing requests in
``tests/governance/test_egress.py``; models in ``tests/audits/sandbox``; the log in ``tests/governance/test_logs.py``.
"""

import ast
import csv
import gzip
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.architecture.sources import PACKAGES, sources
from tests.lineage.material import bodies, dataset, run_event
from tests.support.service import Service, key_for, running
from tests.support.story import FAIR, ask, decisions_csv, policy, publish, submit

SECRETS = {
    "a service key": r"assay_[a-z2-7]{10}_[A-Za-z0-9_-]{43}",
    "a poll token": r"assaypoll_[A-Za-z0-9_-]{43}",
    "a private key": r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----",
    "a token": r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.",
    "a webhook's secret": r"whsec_[A-Za-z0-9+/=]{20,}",
    "a password in an address": r"[a-z+]+://[^/\s:@\"]+:[^/\s:@\"]+@",
}


def secrets_in(text: str) -> list[str]:
    """Which kinds of secrets a text holds."""
    return [kind for kind, pattern in SECRETS.items() if re.search(pattern, text)]


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(database_url: str, tmp_path: Path) -> Any:
    """A service with small budgets."""
    limits = {"document_bytes": 20_000, "artifact_bytes": 50_000}
    lineage = {"max_event_bytes": 20_000, "max_batch_bytes": 20_000}
    with running(tmp_path / "home", database_url, limits=limits, lineage=lineage) as service:
        yield service


BODIES = [
    ("POST", "/v1/evidence"),
    ("POST", "/v1/gate/evaluations"),
    ("POST", "/api/v1/lineage"),
    ("POST", "/api/v1/lineage/batch"),
    ("PUT", f"/v1/artifacts/{'0' * 64}"),
]


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_a_body_is_counted_before_it_is_read_as_anything(small: Service, method: str, path: str) -> None:
    """What is too long is no JSON either: the limit is what is told, so it was looked at first."""
    answer = small.http.request(method, path, content=b"{" * 60_000, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 413, answer.text


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_a_bomb_is_counted_while_it_is_unpacked(small: Service, method: str, path: str) -> None:
    """64 MiB of zeros are 65 kB as gzip, and gzip of that again next to nothing."""
    bomb = gzip.compress(b"\0" * 2**26)
    headers = {"Content-Encoding": "gzip", "Idempotency-Key": "k"}
    answer = small.http.request(method, path, content=bomb, headers=headers)
    assert answer.status_code == 413, answer.text


@pytest.mark.parametrize("nested", [b"[" * 15_000, b'{"a":' * 3_000, b"[" * 9_000 + b"]" * 9_000])
def test_a_body_nested_too_deeply_is_refused(small: Service, nested: bytes) -> None:
    for method, path in BODIES[:4]:
        answer = small.http.request(method, path, content=nested, headers={"Idempotency-Key": "k"})
        assert answer.status_code in (200, 400, 422), (path, answer.text[:200])
        if answer.status_code == 200:  # a batch answers for each of its events
            assert answer.json()["summary"]["successful"] == 0


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd", "GZIP\u00e9"])
def test_a_body_packed_in_another_way_is_refused(small: Service, encoding: str) -> None:
    headers = {b"Content-Encoding": encoding.encode("latin-1")}
    answer = small.http.post("/v1/evidence", content=b"{}", headers=headers)
    assert answer.status_code in (400, 415, 422)


@pytest.mark.parametrize(
    "path", ["/v1/lineage/search?limit=100000", "/v1/lineage/graph?namespace=a&name=b&node_limit=100000000"]
)
def test_a_page_has_an_end(small: Service, path: str) -> None:
    assert small.http.get(path).status_code == 422


# --- browsers --------------------------------------------------------------------------------------------------------


def test_a_name_that_was_rebound_to_the_service_is_not_answered(database_url: str, tmp_path: Path) -> None:
    from fastapi.testclient import TestClient

    from api.app import create_app
    from governance.settings import Settings
    from governance.signing.rings import create_ring

    create_ring(tmp_path / "home" / "keys")
    with TestClient(create_app(Settings(home=tmp_path / "home", database_url=database_url))) as http:
        for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", ""):
            refused = http.get("/healthz", headers={"Host": host})
            assert (refused.status_code, refused.headers["x-content-type-options"]) == (400, "nosniff"), host
        assert http.get("/healthz", headers={"Host": "127.0.0.1:8377"}).status_code == 200


def test_no_page_of_another_site_is_let_in(service: Service) -> None:
    """There are no cookies to ride on, and no answer says that another site may read it."""
    origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for method in ("GET", "POST", "OPTIONS"):
        answer = service.http.request(method, "/v1/policies", headers=origin)
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "set-cookie" not in answer.headers


def test_stored_bytes_are_never_shown_as_a_page(service: Service) -> None:
    page = b"<html><script>alert(1)</script>"
    name = hashlib.sha256(page).hexdigest()
    assert service.http.put(f"/v1/artifacts/{name}", content=page).status_code == 201
    answer = service.http.get(f"/v1/artifacts/{name}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/v1/policies", 200),
        ("GET", "/api/v1/namespaces", 200),
        ("GET", "/api/v1/namespaces/%FF", 422),
        ("GET", "/v1/no-such-route", 404),
        ("GET", "/v1/decisions/none", 404),
        ("DELETE", "/v1/policies", 405),
        ("POST", "/api/v1/lineage", 400),
        ("GET", "/v1/faulty", 500),
    ],
)
def test_no_answer_is_taken_for_something_else_than_it_says(
    service: Service, method: str, path: str, status: int
) -> None:
    def faulty() -> None:
        raise RuntimeError

    service.app.add_api_route("/v1/faulty", faulty)
    answer = service.http.request(method, path, content=b"{" if method == "POST" else None)
    assert (answer.status_code, answer.headers.get_list("x-content-type-options")) == (status, ["nosniff"])


# --- exports ---------------------------------------------------------------------------------------------------------

FORMULAS = [
    "=cmd()",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff201",
]


@pytest.mark.parametrize("name", FORMULAS)
def test_a_name_is_no_formula_in_a_spreadsheet(service: Service, name: str) -> None:
    (event,) = bodies(run_event(inputs=["in"], outputs=[dataset(name, "=n")]))
    assert service.http.post("/api/v1/lineage", content=event).status_code == 201
    asked = {"namespace": "s3://lake", "name": "in", "format": "csv"}
    text = service.http.get("/v1/lineage/impact", params=asked).text
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert f"'{name}" in cells
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@\uff1d\uff0b\uff0d\uff20")]


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_neither_the_log_nor_any_export_holds_a_secret(
    database_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path / "home", database_url) as service:
        publish(service, policy())
        submit(service, FAIR)
        decided = ask(service).json()
        admin = {"Authorization": f"Bearer {key_for(service.url, 'admin')}"}
        made = service.post_json("/v1/keys", {"name": "n", "roles": ["ci"]}, **admin).json()
        refused = service.http.get("/v1/policies", headers={"Authorization": f"Bearer {made['key']}x"})
        paths = ["/v1/trust", "/metrics", "/readyz", "/openapi.json", "/v1/policies", "/v1/log/checkpoint"]
        paths += [f"/v1/log/entries/{index}" for index in range(20)]
        paths += [decided["links"][link] for link in ("self", "decision", "bundle", "tlog_proof")]
        told = [service.http.get(path).text for path in paths]
        told += [service.http.get("/v1/keys", headers=admin).text, refused.text]
        report = f"/v1/decisions/{decided['decision_id']}/reports/"
        told += [service.http.post(report + form).text for form in ("html", "json")]
    captured = capfd.readouterr()
    for text in (*told, captured.out, captured.err):
        assert secrets_in(text) == [], text[:300]
    assert secrets_in(json.dumps(made)) == ["a service key"], "the patterns find what they are for"


def test_the_database_holds_no_key_in_the_clear(service: Service) -> None:
    token = key_for(service.url, "ci")
    with service.state.database.read_unit() as unit:
        tables = sa.inspect(unit.session.connection()).get_table_names()
        for table in tables:
            rows = unit.session.execute(sa.text(f'SELECT * FROM "{table}"')).all()
            assert token.split("_", 2)[2] not in repr(rows), table


def test_a_fault_of_the_service_tells_nothing_of_its_inside(service: Service) -> None:
    """A table that is gone is a fault of ours: 500, without a trace, a statement or a path."""
    with service.state.database.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE decision RENAME TO gone"))
    answer = service.http.get("/v1/decisions/x")
    assert answer.status_code in (500, 503)
    assert not re.search(r"Traceback|SELECT|sqlalchemy|psycopg|\.py|gone", answer.text)


# --- parsers and files -----------------------------------------------------------------------------------------------


def test_nothing_of_ours_unpickles_evaluates_or_runs_a_shell() -> None:
    """Calls by name in the product's own code; the sandboxed child's reader has tests of its own."""
    banned = {"eval", "exec", "pickle.load", "pickle.loads", "joblib.load", "marshal.loads", "os.system", "yaml.load"}
    found = []
    for source in sources():
        if not source.path.startswith(PACKAGES):
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in banned:
                found.append((source.path, node.lineno, ast.unparse(node.func)))
            if isinstance(node, ast.keyword) and node.arg == "shell" and ast.unparse(node.value) == "True":
                found.append((source.path, node.value.lineno, "shell=True"))
    assert found == []


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl", "arrow"])
def test_a_table_that_is_none_is_an_error_that_blocks(service: Service, form: str) -> None:
    publish(service, policy())
    content = b"PAR1" + bytes(range(256)) * 8 if form != "csv" else b"\x00\xff\xfe" * 500
    name = hashlib.sha256(content).hexdigest()
    assert service.http.put(f"/v1/artifacts/{name}", content=content).status_code == 201
    submit(service, FAIR, predictions={"uri": f"artifact:sha256:{name}", "format": form})
    decided = ask(service).json()
    assert (decided["verdict"], decided["checks"][0]["status"]) == ("indeterminate", "error")


def test_yaml_that_grows_as_it_is_read_is_refused(service: Service) -> None:
    from tests.support.story import author

    laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    for body in (laughs, "!!python/object/apply:os.system ['true']", "&a [*a]"):
        answer = service.http.post("/v1/policies/fair/versions", content=body, headers=author(service))
        assert answer.status_code in (400, 413, 422), answer.text[:200]


def test_a_quote_in_a_name_is_a_name(service: Service) -> None:
    """Text of a user is never SQL."""
    name = "x'; DROP TABLE decision; --"
    (event,) = bodies(run_event(job=name, inputs=[name], outputs=[decisions_csv(FAIR)[:5].decode() + name]))
    assert service.http.post("/api/v1/lineage", content=event).status_code == 201
    found = service.http.get("/v1/lineage/search", params={"q": name}).json()
    assert found["total_count"] >= 1
    assert service.http.get("/v1/decisions/x").status_code == 404
