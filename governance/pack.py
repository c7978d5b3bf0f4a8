"""An auditor's pack: a decision with its proof and everything it rests on, in one file that is checked offline.

Nothing in a pack is believed on its own word: each document is under its digest, and the digests are those that the
signed decision names, itself or through what it names.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files as resources
from typing import Any, Literal

from pydantic import Field

from governance.bundle import Trust, tlog_proof
from governance.canonical import canonical, read_json, sha256
from governance.errors import AssayError, ProofRejected
from governance.log.checkpoint import Checkpoint, verifier_key
from governance.log.cosignature import Witness
from governance.pack_files import read_pack
from governance.signing.dsse import Envelope, decode, pae
from governance.signing.statement import SignedDecision
from governance.types.value import Digest, Value, parse_value
from governance.verify import VerifiedDecision, read_trust, verify_bundle

PACK_TYPE = "application/zip"
BUNDLE = "decision.sigstore.json"
PROOF = "decision.tlog-proof"
LEAF = "decision.leaf"
DECISION = "decision.json"
CHECKPOINT = "checkpoint.txt"
LOG_KEYS = "log.vkeys"
SIGNED = "decision.dsse"
SIGNATURE = "decision.sig"
SIGNING_KEY = "decision.pem"
TRUST = "trust.json"
ROOT = "trusted_root.json"
MANIFEST = "manifest.json"
INSTRUCTIONS = "VERIFY.md"

STEPS = {
    "zip": "The file is a pack in its one spelling, within limits, without a strange path.",
    "manifest": "It holds the files that its manifest lists, each with its digest, and no others.",
    "bundle": "The decision's bundle holds in every step of `assay verify`.",
    "trust": "The keys in it are those that the bundle was checked with, or are said to be the pack's own.",
    "proof": "The log proof, the leaf and the checkpoint are those of the bundle.",
    "decision": "The decision is the one that was signed.",
    "documents": "Policy, measurements, manifest and ancestry are there, and every document is one the decision names.",
}
"""Each step's name and what it proves, in the order they are done."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Listed(Value):
    """A file of the pack."""

    path: str
    digest: Digest
    size: int = Field(ge=0)


class PackManifest(Value):
    """What a pack holds: every file but the manifest itself, sorted by path."""

    kind: Literal["assay.pack/v1"] = "assay.pack/v1"
    origin: str
    decision_id: str
    decision_digest: Digest
    files: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class VerifiedPack:
    """What a pack proved: the decision, how many documents it rests on, and whether the keys came from outside."""

    verified: VerifiedDecision
    documents: int
    pinned: bool
    steps: tuple[str, ...]


def pack_files(
    bundle: bytes, trust: Trust, proved: VerifiedDecision, documents: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The files of a pack by path.

    ``proved`` is what ``bundle`` proves under ``trust``; ``documents`` maps digests to the bytes that the decision
    rests on, the decision's own among them.
    """
    decision = proved.decision
    files = _derived(bundle, trust, proved.checkpoint) | {
        BUNDLE: bundle,
        TRUST: trust.content(),
        INSTRUCTIONS: instructions().encode(),
        DECISION: documents[decision.decision_digest],
    }
    for name, content in documents.items():
        if name != decision.decision_digest:
            files[document_path(name)] = content
    listed = tuple(Listed(path=path, digest=sha256(files[path]), size=len(files[path])) for path in sorted(files))
    manifest = PackManifest(
        origin=decision.origin,
        decision_id=decision.decision_id,
        decision_digest=decision.decision_digest,
        files=listed,
    )
    return files | {MANIFEST: canonical(manifest.document())}


def named_by(decision: SignedDecision) -> set[str]:
    """The digests of the documents that a signed decision rests on and that a pack therefore holds."""
    named = {each.measurement_digest for each in decision.checks}
    named |= {decision.manifest_digest, decision.ancestry_digest, decision.policy.digest if decision.policy else None}
    return {each for each in named if each is not None}


def digests_in(document: Any) -> set[str]:
    """Every digest that stands as a text of its own somewhere in a JSON document."""
    if isinstance(document, str):
        return {document} if _DIGEST.fullmatch(document) else set()
    children = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    return {each for child in children for each in digests_in(child)}


def document_path(digest: str) -> str:
    """Where a pack holds the document with this digest."""
    return f"documents/{digest.removeprefix('sha256:')}.json"


def instructions() -> str:
    """The text of ``VERIFY.md``: how to check a pack with openssl, Node and Go."""
    return (resources("governance") / "pack_instructions.md").read_text(encoding="utf-8")


def verify_pack(
    content: bytes,
    *,
    trust: Trust | None = None,
    witnesses: Sequence[Witness] = (),
    cosignatures: int = 0,
    at: datetime | None = None,
) -> VerifiedPack:
    """What a pack proves, once every step of ``STEPS`` holds.

    ``trust`` is the pinned trust of the instance; without it the pack's own keys are taken, which proves that its parts
    belong together, and not whose they are. ``at`` is when the decision must hold; the other values are as in
    ``verify_bundle``.

    Raises:
        ProofRejected: a step does not hold; ``pointer`` names it, or the step of the bundle as ``bundle/...``.
    """
    done: list[str] = []
    with _step(done, "zip"):
        files = read_pack(content)
    with _step(done, "manifest"):
        manifest = _listed(files)
    with _step(done, "bundle"):
        own = read_trust(files[TRUST])
        proved = verify_bundle(files[BUNDLE], trust or own, witnesses=witnesses, cosignatures=cosignatures, at=at)
    with _step(done, "trust"):
        _require(own.content() == files[TRUST], f"{TRUST} in its one spelling", "another")
        _require(own.origin == proved.decision.origin, f"keys of {proved.decision.origin}", own.origin[:120])
        # Under the pack's own keys the same must hold, or its instructions would lead another way.
        verify_bundle(files[BUNDLE], own, witnesses=witnesses, cosignatures=cosignatures)
    with _step(done, "proof"):
        derived = _derived(files[BUNDLE], own, proved.checkpoint)
        for path, expected in derived.items():
            _require(files.get(path) == expected, f"{path} as the bundle and the keys say", "other content")
        others = {path for path in files if not path.startswith("documents/")}
        _require_same_paths(others, set(derived) | {MANIFEST, BUNDLE, TRUST, DECISION, INSTRUCTIONS})
    with _step(done, "decision"):
        _require_decision(files, manifest, proved.decision)
    with _step(done, "documents"):
        count = _require_documents(files, proved.decision)
    return VerifiedPack(proved, count, trust is not None, tuple(done))


def _derived(bundle: bytes, trust: Trust, checkpoint: Checkpoint) -> dict[str, bytes]:
    """The files that only say again, for other tools, what the bundle and the trust file say."""
    document = read_json(bundle)
    entry = document["verificationMaterial"]["tlogEntries"][0]
    envelope = parse_value(Envelope, document["dsseEnvelope"], what="an envelope")
    signature = envelope.signatures[0]
    inclusion = [decode(each, what="a hash of the proof") for each in entry["inclusionProof"]["hashes"]]
    vkeys = [verifier_key(trust.origin, each.key) for each in trust.log_keys()]
    files = {
        PROOF: tlog_proof(int(entry["logIndex"]), inclusion, checkpoint),
        LEAF: decode(entry["canonicalizedBody"], what="the leaf"),
        CHECKPOINT: checkpoint.note.encode(),
        LOG_KEYS: "".join(f"{each}\n" for each in vkeys).encode(),
        ROOT: canonical(trust.sigstore_trusted_root),
        SIGNED: pae(envelope.payload_type, decode(envelope.payload, what="the payload")),
        SIGNATURE: decode(signature.sig, what="the signature"),
        SIGNING_KEY: trust.keys()[signature.keyid].pem.encode(),
    }
    return files | {f"keys/{keyid}.pem": key.pem.encode() for keyid, key in trust.keys().items()}


def _listed(files: Mapping[str, bytes]) -> PackManifest:
    """The manifest, once the files are those that it lists."""
    _require(MANIFEST in files, f"a file {MANIFEST}", "none")
    raw = read_json(files[MANIFEST])
    _require(canonical(raw) == files[MANIFEST], f"{MANIFEST} in its one spelling", "another")
    manifest = parse_value(PackManifest, raw, what="the manifest of a pack")
    paths = [each.path for each in manifest.files]
    _require(paths == sorted(set(paths)), "files in order and once", "another order")
    _require_same_paths(set(files) - {MANIFEST}, set(paths))
    for each in manifest.files:
        holds = (sha256(files[each.path]), len(files[each.path])) == (each.digest, each.size)
        _require(holds, f"{each.path} with the digest {each.digest}", "other content")
    missing = {BUNDLE, TRUST, DECISION, INSTRUCTIONS} - set(paths)
    _require(not missing, "bundle, keys, decision and instructions", f"no {', '.join(sorted(missing))}")
    return manifest


def _require_same_paths(found: set[str], expected: set[str]) -> None:
    _require(found >= expected, "every file that the manifest lists", f"no {', '.join(sorted(expected - found)[:3])}")
    _require(found <= expected, "no other file", ", ".join(sorted(found - expected)[:3]))


def _require_decision(files: Mapping[str, bytes], manifest: PackManifest, decision: SignedDecision) -> None:
    stated = (manifest.origin, manifest.decision_id, manifest.decision_digest)
    signed = (decision.origin, decision.decision_id, decision.decision_digest)
    _require(
        stated == signed, f"a pack of the decision {decision.decision_id}", f"one of {manifest.decision_id[:80]!r}"
    )
    _require(
        sha256(files[DECISION]) == decision.decision_digest,
        f"the decision with the digest {decision.decision_digest}",
        "another decision",
    )


def _require_documents(files: Mapping[str, bytes], decision: SignedDecision) -> int:
    """How many documents the decision rests on; each lies under its digest, and is named by the decision."""
    present = {path for path in files if path.startswith("documents/")}
    for path in present:
        _require(path == document_path(sha256(files[path])), f"{path} under its own digest", "other content")
    required = {document_path(each) for each in named_by(decision)}
    named = {document_path(each) for each in digests_in(read_json(files[DECISION]))}
    _require_same_paths(present, required | (named & present))
    return len(present)


def _require(holds: bool, expected: str, found: str) -> None:
    if not holds:
        raise ProofRejected(expected=expected, found=found, remedy="Do not rely on this pack.")


@contextmanager
def _step(done: list[str], name: str) -> Iterator[None]:
    """Note the step as done, or refuse the pack in its name."""
    try:
        yield
    except AssayError as fault:
        within = f"/{fault.pointer}" if name == "bundle" and fault.pointer else ""
        raise ProofRejected(
            expected=fault.expected, found=fault.found, remedy="Do not rely on this pack.", pointer=f"{name}{within}"
        ) from fault
    done.append(name)
