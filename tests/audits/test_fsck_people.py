"""Acts of people, policies, evidence and keys that were changed behind the log's back are named by their leaf."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from audits.fsck import Checked, check_all
from governance.database import Row, Unit
from governance.errors import ProofRejected
from governance.log.rotation import Place, compromise, rotate
from governance.signing.rings import ring_facts
from tests.support.callers import asked, headers
from tests.support.people import waiver
from tests.support.ready import FAILING, measured
from tests.support.service import Service, running
from tests.support.story import policy, publish


@dataclass(frozen=True)
class Log:
    """A service in whose log people have acted and keys were rotated."""

    service: Service

    def check(self) -> Checked:
        gate = self.service.state.gate
        kept = gate.settings.home / "checkpoint"
        return check_all(self.service.state.database, gate.ring, origin=gate.origin, kept=kept)

    @contextmanager
    def changed(self, table: str, statement: str) -> Iterator[None]:
        """A table changed behind its triggers' back, as somebody with the database's password can, until the end."""
        kept = Row.metadata.tables[table]
        with self.service.state.database.unit() as unit:
            rows = [dict(row) for row in unit.session.execute(sa.select(kept)).mappings()]
            self._open(unit, table)
            unit.session.execute(sa.text(statement))
        yield
        key = list(kept.primary_key.columns)
        with self.service.state.database.unit() as unit:
            for row in rows:
                place = sa.and_(*(column == row[column.name] for column in key))
                if unit.session.execute(sa.update(kept).where(place).values(row)).rowcount == 0:  # type: ignore[attr-defined]  # an update counts rows
                    unit.session.execute(sa.insert(kept).values(row))

    def _open(self, unit: Unit, table: str) -> None:
        if unit.dialect == "sqlite":
            find = sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table")
            for (name,) in unit.session.execute(find, {"table": table}).all():
                unit.session.execute(sa.text(f"DROP TRIGGER {name}"))
        else:
            unit.session.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))

    def refusal(self) -> str:
        with pytest.raises(ProofRejected) as caught:
            self.check()
        return caught.value.found


@pytest.fixture
def log(database_url: str, tmp_path: Path) -> Iterator[Log]:
    with running(tmp_path / "home", database_url) as service:
        publish(service, policy())
        measured(service, FAILING)
        made = service.post_json("/v1/waivers", waiver(), **headers(service, "ines", "model_owner"))
        assert made.status_code == 201, made.text
        for name in ("ana", "bo"):
            path = f"{made.json()['links']['self']}/approve"
            assert service.post_json(path, {}, **headers(service, name, "approver")).status_code == 201
        assert asked(service).json()["verdict"] == "allow"
        gate = service.state.gate
        place = Place(service.state.database, gate.keys, gate.origin, gate.settings.home / "checkpoint")
        rotate(place, "decision", actor="operator")
        rotate(place, "checkpoint", actor="operator")
        assert asked(service, key="after").json()["verdict"] == "allow"
        yield Log(service)


def test_what_people_did_and_decisions_of_several_keys_hold(log: Log) -> None:
    assert log.check().decisions == 2


CHANGES = [
    ("waiver", "UPDATE waiver SET namespace = 'elsewhere'", "waiver"),
    ("waiver", "UPDATE waiver SET environment = 'everywhere'", "waiver"),
    ("waiver", "UPDATE waiver SET by_id = 'somebody else'", "waiver"),
    ("waiver_approval", "UPDATE waiver_approval SET by_id = 'carla' WHERE by_id = 'bo'", "waiver"),
    ("waiver_approval", "DELETE FROM waiver_approval WHERE by_id = 'bo'", "waiver"),
    ("waiver_approval", "UPDATE waiver_approval SET digest = 'sha256:0' WHERE by_id = 'bo'", "waiver"),
    (
        "policy_publication",
        "UPDATE policy_publication SET stage = 'shadow' WHERE published_by <> 'assay'",
        "policy",
    ),
    ("policy_publication", "UPDATE policy_publication SET published_by = 'nobody'", "policy"),
    ("policy_version", "UPDATE policy_version SET recorded_by = 'nobody'", "policy"),
    ("evidence", "UPDATE evidence SET kind = 'test_result'", "evidence"),
    ("log_key", "UPDATE log_key SET keyid = 'other'", "signing keys"),
    ("log_key", "DELETE FROM log_key", "signing keys"),
]
"""Table, change, and the kind of record that does not hold any more."""


def test_each_row_that_was_changed_is_found(log: Log) -> None:
    for table, statement, kind in CHANGES:
        with log.changed(table, statement):
            found = log.refusal()
            assert kind in found or "an act" in found, statement
    assert log.check().decisions == 2


def test_a_ring_that_does_not_know_a_key_of_the_log_is_found(log: Log) -> None:
    gate = log.service.state.gate
    ring = gate.ring
    place = Place(log.service.state.database, gate.keys, gate.origin, gate.settings.home / "checkpoint")
    earlier = ring.decision_keys[0].key.keyid
    compromise(place, earlier, since=ring.valid_from, actor="operator")
    # Decisions that it signed are still those in the log; whether they prove anything is the verifiers' question.
    assert log.check().decisions == 2
    gate.keys.replace(ring)
    assert ring_facts(gate.ring) == ring_facts(ring)
    assert "calls compromised" in log.refusal()
