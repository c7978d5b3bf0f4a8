"""Changing the instance's signing keys: each change is a leaf of the log, and the ring is replaced with its commit."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from governance.canonical import canonical
from governance.clock import rfc3339
from governance.database import Database, Unit
from governance.errors import InputRefused
from governance.log import journal
from governance.log.checkpoint import sign_checkpoint
from governance.log.journal import Leaf
from governance.log.publish import add_checkpoint, keep, require_extended, require_newest
from governance.log.tables import LogCheckpointRow, LogEntryRow, LogKeyRow
from governance.signing.keys import KeyRing, KeyTimes, SigningKey
from governance.signing.rings import Purpose, compromised, key_fact, purpose_of, rotated
from governance.signing.stores import KeyStore


@dataclass(frozen=True, slots=True)
class Place:
    """What a change of keys is made in: the database, the store of keys, and the log's name and kept checkpoint."""

    database: Database
    keys: KeyStore
    origin: str
    kept: Path


def rotate(place: Place, purpose: Purpose, *, actor: str) -> KeyRing:
    """Make a new key for ``purpose``; the earlier one stays trusted for what it signed.

    At a rotation of the checkpoint key both sign the next checkpoint, so that whoever knows the earlier key alone can
    follow, and the earlier key is trusted for no larger tree.

    Raises:
        ProofRejected: the log does not extend the last checkpoint signed. UsageError: the keys cannot be replaced.
    """
    with place.database.unit() as unit:
        journal.lock(unit)
        before = place.keys.ring()
        _require_current(unit, place, before, purpose)
        ring = _follow(unit, before, purpose, actor=actor)
        if purpose == "checkpoint":
            _sign(unit, place, before.checkpoint, ring.checkpoint)
        # As late as can be. If the commit fails now, a key is in use that the log does not name, and nothing is lost.
        place.keys.replace(ring)
    return ring


def compromise(place: Place, keyid: str, *, since: datetime, actor: str) -> KeyRing:
    """Take back the trust in what a key signed from ``since`` on; a key in use is followed by a new one at once.

    A signature tells its own time, so the log's order bounds it too: a decision key loses every leaf that was appended
    since, a checkpoint key every tree larger than the last one signed before.

    Raises:
        NotFound: the instance has no such key. InputRefused: ``since`` lies in the future.
        ProofRejected: the log does not extend the last checkpoint signed. UsageError: the keys cannot be replaced.
    """
    with place.database.unit() as unit:
        journal.lock(unit)
        if since > unit.now:
            raise InputRefused(
                expected=f"an instant up to now, {rfc3339(unit.now)}",
                found=rfc3339(since),
                remedy="Say since when the key was in other hands.",
            )
        before = place.keys.ring()
        purpose = purpose_of(before, keyid)
        leaves = _first_leaf_since(unit, since) if purpose == "decision" else _largest_before(unit, since)
        in_use = keyid in {before.decision.keyid, before.checkpoint.keyid}
        _require_current(unit, place, before, purpose)
        following = _follow(unit, before, purpose, actor=actor) if in_use else before
        ring = compromised(following, keyid, since=since, leaves=leaves)
        keys = ring.decision_keys if purpose == "decision" else ring.checkpoint_keys
        _record(unit, "compromised", purpose, next(each for each in keys if each.key.keyid == keyid), actor=actor)
        if purpose == "checkpoint":
            # The newest checkpoint may bear a line of this key; the next one bears none.
            _sign(unit, place, ring.checkpoint)
        place.keys.replace(ring)
    return ring


def _require_current(unit: Unit, place: Place, ring: KeyRing, purpose: Purpose) -> None:
    """Return when the ring holds the newest key for ``purpose`` and the log extends what was signed."""
    require_newest(unit, purpose, (ring.decision if purpose == "decision" else ring.checkpoint).public)
    require_extended(unit, ring, journal.size(unit), origin=place.origin, kept=place.kept)


def _follow(unit: Unit, ring: KeyRing, purpose: Purpose, *, actor: str) -> KeyRing:
    """The ring with a fresh key for ``purpose``, and the leaf that says so."""
    bound = journal.size(unit) + 1 if purpose == "checkpoint" else None
    following = rotated(ring, purpose, SigningKey.generate(), now=unit.now, leaves=bound)
    keys = following.decision_keys if purpose == "decision" else following.checkpoint_keys
    _record(unit, "rotated", purpose, keys[-1], actor=actor)
    return following


def _record(
    unit: Unit, act: Literal["rotated", "compromised"], purpose: Purpose, times: KeyTimes, *, actor: str
) -> None:
    body = canonical({"kind": f"key.{act}/v1", "purpose": purpose, "key": key_fact(times)})
    (index,) = journal.append(unit, [Leaf("key", body)])
    unit.session.add(
        LogKeyRow(
            log_index=index,
            purpose=purpose,
            act=act,
            keyid=times.key.keyid,
            actor=actor,
            changed_at=unit.now,
        )
    )
    unit.session.flush()


def _sign(unit: Unit, place: Place, *keys: SigningKey) -> None:
    """Sign the log as this unit leaves it; the file follows the commit, since the leaf is not committed before."""
    size = journal.size(unit)
    signed = sign_checkpoint(place.origin, size, journal.root(unit, size), *keys)
    add_checkpoint(unit, signed)
    unit.after_commit(lambda: keep(place.kept, signed.note))


def _first_leaf_since(unit: Unit, since: datetime) -> int:
    first = unit.session.scalar(sa.select(sa.func.min(LogEntryRow.index)).where(LogEntryRow.recorded_at >= since))
    return journal.size(unit) if first is None else first


def _largest_before(unit: Unit, since: datetime) -> int:
    largest = unit.session.scalar(
        sa.select(sa.func.max(LogCheckpointRow.tree_size)).where(LogCheckpointRow.signed_at < since)
    )
    return largest or 0
