"""The keys of an instance over time: how one follows another, and how they are written into a folder.

A ring is written as private keys (PEM) and one document of public facts, ``ring.json``: every key since the first and
what it is trusted for. The facts are needed long after the private half of an earlier key is gone.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field

from governance.canonical import canonical, read_json
from governance.clock import Clock, rfc3339, system_clock
from governance.errors import AssayError, NotFound, UsageError
from governance.signing.keys import (
    KeyRing,
    KeyTimes,
    PublicKey,
    SigningKey,
    load_key,
    no_signing_key,
    read_private,
    store_key,
    write_once,
)
from governance.types.value import Value, parse_value

RING_FILE = "ring.json"
FIRST_FILES = ("decision.pem", "checkpoint.pem")

OVERLAP = timedelta(minutes=5)
"""How long before a rotation the new key holds, and how long after it the earlier one: a decision under way bears the
moment it began, and the clocks of an instance's machines differ."""

Purpose = Literal["decision", "checkpoint"]
"""What a key signs: decisions, or the log's checkpoints."""


def create_ring(folder: Path, *, clock: Clock = system_clock) -> KeyRing:
    """A fresh pair of keys in ``folder``, valid from now on.

    Raises:
        UsageError: keys are there already.
    """
    # Cut to the second, and so never later than the first decision that is signed with the keys.
    now = clock().astimezone(UTC).replace(microsecond=0)
    ring = KeyRing.of(SigningKey.generate(), SigningKey.generate(), now)
    store_ring(folder, ring)
    return ring


def store_ring(folder: Path, ring: KeyRing) -> None:
    """Write a ring into a folder that holds none.

    Raises:
        UsageError: keys are there already, or the folder cannot be written.
    """
    if any((folder / name).exists() for name in (*FIRST_FILES, RING_FILE)):
        raise UsageError(
            expected=f"no keys in {folder}",
            found="keys that decisions may already be signed with",
            remedy="Use them, or name another folder.",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    store_key(folder / FIRST_FILES[0], ring.decision)
    store_key(folder / FIRST_FILES[1], ring.checkpoint)
    write_once(folder / RING_FILE, canonical(ring_facts(ring)))


def open_ring(folder: Path) -> KeyRing:
    """The keys in ``folder``.

    Raises:
        UsageError: they are absent, others may read them, or the files do not belong together.
    """
    path = folder / RING_FILE
    content = read_private(path)
    decision, checkpoint = _current_ids(content, place=str(path))
    return ring_of(
        content, _open_key(folder, "decision", decision), _open_key(folder, "checkpoint", checkpoint), place=str(path)
    )


def rotated(ring: KeyRing, purpose: Purpose, key: SigningKey, *, now: datetime, leaves: int | None = None) -> KeyRing:
    """The ring in which ``key`` follows the key in use for ``purpose``.

    The new key holds from ``OVERLAP`` before ``now``, the earlier one until ``OVERLAP`` after it. ``leaves`` is the
    largest tree whose checkpoint the earlier checkpoint key signs; None for decisions.
    """
    now = now.astimezone(UTC).replace(microsecond=0)
    keys = ring.decision_keys if purpose == "decision" else ring.checkpoint_keys
    earlier = keys[-1]
    bounds = [each for each in (earlier.leaves, leaves) if each is not None]
    ended = replace(earlier, valid_until=now + OVERLAP, leaves=min(bounds, default=None))
    following = (*keys[:-1], ended, KeyTimes(key.public, now - OVERLAP))
    if purpose == "decision":
        return replace(ring, decision=key, decision_keys=following)
    return replace(ring, checkpoint=key, checkpoint_keys=following)


def compromised(ring: KeyRing, keyid: str, *, since: datetime, leaves: int) -> KeyRing:
    """The ring in which the signatures of a key count for nothing from ``since`` on, or beyond ``leaves`` leaves.

    What was said of the key before is never made milder: the earlier instant and the fewer leaves hold.

    Raises:
        NotFound: no key of the ring has this id.
    """
    since = since.astimezone(UTC)

    def ended(times: KeyTimes) -> KeyTimes:
        if times.key.keyid != keyid:
            return times
        instants = [each for each in (times.compromised_since, since) if each is not None]
        bounds = [each for each in (times.leaves, leaves) if each is not None]
        return replace(times, compromised_since=min(instants), leaves=min(bounds))

    purpose_of(ring, keyid)
    return replace(
        ring,
        decision_keys=tuple(ended(each) for each in ring.decision_keys),
        checkpoint_keys=tuple(ended(each) for each in ring.checkpoint_keys),
    )


def purpose_of(ring: KeyRing, keyid: str) -> Purpose:
    """What the key with this id signs or signed.

    Raises:
        NotFound: no key of the ring has this id.
    """
    if any(each.key.keyid == keyid for each in ring.decision_keys):
        return "decision"
    if any(each.key.keyid == keyid for each in ring.checkpoint_keys):
        return "checkpoint"
    raise NotFound(
        expected="the id of a key that this instance signs or signed with",
        found=repr(keyid[:80]),
        remedy="Look the id up in GET /v1/trust or with `assay keys trust`.",
    )


def ring_facts(ring: KeyRing) -> dict[str, object]:
    """The public facts of a ring as JSON: every key since the first and what it is trusted for."""
    return {
        "kind": "assay.keys/v2",
        "decision": [key_fact(each) for each in ring.decision_keys],
        "checkpoint": [key_fact(each) for each in ring.checkpoint_keys],
    }


class _Fact(Value):
    keyid: str
    public: str
    valid_from: datetime
    valid_until: datetime | None = None
    compromised_since: datetime | None = None
    leaves: int | None = Field(None, ge=0)

    def times(self) -> KeyTimes:
        key = PublicKey.from_pem(self.public)
        return KeyTimes(key, self.valid_from, self.valid_until, self.compromised_since, self.leaves)


class _Facts(Value):
    kind: Literal["assay.keys/v2"]
    decision: tuple[_Fact, ...] = Field(min_length=1)
    checkpoint: tuple[_Fact, ...] = Field(min_length=1)


class _FirstFacts(Value):
    """The facts as they were written before keys could be rotated."""

    kind: Literal["assay.keys/v1"]
    decision: str
    checkpoint: str
    valid_from: datetime


def key_fact(times: KeyTimes) -> dict[str, object]:
    """What is public of a key, and what it is trusted for, as JSON."""
    instants = {"valid_until": times.valid_until, "compromised_since": times.compromised_since}
    return {
        "keyid": times.key.keyid,
        "public": times.key.pem,
        "valid_from": rfc3339(times.valid_from),
        **{name: rfc3339(instant) for name, instant in instants.items() if instant is not None},
        **({} if times.leaves is None else {"leaves": times.leaves}),
    }


def _read_facts(content: bytes, *, place: str) -> _Facts | _FirstFacts:
    try:
        raw = read_json(content)
        first = isinstance(raw, dict) and raw.get("kind") == "assay.keys/v1"
        what = "the facts of a ring of keys"
        return parse_value(_FirstFacts, raw, what=what) if first else parse_value(_Facts, raw, what=what)
    except AssayError as fault:
        raise no_signing_key(place, "a file that this version did not write") from fault


def _current_ids(content: bytes, *, place: str) -> tuple[str, str]:
    facts = _read_facts(content, place=place)
    if isinstance(facts, _FirstFacts):
        return facts.decision, facts.checkpoint
    return facts.decision[-1].keyid, facts.checkpoint[-1].keyid


def ring_of(content: bytes, decision: SigningKey, checkpoint: SigningKey, *, place: str) -> KeyRing:
    """The ring of these facts and private keys, once they are found to belong together; ``place`` is where they lie.

    Raises:
        UsageError: the facts are unreadable, or name other keys.
    """
    facts = _read_facts(content, place=place)
    try:
        if isinstance(facts, _FirstFacts):
            ring = KeyRing.of(decision, checkpoint, facts.valid_from)
        else:
            ring = KeyRing(
                decision,
                checkpoint,
                tuple(each.times() for each in facts.decision),
                tuple(each.times() for each in facts.checkpoint),
            )
    except AssayError as fault:
        raise no_signing_key(place, "a file that this version did not write") from fault
    ids = [each.key.keyid for each in (*ring.decision_keys, *ring.checkpoint_keys)]
    signed = (ring.decision_keys[-1].key.keyid, ring.checkpoint_keys[-1].key.keyid)
    named = signed == (decision.keyid, checkpoint.keyid) == _current_ids(content, place=place)
    following = all(_are_following(keys) for keys in (ring.decision_keys, ring.checkpoint_keys))
    if not named or not following or len(set(ids)) != len(ids) or not _is_told_again(facts, ring):
        raise no_signing_key(place, "the ids of other keys than those beside it")
    return ring


def _are_following(keys: tuple[KeyTimes, ...]) -> bool:
    """Whether each key has ended but the last, which is in use."""
    return keys[-1].ends is None and all(each.ends is not None for each in keys[:-1])


def _is_told_again(facts: _Facts | _FirstFacts, ring: KeyRing) -> bool:
    """Whether every fact follows from the ring that was made of them."""
    return isinstance(facts, _FirstFacts) or facts == parse_value(_Facts, ring_facts(ring), what="facts")


def file_name(purpose: str, keyid: str) -> str:
    """The name of the file that the private half of a later key lies in."""
    return f"{purpose}-{keyid[:16]}.pem"


def private_key(folder: Path, purpose: str, keyid: str) -> SigningKey | None:
    """The private half of a key, from the file of its own or the one that the first key lies in; None if in neither."""
    for path in (folder / file_name(purpose, keyid), folder / f"{purpose}.pem"):
        if path.exists():
            key = load_key(path)
            if key.keyid == keyid:
                return key
    return None


def _open_key(folder: Path, purpose: str, keyid: str) -> SigningKey:
    """The key in use for ``purpose``; where it is missing, the fault says what lies in its place."""
    found = private_key(folder, purpose, keyid)
    return found or load_key(folder / f"{purpose}.pem")
