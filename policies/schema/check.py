"""The schema check as the gate loads it. Measuring is imported when it happens, so that the server stays light."""

from governance.check import Check, Facts, Reference
from governance.types.results import Measurement
from policies.schema.judge import NOT_CHECKED, judge
from policies.schema.params import SchemaParams

VERSION = "1.0.0"


def _measure(facts: Facts, params: SchemaParams) -> Measurement:
    from policies.schema.measure import measure

    return measure(facts, params, check_version=VERSION)


CHECK = Check(
    id="schema",
    version=VERSION,
    title="The data are what their schema says",
    params=SchemaParams,
    measure=_measure,
    judge=judge,
    measured_with=frozenset({"document"}),
    references=(Reference(title="Pandera, data validation", url="https://pandera.readthedocs.io", date="0.35"),),
    not_checked=NOT_CHECKED,
)
