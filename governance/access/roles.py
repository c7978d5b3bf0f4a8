"""Roles and the permissions they give. Everything that is not listed is refused."""

from enum import StrEnum


class Permission(StrEnum):
    """One kind of act. Routes name the one they need."""

    READ = "read"
    LINEAGE_WRITE = "lineage.write"
    LINEAGE_HIDE = "lineage.hide"
    LINEAGE_PRUNE = "lineage.prune"
    EVIDENCE_WRITE = "evidence.write"
    EVALUATE = "evaluate"
    POLICY_WRITE = "policy.write"
    SCHEMA_WRITE = "schema.write"
    REPORT_WRITE = "report.write"
    ADMINISTER = "administer"


class Role(StrEnum):
    """What a key is for."""

    CI = "ci"
    DATA_STEWARD = "data_steward"
    POLICY_PUBLISHER = "policy_publisher"
    AUDITOR = "auditor"
    ADMIN = "admin"


GRANTS: dict[Role, frozenset[Permission]] = {
    Role.CI: frozenset(
        {Permission.READ, Permission.LINEAGE_WRITE, Permission.EVIDENCE_WRITE, Permission.EVALUATE}
        | {Permission.REPORT_WRITE}
    ),
    Role.DATA_STEWARD: frozenset(
        {Permission.READ, Permission.LINEAGE_WRITE, Permission.LINEAGE_HIDE, Permission.LINEAGE_PRUNE}
        | {Permission.SCHEMA_WRITE}
    ),
    Role.POLICY_PUBLISHER: frozenset({Permission.READ, Permission.POLICY_WRITE, Permission.SCHEMA_WRITE}),
    Role.AUDITOR: frozenset({Permission.READ, Permission.REPORT_WRITE}),
    Role.ADMIN: frozenset({Permission.READ, Permission.ADMINISTER}),
}
"""An administrator manages keys and signers, and can neither publish policies nor submit evidence."""


def permissions(roles: tuple[Role, ...]) -> frozenset[Permission]:
    """The union of what the roles give."""
    return frozenset[Permission]().union(*(GRANTS[role] for role in roles))
