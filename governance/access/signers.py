"""Public keys whose signed test results are taken as attested evidence."""

import sqlalchemy as sa

from governance.access.tables import EvidenceSignerRow
from governance.database import ReadUnit, Unit


def trust_signer(unit: Unit, *, keyid: str, name: str, public_key: bytes) -> None:
    """Take test results signed by this key (SubjectPublicKeyInfo, DER) from now on."""
    row = unit.session.get(EvidenceSignerRow, keyid)
    if row is None:
        unit.session.add(EvidenceSignerRow(keyid=keyid, name=name, public_key=public_key, created_at=unit.now))
    elif row.revoked_at is not None:
        row.revoked_at, row.name = None, name
    unit.session.flush()


def distrust_signer(unit: Unit, keyid: str) -> bool:
    """Take no further test results of this key; whether it was known."""
    row = unit.session.get(EvidenceSignerRow, keyid)
    if row is not None:
        row.revoked_at = row.revoked_at or unit.now
    return row is not None


def trusted_signers(unit: ReadUnit | Unit) -> dict[str, tuple[str, bytes]]:
    """Key id to name and public key (DER) of every signer that is trusted now."""
    rows = unit.session.scalars(sa.select(EvidenceSignerRow).where(EvidenceSignerRow.revoked_at.is_(None)))
    return {row.keyid: (row.name, row.public_key) for row in rows}
