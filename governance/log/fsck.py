"""Whether the log is what it was: every hash again, every checkpoint that was signed, and the one kept outside."""

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from governance.database import ReadUnit
from governance.errors import ProofRejected
from governance.log import journal
from governance.log.checkpoint import Checkpoint, open_checkpoint
from governance.log.publish import extends
from governance.log.tables import LogCheckpointRow
from governance.signing.keys import KeyTimes


class Fault(NamedTuple):
    """The first leaf that is not proved any more, and what is wrong with it."""

    first: int
    what: str


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
