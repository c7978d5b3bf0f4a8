"""Whoever shows something is told apart here: by a service key or by an ID token of a CI host."""

import threading
from datetime import datetime

import sqlalchemy as sa
import structlog

from governance.access.issuers import Issuers, is_token
from governance.access.keys import authenticate
from governance.access.principal import Principal
from governance.access.tables import ServiceKeyRow
from governance.database import Database, ReadUnit, Unit
from governance.errors import AssayError

log = structlog.get_logger("assay.access")

WRITE_EVERY_SECONDS = 60
"""When a key was used last is told to the minute: one transaction for all keys, and none in the way of a request."""


class Identities:
    """Finds out who asks, and remembers when keys were used until that is written down."""

    def __init__(self, issuers: Issuers) -> None:
        """Nobody has asked yet."""
        self._issuers = issuers
        self._lock = threading.Lock()
        self._used: dict[str, datetime] = {}
        self._stopping = threading.Event()
        self._writer: threading.Thread | None = None

    def principal(self, database: Database, token: str) -> Principal:
        """Who shows ``token``. No database connection is held while an issuer is asked for its keys.

        Raises:
            NotAuthenticated: it is not valid. NotPermitted: a token of a job that no binding fits.
            IssuerUnavailable: whether it is valid cannot be told now.
        """
        if is_token(token):
            return self._issuers.principal(token, now=database.clock())
        with database.glance() as unit:
            return self.holder(unit, token)

    def holder(self, unit: Unit | ReadUnit, token: str) -> Principal:
        """Who shows ``token``, as the unit sees it; raises like ``principal``, and asks no issuer for its keys."""
        if is_token(token):
            return self._issuers.principal(token, now=unit.now, look=False)
        found = authenticate(unit, token)
        if found.key_id is not None:
            with self._lock:
                self._used[found.key_id] = unit.now
        return found

    def write_uses(self, database: Database) -> int:
        """Write down when keys were used since the last time; how many were."""
        with self._lock:
            used, self._used = self._used, {}
        if not used:
            return 0
        with database.unit() as unit:
            for key_id, moment in sorted(used.items()):
                row = sa.update(ServiceKeyRow).where(ServiceKeyRow.id == key_id)
                earlier = sa.or_(ServiceKeyRow.last_used_at.is_(None), ServiceKeyRow.last_used_at < moment)
                unit.session.execute(row.where(earlier).values(last_used_at=moment.replace(second=0, microsecond=0)))
        return len(used)

    def start(self, database: Database) -> None:
        """Write uses down every minute from now on."""
        self._stopping.clear()
        self._writer = threading.Thread(target=self._keep_writing, args=(database,), name="key-uses", daemon=True)
        self._writer.start()

    def stop(self, database: Database) -> None:
        """Write down what is left, and nothing more."""
        self._stopping.set()
        if self._writer is not None:
            self._writer.join()
        self._try_to_write(database)

    def _keep_writing(self, database: Database) -> None:
        while not self._stopping.wait(WRITE_EVERY_SECONDS):
            self._try_to_write(database)

    def _try_to_write(self, database: Database) -> None:
        try:
            self.write_uses(database)
        except AssayError as fault:
            # When a key was used last is a hint for its owner; no request fails for want of it.
            log.warning("keys.uses_not_written", fault=fault.message)
