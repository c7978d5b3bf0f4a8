"""Other people's tools accept our bundles and refuse changed ones: npm @sigstore/verify, securesystemslib, openssl."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.dsse import Envelope as ReferenceEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # it has no __all__

from governance.bundle import Trust, trust_of
from governance.signing.dsse import decode, encode, pae
from governance.signing.rings import create_ring
from governance.types.results import Verdict
from tests.support.foreign import ForeignVerifier, install
from tests.support.proof import ORIGIN, Instance, decision

Document = dict[str, Any]


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


def flipped(text: str, place: int) -> str:
    content = bytearray(decode(text, what=""))
    content[place % len(content)] ^= 0x01
    return encode(bytes(content))


def tampered(bundle: Document) -> Iterator[tuple[str, Document]]:
    """Changes in every signed or hashed part, spread over its length."""
    for place in range(0, 900, 90):
        document = copied(bundle)
        document["dsseEnvelope"]["payload"] = flipped(document["dsseEnvelope"]["payload"], place)
        yield f"payload {place}", document
    for place in range(0, 64, 9):
        document = copied(bundle)
        signature = document["dsseEnvelope"]["signatures"][0]
        signature["sig"] = flipped(signature["sig"], place)
        yield f"signature {place}", document
    for place in range(0, 300, 50):
        document = copied(bundle)
        entry = document["verificationMaterial"]["tlogEntries"][0]
        entry["canonicalizedBody"] = flipped(entry["canonicalizedBody"], place)
        yield f"leaf {place}", document
    for place in range(0, 32, 9):
        document = copied(bundle)
        hashes = document["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["hashes"]
        hashes[0] = flipped(hashes[0], place)
        yield f"hash {place}", document
    size = int(bundle["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["treeSize"])
    for new in (f"assay.example/gol\n{size}", f"{ORIGIN}\n{size + 1}", f"{ORIGIN}\n{size - 1}"):
        document = copied(bundle)
        note = document["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["checkpoint"]
        note["envelope"] = note["envelope"].replace(f"{ORIGIN}\n{size}", new, 1)
        yield f"checkpoint {new!r}", document


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
    assert len(verdicts) >= 30
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


def test_securesystemslib_refuses_changed_envelopes(bundle: Document, trust: Trust) -> None:
    for name, document in tampered(bundle):
        if name.startswith(("payload", "signature")):
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


def test_openssl_accepts_the_signature_and_refuses_a_changed_payload(
    bundle: Document, trust: Trust, tmp_path: Path
) -> None:
    assert openssl(tmp_path, bundle, trust) == 0
    _, document = next(tampered(bundle))
    assert openssl(tmp_path, document, trust) != 0
