"""The form of a measurement of adverse-action reasons: counts over decisions, and the facts stated with them. Pure."""

from typing import Literal

from pydantic import Field

from governance.types.credit_audit import CreditAudit
from governance.types.value import DecimalText, Value

MAX_EXAMPLES = 10
"""Row ids kept of what went wrong."""


class Breach(Value):
    """How many decisions broke a rule, with the ids of the first of them."""

    count: int = Field(default=0, ge=0)
    examples: tuple[str, ...] = Field(default=(), max_length=MAX_EXAMPLES)


class RegBBody(Value):
    """The measurement over denied decisions.

    ``reasons`` counts how often each input is among the reasons, ``places`` how many decisions have 0, 1, ... reasons.
    ``stable`` of ``compared`` decisions have the same reasons under the other background. ``earliest_start`` is the
    first date of the clock.
    """

    form: Literal["law-reasons/v1"] = "law-reasons/v1"
    facts: CreditAudit
    decisions: int = Field(ge=0)
    reasons: dict[str, int] = Field(default_factory=dict)
    places: tuple[int, ...] = ()
    inaccurate: Breach = Breach()
    without_reason: Breach = Breach()
    late: Breach = Breach()
    undated: Breach = Breach()
    compared: int = Field(default=0, ge=0)
    stable: int = Field(default=0, ge=0)
    proxy_area: DecimalText | None = None
