"""Waivers: somebody takes a failed check upon themselves, for one model, one environment and a short time."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from governance.types.subject import Subject
from governance.types.value import Digest, Name, Prose, Remark, Value

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")


def read_instant(raw: Any) -> datetime:
    """An instant in UTC: an aware ``datetime``, or RFC 3339 text with its zone; nothing else is guessed at.

    Raises:
        ValueError: a number, a day without a time, a time without its zone, or no date at all.
    """
    try:
        if isinstance(raw, str) and _RFC3339.fullmatch(raw):
            raw = datetime.fromisoformat(raw)
        if isinstance(raw, datetime) and raw.tzinfo is not None:
            return raw.astimezone(UTC)
    except OverflowError:
        pass  # an instant that has no place in the calendar once it is in UTC is no better than an unreadable one
    raise ValueError("an instant is written as RFC 3339 with its zone, such as 2026-11-24T09:00:00Z")


Instant = Annotated[datetime, BeforeValidator(read_instant)]
"""An aware instant in UTC, read from RFC 3339 text."""

CheckId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""The exact id of a check; a pattern has no place in it."""

PlainDecimal = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,30}(\.[0-9]{1,30})?$")]
"""A number as text without an exponent."""

NumberedVersion = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,15}(\.[0-9]{1,15}){0,5}$")]
"""A version that has an order: whole numbers with points between them."""


def version_key(version: str) -> tuple[int, ...] | None:
    """What numbered versions are ordered by (``1.10`` is ``1.10.0`` and comes after ``1.9``); None for other ones."""
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15}){0,5}", version):
        return None
    parts = [int(part) for part in version.split(".")]
    return tuple(parts + [0] * (6 - len(parts)))


class Bound(Value):
    """How bad a measured value may be before the waiver no longer covers it; both ends are inclusive.

    ``metric`` is the name of a figure of the check, or ``observed`` for the check's own headline value. With
    ``whole_interval`` the interval of confidence must lie within the bound too.
    """

    metric: Name = "observed"
    at_least: PlainDecimal | None = None
    at_most: PlainDecimal | None = None
    whole_interval: bool = False

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a bound says `at_least`, `at_most` or both")
        return self


class WaivedModel(Value):
    """The model that a waiver is about: one version by its digest, or registered versions from first to last."""

    namespace: Name
    name: Name
    version: Name | None = None
    digest: Digest | None = None
    first_version: NumberedVersion | None = None
    last_version: NumberedVersion | None = None

    @model_validator(mode="after")
    def _one_or_a_range(self) -> Self:
        one = self.version is not None and self.digest is not None
        span = self.first_version is not None and self.last_version is not None
        given = sum(part is not None for part in (self.version, self.digest, self.first_version, self.last_version))
        if one is span or given != 2:
            raise ValueError("a model is named by `version` and `digest`, or by `first_version` and `last_version`")
        if span and (version_key(self.first_version or "") or ()) > (version_key(self.last_version or "") or ()):
            raise ValueError("`first_version` does not come after `last_version`")
        return self

    @property
    def subject(self) -> Subject | None:
        """The one version; None where the waiver is about a range."""
        if self.version is None or self.digest is None:
            return None
        return Subject(namespace=self.namespace, name=self.name, version=self.version, digest=self.digest)

    @property
    def label(self) -> str:
        """The model for people."""
        versions = self.version or f"{self.first_version}..{self.last_version}"
        return f"{self.name}@{versions}"


class WaiverRequest(Value):
    """A waiver as it is asked for. It holds in [not_before, expires_at); ``not_before`` left out is now.

    ``bounds`` gives for each check what a model must keep to; a model that is worse is not covered.
    """

    checks: tuple[CheckId, ...] = Field(min_length=1, max_length=32)
    subject: WaivedModel
    environment: Name
    bounds: dict[CheckId, Annotated[tuple[Bound, ...], Field(min_length=1, max_length=64)]]
    reason: Prose
    ticket: Name
    not_before: Instant | None = None
    expires_at: Instant

    @model_validator(mode="after")
    def _each_check_once_with_its_bounds(self) -> Self:
        if len(set(self.checks)) != len(self.checks):
            raise ValueError("each check is named once")
        if set(self.bounds) != set(self.checks):
            raise ValueError("`bounds` has one entry for each of `checks`")
        if any(len({bound.metric for bound in bounds}) != len(bounds) for bounds in self.bounds.values()):
            raise ValueError("each metric of a check has one bound")
        return self


class WaiverApproval(Value):
    """A second person's yes. ``approved_digest`` is the waiver's digest as it was read; left out it is not compared."""

    approved_digest: Digest | None = None
    comment: Remark = ""


class WaiverRevocation(Value):
    """Why a waiver no longer holds."""

    reason: Prose
