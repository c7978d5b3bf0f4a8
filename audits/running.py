"""What runs, and with which decision: deployments in lineage held against the decisions that they name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
import structlog
from pydantic import JsonValue

from audits.life_tables import DeploymentRow, DeploymentVerdictRow
from audits.lives import Reader, lives
from audits.validity import Life, Validity, validity
from governance.canonical import canonical
from governance.database import Database, Unit
from governance.log import journal
from governance.log.journal import Leaf, append
from governance.notices.outbox import announce
from governance.registry.models import version_of
from lineage.serving import Deployment, ServedModel, deployment_of, named_decisions

log = structlog.get_logger("assay.work")

FINDING = "deployment.undecided"
LEAF_KIND = "finding"


@dataclass(frozen=True, slots=True)
class Running:
    """What the decision of a deployment was worth when it began, and is worth at the instant that is asked about.

    ``is_undecided`` says that it began without a valid decision and without a grant of break-glass. ``deployment_id``
    is that of the record, where it was recorded with ``POST /v1/deployments``; ``grant_id`` that of the grant.
    """

    began_with: Validity | None
    running_with: Validity | None
    is_undecided: bool
    deployment_id: str | None
    grant_id: str | None

    def document(self) -> dict[str, JsonValue]:
        """The members that answers add to a deployment; ``none`` where no known decision is named."""
        return {
            "undecided": self.is_undecided,
            "began_with": "none" if self.began_with is None else self.began_with.value,
            "running_with": "none" if self.running_with is None else self.running_with.value,
            "break_glass": self.grant_id,
            "deployment_id": self.deployment_id,
        }


def running(unit: Reader, deployments: Sequence[Deployment], *, at: datetime) -> Mapping[str, Running]:
    """What each deployment runs with at ``at``, by run id.

    The bytes that serve are those of the record, else those that lineage or the registry knows of every model version
    that the run reads. A model whose bytes nobody told is not what was decided about.
    """
    recorded = {
        row.id: row
        for row in unit.session.scalars(
            sa.select(DeploymentRow).where(DeploymentRow.id.in_([each.run.run_id for each in deployments]))
        )
    }
    known = lives(unit, {each.decision_id for each in deployments if each.decision_id is not None})
    return {
        each.run.run_id: _running(unit, each, known.get(each.decision_id or ""), recorded.get(each.run.run_id), at)
        for each in deployments
    }


def _running(
    unit: Reader, deployment: Deployment, life: Life | None, record: DeploymentRow | None, at: datetime
) -> Running:
    is_of_record = record is not None and record.decision_id == deployment.decision_id
    served = [record.subject_digest] if record is not None and is_of_record else _served(unit, deployment.models)
    began = deployment.run.started_at or at
    began_with = None if life is None else _worth(life, served, deployment.environment, began)
    grant = record.grant_id if record is not None and is_of_record else None
    return Running(
        began_with=began_with,
        running_with=None if life is None else _worth(life, served, deployment.environment, max(at, began)),
        is_undecided=began_with is not Validity.VALID and grant is None,
        deployment_id=None if record is None else record.id,
        grant_id=grant,
    )


def _worth(life: Life, served: Sequence[str], environment: str, at: datetime) -> Validity:
    """The first answer that is no yes over all the bytes that serve; none of them known is the wrong ones."""
    answers = [validity(life, digest=digest, environment=environment, at=at) for digest in served or [""]]
    return next((answer for answer in answers if answer is not Validity.VALID), Validity.VALID)


def _served(unit: Reader, models: Sequence[ServedModel]) -> list[str]:
    """The digest of each model; an empty text, which no decision is about, where nobody told it."""
    return [model.content_digest or _registered(unit, model) or "" for model in models]


def _registered(unit: Reader, model: ServedModel) -> str | None:
    name, _, version = model.name.rpartition("/")
    found = version_of(unit, model.namespace, name, version)
    return None if found is None else found.registration.digest


class DeploymentTask:
    """Deployments told by lineage as work: each is judged once for the decision it names, and flagged where none held.

    Events are taken without asking the gate, so that intake stays fast and no event is lost; this looks after.
    """

    name = "deployments"

    def __init__(self, database: Database) -> None:
        """Look after the deployments in ``database``."""
        self._database = database
        self._looked_at = -1

    def due(self) -> list[str]:
        """Runs that are deployments and were not judged for the decision that they name."""
        with self._database.read_unit() as unit:
            size = journal.size(unit)
            if size == self._looked_at:  # every event has a leaf: nothing was told since
                return []
            waiting = _unjudged(unit)
        self._looked_at = -1 if waiting else size
        return waiting

    def run(self, key: str) -> None:
        """Judge one deployment; a neighbour that did so already suffices."""
        with self._database.unit() as unit:
            judge(unit, key)


def _unjudged(unit: Reader) -> list[str]:
    judged = {
        (run_id, decision_id)
        for run_id, decision_id in unit.session.execute(
            sa.select(DeploymentVerdictRow.run_id, DeploymentVerdictRow.decision_id)
        )
    }
    return [run_id for run_id, decision_id in named_decisions(unit) if (run_id, decision_id) not in judged]


def judge(unit: Unit, run_id: str) -> Running | None:
    """Keep what the decision of a deployment was worth when it began, and tell of one that was worth nothing.

    None where lineage knows no such deployment, or it was judged for this decision before.
    """
    deployment = deployment_of(unit, run_id)
    if deployment is None:
        return None
    named = deployment.decision_id or ""
    journal.lock(unit)  # one judge at a time, and no revocation in between
    if unit.session.get(DeploymentVerdictRow, (run_id, named)) is not None:
        return None
    found = running(unit, [deployment], at=unit.now)[deployment.run.run_id]
    place = _flag(unit, deployment, found) if found.is_undecided else None
    unit.session.add(
        DeploymentVerdictRow(
            run_id=deployment.run.run_id,
            decision_id=named,
            status="none" if found.began_with is None else found.began_with.value,
            environment=deployment.environment,
            judged_at=unit.now,
            log_index=place,
        )
    )
    unit.session.flush()
    return found


def _flag(unit: Unit, deployment: Deployment, found: Running) -> int:
    status = "none" if found.began_with is None else found.began_with.value
    told = _told(deployment.run.run_id, deployment.decision_id or "", deployment.environment, status)
    log.warning(FINDING, **told)
    announce(unit, "assay.deployment.undecided", subject=f"lineage/runs/{deployment.run.run_id}", data=told)
    return append(unit, [_leaf(told)])[0]


def _told(run_id: str, decision_id: str, environment: str, status: str) -> dict[str, JsonValue]:
    return {"run_id": run_id, "environment": environment, "decision_id": decision_id or None, "decision": status}


def _leaf(told: dict[str, JsonValue]) -> Leaf:
    return Leaf(kind=LEAF_KIND, body=canonical({"kind": f"{FINDING}/v1", **told}))


def finding_leaves(unit: Reader) -> Iterator[tuple[int, bytes | None]]:
    """Index and body of the leaf that each deployment that was flagged ought to have."""
    flagged = sa.select(DeploymentVerdictRow).where(DeploymentVerdictRow.log_index.is_not(None))
    for row in unit.session.scalars(flagged.order_by(DeploymentVerdictRow.log_index)):
        told = _told(row.run_id, row.decision_id, row.environment, row.status)
        yield row.log_index or 0, _leaf(told).body
