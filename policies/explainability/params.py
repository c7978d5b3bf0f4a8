"""What a policy may set for the explainability check."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from governance.check import Params
from governance.types.manifest import Scalar
from governance.types.value import DecimalText

MEASURED_WITH = frozenset({"background_rows", "explain_class", "sample_rows"})
"""The parameters that shape the measurement; the others only shape the judgement, or how long it may take."""


def _share(text: str) -> str:
    if len(text) > 30 or not 0 <= float(text) <= 1:
        raise ValueError("a share lies between 0 and 1")
    return text


Share = Annotated[DecimalText, AfterValidator(_share)]
"""A share as decimal text, in [0, 1]."""


def _limit(default: Any, description: str) -> Any:
    return Field(default, description=f"{description} Null: not judged.")


class ExplainabilityParams(Params):
    """How much is measured, which class is explained, and the limits on what the model rests on."""

    sample_rows: int = Field(1000, ge=2, le=20_000, description="Rows to explain, drawn with the manifest's seed.")
    background_rows: int = Field(
        200, ge=1, le=5_000, description="Rows of the sample that a linear model's contributions are measured from."
    )
    time_budget_seconds: int = Field(60, ge=1, le=3_600, description="Wall clock for predictions and attributions.")
    explain_class: Scalar | None = Field(
        None, description="The class to explain, where the manifest's positive decision is none of the model's own."
    )
    forbidden: tuple[str, ...] = Field((), description="Features that must carry no attribution at all.")
    sensitive_share: Share | None = _limit("0.02", "Largest share of attribution on sensitive attributes.")
    gap_share: Share | None = _limit("0.25", "Share of a group's gap from which one unjustified feature is warned of.")
    undocumented_share: Share | None = _limit("0.01", "Largest share of attribution on undocumented features.")
    proxy_share: Share | None = _limit(None, "Share weighted by association with an attribute, warned of above it.")
    additivity: Share = Field(
        "0.001", description="Largest distance of base plus contributions from the output, in its standard deviations."
    )
    min_group_size: int = Field(30, ge=2, description="Rows of the sample below which a group is shown, not judged.")
