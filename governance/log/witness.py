"""What a witness does: it keeps the last checkpoint it saw, and vouches only for one that extends it."""

import json
from collections.abc import Sequence
from pathlib import Path

from governance.durable import replace_file
from governance.errors import ProofRejected, UsageError
from governance.log.checkpoint import Checkpoint, open_checkpoint, trimmed
from governance.log.merkle import verify_consistency
from governance.signing.keys import KeyTimes


def seen(note: str, origin: str, keys: Sequence[KeyTimes]) -> Checkpoint:
    """The checkpoint of a log, without lines of other witnesses, once a signature of the log holds.

    Raises:
        ProofRejected: it is no checkpoint of this log.
    """
    return open_checkpoint(trimmed(note, origin, keys), origin, keys)


def require_extension(last: Checkpoint | None, new: Checkpoint, hashes: Sequence[bytes]) -> None:
    """Return when ``hashes`` prove the log of ``new`` to begin with that of ``last``; the first is taken as it is.

    Raises:
        ProofRejected: they do not: the log was cut, or tells two stories. Both notes together are the proof of that.
    """
    if last is None or verify_consistency(last.size, new.size, hashes, last.root, new.root):
        return
    shorter = new.size < last.size
    raise ProofRejected(
        expected=f"a log that extends the {last.size} leaves seen before",
        found=f"one of {new.size} leaves" + (" that is shorter" if shorter else " with other leaves"),
        remedy="Keep both checkpoints, tell the other witnesses, and ask the operator of the log.",
    )


def read_last(path: Path, origin: str, keys: Sequence[KeyTimes]) -> Checkpoint | None:
    """The last checkpoint that the witness kept in its file; None where there is no file.

    Raises:
        UsageError: the file cannot be read, or holds no checkpoint of this log.
    """
    try:
        note = path.read_text(encoding="utf-8")
        return seen(note, origin, keys)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as fault:
        raise _no_state(path, type(fault).__name__) from fault
    except ProofRejected as fault:
        raise _no_state(path, fault.found) from fault


def keep_last(path: Path, note: str) -> None:
    """Replace the witness's file at once and durably, before anything is given out that rests on it.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        replace_file(path, note.encode())
    except OSError as fault:
        raise UsageError(
            expected=f"to write {path}",
            found=fault.strerror or type(fault).__name__,
            remedy="Name a file in a folder that can be written.",
        ) from fault


def keep_fork(path: Path, last: Checkpoint | None, new: Checkpoint) -> Path:
    """Write two notes that contradict one another beside the witness's file; gives the new file's path."""
    beside = path.with_name(f"{path.name}.fork-{new.size}-{new.root.hex()[:16]}.json")
    document = {"seen_before": None if last is None else last.note, "seen_now": new.note}
    keep_last(beside, json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    return beside


def _no_state(path: Path, found: str) -> UsageError:
    return UsageError(
        expected=f"the last checkpoint of this log in {path}",
        found=found,
        remedy="Put back the file as the witness wrote it. Starting anew forgets what was seen.",
    )
