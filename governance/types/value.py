"""What every value shares: frozen, strict about unknown keys, and exact about numbers."""

import math
import re
from datetime import timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, StringConstraints, ValidationError

from governance.canonical import digest
from governance.errors import InputRefused

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
"""``sha256:`` and 64 lower-case hexadecimal digits."""

DecimalText = Annotated[str, StringConstraints(pattern=r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$")]
"""A number as text, so that signing and hashing never depend on how a float is printed."""


def _is_storable(text: str) -> str:
    if "\x00" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("neither NUL nor half of a surrogate pair can be stored")
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=2048), AfterValidator(_is_storable)]
"""A namespace, name or label as its producer wrote it."""

Prose = Annotated[str, StringConstraints(min_length=1, max_length=8192), AfterValidator(_is_storable)]
"""What a person wrote: a reason, a comment, a description."""

Remark = Annotated[str, StringConstraints(max_length=8192), AfterValidator(_is_storable)]
"""Text that may be empty."""


class Value(BaseModel):
    """A frozen record. Unknown keys are refused, so that a misspelt field is never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants", allow_inf_nan=False)

    later_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that came after values of this kind had been hashed and signed; left out of the document while empty."""

    def document(self) -> dict[str, JsonValue]:
        """The value as JSON, with every field present but later ones that are null or empty."""
        dumped: dict[str, JsonValue] = self.model_dump(mode="json", by_alias=True)
        if not self.later_fields:
            return dumped
        return {name: value for name, value in dumped.items() if value or name not in self.later_fields}

    def value_digest(self) -> str:
        """The digest of the value's RFC 8785 bytes."""
        return digest(self.document())


ValueT = TypeVar("ValueT", bound=Value)


def parse_value(model: type[ValueT], raw: Any, *, what: str) -> ValueT:
    """``raw`` as a ``model``.

    Raises:
        InputRefused: a field is missing, unknown or of the wrong kind; the pointer names the first such place and the
            message counts the others.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as fault:
        first, *others = fault.errors(include_url=False)
        more = f" (and {len(others)} more places)" if others else ""
        raise InputRefused(
            expected=f"{what} as documented",
            found=f"{first['msg']}{more}",
            remedy="Correct the field and send it again.",
            pointer="/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in first["loc"]),
        ) from fault


def decimal_text(number: float | Fraction) -> str:
    """The shortest text that reads back as the same number; integers without a point.

    Raises:
        InputRefused: NaN or an infinity, which no published number may be.
    """
    if isinstance(number, Fraction):
        number = number.numerator if number.denominator == 1 else float(number)
    if isinstance(number, int):
        return str(number)
    number = float(number)  # numpy scalars print otherwise
    if not math.isfinite(number):
        raise InputRefused(
            expected="a finite number", found=str(number), remedy="Report the value as undefined, with the reason."
        )
    return repr(number + 0.0).removesuffix(".0") if number else "0"


_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def duration(text: str) -> timedelta:
    """The span of an ISO 8601 duration in weeks, days, hours, minutes and seconds (``P90D``, ``PT30M``).

    Raises:
        ValueError: years or months, whose length depends on the calendar, or no duration at all.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is not an ISO 8601 duration in weeks, days, hours, minutes or seconds")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def _is_duration(text: str) -> str:
    duration(text)
    return text


DurationText = Annotated[str, AfterValidator(_is_duration)]
"""An ISO 8601 duration that ``duration`` reads."""


class Severity(StrEnum):
    """How much a finding or a failed check weighs; the gate shows it and policies set it."""

    INFO = "info"
    REVIEW = "review"
    WARNING = "warning"
    MEDIUM = "medium"
    HIGH = "high"
