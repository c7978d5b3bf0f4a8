"""The frames between parent and child: two lengths, a JSON header, then raw bytes."""

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

PREFIX = struct.Struct("<IQ")
"""Bytes of the header, bytes of the payload."""

HEADER_BYTES = 2**20
"""Headers hold names and settings; a megabyte is a thousand features with long names."""


def encode(header: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """One frame."""
    text = json.dumps(header, allow_nan=False).encode()
    return PREFIX.pack(len(text), len(payload)) + text + payload


def read_frame(stream: BinaryIO) -> tuple[Any, bytes] | None:
    """The next frame of a trusted stream; None at its end. The child reads its parent with it.

    Raises:
        EOFError: the stream ends inside a frame.
    """
    prefix = stream.read(PREFIX.size)
    if not prefix:
        return None
    header_length, payload_length = PREFIX.unpack(prefix)
    content = stream.read(header_length)
    payload = stream.read(payload_length)
    if len(content) != header_length or len(payload) != payload_length:
        raise EOFError("the stream ends inside a frame")
    return json.loads(content), payload
