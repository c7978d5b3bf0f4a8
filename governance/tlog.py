"""Whether a C2SP ``tlog-proof`` proves a leaf to be in an instance's log, with no server and no database."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from governance.bundle import TLOG_PROOF_HEADER, Trust, tlog_proof
from governance.errors import ProofRejected
from governance.log.checkpoint import Checkpoint, open_checkpoint, witnesses_of
from governance.log.cosignature import Witness
from governance.log.merkle import leaf_hash, verify_inclusion
from governance.signing.dsse import decode

MOST_BYTES = 64 * 2**10
"""A proof in a log of 2**63 leaves with fifty cosignatures is below 16 kB."""

_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class ProvedLeaf:
    """Where a leaf lies, and the checkpoint it is proved in."""

    index: int
    checkpoint: Checkpoint


def verify_tlog_proof(
    content: bytes, leaf: bytes, trust: Trust, *, witnesses: Sequence[Witness] = (), cosignatures: int = 0
) -> ProvedLeaf:
    """The place of ``leaf`` in the instance's log, once ``content`` proves it.

    ``witnesses`` are those whose lines the checkpoint may carry, ``cosignatures`` how many of them it must. No extra
    line is taken, since nothing authenticates it.

    Raises:
        ProofRejected: the text is of another shape or spelling, or a signature or the inclusion does not hold.

    Source: C2SP ``tlog-proof``, "Format".
    """
    try:
        text = content[: MOST_BYTES + 1].decode()
    except UnicodeDecodeError as fault:
        raise _rejected("a tlog-proof", "bytes that are no text") from fault
    head, _, note = text.partition("\n\n")
    header, *lines = head.split("\n")
    match = _INDEX.fullmatch(lines[0]) if lines else None
    if header != TLOG_PROOF_HEADER or match is None or len(lines) > 64:
        raise _rejected("a tlog-proof: header, index, hashes, checkpoint", "text of another shape")
    index, path = int(match[1]), [decode(each, what="a hash of the proof") for each in lines[1:]]
    checkpoint = open_checkpoint(note, trust.origin, trust.log_keys(), witnesses)
    if not verify_inclusion(leaf_hash(leaf), index, checkpoint.size, path, checkpoint.root):
        raise _rejected(f"a proof of this leaf at index {index} in the checkpoint's tree", "one that leads elsewhere")
    found = witnesses_of(checkpoint, witnesses)
    if len(found) < cosignatures:
        raise _rejected(f"cosignatures of {cosignatures} known witnesses", str(len(found)))
    if tlog_proof(index, path, checkpoint) != content:
        raise _rejected("the proof in its one spelling", "another")
    return ProvedLeaf(index, checkpoint)


def _rejected(expected: str, found: str) -> ProofRejected:
    return ProofRejected(expected=expected, found=found, remedy="Do not rely on this proof.")
