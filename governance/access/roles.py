"""Roles and the permissions they give. Everything that is not listed is refused."""

from collections.abc import Iterable
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
    POLICY_PUBLISH = "policy.publish"
    SCHEMA_WRITE = "schema.write"
    MODEL_WRITE = "model.write"
    DEPLOY = "deploy"
    REPORT_WRITE = "report.write"
    WAIVER_WRITE = "waiver.write"
    WAIVER_REVOKE = "waiver.revoke"
    APPROVE = "approve"
    BREAK_GLASS = "break_glass"
    REVOKE = "revoke"
    ATTEST = "attest"
    LOG_COSIGN = "log.cosign"
    ADMINISTER = "administer"


class Role(StrEnum):
    """What a key is for."""

    CI = "ci"
    DATA_STEWARD = "data_steward"
    MODEL_OWNER = "model_owner"
    APPROVER = "approver"
    POLICY_AUTHOR = "policy_author"
    POLICY_PUBLISHER = "policy_publisher"
    INCIDENT_RESPONDER = "incident_responder"
    AUDITOR = "auditor"
    ADMIN = "admin"


GRANTS: dict[Role, frozenset[Permission]] = {
    Role.CI: frozenset(
        {Permission.READ, Permission.LINEAGE_WRITE, Permission.EVIDENCE_WRITE, Permission.EVALUATE}
        | {Permission.REPORT_WRITE, Permission.DEPLOY, Permission.MODEL_WRITE}
    ),
    Role.DATA_STEWARD: frozenset(
        {Permission.READ, Permission.LINEAGE_WRITE, Permission.LINEAGE_HIDE, Permission.LINEAGE_PRUNE}
        | {Permission.SCHEMA_WRITE, Permission.ATTEST}
    ),
    Role.MODEL_OWNER: frozenset(
        {Permission.READ, Permission.MODEL_WRITE, Permission.EVIDENCE_WRITE, Permission.EVALUATE}
        | {Permission.WAIVER_WRITE, Permission.WAIVER_REVOKE, Permission.ATTEST, Permission.REPORT_WRITE}
    ),
    Role.APPROVER: frozenset(
        {Permission.READ, Permission.APPROVE, Permission.WAIVER_REVOKE, Permission.REVOKE, Permission.REPORT_WRITE}
    ),
    Role.POLICY_AUTHOR: frozenset({Permission.READ, Permission.POLICY_WRITE}),
    Role.POLICY_PUBLISHER: frozenset({Permission.READ, Permission.POLICY_PUBLISH, Permission.SCHEMA_WRITE}),
    Role.INCIDENT_RESPONDER: frozenset({Permission.READ, Permission.BREAK_GLASS}),
    Role.AUDITOR: frozenset({Permission.READ, Permission.REPORT_WRITE, Permission.LOG_COSIGN}),
    Role.ADMIN: frozenset({Permission.READ, Permission.ADMINISTER}),
}
"""An administrator manages keys and signers, and can neither approve, waive nor publish policies nor send evidence."""


def permissions(roles: tuple[Role, ...]) -> frozenset[Permission]:
    """The union of what the roles give."""
    return frozenset[Permission]().union(*(GRANTS[role] for role in roles))


UNJOINED: dict[Role, frozenset[Role]] = {
    Role.ADMIN: frozenset(Role) - {Role.ADMIN, Role.AUDITOR},
    Role.CI: frozenset({Role.APPROVER, Role.INCIDENT_RESPONDER}),
}
"""Roles that one holder never has together: who gives out keys does none of the work they are for, and a machine
neither approves nor breaks the glass. The database refuses such keys as well."""


def unjoined(roles: Iterable[Role]) -> tuple[Role, Role] | None:
    """Two of the roles that exclude one another; None when all of them go together."""
    held = set(roles)
    pairs = ((role, other) for role in UNJOINED for other in Role if other in UNJOINED[role])
    return next(((role, other) for role, other in pairs if {role, other} <= held), None)
