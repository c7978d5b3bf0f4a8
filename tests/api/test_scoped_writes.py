"""What a narrowed key writes in the ways of Marquez's clients: within its scopes, and alike for hidden and unknown."""

from typing import Any
from urllib.parse import quote

import pytest

from governance.errors import OutsideScopes
from tests.lineage.material import bodies, dataset, dataset_event, run_id
from tests.support.scopes import SCOPES, names_nothing
from tests.support.service import Service, key_for

LAKE, VAULT = quote("s3://lake", safe=""), quote("s3://vault", safe="")
SPACES = "/api/v1/namespaces"
TABLE = {"type": "DB_TABLE", "physicalName": "t", "sourceName": "lake"}
BATCH = {"type": "BATCH"}


@pytest.fixture
def steward(told: Service) -> dict[str, str]:
    """The header of a key that may write and hide, within the same scopes."""
    return {"Authorization": f"Bearer {key_for(told.url, 'data_steward', scopes=SCOPES, name='steward')}"}


def ask(service: Service, header: dict[str, str], method: str, path: str, body: Any = None) -> tuple[int, str]:
    answer = service.http.request(method, path, headers=header, json=body)
    assert names_nothing(answer), answer.text
    if answer.status_code == 403:
        assert answer.json()["message"] == OutsideScopes.title, answer.text
    return answer.status_code, answer.text


def test_what_is_seen_is_described_tagged_run_and_hidden(told: Service, steward: dict[str, str]) -> None:
    vault = [{"namespace": "s3://vault", "name": "salaries"}]
    features, train = f"{SPACES}/{LAKE}/datasets/features", f"{SPACES}/batch/jobs/train"
    wanted = [
        ("PUT", f"{SPACES}/{LAKE}", {"ownerName": "team:lake"}),
        ("PUT", f"{SPACES}/{LAKE}/datasets/fresh", TABLE),
        ("PUT", train, {**BATCH, "inputs": vault, "outputs": [{"namespace": "s3://lake", "name": "fresh"}]}),
        ("POST", f"{train}/runs", {"id": run_id(60)}),
        ("POST", f"/api/v1/jobs/runs/{run_id(60)}/start", None),
        ("POST", f"{features}/tags/GOLD", None),
        ("POST", f"{features}/fields/x/tags/GOLD", None),
        ("DELETE", f"{features}/tags/GOLD", None),
        ("POST", f"{train}/tags/GOLD", None),
        ("DELETE", f"{train}/tags/GOLD", None),
        ("DELETE", f"{SPACES}/{LAKE}/datasets/fresh", None),
        ("DELETE", train, None),
        ("DELETE", f"{SPACES}/{LAKE}", None),
    ]
    found = [(method, path, ask(told, steward, method, path, body)[0]) for method, path, body in wanted]
    assert [row for row in found if row[2] not in (200, 201)] == []


def test_a_hidden_name_is_written_to_like_an_unknown_one(told: Service, steward: dict[str, str]) -> None:
    before = told.http.get("/v1/lineage/digest").json()
    for method, path, body in [
        ("PUT", f"{SPACES}/{VAULT}/datasets/NAME", TABLE),
        ("PUT", f"{SPACES}/batch/jobs/NAME", BATCH),
        ("PUT", f"{SPACES}/{VAULT}", {"ownerName": "me"}),
        ("DELETE", f"{SPACES}/{VAULT}/datasets/NAME", None),
        ("DELETE", f"{SPACES}/batch/jobs/NAME", None),
        ("POST", f"{SPACES}/batch/jobs/NAME/runs", {"id": run_id(61)}),
        ("POST", f"{SPACES}/{VAULT}/datasets/NAME/tags/GOLD", None),
        ("DELETE", f"{SPACES}/{VAULT}/datasets/NAME/tags/secret", None),
        ("POST", f"{SPACES}/{VAULT}/datasets/NAME/fields/x/tags/GOLD", None),
        ("POST", f"{SPACES}/batch/jobs/NAME/tags/GOLD", None),
    ]:
        answers = []
        for name in ("hr-export" if "jobs" in path else "salaries", "nothings"):
            status, text = ask(told, steward, method, path.replace("NAME", name), body)
            answers.append((status, text.replace(name, "NAME")))
        assert answers[0] == answers[1], path
        assert answers[0][0] in (403, 404), path
    assert told.http.get("/v1/lineage/digest").json() == before


def test_a_namespace_that_is_seen_in_part_is_neither_described_nor_hidden(
    told: Service, steward: dict[str, str]
) -> None:
    assert ask(told, steward, "PUT", f"{SPACES}/batch", {"ownerName": "me"})[0] == 403
    assert ask(told, steward, "DELETE", f"{SPACES}/batch")[0] == 403
    assert ask(told, steward, "DELETE", f"{SPACES}/{VAULT}")[0] == 404


def test_a_job_says_nothing_of_outputs_and_runs_that_are_hidden(told: Service, steward: dict[str, str]) -> None:
    train = f"{SPACES}/batch/jobs/train"
    vault = [{"namespace": "s3://vault", "name": "payroll"}]
    assert ask(told, steward, "PUT", train, {**BATCH, "outputs": vault})[0] == 403
    assert ask(told, steward, "POST", f"{train}/runs", {"id": run_id(1)})[0] == 403
    for run in (run_id(1), run_id(99)):
        assert ask(told, steward, "POST", f"/api/v1/jobs/runs/{run}/fail")[0] == 404
        assert ask(told, steward, "PUT", f"{SPACES}/{LAKE}/datasets/out", {**TABLE, "runId": run})[0] == 404


def test_a_dataset_with_a_name_outside_is_not_hidden(told: Service, steward: dict[str, str]) -> None:
    alias = {"identifiers": [{"namespace": "s3://vault", "name": "salaries-view", "type": "TABLE"}]}
    told.http.post("/api/v1/lineage", content=bodies(dataset_event(dataset("features", symlinks=alias), 20))[0])
    path = f"{SPACES}/{LAKE}/datasets/features"
    assert ask(told, steward, "DELETE", path)[0] == 403
    assert told.http.get(path).status_code == 200


def test_sources_and_tags_are_described_by_whoever_sees_everything(told: Service, steward: dict[str, str]) -> None:
    for path, body in (
        ("/api/v1/tags/GOLD", {"description": "best"}),
        ("/api/v1/sources/lake", {"type": "S3", "connectionUrl": "s3://lake"}),
    ):
        assert told.http.put(path, json=body, headers=steward).status_code == 403
        assert told.http.put(path, json=body).is_success
