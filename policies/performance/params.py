"""What a policy may set for the performance check."""

from fractions import Fraction
from typing import Literal, Self

from pydantic import Field, model_validator

from governance.check import Params
from governance.types.value import DecimalText

MetricName = Literal["accuracy", "balanced_accuracy", "f1", "precision", "recall", "auc"]
"""All lie in [0, 1]; more is better."""


class PerformanceParams(Params):
    """The metric and what it must reach.

    ``at_least`` is the declared level, a decimal in (0, 1]. ``at_least_baseline`` asks for more than the best
    prediction that ignores the features: the majority class for accuracy, chance (0.5) for balanced accuracy and AUC,
    always positive for precision and F1. ``min_rows``: fewer rows of the metric's denominator decide nothing.
    """

    metric: MetricName = "accuracy"
    at_least: DecimalText | None = Field(default=None, max_length=30)
    at_least_baseline: bool = True
    min_rows: int = Field(default=30, ge=1, le=10**9)

    @property
    def exact_level(self) -> Fraction | None:
        """The declared level as the fraction its text spells."""
        return None if self.at_least is None else Fraction(self.at_least)

    @model_validator(mode="after")
    def _answerable(self) -> Self:
        if self.at_least is not None and ("e" in self.at_least.lower() or not 0 < Fraction(self.at_least) <= 1):
            raise ValueError("at_least is a plain decimal above 0 and at most 1")
        if self.metric == "recall" and self.at_least_baseline:
            raise ValueError("predicting everybody as positive has recall 1: set at_least and at_least_baseline: false")
        if self.at_least is None and not self.at_least_baseline:
            raise ValueError("set at_least, at_least_baseline or both; otherwise nothing is judged")
        return self
