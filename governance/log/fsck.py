"""Whether the log is what it was: every hash again, every checkpoint that was signed, and the one kept outside."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from governance.canonical import read_json
from governance.database import ReadUnit
from governance.errors import ProofRejected
from governance.log import journal
from governance.log.checkpoint import Checkpoint, open_checkpoint
from governance.log.publish import extends
from governance.log.tables import LogCheckpointRow, LogKeyRow
from governance.signing.keys import KeyRing, KeyTimes


class Fault(NamedTuple):
    """The first leaf that is not proved any more, and what is wrong with it."""

    first: int
    what: str


PAGE = 500
"""Leaves read together: bounded memory, and few queries."""


def leaves_of(unit: ReadUnit, kind: str) -> dict[int, bytes]:
    """Index to body, of every leaf of a kind."""
    found: dict[int, bytes] = {}
    start = 0
    while page := journal.leaves_of_kind(unit, kind, start=start, count=PAGE):
        found.update(page)
        start = page[-1][0] + 1
    return found


def kind_fault(
    unit: ReadUnit, kind: str, expected: Iterable[tuple[int | None, bytes | None]], *, called: str | None = None
) -> Fault | None:
    """The first difference between the leaves of a kind and those that its rows give; None where there is none.

    ``expected`` are index and body, of each row; a body of None is a row that contradicts itself. ``called`` is what
    a fault calls such a row.
    """
    logged = leaves_of(unit, kind)
    what = called or f"a record of kind {kind}"
    bad = []
    for index, body in expected:
        if index is None or body is None or logged.pop(index, None) != body:
            bad.append(Fault(index or 0, f"{what} is not what its leaf says"))
    bad += [Fault(index, f"the log holds {what} that the database does not") for index in logged]
    return min(bad, default=None)


def key_fault(unit: ReadUnit, ring: KeyRing) -> Fault | None:
    """The first change of signing keys that differs from its leaf, or that the ring knows nothing of."""
    times = {each.key.keyid: each for each in (*ring.decision_keys, *ring.checkpoint_keys)}
    rows = {row.log_index: row for row in unit.session.scalars(sa.select(LogKeyRow))}
    logged = leaves_of(unit, "key")
    bad = [Fault(index, "a change of signing keys is not what its leaf says") for index in rows.keys() ^ logged.keys()]
    for index in rows.keys() & logged.keys():
        row, told = rows[index], read_json(logged[index])
        known = times.get(row.keyid)
        stated = (told["kind"], told["purpose"], told["key"]["keyid"])
        if stated != (f"key.{row.act}/v1", row.purpose, row.keyid):
            bad.append(Fault(index, "a change of signing keys is not what its leaf says"))
        elif known is None or known.key.pem != told["key"]["public"]:
            bad.append(Fault(index, f"the ring has no key {row.keyid}, which the log names"))
        elif row.act == "compromised" and known.compromised_since is None:
            bad.append(Fault(index, f"the ring trusts the key {row.keyid}, which the log calls compromised"))
    return min(bad, default=None)


def log_faults(unit: ReadUnit, keys: Sequence[KeyTimes], *, origin: str, outside: Checkpoint | None) -> list[Fault]:
    """What does not hold in the log, at most one fault of each kind; empty when all holds.

    ``outside`` is the checkpoint kept outside the database, read before ``unit`` began, so that the log is never behind
    it by rights. Without one a tail that was cut cannot be noticed, so its absence is a fault once any was signed.
    """
    bad = journal.check(unit)
    faults = [] if bad is None else [Fault(bad, "a leaf, a hash or a signed root is not as it was")]
    notes, signed = _note_fault(unit, keys, origin)
    faults += [notes] if notes else []
    if outside is None:
        return faults + ([Fault(signed, "the checkpoint kept outside the database is missing")] if signed else [])
    size = journal.size(unit)
    if size < outside.size:
        faults.append(Fault(size, f"the log is shorter than the {outside.size} leaves signed outside the database"))
    elif bad is None and not extends(unit, outside, size):
        # Where a leaf or hash is bad already, that index says more than this, which cannot tell where it begins.
        faults.append(Fault(0, f"the first {outside.size} leaves are not those signed outside the database"))
    return faults


def _note_fault(unit: ReadUnit, keys: Sequence[KeyTimes], origin: str) -> tuple[Fault | None, int]:
    """The first stored note that was not signed or says other than its row, and the largest size that was signed."""
    largest = 0
    rows = unit.session.execute(
        sa.select(LogCheckpointRow.tree_size, LogCheckpointRow.root_hash, LogCheckpointRow.note).order_by(
            LogCheckpointRow.tree_size
        )
    )
    for size, root, note in rows:
        try:
            checkpoint = open_checkpoint(note, origin, keys)
        except ProofRejected as fault:
            return Fault(largest, f"the checkpoint of {size} leaves: expected {fault.expected}"), largest
        if (checkpoint.size, checkpoint.root) != (size, root):
            return Fault(largest, f"the checkpoint of {size} leaves was signed over another tree"), largest
        largest = size
    return None, largest
