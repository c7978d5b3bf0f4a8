"""Time and identifiers. Everything else is handed its instants as values."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

Clock = Callable[[], datetime]
"""Gives the present instant, aware and in UTC."""


def system_clock() -> datetime:
    """The machine's present instant in UTC."""
    return datetime.now(UTC)


def uuid7(instant: datetime, entropy: bytes | None = None) -> UUID:
    """A time-ordered UUID of ``instant`` (milliseconds) and ten bytes of ``entropy`` (drawn when left out).

    Source: RFC 9562, section 5.7.
    """
    noise = os.urandom(10) if entropy is None else entropy
    milliseconds = int(instant.timestamp() * 1000)
    value = milliseconds << 80 | int.from_bytes(noise[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def rfc3339(instant: datetime) -> str:
    """The instant in UTC with a ``Z``, to the second when it has no fraction, else to the microsecond."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
