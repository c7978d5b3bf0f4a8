"""The DSSE envelope: a payload, its type, and one signature over both.

Source: secure-systems-lab/dsse, ``protocol.md`` and ``envelope.md``, version 1.0.2.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Literal

from pydantic import ConfigDict, Field

from governance.canonical import canonical, read_json
from governance.errors import AssayError, ProofRejected
from governance.signing.keys import PublicKey, SigningKey
from governance.types.value import Value, parse_value

PAYLOAD_TYPE = "application/vnd.in-toto+json"


class Signature(Value):
    """A signature in base64, and the id of the key that made it."""

    sig: str
    keyid: str


class Envelope(Value):
    """The envelope as it travels. The product makes and takes exactly one signature."""

    model_config = ConfigDict(populate_by_name=True)

    payload: str
    payload_type: Literal["application/vnd.in-toto+json"] = Field(alias="payloadType")
    signatures: tuple[Signature, ...] = Field(min_length=1, max_length=1)

    def content(self) -> bytes:
        """The RFC 8785 bytes of the envelope."""
        return canonical(self.document())


def encode(content: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(content).decode("ascii")


def decode(text: str, *, what: str) -> bytes:
    """The bytes of standard base64 in its one canonical spelling.

    Raises:
        ProofRejected: another alphabet, missing padding, or spare bits that are not zero.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as fault:
        raise _not_canonical(what) from fault
    # Decoders ignore the last character's spare bits, so two texts can mean the same bytes.
    if encode(content) != text:
        raise _not_canonical(what)
    return content


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed. Source: DSSE protocol, ``PAE(type, body)``."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, key: SigningKey) -> Envelope:
    """An envelope around in-toto JSON, signed by ``key``."""
    signature = Signature(sig=encode(key.sign(pae(PAYLOAD_TYPE, payload))), keyid=key.keyid)
    return Envelope(payload=encode(payload), payload_type=PAYLOAD_TYPE, signatures=(signature,))


def read_envelope(content: bytes) -> Envelope:
    """The envelope in JSON bytes, not yet verified.

    Raises:
        ProofRejected: it is not JSON, has unknown or missing fields, or other than one signature.
    """
    try:
        return parse_value(Envelope, read_json(content), what="a DSSE envelope with one signature")
    except AssayError as fault:
        raise ProofRejected(
            expected=fault.expected,
            found=fault.found,
            remedy="Send the envelope as it was signed.",
            pointer=fault.pointer,
        ) from fault


def verify(envelope: Envelope, keys: Mapping[str, PublicKey]) -> bytes:
    """The payload, once its signature is proved to be that of the key in ``keys`` that it names.

    Raises:
        ProofRejected: the key is unknown, the base64 is not canonical, or the signature does not hold.
    """
    signature = envelope.signatures[0]
    key = keys.get(signature.keyid)
    if key is None or key.keyid != signature.keyid:
        raise ProofRejected(
            expected=f"a signature by one of {len(keys)} trusted keys",
            found=f"the key id {signature.keyid[:80]!r}",
            remedy="Get the trusted keys from the instance itself, or do not trust this envelope.",
        )
    payload = decode(envelope.payload, what="the payload")
    if not key.verifies(decode(signature.sig, what="the signature"), pae(envelope.payload_type, payload)):
        raise ProofRejected(
            expected=f"a signature of key {key.keyid} over the payload",
            found="one that does not hold",
            remedy="Do not trust this envelope: it was changed, or signed by somebody else.",
        )
    return payload


def _not_canonical(what: str) -> ProofRejected:
    return ProofRejected(
        expected=f"{what} in canonical base64", found="other text", remedy="Send the envelope as it was signed."
    )
