"""Who may say yes: holders of the role who neither asked nor own the model."""

from collections.abc import Collection

from audits.acts import AnyUnit
from governance.access.holders import holders
from governance.access.principal import Principal
from governance.access.roles import Permission, Role
from governance.errors import DutiesNotSeparate, NotFound
from governance.registry.models import owners_of
from governance.types.subject import Subject
from lineage.view import StoredLineage


def owners(unit: AnyUnit, subject: Subject) -> frozenset[str]:
    """Stable ids of whoever owns the model: as the registry says, and as ownership facets in lineage name them."""
    return owners_of(unit, subject) | StoredLineage(unit).owners(subject)


def eligible_approvers(
    unit: AnyUnit, role: str = Role.APPROVER, *, excluding: Collection[str] = (), subject: Subject | None = None
) -> frozenset[str]:
    """Stable ids of those who may approve: they hold a valid key with the role, see the model and do not own it.

    ``excluding`` names others who may not, such as the requester. Without ``subject`` it is who could approve for
    some model, as a policy asks that is about to be published.
    """
    barred = owners(unit, subject) if subject is not None else frozenset()
    return holders(unit, Role(role), subject=subject) - barred - frozenset(excluding)


def require_apart(unit: AnyUnit, principal: Principal, subject: Subject, *, requester: str, what: str) -> None:
    """Return when the principal may judge ``what`` of the subject as a second person.

    Raises:
        NotPermitted: the role does not approve. DutiesNotSeparate: the principal asked for it, or owns the model.
    """
    principal.require(Permission.APPROVE)
    if principal.id == requester:
        raise DutiesNotSeparate(
            expected=f"somebody else than who asked for {what}",
            found=f"{principal.id}, who asked for it",
            remedy="Let another person with the role approver do it.",
        )
    if principal.id in owners(unit, subject):
        raise DutiesNotSeparate(
            expected=f"somebody who does not own {subject.name}",
            found=f"{principal.id}, one of its owners",
            remedy="Let a person with the role approver who does not own the model do it.",
        )


def require_sight(principal: Principal, namespace: str, name: str, hidden: NotFound) -> None:
    """Return when the model lies in the principal's scopes.

    Raises:
        NotFound: ``hidden``, which an unknown name would be answered with too.
    """
    if not principal.sees(namespace, name):
        raise hidden
