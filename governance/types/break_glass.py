"""Break-glass: a person lets a model by for some hours although the gate did not; somebody else looks at it after."""

from typing import Literal

from pydantic import Field

from governance.types.value import Name, Prose, Remark, Value

MAX_HOURS = 4
"""A grant is for the time that it takes to mend the cause; more is a waiver, which needs somebody else."""


class BreakGlassRequest(Value):
    """A grant as it is asked for, beside one decision that does not allow."""

    decision_id: Name
    reason: Prose
    incident_id: Name
    hours: int = Field(MAX_HOURS, ge=1, le=MAX_HOURS)


class BreakGlassReview(Value):
    """What somebody else finds of a grant afterwards. ``not_justified`` ends it at once."""

    verdict: Literal["justified", "not_justified"]
    comment: Remark = ""
