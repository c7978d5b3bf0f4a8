"""The envelope, against securesystemslib."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as ReferenceEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]  # it has no __all__

from governance.errors import ProofRejected
from governance.signing.dsse import decode, encode, pae, read_envelope, sign, verify
from governance.signing.keys import PublicKey, SigningKey

KEY = SigningKey.generate()
TRUSTED = {KEY.keyid: KEY.public}
PAYLOAD = b'{"a":1}'


def reference_key(key: PublicKey) -> SSlibKey:
    """The same key as securesystemslib holds it."""
    return SSlibKey(key.keyid, "ed25519", "ed25519", {"public": key.raw.hex()})


def test_the_encoding_before_signing_is_the_protocols_example() -> None:
    """The example in the DSSE protocol's section on PAE."""
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@given(st.text(max_size=40), st.binary(max_size=200))
def test_the_encoding_before_signing_equals_the_reference(kind: str, payload: bytes) -> None:
    reference = ReferenceEnvelope(payload, kind, {})
    assert pae(kind, payload) == reference.pae()


def test_securesystemslib_verifies_our_envelope() -> None:
    envelope = ReferenceEnvelope.from_dict(json.loads(sign(PAYLOAD, KEY).content()))
    assert list(envelope.verify([reference_key(KEY.public)], 1)) == [KEY.keyid]
    assert envelope.payload == PAYLOAD


def test_securesystemslib_refuses_our_envelope_under_another_key() -> None:
    envelope = ReferenceEnvelope.from_dict(json.loads(sign(PAYLOAD, KEY).content()))
    with pytest.raises(VerificationError):
        envelope.verify([reference_key(SigningKey.generate().public)], 1)


def test_we_verify_an_envelope_of_securesystemslib() -> None:
    signer = CryptoSigner(KEY.key, reference_key(KEY.public))
    envelope = ReferenceEnvelope(PAYLOAD, "application/vnd.in-toto+json", {})
    envelope.sign(signer)
    assert verify(read_envelope(json.dumps(envelope.to_dict()).encode()), TRUSTED) == PAYLOAD


def test_an_unknown_key_is_refused_and_named() -> None:
    other = SigningKey.generate()
    with pytest.raises(ProofRejected, match=other.keyid):
        verify(sign(PAYLOAD, other), TRUSTED)


def test_a_key_filed_under_anothers_id_is_refused() -> None:
    other = SigningKey.generate()
    with pytest.raises(ProofRejected, match="trusted keys"):
        verify(sign(PAYLOAD, KEY), {KEY.keyid: other.public})


@pytest.mark.parametrize("field", ["payload", "sig"])
def test_every_changed_byte_of_payload_and_signature_is_refused(field: str) -> None:
    envelope = sign(PAYLOAD, KEY).document()
    signature = dict(envelope["signatures"][0])  # type: ignore[index,arg-type]  # a JSON document
    content = decode(str(envelope["payload"] if field == "payload" else signature["sig"]), what=field)
    for place in range(len(content)):
        for bit in (0x01, 0x80):
            changed = bytearray(content)
            changed[place] ^= bit
            signed = {**signature, "sig": encode(bytes(changed))} if field == "sig" else signature
            payload = encode(bytes(changed)) if field == "payload" else envelope["payload"]
            forged = {**envelope, "payload": payload, "signatures": [signed]}
            with pytest.raises(ProofRejected, match="does not hold"):
                verify(read_envelope(json.dumps(forged).encode()), TRUSTED)


@pytest.mark.parametrize(
    "change",
    [
        {"payloadType": "text/plain"},
        {"signatures": []},
        {"payload": None},
        {"extra": 1},
    ],
)
def test_envelopes_of_another_shape_are_refused(change: dict[str, object]) -> None:
    document = {**sign(PAYLOAD, KEY).document(), **change}
    with pytest.raises(ProofRejected, match="DSSE envelope"):
        read_envelope(json.dumps(document).encode())


def test_a_second_signature_is_refused() -> None:
    document = sign(PAYLOAD, KEY).document()
    signatures = document["signatures"]
    assert isinstance(signatures, list)
    with pytest.raises(ProofRejected, match="one signature"):
        read_envelope(json.dumps({**document, "signatures": signatures * 2}).encode())


@given(st.binary(max_size=80))
def test_noise_is_refused_and_nothing_else_is_raised(noise: bytes) -> None:
    with pytest.raises(ProofRejected):
        read_envelope(noise)


@given(st.binary(max_size=20))
def test_base64_reads_back(content: bytes) -> None:
    assert decode(encode(content), what="it") == content


@given(st.text(string.ascii_letters + string.digits + "+/=-_ \n\u00e9", max_size=12))
def test_base64_has_one_spelling(text: str) -> None:
    """What is taken encodes to itself, so spare bits, line breaks and other alphabets are not."""
    try:
        content = decode(text, what="it")
    except ProofRejected:
        return
    assert encode(content) == text


@pytest.mark.parametrize("text", ["YQ", "YR==", "YQ==\n", "Y Q==", "_w==", "\u00e9"])
def test_other_spellings_of_base64_are_refused(text: str) -> None:
    with pytest.raises(ProofRejected, match="canonical base64"):
        decode(text, what="it")
