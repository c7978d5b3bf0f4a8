"""The fairness check as the gate loads it. Measuring is imported when it happens, so that the server stays light."""

from governance.check import Check, Facts, Reference
from governance.types.results import Measurement
from policies.fairness.judge import NOT_CHECKED, judge
from policies.fairness.params import FairnessParams

VERSION = "1.1.0"


def _measure(facts: Facts, params: FairnessParams) -> Measurement:
    from policies.fairness.measure import measure

    return measure(facts, params, check_version=VERSION)


CHECK = Check(
    id="fairness",
    version=VERSION,
    title="Fairness between groups",
    params=FairnessParams,
    measure=_measure,
    judge=judge,
    measured_with=frozenset({"bootstrap_replicates"}),
    references=(
        Reference(
            title="Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4(D): the four-fifths ratio",
            url="https://www.ecfr.gov/current/title-29/section-1607.4",
            date="1978",
        ),
        Reference(title="Hardt, Price, Srebro: Equality of Opportunity in Supervised Learning (NeurIPS)", date="2016"),
        Reference(
            title="Katz et al.: Obtaining confidence intervals for the risk ratio in cohort studies", date="1978"
        ),
        Reference(title="Wilson: Probable inference, the law of succession, and statistical inference", date="1927"),
        Reference(title="Newcombe: Interval estimation for the difference between proportions, method 10", date="1998"),
        Reference(title="Holm: A simple sequentially rejective multiple test procedure", date="1979"),
        Reference(title="Fairlearn, MetricFrame", url="https://fairlearn.org", date="0.15"),
    ),
    not_checked=NOT_CHECKED,
)
