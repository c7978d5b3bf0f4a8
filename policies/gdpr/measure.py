"""The measurement of the lineage rules: the ancestry as it was seen, kept so that it can be judged again."""

from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.results import Input, Measurement
from policies.gdpr.params import GDPRParams

VERSION = "1"
"""Version of the check and of its rules; it changes when the same facts may be judged otherwise."""


def measure(facts: Facts, params: GDPRParams) -> Measurement:  # noqa: ARG001 - no parameter shapes what is measured
    """The ancestry of the subject as of ``facts.evaluated_at``.

    ``body`` holds ``subject``, ``evaluated_at``, ``facts_at`` (what was recorded by then counts; the same instant) and
    ``ancestry``. A subject that lineage does not know gives an ancestry without a subject, which the rules refuse.

    Raises:
        MeasurementRefused: no lineage was given to the check.
    """
    if facts.lineage is None:
        raise MeasurementRefused(
            expected="the lineage of the subject",
            found="no lineage",
            remedy="Run the check in the service, or give it a file of OpenLineage events.",
        )
    ancestry = facts.lineage.ancestry(facts.subject, as_of=facts.evaluated_at)
    instant = facts.evaluated_at.isoformat()
    return Measurement(
        check="gdpr",
        check_version=VERSION,
        inputs=(Input(role="lineage", digest=ancestry.value_digest()),),
        body={
            "subject": facts.subject.document(),
            "evaluated_at": instant,
            "facts_at": instant,
            "ancestry": ancestry.document(),
        },
    )
