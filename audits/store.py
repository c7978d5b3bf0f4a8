"""Reading and writing the rows of the gate; nobody else touches them."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from audits.host_tables import RevisionRow
from audits.tables import DecisionRow, DocumentRow, EvaluationRow, EvidenceRow, MeasurementRow
from governance.bulk import given, insert_rows, run
from governance.canonical import canonical, digest, read_json, sha256
from governance.database import ReadUnit, Row, RowT, Unit, plain_rows
from governance.errors import NotFound
from governance.sending import Statement, send_later
from governance.types.decision import Decision
from governance.types.manifest import Manifest
from governance.types.policy import Policy
from governance.types.results import Measurement, Origin
from governance.types.subject import Subject
from governance.types.value import Value

AnyUnit = Unit | ReadUnit
ValueT = TypeVar("ValueT", bound=Value)

AWAITING = ("awaiting_review", "awaiting_approval")
"""States of an evaluation that waits for people."""

COMMIT = re.compile("[0-9a-f]{40}([0-9a-f]{24})?")
"""The whole name of a commit; a shortened one is nobody's for sure."""


def _insert_new(unit: Unit, row_type: type[Row], values: dict[str, Any]) -> bool:
    """Insert a row unless its key is taken; whether it was inserted.

    Looking first and inserting after would race: a neighbour may insert the same key in between, and is waited for.
    """
    return unit.session.connection().execute(_insert(row_type, unit.dialect), values).first() is not None


@cache
def _insert(row_type: type[Row], dialect: str) -> Any:
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return insert(Row.metadata.tables[row_type.__tablename__]).on_conflict_do_nothing().returning(sa.literal(1))


def keep(unit: Unit, kind: str, value: Value) -> str:
    """Store a value's canonical bytes and give their digest; the same value is kept once."""
    (name,) = keep_all(unit, [(kind, value)])
    return name


def keep_all(unit: Unit, values: Sequence[tuple[str, Value]]) -> list[str]:
    """``keep`` for several values, each with its kind, by one statement; their digests in the same order."""
    bodies = [canonical(value.document()) for _, value in values]
    names = [sha256(body) for body in bodies]
    rows = zip(names, [kind for kind, _ in values], bodies, strict=True)
    # In the order of their keys, so that two writers wait for one another instead of deadlocking.
    run(unit, _keep(unit.dialect), sorted(rows))
    return names


@cache
def _keep(dialect: str) -> str:
    columns = ("digest", "kind", "body")
    values = given(DocumentRow.__table__, columns, dialect)
    return f"INSERT INTO document ({', '.join(columns)}) {values} ON CONFLICT DO NOTHING"


def body_of(unit: AnyUnit, name: str) -> bytes:
    """The canonical bytes under a digest.

    Raises:
        NotFound: nothing is stored under it.
    """
    body = unit.once(("body", name), lambda: unit.session.connection().execute(_BODY, {"digest": name}).scalar())
    if body is None:
        raise NotFound(expected="the digest of a stored document", found=name, remedy="Check the digest.")
    return body


_BODY = sa.select(DocumentRow.body).where(DocumentRow.digest == sa.bindparam("digest"))


def bodies_of(unit: AnyUnit, names: Collection[str]) -> dict[str, bytes]:
    """Digest to canonical bytes, of the documents among ``names`` that are stored."""
    rows = unit.session.execute(sa.select(DocumentRow.digest, DocumentRow.body).where(DocumentRow.digest.in_(names)))
    return {name: body for name, body in rows}  # noqa: C416 - dict(rows) loses the types


def fetch(unit: AnyUnit, name: str, model: type[ValueT]) -> ValueT:
    """The value under a digest."""
    return unit.once((model, name), lambda: model.model_validate(read_json(body_of(unit, name))))


@lru_cache(maxsize=256)
def _parsed_policy(body: bytes) -> Policy:
    return Policy.model_validate(read_json(body))


def policy(unit: AnyUnit, name: str) -> Policy:
    """The policy under a digest."""
    return unit.once((Policy, name), lambda: _parsed_policy(body_of(unit, name)))


def add_evidence(unit: Unit, *, name: str, kind: str, manifest: Manifest, by: str, signer: str | None = None) -> bool:
    """Keep a piece of evidence under its digest; False when it is known already."""
    values = {
        "digest": name,
        "kind": kind,
        "manifest_digest": keep(unit, "manifest", manifest),
        "subject_digest": manifest.subject.digest,
        "submitted_at": unit.now,
        "submitted_by": by,
        "signer": signer,
    }
    return _insert_new(unit, EvidenceRow, values)


def manifests_naming(unit: AnyUnit, artifact: str) -> list[Manifest]:
    """The manifests of evidence that name the artifact ``sha256:...``; each manifest is looked into."""
    spelled = f"artifact:{artifact}".encode("ascii")
    if unit.dialect == "sqlite":
        holds = sa.func.instr(DocumentRow.body, sa.literal(spelled, sa.LargeBinary)) > 0
    else:
        holds = DocumentRow.body.op("LIKE")(sa.literal(b"%" + spelled + b"%", sa.LargeBinary))
    query = sa.select(DocumentRow.body).where(
        DocumentRow.kind == "manifest", DocumentRow.digest.in_(sa.select(EvidenceRow.manifest_digest)), holds
    )
    return [Manifest.model_validate(read_json(body)) for body in unit.session.scalars(query)]


def evidence(unit: AnyUnit, name: str) -> EvidenceRow:
    """One piece of evidence.

    Raises:
        NotFound: no evidence has this digest, or it is of a model that the unit does not see.
    """
    rows = unit.once((EvidenceRow, name), lambda: plain_rows(unit, EvidenceRow, _EVIDENCE, digest=name) or None)
    row = rows[0] if rows else None
    if row is None or not (unit.sight.is_whole or _sees(unit, fetch(unit, row.manifest_digest, Manifest).subject)):
        raise NotFound(expected="submitted evidence", found=name, remedy="Submit it first: POST /v1/evidence.")
    return row


_EVIDENCE = sa.select(EvidenceRow).where(EvidenceRow.digest == sa.bindparam("digest"))
_EVIDENCE_ABOUT = (
    sa.select(EvidenceRow)
    .where(EvidenceRow.subject_digest == sa.bindparam("subject"))
    .order_by(EvidenceRow.submitted_at.desc(), EvidenceRow.digest)
)


def latest_evidence(unit: AnyUnit, subject_digest: str) -> list[str]:
    """The newest manifest of a subject, and every test result that was made from the same manifest."""
    rows = plain_rows(unit, EvidenceRow, _EVIDENCE_ABOUT, subject=subject_digest)
    latest = [row for row in rows if row.manifest_digest == rows[0].manifest_digest]
    for row in latest:
        unit.remember((EvidenceRow, row.digest), [row])
    return [row.digest for row in latest]


def add_measurement(
    unit: Unit,
    measurement: Measurement,
    *,
    manifest_digest: str,
    collected_at: datetime,
    origin: Origin = Origin.MEASURED,
    evidence_digest: str | None = None,
    signer: str | None = None,
) -> str:
    """Keep a measurement and give its digest."""
    name = keep(unit, "measurement", measurement)
    unit.session.add(
        MeasurementRow(
            digest=name,
            check_id=measurement.check,
            check_version=measurement.check_version,
            manifest_digest=manifest_digest,
            measured_with_digest=digest(measurement.measured_with),
            origin=origin.value,
            signer=signer,
            evidence_digest=evidence_digest,
            collected_at=collected_at,
        )
    )
    unit.session.flush()
    return name


def measurements(
    unit: AnyUnit, *, manifest_digest: str, check: str, version: str, measured_with: dict[str, object]
) -> list[MeasurementRow]:
    """Measurements of a manifest by one check, taken with these parameters, newest first.

    A transaction that writes finds those that it found at first.
    """
    asked = {"manifest": manifest_digest, "check": check, "version": version, "with_": digest(measured_with)}
    return unit.once((MeasurementRow, *asked.values()), lambda: _measured(unit, asked) or None) or []


def _measured(unit: AnyUnit, asked: dict[str, str]) -> list[MeasurementRow]:
    """The rows, with whose documents they come: one of them is what a check is judged by."""
    rows = []
    for found in unit.session.connection().execute(_MEASUREMENTS, asked).mappings():
        values = dict(found)
        unit.remember(("body", found["digest"]), values.pop("body"))
        rows.append(MeasurementRow(**values))
    return rows


_MEASUREMENTS = (
    sa.select(MeasurementRow, DocumentRow.body)
    .join(DocumentRow, DocumentRow.digest == MeasurementRow.digest)
    .where(
        MeasurementRow.manifest_digest == sa.bindparam("manifest"),
        MeasurementRow.check_id == sa.bindparam("check"),
        MeasurementRow.check_version == sa.bindparam("version"),
        MeasurementRow.measured_with_digest == sa.bindparam("with_"),
    )
    .order_by(MeasurementRow.collected_at.desc(), MeasurementRow.id.desc())
)


def evaluation(unit: AnyUnit, identifier: str) -> EvaluationRow:
    """One evaluation.

    Raises:
        NotFound: no evaluation has this id, or it is of a model that the unit does not see.
    """
    row = unit.session.get(EvaluationRow, identifier)
    if row is None or not (unit.sight.is_whole or _sees(unit, Subject.model_validate(row.request["subject"]))):
        raise NotFound(expected="the id of an evaluation", found=repr(identifier[:80]), remedy="Check the id.")
    return row


def evaluation_of_key(unit: AnyUnit, principal: str, key: str) -> EvaluationRow | None:
    """The evaluation a principal asked for under an idempotency key; None when there is none."""
    rows = plain_rows(unit, EvaluationRow, _OF_KEY, principal=principal, key=key)
    return rows[0] if rows else None


_OF_KEY = sa.select(EvaluationRow).where(
    EvaluationRow.principal == sa.bindparam("principal"), EvaluationRow.idempotency_key == sa.bindparam("key")
)


def waiting_evaluations(unit: AnyUnit, now: datetime, limit: int) -> list[str]:
    """Ids of evaluations that nobody works on, or whose deadline has passed, oldest first."""
    return list(
        unit.session.scalars(
            sa.select(EvaluationRow.id)
            .where(
                sa.or_(
                    EvaluationRow.state == "queued",
                    sa.and_(EvaluationRow.state == "running", EvaluationRow.leased_until < now),
                    sa.and_(EvaluationRow.state.in_(AWAITING), EvaluationRow.deadline <= now),
                )
            )
            .order_by(EvaluationRow.requested_at)
            .limit(limit)
        )
    )


def decision_row(unit: AnyUnit, identifier: str) -> DecisionRow:
    """One sealed decision.

    Raises:
        NotFound: no decision has this id, or it is of a model that the unit does not see.
    """
    row = unit.session.get(DecisionRow, identifier)
    if row is None or not _sees_decision(unit, row):
        raise NotFound(expected="the id of a decision", found=repr(identifier[:80]), remedy="Check the id.")
    return row


def decisions_in_log(unit: AnyUnit, *, start: int, count: int) -> list[DecisionRow]:
    """Up to ``count`` sealed decisions whose leaves lie at index ``start`` or later, in the log's order."""
    statement = sa.select(DecisionRow).where(DecisionRow.log_index >= start).order_by(DecisionRow.log_index)
    return list(unit.session.scalars(statement.limit(count)))


def decision_of_evaluation(unit: AnyUnit, evaluation_id: str) -> DecisionRow | None:
    """The decision an evaluation ended in; None while it has not, and where the unit does not see the model."""
    row = unit.session.scalars(sa.select(DecisionRow).where(DecisionRow.evaluation_id == evaluation_id)).first()
    return None if row is None or not _sees_decision(unit, row) else row


def _sees_decision(unit: AnyUnit, row: DecisionRow) -> bool:
    return unit.sight.is_whole or _sees(unit, decision(unit, row).subject)


def _sees(unit: AnyUnit, subject: Subject) -> bool:
    return unit.sight.sees(subject.namespace, subject.name)


def require_seen(unit: AnyUnit, subject: Subject) -> None:
    """Return when the unit sees the model.

    Raises:
        NotFound: it does not, which is answered like a name that nobody uses.
    """
    if not _sees(unit, subject):
        raise NotFound(
            expected="a model within the scopes of the key",
            found=f"{subject.namespace} {subject.label}"[:200],
            remedy="Check the namespace and the name, or use a key with another scope.",
            pointer="/subject",
        )


def decision(unit: AnyUnit, row: DecisionRow) -> Decision:
    """The value of a sealed decision."""
    return fetch(unit, row.digest, Decision)


def add_evaluation(unit: Unit, values: dict[str, Any]) -> EvaluationRow | None:
    """Insert an evaluation; None when its principal has used the idempotency key before, or at the same moment."""
    if not _insert_new(unit, EvaluationRow, values):
        return None
    _note_revision(unit, values)
    return _as_stored(unit, EvaluationRow, values)


def _as_stored(unit: Unit, row_type: type[RowT], values: dict[str, Any]) -> RowT:
    """A row that was inserted a moment ago, as the session would read it; what was not given is null."""
    row = row_type(**{column.key: values.get(column.key) for column in row_type.__table__.columns})
    sa.orm.make_transient_to_detached(row)
    unit.session.add(row)
    return row


def _note_revision(unit: Unit, values: dict[str, Any]) -> None:
    """Remember which commit an enforced request names, so that a host that asks about the commit is answered."""
    request = values["request"]
    revision, subject = str(request["context"].get("commit", "")), request["subject"]
    if request["mode"] == "enforce" and COMMIT.fullmatch(revision):
        model = f"{subject['namespace']}/{subject['name']}"
        unit.session.add(
            RevisionRow(evaluation_id=values["id"], revision=revision, environment=request["environment"], model=model)
        )
        unit.session.flush()


def add_decision(unit: Unit, values: dict[str, Any]) -> DecisionRow:
    """Insert a sealed decision; the row as a value."""
    insert_rows(unit, DecisionRow.__table__, tuple(values), [[value] for value in values.values()])
    return DecisionRow(**values)


def end_evaluation(unit: Unit, row: EvaluationRow) -> None:
    """Write that a decision was taken on the evaluation."""
    connection, state = unit.session.connection(), "done"
    values = (state, row.id) if unit.dialect == "sqlite" else {"state": state, "id": row.id}
    send_later(connection, Statement(_END[unit.dialect], values))
    sa.orm.attributes.set_committed_value(row, "state", state)


_END = {
    "sqlite": "UPDATE evaluation SET state = ? WHERE id = ?",
    "postgresql": "UPDATE evaluation SET state = %(state)s WHERE id = %(id)s",
}
