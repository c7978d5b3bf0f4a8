"""Whether the decisions in the database are those in the log: each leaf again, from the envelope stored beside it."""

from dataclasses import dataclass
from pathlib import Path

from audits import store
from audits.fsck_life import life_faults
from audits.fsck_people import people_faults
from audits.tables import DecisionRow
from governance.bundle import decision_leaf
from governance.canonical import sha256
from governance.database import Database, ReadUnit
from governance.errors import AssayError, ProofRejected
from governance.log import journal
from governance.log.fsck import Fault, key_fault, log_faults
from governance.log.publish import kept_checkpoint
from governance.signing.dsse import read_envelope, verify
from governance.signing.keys import KeyRing
from governance.signing.statement import read_decision
from lineage.fsck import event_faults

PAGE = 500
"""Decisions looked at together: bounded memory, and few queries."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A log that holds: how many leaves it has, the root over them, and how many of them are decisions."""

    size: int
    root: bytes
    decisions: int


def check_all(database: Database, ring: KeyRing, *, origin: str, kept: Path) -> Checked:
    """Compute the whole log and the leaf of every decision, event and pruning again, on one snapshot.

    ``kept`` is the checkpoint file.

    Raises:
        ProofRejected: something does not hold; ``pointer`` is the first index that is not proved any more.
    """
    # Before the snapshot: what was kept is committed, so a snapshot taken later holds it.
    outside = kept_checkpoint(kept, ring.own_checkpoint_keys, origin=origin)
    with database.read_unit() as unit:
        faults = log_faults(unit, ring.own_checkpoint_keys, origin=origin, outside=outside)
        decided, count = _decisions(unit, ring)
        faults += [decided] if decided else []
        changed = key_fault(unit, ring)
        faults += [changed] if changed else []
        faults += event_faults(unit) + life_faults(unit, ring) + people_faults(unit)
        if faults:
            raise ProofRejected(
                expected="every leaf, node, checkpoint, decision, event and act to be as it was recorded",
                found="; ".join(f"from leaf {fault.first}: {fault.what}" for fault in sorted(faults)),
                remedy="Keep this database for whoever looks into it, and put back the newest copy that holds.",
                pointer=str(min(faults).first),
            )
        size = journal.size(unit)
        return Checked(size, journal.root(unit, size), count)


def _decisions(unit: ReadUnit, ring: KeyRing) -> tuple[Fault | None, int]:
    """The first decision that differs from its leaf, and how many were looked at."""
    start, count = 0, 0
    while True:
        rows = store.decisions_in_log(unit, start=start, count=PAGE)
        leaves = journal.leaves_of_kind(unit, "decision", start=start, count=PAGE)
        for number in range(max(len(rows), len(leaves))):
            row = rows[number] if number < len(rows) else None
            leaf = leaves[number] if number < len(leaves) else None
            fault = _pair_fault(unit, row, leaf, ring)
            if fault is not None:
                return fault, count
            count += 1
        if len(rows) < PAGE:
            return None, count
        start = rows[-1].log_index + 1


def _pair_fault(unit: ReadUnit, row: DecisionRow | None, leaf: tuple[int, bytes] | None, ring: KeyRing) -> Fault | None:
    """What is wrong with a decision and the leaf that stands in its place."""
    if row is None or (leaf is not None and leaf[0] < row.log_index):
        return Fault(leaf[0] if leaf else 0, "the log holds a decision that the database does not")
    if leaf is None or leaf[0] > row.log_index:
        return Fault(row.log_index, f"the decision {row.id} has no leaf in the log")
    try:
        _require_sealed(unit, row, leaf[1], ring)
    except AssayError as fault:
        return Fault(row.log_index, f"the decision {row.id}: expected {fault.expected}, found {fault.found}")
    return None


def _require_sealed(unit: ReadUnit, row: DecisionRow, leaf: bytes, ring: KeyRing) -> None:
    envelope = read_envelope(row.envelope)
    key = ring.decision_key(envelope.signatures[0].keyid)
    signed = read_decision(verify(envelope, {key.keyid: key}))
    stated = (
        signed.decision_id,
        signed.decision_digest,
        signed.subject.digest,
        signed.environment,
        signed.verdict.value,
        signed.mode,
        signed.evaluated_at,
        signed.valid_until,
    )
    stored = (
        row.id,
        row.digest,
        row.subject_digest,
        row.environment,
        row.verdict,
        row.mode,
        row.evaluated_at,
        row.valid_until,
    )
    _require(decision_leaf(envelope, key) == leaf, "the leaf to be that of its envelope", "another leaf")
    _require(stated == stored, "its row to say what was signed", "a row that says something else")
    _require(sha256(store.body_of(unit, row.digest)) == row.digest, "the decision that was signed", "other content")


def _require(holds: bool, expected: str, found: str) -> None:
    if not holds:
        raise ProofRejected(expected=expected, found=found, remedy="Put back the newest copy of the database.")
