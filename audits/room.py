"""Whether there is room for another evaluation to be measured: refusing early is kinder than collapsing late."""

import sqlalchemy as sa

from audits.tables import EvaluationRow
from governance.database import Unit
from governance.errors import Busy
from governance.jobs.lease import QUEUED, RUNNING
from governance.settings import WorkSettings


def require_room(unit: Unit, settings: WorkSettings, principal: str) -> None:
    """Return when the queue takes the evaluation that was inserted last; asked before anything of it is committed.

    Evaluations that wait for people do not count: no machine works on them. Requests at one moment may overshoot by as
    many as arrive, which a bound against collapse bears.

    Raises:
        Busy: more wait than the settings allow, in all or of this principal.
    """
    query = sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.sum(sa.case((EvaluationRow.principal == principal, 1), else_=0)), 0)
    ).where(EvaluationRow.state.in_((QUEUED, RUNNING)))
    waiting, own = unit.session.execute(query).one()
    share = max(1, int(settings.max_waiting * settings.max_waiting_share))
    for count, most, whose in ((waiting, settings.max_waiting, ""), (own, share, " of one principal")):
        if count > most:
            raise Busy(
                expected=f"at most {most} evaluations{whose} that wait to be measured",
                found="more",
                remedy="Send the request again later, with the same Idempotency-Key; ready evidence is still decided.",
            )
