"""Whether acts of people, policies and evidence are those in the log: each leaf again, from the row beside it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from audits.people_tables import (
    BreakGlassReviewRow,
    BreakGlassRow,
    EvaluationActRow,
    GateRefusalRow,
    WaiverApprovalRow,
    WaiverRevocationRow,
    WaiverRow,
)
from audits.policy_tables import PolicyPublicationRow, PolicyVersionRow
from audits.tables import EvidenceRow
from governance.canonical import canonical, read_json, sha256
from governance.clock import rfc3339
from governance.database import ReadUnit
from governance.errors import AssayError
from governance.log.fsck import Fault, kind_fault, leaves_of

ACTS = (
    WaiverRow, WaiverApprovalRow, WaiverRevocationRow, EvaluationActRow, BreakGlassRow, BreakGlassReviewRow,
    GateRefusalRow,
)  # fmt: skip
"""Tables of signed acts; a leaf's kind is what stands before the point in the kind of the act's document."""

KINDS = ("waiver", "approval", "review", "break_glass", "refusal")

Expected = tuple[int | None, bytes | None]


def people_faults(unit: ReadUnit) -> list[Fault]:
    """What does not hold between these rows and the log, at most one fault of each kind; empty when all holds.

    An act is held to its document by digest, and to each column that the document has under the same name.
    """
    acts = [_of_act(row) for table in ACTS for row in unit.session.scalars(sa.select(table))]
    faults = [kind_fault(unit, kind, [leaf for found, leaf in acts if found == kind]) for kind in KINDS]
    strange = [Fault(leaf[0] or 0, "an act is not what its leaf says") for kind, leaf in acts if kind not in KINDS]
    faults += [kind_fault(unit, "policy", _of_policies(unit)), _evidence_fault(unit), *strange[:1]]
    return [fault for fault in faults if fault is not None]


def _of_act(row: Any) -> tuple[str, Expected]:
    """The kind of an act's leaf, and its index and body; no body where the row contradicts its document."""
    try:
        document = read_json(row.body)
        kind, by = str(document["kind"]), document["by"]
        told = _told(document)
        stated = {name: told[name] for name in _columns(row) & set(told)}
    except (AssayError, KeyError, TypeError):
        return "", (row.log_index, None)
    columns = {name: _spelled(getattr(row, name)) for name in stated}
    holds = (
        sha256(row.body) == row.digest
        and stated == columns
        and (by["id"], by["name"], by["at"]) == (row.by_id, row.by_name, rfc3339(row.recorded_at))
    )
    body = canonical({"kind": kind, "digest": row.digest}) if holds else None
    return kind.partition(".")[0], (row.log_index, body)


def _told(document: dict[str, Any]) -> dict[str, Any]:
    """What an act's document says by name, with what the request in it and its subject say."""
    request = document.get("request") or {}
    return {**(request.get("subject") or {}), **request, **document}


def _columns(row: Any) -> set[str]:
    """The columns that say again what the act's document says, so that questions can look into them."""
    own = {"digest", "body", "by_id", "by_name", "recorded_at", "log_index"}
    names = {column.key for column in sa.inspect(type(row)).column_attrs} - own
    return {name for name in names if isinstance(getattr(row, name), str | datetime)}


def _spelled(value: Any) -> Any:
    return rfc3339(value) if isinstance(value, datetime) else value


def _of_policies(unit: ReadUnit) -> Iterator[Expected]:
    """Index and leaf of each version and each publication; those of before there were leaves are passed over."""
    versions = unit.session.scalars(sa.select(PolicyVersionRow).where(PolicyVersionRow.log_index.is_not(None)))
    for version in versions:
        yield (
            version.log_index,
            canonical(
                {
                    "kind": "policy.version/v1",
                    "name": version.name,
                    "version": version.version,
                    "digest": version.digest,
                    "by": version.recorded_by,
                }
            ),
        )
    published = sa.select(PolicyPublicationRow, PolicyVersionRow.digest).join(PolicyVersionRow)
    for row, digest in unit.session.execute(published.where(PolicyPublicationRow.log_index.is_not(None))):
        yield (
            row.log_index,
            canonical(
                {
                    "kind": "policy.publication/v1",
                    "name": row.name,
                    "version": row.version,
                    "digest": digest,
                    "stage": row.stage,
                    "by": row.published_by,
                }
            ),
        )


def _evidence_fault(unit: ReadUnit) -> Fault | None:
    """The first piece of evidence that the log and the database do not both hold; its row has no index of its own."""
    rows = unit.session.execute(sa.select(EvidenceRow.digest, EvidenceRow.kind))
    expected = {canonical({"kind": f"evidence.{kind}/v1", "digest": digest}) for digest, kind in rows}
    logged = {body: index for index, body in leaves_of(unit, "evidence").items()}
    bad = [
        Fault(index, "the log holds evidence that the database does not")
        for body, index in logged.items()
        if body not in expected
    ]
    bad += [Fault(0, "evidence is not what its leaf says") for body in expected if body not in logged]
    return min(bad, default=None)
