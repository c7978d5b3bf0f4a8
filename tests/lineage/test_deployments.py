"""Deployments as the official client sends them: every state of a rollout, with environment, decision and traffic."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from openlineage.client.serde import Serde

from governance.database import Database
from governance.settings import LineageSettings
from lineage.conformance import findings
from lineage.descriptions import state_of
from lineage.digest import export
from lineage.fact_tables import DeploymentRow
from lineage.ingest import record_events
from lineage.receiving import parse_event
from lineage.replay import replay
from lineage.tables import NodeRow, RunDatasetRow, RunRow
from lineage.transports import client_event
from tests.lineage.material import SPEC, at, run_id

PRODUCER = "https://ci.example.org/rollout/1.8"
OURS = "https://assay.example.org/spec/facets/1-0-0"
DECISION = "01957a38-77c2-7e0f-a1d4-0b9c8d7e6f50"


def rollout(event_type: str, minute: float, *, percent: float = 100, number: int = 7, **said: Any) -> bytes:
    """An event of one revision of an endpoint, as the official client spells it."""

    def facet(name: str, **members: Any) -> dict[str, Any]:
        return {"_producer": PRODUCER, "_schemaURL": f"{OURS}/{name}.json", **members}

    deployment = {"environment": "prod", "revision": str(number), "decisionId": DECISION, "approvers": ["user:ines"]}
    kind = {"processingType": "SERVICE", "integration": "KSERVE", "jobType": "MODEL_DEPLOYMENT"}
    job_type = {"_producer": PRODUCER, "_schemaURL": "https://openlineage.io/spec/facets/2-0-4/JobTypeJobFacet.json"}
    traffic = facet("AssayTrafficInputDatasetFacet", percent=percent)
    model = {"namespace": "mlflow://m:5000", "name": f"triage/{number}", "inputFacets": {"assay_traffic": traffic}}
    document = {
        "eventType": event_type,
        "eventTime": at(minute),
        "producer": PRODUCER,
        "schemaURL": f"{SPEC}/RunEvent",
        "run": {
            "runId": run_id(number),
            "facets": {"assay_deployment": facet("AssayDeploymentRunFacet", **deployment, **said)},
        },
        "job": {"namespace": "k8s://b/claims", "name": "triage", "facets": {"jobType": {**job_type, **kind}}},
        "inputs": [model],
        "outputs": [{"namespace": "k8s://b/claims", "name": "endpoints/triage"}],
    }
    return Serde.to_json(client_event(json.dumps(document).encode())).encode()


def take(database: Database, *contents: bytes) -> None:
    with database.unit() as unit:
        record_events(unit, contents, LineageSettings())


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        (["START"], "RUNNING"),
        (["START", "RUNNING", "RUNNING"], "RUNNING"),
        (["START", "RUNNING", "COMPLETE"], "COMPLETED"),
        (["START", "ABORT"], "ABORTED"),
        (["START", "FAIL"], "FAILED"),
    ],
)
def test_each_state_of_a_rollout_is_the_state_of_its_run(database: Database, ends: list[str], state: str) -> None:
    contents = [rollout(event_type, minute) for minute, event_type in enumerate(ends)]
    take(database, *reversed(contents))
    with database.read_unit() as unit:
        run = unit.session.scalars(sa.select(RunRow)).one()
        assert state_of(unit, run, None).state == state
        row = unit.session.scalars(sa.select(DeploymentRow)).one()
        assert (row.run_id, row.environment, row.decision_id) == (run.id, "prod", DECISION)
        job = unit.session.get_one(NodeRow, run.job_id)
        assert (job.type, job.subtype) == ("SERVICE", "MODEL_DEPLOYMENT")


def test_the_official_clients_events_have_no_findings() -> None:
    for event_type in ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL"):
        assert findings(parse_event(rollout(event_type, 0))) == ()


def test_the_model_is_read_and_the_endpoint_written(database: Database) -> None:
    take(database, rollout("START", 0))
    with database.read_unit() as unit:
        query = sa.select(NodeRow.name, RunDatasetRow.role).join(RunDatasetRow, RunDatasetRow.node_id == NodeRow.id)
        ends = {(name, role) for name, role in unit.session.execute(query)}
    assert ends == {("triage/7", 0), ("endpoints/triage", 1)}


def test_the_latest_word_on_a_deployment_holds_whatever_the_order(database: Database) -> None:
    first, second = rollout("START", 0), rollout("RUNNING", 5, environmentNote="moved")
    take(database, second)
    take(database, first)
    with database.unit() as unit:
        facet = json.loads(unit.session.scalars(sa.select(DeploymentRow.facet)).one())
        assert facet["environmentNote"] == "moved"
        before = list(export(unit))
        replay(unit)
        assert list(export(unit)) == before


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_share_of_traffic_beyond_the_whole_is_a_finding(percent: float) -> None:
    found = findings(parse_event(rollout("START", 0, percent=percent)))
    assert [(item.code, item.pointer) for item in found] == [
        ("facet.invalid", "/inputs/0/inputFacets/assay_traffic/percent")
    ]


def test_a_deployment_facet_against_its_schema_is_kept_and_is_no_deployment(database: Database) -> None:
    take(database, rollout("START", 0).replace(b'"environment": "prod"', b'"environment": ""'))
    with database.read_unit() as unit:
        assert unit.session.scalars(sa.select(DeploymentRow)).all() == []
        assert unit.session.scalar(sa.select(sa.func.count()).select_from(RunRow)) == 1
