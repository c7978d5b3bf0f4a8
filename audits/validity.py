"""Whether a decision lets something go live at an instant: a closed set of answers, of which one is a yes. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from governance.types.results import Verdict


class Validity(StrEnum):
    """What a decision is worth at an instant. Everything but ``valid`` blocks."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"
    WRONG_SUBJECT = "wrong_subject"
    WRONG_ENVIRONMENT = "wrong_environment"
    NOT_ALLOWED = "not_allowed"


@dataclass(frozen=True, slots=True)
class Life:
    """A decision as it was taken, and what became of it.

    ``superseded_at`` is when the first later enforced decision about the same digest and environment was taken that
    does not allow; null where there is none.
    """

    verdict: Verdict
    mode: str
    subject_digest: str
    environment: str
    evaluated_at: datetime
    valid_until: datetime | None
    revoked_at: datetime | None = None
    superseded_at: datetime | None = None

    @property
    def allows(self) -> bool:
        """Whether it ever let anything go live: an enforced ``allow``."""
        return self.verdict is Verdict.ALLOW and self.mode == "enforce"


def validity(life: Life, *, digest: str, environment: str, at: datetime) -> Validity:
    """What the decision is worth for these bytes in this environment at ``at``.

    The answers are asked for in this order: the decision is of other bytes; for another environment; it never allowed
    (a deny, an indeterminate, a dry run, or ``at`` before it was taken); it was revoked; it was superseded; its time is
    over, which ends at ``valid_until`` exactly. An allow without an end never happens and counts as expired.

    A later decision supersedes when it is enforced, is about the same digest and environment, and does not allow: the
    gate's newest word that says no, or that it cannot tell, takes an earlier yes back, under whatever policy it was
    asked. A later allow does not supersede: two policies may be asked one after the other, and each yes holds until
    its own time. A dry run never supersedes.
    """
    if life.subject_digest != digest:
        return Validity.WRONG_SUBJECT
    if life.environment != environment:
        return Validity.WRONG_ENVIRONMENT
    if not life.allows or at < life.evaluated_at:
        return Validity.NOT_ALLOWED
    if life.revoked_at is not None and life.revoked_at <= at:
        return Validity.REVOKED
    if life.superseded_at is not None and life.superseded_at <= at:
        return Validity.SUPERSEDED
    if life.valid_until is None or at >= life.valid_until:
        return Validity.EXPIRED
    return Validity.VALID
