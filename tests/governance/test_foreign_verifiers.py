"""Other people's tools accept our bundles and refuse changed ones: npm @sigstore/verify, securesystemslib, openssl."""

import json
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.dsse import Envelope as ReferenceEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # it has no __all__

from governance.bundle import Trust, trust_of
from governance.database import Database
from governance.log.cosignature import cosign
from governance.log.rotation import Place, rotate
from governance.signing.dsse import decode, encode, pae
from governance.signing.keys import SigningKey
from governance.signing.rings import Purpose, create_ring
from governance.types.results import Verdict
from tests.support.foreign import ForeignVerifier, install
from tests.support.proof import NOW, ORIGIN, Instance, build_instance, decision

Document = dict[str, Any]
Put = Callable[[Document, str], object]
PURPOSES: list[Purpose] = ["decision", "checkpoint"]


@pytest.fixture(scope="session")
def npm_verifier(tmp_path_factory: pytest.TempPathFactory) -> ForeignVerifier:
    return install(tmp_path_factory.mktemp("npm"))


@pytest.fixture(scope="module")
def bundle(instance: Instance) -> Document:
    document: Document = json.loads(instance.bundle(decision()))
    return document


def copied(bundle: Document) -> Document:
    document: Document = json.loads(json.dumps(bundle))
    return document


def flips(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The content with each of its bytes changed in turn, and the byte's place."""
    for place in range(len(content)):
        altered = bytearray(content)
        altered[place] ^= 0x01
        yield place, bytes(altered)


def entry_of(bundle: Document) -> Document:
    entry: Document = bundle["verificationMaterial"]["tlogEntries"][0]
    return entry


def tampered(bundle: Document, *parts: str) -> Iterator[tuple[str, Document]]:
    """Every changed byte of what is signed or hashed: payload, signature, leaf, each hash of the proof, checkpoint."""
    signature, entry = bundle["dsseEnvelope"]["signatures"][0], entry_of(bundle)
    whole: dict[str, tuple[str, Put]] = {
        "payload": (bundle["dsseEnvelope"]["payload"], lambda found, text: found["dsseEnvelope"].update(payload=text)),
        "signature": (signature["sig"], lambda found, text: found["dsseEnvelope"]["signatures"][0].update(sig=text)),
        "leaf": (entry["canonicalizedBody"], lambda found, text: entry_of(found).update(canonicalizedBody=text)),
    }
    for number, each in enumerate(entry["inclusionProof"]["hashes"]):
        whole[f"hash {number}"] = (each, partial(put_hash, number))
    for name, (text, put) in whole.items():
        if not parts or name in parts:
            for place, content in flips(decode(text, what="")):
                document = copied(bundle)
                put(document, encode(content))
                yield f"{name} {place}", document
    for name, note in tampered_notes(entry["inclusionProof"]["checkpoint"]["envelope"]):
        if not parts or "checkpoint" in parts:
            document = copied(bundle)
            entry_of(document)["inclusionProof"]["checkpoint"]["envelope"] = note
            yield f"checkpoint {name}", document


def put_hash(number: int, document: Document, text: str) -> None:
    entry_of(document)["inclusionProof"]["hashes"][number] = text


def tampered_notes(note: str) -> Iterator[tuple[str, str]]:
    """Every changed byte of a note's body and signer, as text, and of its signature, decoded."""
    head, _, text = note.rstrip("\n").rpartition(" ")
    for place, content in flips(head.encode()):
        yield f"text {place}", f"{content.decode('utf-8', 'replace')} {text}\n"
    for place, content in flips(decode(text, what="")):
        yield f"signature {place}", f"{head} {encode(content)}\n"


def test_npm_accepts_the_bundles_of_every_verdict(
    npm_verifier: ForeignVerifier, instance: Instance, trust: Trust
) -> None:
    bundles = [
        json.loads(instance.bundle(decision(verdict=verdict, valid_until=None)))
        for verdict in (Verdict.ALLOW, Verdict.DENY, Verdict.INDETERMINATE)
    ]
    assert npm_verifier.verdicts(trust, bundles) == ["verified"] * 3


def test_npm_refuses_changed_bundles(npm_verifier: ForeignVerifier, bundle: Document, trust: Trust) -> None:
    names, documents = zip(*tampered(bundle), strict=True)
    verdicts = dict(zip(names, npm_verifier.verdicts(trust, documents), strict=True))
    assert len(verdicts) > 2500
    assert [name for name, verdict in verdicts.items() if not verdict.startswith("refused")] == []


def test_npm_refuses_a_bundle_under_the_keys_of_another_instance(
    npm_verifier: ForeignVerifier, bundle: Document, tmp_path: Path
) -> None:
    other = trust_of(create_ring(tmp_path), ORIGIN)
    (verdict,) = npm_verifier.verdicts(other, [bundle])
    assert verdict.startswith("refused")


def reference(bundle: Document, trust: Trust) -> tuple[ReferenceEnvelope, SSlibKey]:
    keyid, key = next(iter(trust.keys().items()))
    envelope = ReferenceEnvelope.from_dict(copied(bundle)["dsseEnvelope"])
    return envelope, SSlibKey(keyid, "ed25519", "ed25519", {"public": key.raw.hex()})


def test_securesystemslib_accepts_the_envelope(bundle: Document, trust: Trust) -> None:
    envelope, key = reference(bundle, trust)
    assert list(envelope.verify([key], 1)) == [key.keyid]


def test_securesystemslib_refuses_every_changed_byte(bundle: Document, trust: Trust) -> None:
    for _, document in tampered(bundle, "payload", "signature"):
        envelope, key = reference(document, trust)
        with pytest.raises(VerificationError):
            envelope.verify([key], 1)


def openssl(folder: Path, bundle: Document, trust: Trust) -> int:
    """The exit code of the command that ``docs/proof.md`` gives."""
    envelope = bundle["dsseEnvelope"]
    payload = decode(envelope["payload"], what="")
    (folder / "signed").write_bytes(pae(envelope["payloadType"], payload))
    (folder / "signature").write_bytes(decode(envelope["signatures"][0]["sig"], what=""))
    (folder / "decision.pem").write_text(trust.decision_keys[0].pem)
    command = "openssl pkeyutl -verify -pubin -inkey decision.pem -rawin -in signed -sigfile signature"
    return subprocess.run(command.split(), cwd=folder, capture_output=True, check=False).returncode


def test_openssl_accepts_the_signature_and_refuses_every_changed_byte_of_it(
    bundle: Document, trust: Trust, tmp_path: Path
) -> None:
    assert openssl(tmp_path, bundle, trust) == 0
    for name, document in tampered(bundle, "signature"):
        assert openssl(tmp_path, document, trust) != 0, name


def test_openssl_refuses_changes_all_over_the_payload(bundle: Document, trust: Trust, tmp_path: Path) -> None:
    """Each is a process of its own: every byte is tried by the long run below."""
    for name, document in islice(tampered(bundle, "payload"), 0, None, 40):
        assert openssl(tmp_path, document, trust) != 0, name


@pytest.mark.soak
def test_openssl_refuses_every_changed_byte_of_the_payload(bundle: Document, trust: Trust, tmp_path: Path) -> None:
    for name, document in tampered(bundle, "payload"):
        assert openssl(tmp_path, document, trust) != 0, name


def test_npm_accepts_bundles_from_before_and_after_a_rotation_of_either_key(
    npm_verifier: ForeignVerifier, database: Database, tmp_path: Path
) -> None:
    database.clock = lambda: NOW
    instance = build_instance(database, tmp_path)
    bundles = [json.loads(instance.bundle(decision()))]
    for purpose in PURPOSES:
        rotate(Place(database, instance.keys, ORIGIN, tmp_path / "checkpoint"), purpose, actor="operator")
        bundles.append(json.loads(instance.bundle(decision())))
    trust = trust_of(instance.ring, ORIGIN)
    assert npm_verifier.verdicts(trust, bundles) == ["verified"] * 3
    before = trust.model_copy(update={"decision_keys": trust.decision_keys[:1]})
    assert npm_verifier.verdicts(before, bundles[1:])[0].startswith("refused")


def test_npm_accepts_a_bundle_whose_checkpoint_was_cosigned(
    npm_verifier: ForeignVerifier, bundle: Document, trust: Trust
) -> None:
    document, witness = copied(bundle), SigningKey.generate()
    checkpoint = entry_of(document)["inclusionProof"]["checkpoint"]
    body = checkpoint["envelope"].partition("\n\n")[0] + "\n"
    checkpoint["envelope"] += cosign(body, "witness.example", witness, moment=1)
    assert npm_verifier.verdicts(trust, [document]) == ["verified"]
