"""A decision's proof as files that other people's tools read: the Sigstore bundle, and whom to trust.

Everything here is a pure function of values; ``governance.verify`` is the other direction.

Source: Sigstore ``bundle.proto`` v0.3, ``trustroot.proto`` v0.1 and Rekor's ``dsse`` 0.0.2 record, in their JSON forms.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, JsonValue

from governance.canonical import canonical
from governance.clock import rfc3339
from governance.errors import InputRefused
from governance.log.checkpoint import Checkpoint, key_digest, read_verifier_key, verifier_key
from governance.signing.dsse import Envelope, decode, encode
from governance.signing.keys import KeyRing, KeyTimes, PublicKey
from governance.types.value import Value

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
TRUSTED_ROOT_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
TLOG_PROOF_HEADER = "c2sp.org/tlog-proof@v1"
LEAF_KIND = "dsse"
LEAF_VERSION = "0.0.2"
KEY_DETAILS = "PKIX_ED25519"


class _Times(Value):
    """What a key is trusted for; see ``KeyTimes``."""

    valid_from: datetime
    valid_until: datetime | None = None
    compromised_since: datetime | None = None
    leaves: int | None = Field(None, ge=0)

    def times_of(self, key: PublicKey) -> KeyTimes:
        """The same, with the key itself."""
        return KeyTimes(key, self.valid_from, self.valid_until, self.compromised_since, self.leaves)


class DecisionKey(_Times):
    """A key that decisions are or were signed with, and when."""

    keyid: str
    pem: str

    @property
    def key(self) -> PublicKey:
        """The key itself."""
        return PublicKey.from_pem(self.pem)


class CheckpointKey(_Times):
    """A key that checkpoints are or were signed with, as a signed note's verifier key, and when."""

    vkey: str


class Trust(Value):
    """Whom a verifier trusts: one instance, named by its log's origin, and its keys. The file ``trust.json``.

    Every key since the first is in it, oldest first, so that old decisions stay verifiable; ``checkpoint_key`` is the
    one in use. ``sigstore_trusted_root`` says the same for tools of the Sigstore kind; they take the decision keys
    beside it.
    """

    kind: Literal["assay.trust/v1"] = "assay.trust/v1"
    origin: str
    decision_keys: tuple[DecisionKey, ...] = Field(min_length=1)
    checkpoint_key: CheckpointKey
    earlier_checkpoint_keys: tuple[CheckpointKey, ...] = ()
    sigstore_trusted_root: dict[str, JsonValue]

    def content(self) -> bytes:
        """The file's bytes."""
        return canonical(self.document())

    def keys(self) -> dict[str, PublicKey]:
        """Key id to key, of those that sign or signed decisions."""
        return {each.keyid: each.key for each in self.decision_keys}

    def decision_times(self) -> dict[str, KeyTimes]:
        """Key id to what each key for decisions is trusted for."""
        return {each.keyid: each.times_of(each.key) for each in self.decision_keys}

    def log_keys(self) -> tuple[KeyTimes, ...]:
        """The keys that sign or signed checkpoints, oldest first."""
        return tuple(
            each.times_of(read_verifier_key(each.vkey)[1])
            for each in (*self.earlier_checkpoint_keys, self.checkpoint_key)
        )


def decision_leaf(envelope: Envelope, key: PublicKey) -> bytes:
    """The log's leaf for a signed decision: a Rekor ``dsse`` 0.0.2 record in its RFC 8785 form.

    It holds the payload's digest and not the payload, so that erasing a decision leaves the log whole.
    """
    payload = decode(envelope.payload, what="the payload")
    signature = {
        "content": envelope.signatures[0].sig,
        "verifier": {"keyDetails": KEY_DETAILS, "publicKey": {"rawBytes": encode(key.der)}},
    }
    record = {
        "payloadHash": {"algorithm": "SHA2_256", "digest": encode(hashlib.sha256(payload).digest())},
        "signatures": [signature],
    }
    return canonical({"apiVersion": LEAF_VERSION, "kind": LEAF_KIND, "spec": {"dsseV002": record}})


def decision_bundle(
    envelope: Envelope,
    key: PublicKey,
    *,
    index: int,
    inclusion: Sequence[bytes],
    checkpoint: Checkpoint,
    checkpoint_key: PublicKey,
) -> bytes:
    """The Sigstore bundle of a decision, in its RFC 8785 form, which is the only one ``verify_bundle`` takes.

    ``key`` signed the envelope, ``index`` is its leaf's, and ``inclusion`` proves the leaf in ``checkpoint``'s tree.

    Raises:
        InputRefused: the checkpoint is older than the leaf.
    """
    _require_covered(index, checkpoint)
    proof = {
        "logIndex": str(index),
        "rootHash": encode(checkpoint.root),
        "treeSize": str(checkpoint.size),
        "hashes": [encode(each) for each in inclusion],
        "checkpoint": {"envelope": checkpoint.note},
    }
    entry = {
        "logIndex": str(index),
        "logId": {"keyId": encode(key_digest(checkpoint.origin, checkpoint_key))},
        "kindVersion": {"kind": LEAF_KIND, "version": LEAF_VERSION},
        "inclusionProof": proof,
        "canonicalizedBody": encode(decision_leaf(envelope, key)),
    }
    return canonical(
        {
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {"publicKey": {"hint": key.keyid}, "tlogEntries": [entry]},
            "dsseEnvelope": envelope.document(),
        }
    )


def tlog_proof(index: int, inclusion: Sequence[bytes], checkpoint: Checkpoint) -> bytes:
    """The proof that the leaf at ``index`` is in the log, as text; the leaf itself is not in it.

    ``inclusion`` proves the leaf in ``checkpoint``'s tree, nearest sibling first.

    Raises:
        InputRefused: the checkpoint is older than the leaf.

    Source: C2SP ``tlog-proof``, "Format"; no extra data is given, since nothing would authenticate it.
    """
    _require_covered(index, checkpoint)
    lines = [TLOG_PROOF_HEADER, f"index {index}", *(encode(each) for each in inclusion)]
    return ("\n".join(lines) + f"\n\n{checkpoint.note}").encode()


def _require_covered(index: int, checkpoint: Checkpoint) -> None:
    if not 0 <= index < checkpoint.size:
        raise InputRefused(
            expected=f"a checkpoint of more than {index} leaves",
            found=f"one of {checkpoint.size}",
            remedy="Publish a checkpoint after the decision is committed.",
        )


def trusted_root(origin: str, keys: Sequence[KeyTimes]) -> dict[str, JsonValue]:
    """Sigstore's trusted root for a log of this origin and these keys, each with the time it is valid for.

    It leaves out ``checkpointKeyId``: verifiers derive the same value, and one of them refuses a bundle otherwise.
    """
    return {
        "mediaType": TRUSTED_ROOT_TYPE,
        "tlogs": [_sigstore_log(origin, each) for each in keys],
        "certificateAuthorities": [],
        "ctlogs": [],
        "timestampAuthorities": [],
    }


def _sigstore_log(origin: str, times: KeyTimes) -> JsonValue:
    span: dict[str, JsonValue] = {"start": rfc3339(times.valid_from)}
    if times.ends is not None:
        span["end"] = rfc3339(times.ends)
    return {
        "baseUrl": f"https://{origin}",
        "hashAlgorithm": "SHA2_256",
        "publicKey": {"rawBytes": encode(times.key.der), "keyDetails": KEY_DETAILS, "validFor": span},
        "logId": {"keyId": encode(key_digest(origin, times.key))},
    }


def trust_document(ring: KeyRing, origin: str) -> dict[str, JsonValue]:
    """``trust_of`` as the JSON document that an instance serves and ``read_trust`` takes."""
    return trust_of(ring, origin).document()


def trust_of(ring: KeyRing, origin: str) -> Trust:
    """What an instance publishes about itself for those who verify its decisions."""
    *earlier, current = [
        CheckpointKey(vkey=verifier_key(origin, each.key), **_spans(each)) for each in ring.checkpoint_keys
    ]
    return Trust(
        origin=origin,
        decision_keys=tuple(
            DecisionKey(keyid=each.key.keyid, pem=each.key.pem, **_spans(each)) for each in ring.decision_keys
        ),
        checkpoint_key=current,
        earlier_checkpoint_keys=tuple(earlier),
        sigstore_trusted_root=trusted_root(origin, ring.checkpoint_keys),
    )


def _spans(times: KeyTimes) -> dict[str, Any]:
    return {
        "valid_from": times.valid_from,
        "valid_until": times.valid_until,
        "compromised_since": times.compromised_since,
        "leaves": times.leaves,
    }
