"""Poll tokens: what opens the answer of one evaluation until its deadline, for a job whose own token ends sooner."""

import hashlib
import re
import secrets
from datetime import datetime

import sqlalchemy as sa

from governance.access.tables import PollTokenRow
from governance.database import ReadUnit, Unit
from governance.errors import NotAuthenticated

_TOKEN = re.compile(r"assaypoll_[A-Za-z0-9_-]{43}")


def is_poll_token(text: str) -> bool:
    """Whether a bearer's text has the form of a poll token."""
    return _TOKEN.fullmatch(text) is not None


def issue_poll_token(unit: Unit, evaluation_id: str, *, expires_at: datetime) -> str:
    """A token that reads the evaluation until ``expires_at``; only its hash is kept, and expired ones are dropped."""
    unit.session.execute(sa.delete(PollTokenRow).where(PollTokenRow.expires_at <= unit.now))
    token = f"assaypoll_{secrets.token_urlsafe(32)}"
    unit.session.add(PollTokenRow(secret_hash=_hash(token), evaluation_id=evaluation_id, expires_at=expires_at))
    unit.session.flush()
    return token


def evaluation_of_token(unit: ReadUnit | Unit, token: str) -> str:
    """The evaluation that a poll token opens.

    Raises:
        NotAuthenticated: it is not a poll token, unknown or expired.
    """
    # Looking it up by the hash of the whole secret tells nothing by its timing: nobody can choose the hash.
    row = unit.session.get(PollTokenRow, _hash(token)) if is_poll_token(token) else None
    if row is None or row.expires_at <= unit.now:
        raise NotAuthenticated(
            expected="a poll token of this evaluation that is valid now",
            found="one that is unknown or expired",
            remedy="Ask the gate again with the same Idempotency-Key.",
        )
    return row.evaluation_id


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
