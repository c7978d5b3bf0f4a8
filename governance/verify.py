"""Whether a decision's bundle proves what it says, with no server and no database.

The steps are listed, then done in that order; the first that does not hold ends it. Nothing is taken from the bundle
on its own word: what a field says is computed again from the trusted keys and compared.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from governance.bundle import BUNDLE_TYPE, Trust, decision_bundle, decision_leaf, trusted_root
from governance.canonical import canonical, read_json
from governance.clock import rfc3339
from governance.errors import AssayError, ProofRejected
from governance.log.checkpoint import Checkpoint, open_checkpoint, read_verifier_key, signer_of, witnesses_of
from governance.log.cosignature import Witness
from governance.log.merkle import leaf_hash, verify_inclusion
from governance.signing.dsse import Envelope, decode, verify
from governance.signing.keys import KeyTimes
from governance.signing.statement import SignedDecision, read_decision
from governance.types.results import Verdict
from governance.types.value import Value, parse_value

STEPS = {
    "json": "The file is one JSON value with unique keys.",
    "canonical": "The file is in its one canonical spelling.",
    "media_type": "It is a Sigstore bundle v0.3.",
    "shape": "It holds one envelope with one signature, one log entry and no unknown field.",
    "key": "The signing key is one of the instance's.",
    "signature": "The signature over the payload holds.",
    "statement": "The payload is a decision whose standard fields follow from it.",
    "origin": "The decision was taken by this instance, while the key was valid.",
    "leaf": "The log's leaf is this decision's.",
    "checkpoint": "The checkpoint was signed by the instance's log.",
    "inclusion": "The leaf is in the checkpoint's tree.",
    "place": "The log took the leaf while the signing key was trusted.",
    "fields": "Every other field says the same.",
    "witnesses": "At least so many of the known witnesses cosigned the checkpoint.",
    "subject": "The decision is about this model.",
    "environment": "The decision is for this environment.",
    "validity": "The decision holds at this time.",
}
"""Each step's name and what it proves, in the order they are done."""

MAX_BUNDLE_BYTES = 8 * 2**20
"""A bundle of a policy with a hundred checks is below 100 kB; what is far beyond is not read."""

SKEW = timedelta(minutes=5)
"""How far the clocks of the instance and the verifier may differ before a decision comes from the future."""

Count = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,18})$")]


class _Wire(Value):
    model_config = ConfigDict(alias_generator=to_camel)


class _Note(_Wire):
    envelope: str


class _InclusionProof(_Wire):
    log_index: Count
    root_hash: str
    tree_size: Count
    hashes: tuple[str, ...] = Field(max_length=64)
    checkpoint: _Note


class _LogId(_Wire):
    key_id: str


class _KindVersion(_Wire):
    kind: str
    version: str


class _Entry(_Wire):
    log_index: Count
    log_id: _LogId
    kind_version: _KindVersion
    inclusion_proof: _InclusionProof
    canonicalized_body: str


class _KeyHint(_Wire):
    hint: str


class _Material(_Wire):
    public_key: _KeyHint
    tlog_entries: tuple[_Entry, ...] = Field(min_length=1, max_length=1)


class _Bundle(_Wire):
    media_type: Literal["application/vnd.dev.sigstore.bundle.v0.3+json"]
    verification_material: _Material
    dsse_envelope: Envelope


@dataclass(frozen=True, slots=True)
class VerifiedDecision:
    """What a bundle proved: the decision, who signed it, where the log holds it, and the steps that were done."""

    decision: SignedDecision
    keyid: str
    index: int
    checkpoint: Checkpoint
    steps: tuple[str, ...]


def read_trust(content: bytes) -> Trust:
    """The trust in a file's bytes, once its parts are found to agree.

    Raises:
        MalformedBody: it is not JSON.
        InputRefused: it is not a trust file.
        ProofRejected: a key id, the origin or the trusted root says something else than the keys.
    """
    trust = parse_value(Trust, read_json(content), what="a trust file")
    if not _parts_agree(trust):
        raise ProofRejected(
            expected="a trust file whose key ids, origin and trusted root follow from its keys",
            found="parts that disagree",
            remedy="Get the file from the instance again, over a channel you trust.",
        )
    return trust


def _parts_agree(trust: Trust) -> bool:
    """Whether key ids, names, times and the trusted root follow from the keys, and no key serves two purposes."""
    log_keys = trust.log_keys()
    names = {read_verifier_key(each.vkey)[0] for each in (*trust.earlier_checkpoint_keys, trust.checkpoint_key)}
    ids = [each.key.keyid for each in log_keys] + [each.keyid for each in trust.decision_keys]
    return (
        all(each.key.keyid == each.keyid and each.key.pem == each.pem for each in trust.decision_keys)
        and len(set(ids)) == len(ids)
        and names == {trust.origin}
        and trust.sigstore_trusted_root == trusted_root(trust.origin, log_keys)
    )


def verify_bundle(
    content: bytes,
    trust: Trust,
    *,
    witnesses: Sequence[Witness] = (),
    cosignatures: int = 0,
    subject_digest: str | None = None,
    environment: str | None = None,
    at: datetime | None = None,
) -> VerifiedDecision:
    """The decision in ``content``, once every step of ``STEPS`` holds.

    A step whose value is left out (``subject_digest``, ``environment``, ``at``, ``cosignatures``) is not done, and not
    listed in the result. ``witnesses`` are those whose cosignatures the checkpoint may carry, and ``cosignatures`` is
    how many of them it must. ``at`` lies in ``[evaluated_at, valid_until)`` of a decision that has an end. The verdict
    is not judged: the proof of a deny holds too.

    Raises:
        ProofRejected: a step does not hold; ``pointer`` names it.
    """
    done: list[str] = []
    bundle = _opened(content, done)
    decision, key = _signed(bundle, trust, done)
    index, checkpoint = _logged(content, bundle, key, witnesses, trust=trust, done=done)
    if cosignatures:
        with _step(done, "witnesses"):
            _require_witnessed(checkpoint, witnesses, cosignatures)
    if subject_digest is not None:
        with _step(done, "subject"):
            _require(decision.subject.digest == subject_digest, subject_digest, decision.subject.digest)
    if environment is not None:
        with _step(done, "environment"):
            _require(decision.environment == environment, repr(environment), repr(decision.environment))
    if at is not None:
        with _step(done, "validity"):
            _holds_at(decision, at)
    return VerifiedDecision(decision, key.key.keyid, index, checkpoint, tuple(done))


def _opened(content: bytes, done: list[str]) -> _Bundle:
    """The bundle in the file, in its one spelling and shape; nothing in it is believed yet."""
    with _step(done, "json"):
        _require(len(content) <= MAX_BUNDLE_BYTES, f"at most {MAX_BUNDLE_BYTES} bytes", f"{len(content)} bytes")
        raw: Any = read_json(content)
    with _step(done, "canonical"):
        _require(canonical(raw) == content, "the RFC 8785 form of the bundle", "another spelling")
    with _step(done, "media_type"):
        found = raw.get("mediaType") if isinstance(raw, dict) else None
        _require(found == BUNDLE_TYPE, BUNDLE_TYPE, repr(found)[:120])
    with _step(done, "shape"):
        return parse_value(_Bundle, raw, what="a bundle")


def _signed(bundle: _Bundle, trust: Trust, done: list[str]) -> tuple[SignedDecision, KeyTimes]:
    """The decision that the envelope holds, and the key that signed it."""
    envelope = bundle.dsse_envelope
    with _step(done, "key"):
        key = _signing_key(trust, envelope.signatures[0].keyid)
    with _step(done, "signature"):
        payload = verify(envelope, {key.key.keyid: key.key})
    with _step(done, "statement"):
        decision = read_decision(payload)
    with _step(done, "origin"):
        _from_this_instance(decision, trust, key)
    return decision, key


def _logged(
    content: bytes, bundle: _Bundle, key: KeyTimes, witnesses: Sequence[Witness], *, trust: Trust, done: list[str]
) -> tuple[int, Checkpoint]:
    """The leaf's place in the log, and the checkpoint it is proved in."""
    entry, envelope, log_keys = bundle.verification_material.tlog_entries[0], bundle.dsse_envelope, trust.log_keys()
    proof, index = entry.inclusion_proof, int(entry.inclusion_proof.log_index)
    with _step(done, "leaf"):
        leaf = decision_leaf(envelope, key.key)
        logged = decode(entry.canonicalized_body, what="the leaf")
        _require(logged == leaf, "the leaf of this envelope and key", "another leaf")
    with _step(done, "checkpoint"):
        checkpoint = open_checkpoint(proof.checkpoint.envelope, trust.origin, log_keys, witnesses)
    with _step(done, "inclusion"):
        path = [decode(each, what="a hash of the proof") for each in proof.hashes]
        proved = verify_inclusion(leaf_hash(leaf), index, checkpoint.size, path, checkpoint.root)
        _require(proved, f"a proof of leaf {index} in the checkpoint's tree", "one that leads elsewhere")
    with _step(done, "place"):
        _require(
            key.covers(index + 1), f"a leaf among the first {key.leaves}, for which the key is trusted", f"{index}"
        )
    with _step(done, "fields"):
        log_key = signer_of(checkpoint, log_keys)
        again = decision_bundle(
            envelope, key.key, index=index, inclusion=path, checkpoint=checkpoint, checkpoint_key=log_key
        )
        _require(again == content, "every field to follow from the decision and the checkpoint", "one that differs")
    return index, checkpoint


def _require_witnessed(checkpoint: Checkpoint, witnesses: Sequence[Witness], cosignatures: int) -> None:
    found = witnesses_of(checkpoint, witnesses)
    names = ", ".join(each.name for each in found) or "none"
    _require(len(found) >= cosignatures, f"cosignatures of {cosignatures} known witnesses", f"{len(found)}: {names}")


def _signing_key(trust: Trust, keyid: str) -> KeyTimes:
    keys = trust.decision_times()
    _require(keyid in keys, f"a key of {trust.origin}", f"the key id {keyid[:80]!r}")
    return keys[keyid]


def _from_this_instance(decision: SignedDecision, trust: Trust, key: KeyTimes) -> None:
    _require(decision.origin == trust.origin, f"a decision of {trust.origin}", f"one of {decision.origin[:120]!r}")
    until = "" if key.ends is None else f" and before {rfc3339(key.ends)}"
    _require(
        key.holds_at(decision.evaluated_at),
        f"a decision since {rfc3339(key.valid_from)}{until}, while its key was valid",
        f"one of {rfc3339(decision.evaluated_at)}",
    )


def _holds_at(decision: SignedDecision, at: datetime) -> None:
    _require(
        decision.evaluated_at <= at + SKEW,
        f"a decision taken before {rfc3339(at)}",
        f"one of {rfc3339(decision.evaluated_at)}",
    )
    ends = decision.valid_until
    # What lets a model live must have an end; a deny needs none.
    _require(ends is not None or decision.verdict is not Verdict.ALLOW, "an allow with an end", "one without")
    _require(
        ends is None or at < ends,
        f"a decision that holds at {rfc3339(at)}",
        f"one that ended at {rfc3339(ends) if ends else ''}",
    )


def _require(holds: bool, expected: str, found: str) -> None:
    if not holds:
        raise ProofRejected(expected=expected, found=found, remedy="Do not rely on this decision.")


@contextmanager
def _step(done: list[str], name: str) -> Iterator[None]:
    """Note the step as done, or refuse the bundle in its name."""
    try:
        yield
    except AssayError as fault:
        place = f" at {fault.pointer}" if fault.pointer else ""
        raise ProofRejected(
            expected=fault.expected,
            found=f"{fault.found}{place}",
            remedy="Do not rely on this decision.",
            pointer=name,
        ) from fault
    done.append(name)
