"""What a policy may set for the check of the Uniform Guidelines."""

from typing import Self

from pydantic import Field, model_validator

from governance.check import Params
from policies.fairness.law.ugesp import MIN_GROUP_SIZE

CONTROLS = ("UGESP-4D", "UGESP-SIG", "UGESP-2PCT", "UGESP-VAL")
"""The controls of the pack."""


class UGESPParams(Params):
    """Which attributes and controls must hold; empty ``sensitive`` takes every attribute of the manifest.

    A category with fewer people than ``min_group_size`` is too small to be a reference, or to pass.
    """

    controls: tuple[str, ...] = Field(default=CONTROLS, min_length=1)
    sensitive: tuple[str, ...] = ()
    min_group_size: int = Field(default=MIN_GROUP_SIZE, ge=1, le=10**9)

    @model_validator(mode="after")
    def _known(self) -> Self:
        strange = sorted(set(self.controls) - set(CONTROLS))
        if strange:
            raise ValueError(f"{', '.join(strange)} is none of the controls {', '.join(CONTROLS)}")
        return self
