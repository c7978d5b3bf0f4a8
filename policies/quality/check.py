"""The quality check as the gate loads it. Measuring is imported when it happens, so that the server stays light."""

from pydantic import JsonValue

from governance.check import Check, Facts, Reference
from governance.types.results import Measurement
from policies.quality.judge import NOT_CHECKED, judge
from policies.quality.params import QualityParams

VERSION = "1.0.0"


class QualityCheck(Check[QualityParams]):
    """A check of which the rules shape the measurement and their limits do not."""

    def measuring_params(self, params: QualityParams) -> dict[str, JsonValue]:
        """The rules without their limits."""
        return params.shape()


def _measure(facts: Facts, params: QualityParams) -> Measurement:
    from policies.quality.measure import measure

    return measure(facts, params, check_version=VERSION)


CHECK = QualityCheck(
    id="quality",
    version=VERSION,
    title="The data are fit for what rests on them",
    params=QualityParams,
    measure=_measure,
    judge=judge,
    references=(
        Reference(title="Regulation (EU) 2024/1689, Art. 10(2) and (3): data and data governance", date="2024-06-13"),
        Reference(
            title="Kapoor, Narayanan: Leakage and the reproducibility crisis in machine-learning-based science",
            date="2023",
        ),
        Reference(title="DeLong, DeLong, Clarke-Pearson: Comparing the areas under correlated ROC curves", date="1988"),
        Reference(title="Siddiqi: Credit Risk Scorecards, population stability index", date="2006"),
        Reference(title="Massart: The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality", date="1990"),
        Reference(title="Iglewicz, Hoaglin: How to detect and handle outliers", date="1993"),
    ),
    not_checked=NOT_CHECKED,
)
