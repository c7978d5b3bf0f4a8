"""Taking events: the key counts in the transaction that stores them, and whoever has none is not listened to."""

import asyncio
import gzip
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.app import create_app
from api.routers.lineage_intake import router
from governance.access.keys import KeyRequest, create_key, revoke_key
from governance.access.principal import OPERATOR
from governance.access.roles import Role
from governance.database import Database
from governance.errors import NotPermitted
from governance.settings import LineageSettings
from governance.types.sight import WHOLE
from lineage.ingest import Recorded
from lineage.tables import EventRow
from lineage.writer import EventWriter
from tests.lineage.material import bodies, body, run_event, run_id
from tests.support.service import Service, key_for, settings_for

EVENTS = "/api/v1/lineage"
BATCH = "/api/v1/lineage/batch"


def stored(service: Service) -> int:
    with service.state.database.read_unit() as unit:
        return unit.session.scalar(sa.select(sa.func.count()).select_from(EventRow)) or 0


@pytest.mark.parametrize("path", [EVENTS, BATCH])
def test_a_key_that_was_let_in_and_is_revoked_stores_nothing_more(service: Service, path: str) -> None:
    with service.state.database.unit() as unit:
        token = create_key(unit, KeyRequest(name="short", roles=(Role.CI,)), by=OPERATOR).token or ""
    headers = {"Authorization": f"Bearer {token}"}
    first, second = (b"[%s]" % item if path == BATCH else item for item in bodies(run_event(), run_event("FAIL", 1)))
    assert service.http.post(path, content=first, headers=headers).is_success
    with service.state.database.unit() as unit:
        revoke_key(unit, token.split("_")[1], by=OPERATOR)
    for _ in range(2):
        answer = service.http.post(path, content=second, headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert stored(service) == 1


@pytest.mark.parametrize("path", [EVENTS, BATCH])
@pytest.mark.parametrize("token", ["", "Bearer", "Bearer nonsense", "Basic abc"])
def test_a_request_without_a_valid_key_is_refused_before_its_body_is_read(
    service: Service, path: str, token: str
) -> None:
    """Its body would be answered 413."""
    answer = service.http.post(path, content=b" " * (2**20 * 70), headers={"Authorization": token})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", [EVENTS, BATCH])
@pytest.mark.parametrize(
    ("query", "status"), [("?conformance=other", 422), ("?conformance=", 422), ("?conformance=lenient&x=1", 200)]
)
def test_the_conformance_that_is_asked_for_must_be_one_that_there_is(
    service: Service, path: str, query: str, status: int
) -> None:
    content = body(run_event())
    answer = service.http.post(path + query, content=b"[%s]" % content if path == BATCH else content)
    assert answer.status_code == status or (status == 200 and answer.is_success)


@pytest.mark.parametrize("path", [EVENTS, BATCH])
@pytest.mark.parametrize(
    ("query", "headers", "content"),
    [
        ("", {}, b"good"),
        ("?conformance=strict", {}, b"good"),
        ("?conformance=other", {}, b"good"),
        ("", {"Authorization": "Bearer nonsense"}, b"good"),
        ("", {"Content-Encoding": "br"}, b"good"),
        ("", {"Content-Encoding": "gzip"}, gzip.compress(b"{}", mtime=0)),
        ("", {}, b"{"),
        ("", {}, b'{"eventTime": 1}'),
    ],
)
def test_a_request_is_answered_alike_however_its_path_is_spelled(
    service: Service, path: str, query: str, headers: dict[str, str], content: bytes
) -> None:
    """Only the first spelling is the declared one; the application looks for the route of the others."""
    good = b"[%s]" % body(run_event()) if path == BATCH else body(run_event())
    sent = good if content == b"good" else content
    spellings = (path, path + "/", path.replace("lineage", "line%61ge"))
    answers = [service.http.post(spelled + query, content=sent, headers=headers) for spelled in spellings]
    seen = {(answer.status_code, answer.content, str(sorted(answer.headers.items()))) for answer in answers}
    assert len(seen) == 1
    assert answers[0].headers["x-content-type-options"] == "nosniff"


def test_the_declared_path_is_answered_before_the_application_looks_for_a_route(service: Service) -> None:
    looked: list[str] = []
    inner = service.app.router.middleware_stack

    async def look(scope: Any, receive: Any, send: Any) -> None:
        looked.append(scope["path"])
        await inner(scope, receive, send)

    service.app.router.middleware_stack = look
    for path in (EVENTS, EVENTS + "/"):
        assert service.http.post(path, content=body(run_event())).is_success
    assert len(looked) == 1


def test_another_host_than_those_allowed_sends_no_events(sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "assay.db")
    settings = settings_for(tmp_path / "home", f"sqlite:///{tmp_path / 'assay.db'}")
    app = create_app(settings.model_copy(update={"allowed_hosts": ("assay.test",)}))
    headers = {"Authorization": f"Bearer {key_for(settings.resolved_database_url, Role.CI)}"}
    with TestClient(app, headers=headers) as http:
        assert http.post(EVENTS, content=body(run_event()), headers={"Host": "other.test"}).status_code == 400
        assert http.post(EVENTS, content=body(run_event()), headers={"Host": "assay.test"}).status_code == 201


def test_another_method_is_not_allowed(service: Service) -> None:
    assert service.http.put(EVENTS).status_code == 405


def test_every_declared_route_reads_its_body_as_declared() -> None:
    for route in router.routes:
        names = [dependency.name for dependency in route.dependant.dependencies]  # type: ignore[attr-defined] # all are APIRoutes
        assert names.count("body") == 1


def test_single_events_and_batches_that_come_together_are_all_stored(service: Service) -> None:
    events = bodies(*(run_event("START", number, run=run_id(number)) for number in range(40)))
    batches = [b"[" + b",".join(events[start : start + 10]) + b"]" for start in (0, 10)]

    def send(content: bytes) -> Any:
        return service.http.post(BATCH if content in batches else EVENTS, content=content)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, [*batches, *events[20:]]))
    assert all(answer.is_success for answer in answers)
    assert [answer.json()["summary"]["successful"] for answer in answers[:2]] == [10, 10]
    assert stored(service) == 40


def test_one_whose_token_is_refused_does_not_keep_the_others_out(database: Database) -> None:
    refused = NotPermitted(expected="a", found="b", remedy="c")
    writer = EventWriter(database, LineageSettings(), lambda _unit, token: refused if token == "bad" else WHOLE)
    held, release = threading.Event(), threading.Event()

    def hold(_connection: object) -> None:
        held.set()
        release.wait(30)

    async def send() -> list[Any]:
        def take(minute: int, token: str) -> "asyncio.Future[Any]":
            return asyncio.ensure_future(writer.take([body(run_event("OTHER", minute))], token))

        calls = [take(0, "good")]
        await asyncio.to_thread(held.wait)
        calls += [take(minute, token) for minute, token in enumerate(["bad", "good", "other"], start=1)]
        while writer.waiting < 3:
            await asyncio.sleep(0)
        release.set()
        return await asyncio.gather(*calls, return_exceptions=True)

    sa.event.listen(database.engine, "commit", hold)  # so that the later ones wait, and are stored together
    first, second, third, fourth = asyncio.run(send())
    assert second is refused
    assert all(isinstance(answers[0], Recorded) for answers in (first, third, fourth))
    writer.close()


def test_what_is_stored_for_somebody_who_has_gone_is_stored(database: Database) -> None:
    writer = EventWriter(database, LineageSettings())

    async def leave() -> None:
        call = asyncio.ensure_future(writer.take([body(run_event())], "token"))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    asyncio.run(leave())
    writer.close()
    with database.read_unit() as unit:
        assert unit.session.scalar(sa.select(sa.func.count()).select_from(EventRow)) == 1
