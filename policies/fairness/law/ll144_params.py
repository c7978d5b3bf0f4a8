"""What a policy may set for the check of Local Law 144."""

from datetime import date
from fractions import Fraction
from typing import Self

from pydantic import Field, model_validator

from governance.check import Params
from governance.types.value import DecimalText
from policies.fairness.law.ll144 import MIN_REFERENCE
from policies.fairness.law.sample import RACES, SEXES, Unknowns

CONTROLS = tuple(f"LL144-{number:02d}" for number in range(1, 12))
"""The controls of the law in the order of the rule."""


class LL144Params(Params):
    """How the steps of the rule are judged.

    ``controls`` are those that must hold; empty takes all. ``unknowns``: whom the printed tables leave out. A smaller
    reference than ``min_reference`` is marked. ``holidays`` are days that are no business days, and ``holiday_years``
    the years whose holidays are listed. ``own_threshold`` is the operator's own and no part of the law: it is printed
    as such and decides nothing.
    """

    controls: tuple[str, ...] = ()
    unknowns: Unknowns = "per_table"
    sexes: tuple[str, ...] = Field(default=SEXES, min_length=2)
    races: tuple[str, ...] = Field(default=RACES, min_length=2)
    min_reference: int = Field(default=MIN_REFERENCE, ge=1, le=10**9)
    holidays: tuple[date, ...] = ()
    holiday_years: tuple[int, ...] = ()
    own_threshold: DecimalText | None = Field(default=None, max_length=30)

    @property
    def required(self) -> tuple[str, ...]:
        """The controls that must hold."""
        return self.controls or CONTROLS

    @property
    def exact_threshold(self) -> Fraction | None:
        """The operator's own threshold as the fraction its text spells."""
        return None if self.own_threshold is None else Fraction(self.own_threshold)

    @model_validator(mode="after")
    def _known(self) -> Self:
        strange = sorted(set(self.controls) - set(CONTROLS))
        if strange:
            raise ValueError(f"{', '.join(strange)} is none of the controls {', '.join(CONTROLS)}")
        own = self.own_threshold
        # A huge exponent is refused by its text: the fraction it spells would fill the memory.
        if own is not None and ("e" in own.lower() or not 0 < Fraction(own) <= 1):
            raise ValueError("own_threshold is a plain decimal above 0 and at most 1")
        return self
