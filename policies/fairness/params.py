"""What a policy may set for the fairness check."""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from governance.check import Params
from governance.types.value import DecimalText, Value
from policies.fairness.metrics import METRICS


def _known_metric(name: str) -> str:
    if name not in METRICS:
        raise ValueError(f"{name!r} is none of the metrics {', '.join(sorted(METRICS))}")
    return name


MetricName = Annotated[str, AfterValidator(_known_metric), Field(json_schema_extra={"enum": sorted(METRICS)})]
"""The name of a metric that can be limited."""


class MetricLimit(Value):
    """One metric and its limit: a ratio is at least it, in (0, 1]; a difference at most it, in [0, 1].

    Differences of predicted numbers have the unit of the label, and any limit from 0.
    """

    name: MetricName
    limit: DecimalText

    @property
    def exact_limit(self) -> Fraction:
        """The limit as the fraction its text spells."""
        return Fraction(self.limit)

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        # A huge exponent is refused by its text: the fraction it spells would fill the memory.
        if len(self.limit) > 30 or "e" in self.limit.lower():
            raise ValueError("a limit is a plain decimal of at most 30 characters")
        if self.exact_limit < 0 or (METRICS[self.name].is_bounded and self.exact_limit > 1):
            raise ValueError("a limit lies between 0 and 1, or from 0 on for differences of predicted numbers")
        if METRICS[self.name].is_ratio and self.exact_limit == 0:
            raise ValueError("a ratio of at least 0 holds for every model; set a limit above 0")
        return self


class FairnessParams(Params):
    """The metrics with their limits, and how a group's numbers become an outcome.

    ``sensitive`` names attributes, or intersections as ``sex*race``; empty takes all that the manifest declares.
    ``classes`` names the classes that are judged one against the rest; empty takes all that were measured.
    ``mode``: ``statistical`` decides with intervals and tests, ``as_written`` by the point value alone.
    ``min_group_size`` (rows of the metric's own denominator) defaults to 30, and to no minimum ``as_written``.
    ``small_groups``: a smaller group is noted, or blocks. ``inconclusive``: a value beyond the limit that chance can
    explain blocks as insufficient evidence, or warns. ``bootstrap_replicates`` is their number, 0 for none.
    """

    metrics: tuple[MetricLimit, ...] = Field(
        default=(MetricLimit(name="selection_rate_ratio", limit="0.8"),), min_length=1, max_length=50
    )
    sensitive: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    mode: Literal["statistical", "as_written"] = "statistical"
    min_group_size: int | None = Field(default=None, ge=1, le=10**9)
    small_groups: Literal["note", "block"] = "note"
    inconclusive: Literal["block", "warn"] = "block"
    bootstrap_replicates: int = Field(default=10_000, ge=0, le=100_000)

    @property
    def minimum_rows(self) -> int:
        """The least rows of a metric's denominator for a group to be judged."""
        if self.min_group_size is not None:
            return self.min_group_size
        return 30 if self.mode == "statistical" else 1
