"""The check of four fifths and significance as the gate loads it."""

from governance.check import Check, Facts, Reference
from governance.types.results import Measurement
from policies.fairness.law.ugesp_judge import NOT_CHECKED, judge
from policies.fairness.law.ugesp_params import UGESPParams

VERSION = "1.1.0"


def _measure(facts: Facts, params: UGESPParams) -> Measurement:
    from policies.fairness.law.ugesp_measure import measure_categories

    return measure_categories(facts, params, check_version=VERSION)


CHECK = Check(
    id="ugesp",
    version=VERSION,
    title="Four fifths and significance (Uniform Guidelines)",
    params=UGESPParams,
    measure=_measure,
    judge=judge,
    measured_with=frozenset({"min_group_size"}),
    references=(
        Reference(
            title="Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4(D), 1607.15(A)(2)(a)",
            url="https://www.ecfr.gov/current/title-29/section-1607.4",
            date="1978; a rescission was at final-rule stage on 2026-07-05",
        ),
        Reference(title="Katz et al.: confidence intervals for the risk ratio in cohort studies", date="1978"),
    ),
    not_checked=NOT_CHECKED,
)
