"""Cosignatures that witnesses hand back: taken from those the instance knows, and published with their checkpoint."""

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from governance.database import ReadUnit, Unit
from governance.errors import NotFound, ProofRejected
from governance.log.checkpoint import Checkpoint, cosigned, line_of, open_checkpoint, witnesses_of
from governance.log.cosignature import Witness, cosigned_at
from governance.log.tables import LogCheckpointRow, LogCosignatureRow
from governance.signing.keys import KeyTimes

SKEW = timedelta(minutes=5)
"""How far a witness's clock may run ahead of ours."""


def take(unit: Unit, note: str, keys: Sequence[KeyTimes], witnesses: Sequence[Witness], *, origin: str) -> int:
    """Keep the cosignatures in a note that this log signed; how many are new. The first one of a witness stays.

    ``keys`` are the log's own, ``witnesses`` those it knows.

    Raises:
        ProofRejected: the note carries a line of anybody else, or one that does not hold or comes from the future.
        NotFound: the log never signed this checkpoint, or nobody cosigned it.
    """
    checkpoint = open_checkpoint(note, origin, keys, witnesses)
    signed = unit.session.get(LogCheckpointRow, checkpoint.size)
    found = witnesses_of(checkpoint, witnesses)
    if signed is None or signed.root_hash != checkpoint.root or not found:
        raise NotFound(
            expected="a checkpoint that this log signed, with the cosignature of a witness behind its signatures",
            found=f"one of {checkpoint.size} leaves with {len(found)} cosignatures",
            remedy="Cosign what GET /v1/log/checkpoint gives.",
            pointer="/note",
        )
    lines = {each.text: line_of(checkpoint, each.key_hash) for each in found}
    for each in found:
        moment = cosigned_at(checkpoint.body, lines[each.text].signature, each)
        if moment > (unit.now + SKEW).timestamp():
            raise ProofRejected(
                expected=f"a cosignature made by {unit.now:%Y-%m-%dT%H:%M:%SZ}",
                found=f"one of {moment} seconds since 1970",
                remedy="Set the witness's clock.",
                pointer="/note",
            )
    known = set(_lines(unit, checkpoint.size))
    new = [each for each in found if each.text not in known]
    for each in new:
        unit.session.add(
            LogCosignatureRow(
                tree_size=checkpoint.size, witness=each.text, line=lines[each.text].text, received_at=unit.now
            )
        )
    unit.session.flush()
    return len(new)


def published(unit: Unit | ReadUnit, checkpoint: Checkpoint, witnesses: Sequence[Witness]) -> Checkpoint:
    """The checkpoint with the cosignatures that were handed back by witnesses still known."""
    kept = _lines(unit, checkpoint.size)
    return cosigned(checkpoint, [kept[each.text] for each in witnesses if each.text in kept], witnesses)


def newest_cosigned(
    unit: Unit | ReadUnit, keys: Sequence[KeyTimes], witnesses: Sequence[Witness], at_least: int, *, origin: str
) -> Checkpoint | None:
    """The newest checkpoint that at least so many known witnesses cosigned, with their lines; None where none is."""
    names = [each.text for each in witnesses]
    size = unit.session.scalar(
        sa.select(LogCosignatureRow.tree_size)
        .where(LogCosignatureRow.witness.in_(names))
        .group_by(LogCosignatureRow.tree_size)
        .having(sa.func.count() >= at_least)
        .order_by(LogCosignatureRow.tree_size.desc())
        .limit(1)
    )
    if size is None:
        return None
    note = unit.session.scalars(sa.select(LogCheckpointRow.note).where(LogCheckpointRow.tree_size == size)).one()
    return published(unit, open_checkpoint(note, origin, keys), witnesses)


def _lines(unit: Unit | ReadUnit, size: int) -> dict[str, str]:
    """Witness to line, of the cosignatures under the checkpoint of ``size`` leaves."""
    rows = unit.session.execute(
        sa.select(LogCosignatureRow.witness, LogCosignatureRow.line).where(LogCosignatureRow.tree_size == size)
    )
    return {witness: line for witness, line in rows}  # noqa: C416 - dict(rows) loses the types
