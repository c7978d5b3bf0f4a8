"""Who holds a role: the people behind the keys that are valid now."""

import sqlalchemy as sa

from governance.access.principal import Principal
from governance.access.roles import Role
from governance.access.tables import ServiceKeyRow
from governance.database import ReadUnit, Unit
from governance.types.subject import Subject


def holders(unit: Unit | ReadUnit, role: Role, *, subject: Subject | None = None) -> frozenset[str]:
    """Stable ids of whoever holds a valid key with the role; only keys that see ``subject``, where one is given."""
    live = sa.select(ServiceKeyRow).where(
        ServiceKeyRow.revoked_at.is_(None),
        sa.or_(ServiceKeyRow.expires_at.is_(None), ServiceKeyRow.expires_at > unit.now),
    )
    found = set()
    for row in unit.session.scalars(live):
        principal = Principal(row.subject, row.name, tuple(map(Role, row.roles)), tuple(row.scopes), row.id)
        sees = subject is None or principal.sees(subject.namespace, subject.name)
        if role in principal.roles and sees:
            found.add(principal.id)
    return frozenset(found)
