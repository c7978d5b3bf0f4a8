"""What people did is held against the log: a row that was changed or added behind the triggers is found."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from audits.fsck import check_all
from governance.errors import ProofRejected
from tests.support.life import allowed, bearer, deploy
from tests.support.service import Service
from tests.support.story import subject

CHANGES = {
    "registered_model": "UPDATE registered_model SET risk_tier = 'low'",
    "attestation": "UPDATE attestation SET stated_by = 'user:omar'",
    "deployment": "UPDATE deployment SET grant_id = 'a grant'",
    "deployment_end": "UPDATE deployment_end SET how = 'failed'",
}


def act(service: Service) -> None:
    """One of each."""
    model = {**subject(), "objective": "repays", "risk_tier": "high", "owners": ["user:ines"]}
    assert service.post_json("/v1/models", model).status_code == 201
    statement = {
        "subject": subject(), "kind": "dpia", "text": "It was made.",
        "expires_at": (datetime.now(UTC) + timedelta(days=9)).isoformat(),
    }  # fmt: skip
    owner = bearer(service, "model_owner", subject="user:ines")
    assert service.post_json("/v1/attestations", statement, **owner).status_code == 201
    told = deploy(service, allowed(service)["decision_id"]).json()
    assert service.post_json(f"/v1/deployments/{told['deployment_id']}/end", {"how": "retired"}).status_code == 200


def check(service: Service) -> None:
    settings, ring = service.settings, service.state.gate.ring
    check_all(service.state.database, ring, origin=settings.origin, kept=settings.home / "checkpoint")


@pytest.mark.parametrize("table", CHANGES)
def test_a_row_changed_behind_the_triggers_is_named_by_its_leaf(service: Service, table: str) -> None:
    act(service)
    check(service)
    with service.state.database.unit() as unit:
        place = unit.session.scalar(sa.text(f"SELECT log_index FROM {table}"))
        guard = f"DROP TRIGGER {table}_no_update"
        off = guard if unit.dialect == "sqlite" else f"ALTER TABLE {table} DISABLE TRIGGER ALL"
        unit.session.execute(sa.text(off))
        unit.session.execute(sa.text(CHANGES[table]))
    with pytest.raises(ProofRejected) as refused:
        check(service)
    assert refused.value.pointer == str(place)


def test_a_row_that_was_taken_away_is_missed(service: Service) -> None:
    act(service)
    with service.state.database.unit() as unit:
        place = unit.session.scalar(sa.text("SELECT log_index FROM attestation"))
        off = "DROP TRIGGER attestation_no_delete"
        if unit.dialect == "postgresql":
            off = "ALTER TABLE attestation DISABLE TRIGGER ALL"
        unit.session.execute(sa.text(off))
        unit.session.execute(sa.text("DELETE FROM attestation"))
    with pytest.raises(ProofRejected) as refused:
        check(service)
    assert refused.value.pointer == str(place)
