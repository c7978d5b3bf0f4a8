"""The signature over a delivery: who knows the secret can tell that it is ours, whole and of now.

Source: Standard Webhooks 1.0.0, "Signature scheme": HMAC-SHA256 over ``id.timestamp.body``.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

from governance.errors import InputRefused

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret, as Standard Webhooks bounds them."""


def new_secret() -> str:
    """A secret of 32 random bytes, as its receivers write it down."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def secret_bytes(secret: str) -> bytes:
    """The key in a secret's text.

    Raises:
        InputRefused: not ``whsec_`` and base64 of 24 to 64 bytes.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        raise InputRefused(
            expected=f"{PREFIX} and base64 of {SHORTEST} to {LONGEST} bytes",
            found="another text",
            remedy="Leave it out to have one made.",
            pointer="/secret",
        )
    return key


def sign(secret: str, *, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a delivery: its id, the seconds since 1970, and the signature over both and the body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    mac = hmac.new(secret_bytes(secret), signed, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }
