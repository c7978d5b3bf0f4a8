"""The explainability check as the gate loads it. Measuring is imported when it happens, so the server stays light."""

from governance.check import Check, Facts, Reference
from governance.types.results import Measurement
from policies.explainability.judge import NOT_CHECKED, judge
from policies.explainability.params import MEASURED_WITH, ExplainabilityParams

VERSION = "1.0.0"


def _measure(facts: Facts, params: ExplainabilityParams) -> Measurement:
    from policies.explainability.measure import measure

    return measure(facts, params, check_version=VERSION)


CHECK = Check(
    id="explainability",
    version=VERSION,
    title="What the model rests on",
    params=ExplainabilityParams,
    measure=_measure,
    judge=judge,
    measured_with=MEASURED_WITH,
    references=(
        Reference(
            title="Lundberg, Lee: A Unified Approach to Interpreting Model Predictions (NeurIPS)",
            url="https://arxiv.org/abs/1705.07874",
            date="2017",
        ),
        Reference(
            title="Lundberg et al.: From local explanations to global understanding with explainable AI for trees",
            url="https://arxiv.org/abs/1905.04610",
            date="2020",
        ),
        Reference(title="Cochran: Sampling Techniques, 3rd edition, ratio estimates", date="1977"),
        Reference(title="Bergsma: A bias-correction for Cramér's V and Tschuprow's T", date="2013"),
    ),
    not_checked=NOT_CHECKED,
)
