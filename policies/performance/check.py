"""The performance check as the gate loads it. Measuring is imported when it happens, so that the server stays light."""

from governance.check import Check, Facts, Reference
from governance.types.results import Measurement
from policies.performance.judge import NOT_CHECKED, judge
from policies.performance.params import PerformanceParams

VERSION = "1.1.0"


def _measure(facts: Facts, params: PerformanceParams) -> Measurement:
    from policies.performance.measure import measure

    return measure(facts, params, check_version=VERSION)


CHECK = Check(
    id="performance",
    version=VERSION,
    title="Quality measured again",
    params=PerformanceParams,
    measure=_measure,
    judge=judge,
    references=(
        Reference(title="Wilson: Probable inference, the law of succession, and statistical inference", date="1927"),
        Reference(title="DeLong, DeLong, Clarke-Pearson: Comparing the areas under correlated ROC curves", date="1988"),
        Reference(title="Agresti, Min: Simple improved confidence intervals for matched proportions", date="2005"),
        Reference(title="Zou, Donner: Construction of confidence limits about effect measures", date="2008"),
    ),
    not_checked=NOT_CHECKED,
)
