"""The check of Local Law 144 as the gate loads it."""

from governance.check import Check, Facts, Reference
from governance.types.results import Measurement
from policies.fairness.law.ll144_judge import NOT_CHECKED, judge
from policies.fairness.law.ll144_params import LL144Params

VERSION = "1.1.0"


def _measure(facts: Facts, params: LL144Params) -> Measurement:
    from policies.fairness.law.measure import measure_people

    return measure_people(facts, params, check_version=VERSION)


CHECK = Check(
    id="ll144",
    version=VERSION,
    title="Bias audit by New York City's Local Law 144",
    params=LL144Params,
    measure=_measure,
    judge=judge,
    measured_with=frozenset({"races", "sexes"}),
    references=(
        Reference(
            title="New York City Local Law 144 of 2021, Administrative Code 20-870 to 20-874",
            date="in force 2023-07-05",
        ),
        Reference(
            title="6 RCNY 5-300 to 5-304",
            url="https://rules.cityofnewyork.us/rule/automated-employment-decision-tools-updated/",
            date="final rule, April 2023",
        ),
    ),
    not_checked=NOT_CHECKED,
)
