"""Schemas over HTTP, and the gate that holds data to a registered one."""

from pathlib import Path
from typing import Any

import pandera.polars as pa
import pytest

from api import examples
from governance.access.roles import Role
from governance.canonical import canonical
from tests.support.neutral import VERDICTS, case_documents, read
from tests.support.service import Service, key_for
from tests.support.story import ask, author, manifest, publish, upload

CASES = {name: folder for name, folder in case_documents().items() if name.startswith("schema-")}
DOCUMENT: dict[str, Any] = {"columns": {"a": {"dtype": "int64", "checks": {"ge": 2}}}}


def register(service: Service, name: str, document: Any) -> Any:
    """Register a version; the answer."""
    return service.post_json(f"/v1/schemas/{name}/versions", document)


def policy(params: dict[str, Any]) -> dict[str, Any]:
    """A policy that asks for the schema check alone."""
    return {"kind": "assay.policy/v1", "name": "shape", "checks": [{"id": "schema", "params": params}]}


def asked(service: Service, content: bytes, format_name: str, **dataset: Any) -> Any:
    """The gate's answer on a dataset of these bytes."""
    about = {"namespace": "n", "name": "d", "file": {"uri": upload(service, content), "format": format_name}}
    body = manifest("", predictions=None, columns={}, positive={}, negative={}, sensitive={})
    answer = service.post_json("/v1/evidence", {**body, "dataset": {**about, **dataset}})
    assert answer.status_code == 201, answer.text
    return ask(
        service, policy="shape", evidence=[{"digest": answer.json()["digest"]}], key=answer.json()["digest"]
    ).json()


def test_versions_are_registered_read_and_compared(service: Service) -> None:
    first = register(service, "holdout", examples.SCHEMA)
    assert first.status_code == 201, first.text
    assert register(service, "holdout", examples.SCHEMA).status_code == 200
    second = register(service, "holdout", {**examples.SCHEMA, "min_rows": 10})
    assert second.json()["version"] == 2
    assert second.json()["registered_by"] == first.json()["registered_by"]
    stored = service.http.get("/v1/schemas/holdout/versions/1").json()
    assert stored["document"]["columns"]["age"]["checks"] == {"in_range": [18, 120]}
    changes = service.http.get("/v1/schemas/holdout/versions/2/changes").json()["changes"]
    assert changes == [{"place": "min_rows", "before": "1000", "after": "10", "effect": "loosens"}]
    assert [one["version"] for one in service.http.get("/v1/schemas/holdout/versions").json()["versions"]] == [1, 2]
    assert [one["version"] for one in service.http.get("/v1/schemas").json()["schemas"]] == [2]


def test_a_schema_whose_rules_would_be_lost_is_refused(service: Service) -> None:
    schema = pa.DataFrameSchema({"a": pa.Column(int, pa.Check(lambda data: data.lazyframe, name="own"))})
    with pytest.warns(UserWarning, match="will be skipped"):
        lossy = schema.to_yaml()
    answer = service.http.post("/v1/schemas/holdout/versions", content=lossy)
    assert (answer.status_code, answer.json()["code"]) == (422, "input.refused")
    assert "a: checks" in answer.json()["found"]
    kept = pa.DataFrameSchema({"a": pa.Column(int, pa.Check.ge(2))}).to_yaml()
    assert service.http.post("/v1/schemas/holdout/versions", content=kept).json()["version"] == 1


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"a: [", 400),
        (b"- 1", 422),
        (b"columns: {}", 422),
        (b"\xff", 400),
        (b'{"columns": {"a": {}}, "name": "b"}', 422),
    ],
)
def test_what_is_no_schema_is_refused(service: Service, content: bytes, status: int) -> None:
    assert service.http.post("/v1/schemas/holdout/versions", content=content).status_code == status
    assert service.http.get("/v1/schemas/holdout/versions").status_code == 404


@pytest.mark.parametrize(("role", "status"), [(Role.DATA_STEWARD, 201), (Role.POLICY_PUBLISHER, 201), (Role.CI, 403)])
def test_stewards_and_publishers_register(service: Service, role: Role, status: int) -> None:
    headers = {"Authorization": f"Bearer {key_for(service.url, role)}"}
    answer = service.http.post("/v1/schemas/holdout/versions", content=canonical(DOCUMENT), headers=headers)
    assert answer.status_code == status


def test_a_policy_that_names_an_unregistered_schema_is_refused(service: Service) -> None:
    answer = service.post_json("/v1/policies/shape/versions", policy({"schema": "holdout@1"}), **author(service))
    assert answer.status_code == 422
    assert "holdout@1" in answer.json()["found"]


def test_the_gate_holds_data_to_the_version_that_the_policy_names(service: Service) -> None:
    register(service, "holdout", DOCUMENT)
    register(service, "holdout", {"columns": {"a": {"dtype": "int64", "checks": {"ge": 0}}}})
    publish(service, policy({"schema": "holdout@1"}))
    denied = asked(service, b"a\n1\n2\n", "csv")
    assert (denied["verdict"], denied["checks"][0]["status"]) == ("deny", "failed"), denied["checks"][0]["message"]
    publish(service, policy({"schema": "holdout@2"}))
    assert asked(service, b"a\n1\n2\n3\n", "csv")["verdict"] == "allow"


def test_a_manifest_names_the_schema_where_the_policy_leaves_it_open(service: Service) -> None:
    register(service, "holdout", DOCUMENT)
    publish(service, policy({}))
    assert asked(service, b"a\n1\n", "csv", schema="holdout@1")["verdict"] == "deny"
    assert asked(service, b"a\n2\n", "csv", schema="holdout@1")["verdict"] == "allow"
    unknown = asked(service, b"a\n3\n", "csv", schema="holdout@7")
    assert (unknown["verdict"], unknown["checks"][0]["status"]) == ("indeterminate", "error")
    assert "holdout@7" in unknown["checks"][0]["message"]
    assert asked(service, b"a\n4\n", "csv")["verdict"] == "indeterminate"


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Any:
    """One service for all cases."""
    from shutil import copy

    from tests.support.service import running

    home = tmp_path_factory.mktemp("cases")
    copy(sqlite_template, home / "assay.db")
    with running(home, f"sqlite:///{home / 'assay.db'}") as service:
        yield service


@pytest.mark.parametrize("folder", CASES.values(), ids=CASES)
@pytest.mark.parametrize("pieces", [{}, {"chunk_rows": 2}], ids=["whole", "streamed"])
def test_a_case_has_its_verdict_at_the_gate(shared_service: Service, folder: Path, pieces: dict[str, int]) -> None:
    case = read(folder / "case.json")
    name = case["input_files"][0]
    registered = register(shared_service, case["id"], {**case["policy"]["schema"], **pieces}).json()
    publish(shared_service, policy({"schema": f"{registered['name']}@{registered['version']}"}))
    answer = asked(shared_service, (folder / name).read_bytes(), name.rpartition(".")[2], digest=registered["digest"])
    result = answer["checks"][0]
    assert VERDICTS[result["status"]] in [case["expect"].get("verdict"), *case["expect"].get("verdict_in", [])]
    assert answer["verdict"] == "deny"
    assert all(column in result["message"] for column in case["expect"].get("missing_columns", []))
