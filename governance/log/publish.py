"""Signing what the log says, and never two stories: each checkpoint extends the last one signed.

The last one is kept in the database and in a file outside it, so that a database put back from a backup, or cut, is
noticed before a second story about the same leaves is signed.
"""

from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from governance.database import Database, ReadUnit, Unit
from governance.durable import replace_file
from governance.errors import AssayError, InputRefused, ProofRejected, StorageUnavailable
from governance.log import journal
from governance.log.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from governance.log.merkle import verify_consistency
from governance.log.tables import LogCheckpointRow, LogKeyRow
from governance.signing.keys import KeyRing, KeyTimes, PublicKey
from governance.signing.stores import KeyStore


def publish(database: Database, keys: KeyStore, *, origin: str, kept: Path) -> Checkpoint:
    """A signed checkpoint of the log as it is committed now; the last one again when nothing was appended since.

    Called after commit of what was appended, in a unit of its own. ``kept`` is the file outside the database, usually
    ``<home>/checkpoint``; where it is absent, one is written.

    Raises:
        ProofRejected: the log does not extend the last checkpoint signed, in the database or in the file, or another
            key follows this one; nothing is signed.
        StorageUnavailable: the file or the database cannot be written; nothing is given out.
    """
    with database.unit() as unit:
        journal.lock(unit)
        # Asked for under the lock, so that nobody signs with a key that was rotated out while they waited.
        ring = keys.ring()
        require_newest(unit, "checkpoint", ring.checkpoint.public)
        size = journal.size(unit)
        last, outside = require_extended(unit, ring, size, origin=origin, kept=kept)
        if last is not None and last.size == size:
            signed = last
        else:
            signed = sign_checkpoint(origin, size, journal.root(unit, size), ring.checkpoint)
            add_checkpoint(unit, signed)
        # Before the commit: the file may run ahead of this table, since its leaves are committed, but never behind
        # what was given out.
        if outside is None or outside.note != signed.note:
            keep(kept, signed.note)
    return signed


def add_checkpoint(unit: Unit, signed: Checkpoint) -> None:
    """Store a checkpoint that was signed over the log of this unit."""
    unit.session.add(
        LogCheckpointRow(tree_size=signed.size, root_hash=signed.root, note=signed.note, signed_at=unit.now)
    )
    unit.session.flush()


def require_extended(
    unit: Unit, ring: KeyRing, size: int, *, origin: str, kept: Path
) -> tuple[Checkpoint | None, Checkpoint | None]:
    """The last checkpoints in the database and in the file, once the log of ``size`` leaves is proved to extend both.

    Raises:
        ProofRejected: it does not.
    """
    last = latest(unit, ring.own_checkpoint_keys, origin=origin)
    outside = kept_checkpoint(kept, ring.own_checkpoint_keys, origin=origin)
    for earlier in (last, outside):
        if earlier is not None:
            _require_extension(unit, earlier, size)
    return last, outside


def require_newest(unit: Unit | ReadUnit, purpose: str, key: PublicKey) -> None:
    """Return when no other key followed this one.

    A process that started before a rotation may still hold the earlier key in its environment.

    Raises:
        ProofRejected: another key was made for this purpose later.
    """
    newest = unit.session.scalar(
        sa.select(LogKeyRow.keyid)
        .where(LogKeyRow.purpose == purpose, LogKeyRow.act == "rotated")
        .order_by(LogKeyRow.log_index.desc())
        .limit(1)
    )
    if newest is not None and newest != key.keyid:
        raise ProofRejected(
            expected=f"the {purpose} key {newest}, the last one that was made",
            found=f"the key {key.keyid}",
            remedy="Start this process again with the keys that the rotation wrote.",
        )


def latest(unit: Unit | ReadUnit, keys: Sequence[KeyTimes], *, origin: str) -> Checkpoint | None:
    """The last checkpoint that was signed and stored; None before the first.

    Raises:
        ProofRejected: what is stored was not signed by ``keys`` for ``origin``.
    """
    note = unit.session.scalar(sa.select(LogCheckpointRow.note).order_by(LogCheckpointRow.tree_size.desc()).limit(1))
    return None if note is None else open_checkpoint(note, origin, keys)


def _require_extension(unit: Unit, earlier: Checkpoint, size: int) -> None:
    if extends(unit, earlier, size):
        return
    raise ProofRejected(
        expected=f"the log to extend the checkpoint of {earlier.size} leaves that was signed before",
        found=f"a log of {size} leaves" + (" that is shorter" if size < earlier.size else " with other leaves"),
        remedy="Put back the newest copy of the database that goes with these keys.",
    )


def extends(unit: Unit | ReadUnit, earlier: Checkpoint, size: int) -> bool:
    """Whether the log's first ``size`` leaves begin with the tree of an earlier checkpoint."""
    try:
        proof = journal.consistency(unit, earlier.size, size)
        present = journal.root(unit, size)
    except InputRefused:  # it is shorter, or hashes that a proof needs are gone
        return False
    return verify_consistency(earlier.size, size, proof, earlier.root, present)


def kept_checkpoint(path: Path, keys: Sequence[KeyTimes], *, origin: str) -> Checkpoint | None:
    """The last checkpoint in the file outside the database; None when there is no file.

    Raises:
        ProofRejected: what the file holds was not signed by ``keys`` for ``origin``.
        StorageUnavailable: the file cannot be read.
    """
    try:
        note = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as fault:
        raise _file_fault(path, fault) from fault
    try:
        return open_checkpoint(note, origin, keys)
    except AssayError as fault:
        raise ProofRejected(
            expected=f"the last checkpoint of {origin} in {path}",
            found=fault.found,
            remedy="Put back the file, the keys and the origin that belong together.",
        ) from fault


def keep(path: Path, note: str) -> None:
    """Replace the file at once and durably: a crash leaves the old note or the new one, never half of one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, note.encode())
    except OSError as fault:
        raise _file_fault(path, fault) from fault


def _file_fault(path: Path, fault: Exception) -> StorageUnavailable:
    return StorageUnavailable(
        expected=f"to read and write the last checkpoint in {path}",
        found=getattr(fault, "strerror", None) or type(fault).__name__,
        remedy="Mend the folder's permissions or space.",
    )
