"""Who asks: a stable id, the roles and scopes that were granted, and the questions that are put before every act."""

from dataclasses import dataclass

from governance.access.roles import Permission, Role, permissions
from governance.errors import NotPermitted
from governance.types.sight import EVERYTHING, Sight


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever holds a key or a token.

    ``id`` is the stable id that separation of duties compares: two keys of one holder have one id. ``scopes`` are
    patterns over ``namespace/name`` of models and data, with ``*`` for any run of characters and ``?`` for one.
    ``key_id`` is the service key that was shown, where it was one.
    """

    id: str
    name: str
    roles: tuple[Role, ...]
    scopes: tuple[str, ...] = EVERYTHING
    key_id: str | None = None

    def may(self, permission: Permission) -> bool:
        """Whether the roles give ``permission``."""
        return permission in permissions(self.roles)

    def require(self, permission: Permission) -> None:
        """Return when the roles give ``permission``.

        Raises:
            NotPermitted: they do not.
        """
        if not self.may(permission):
            raise NotPermitted(
                expected=f"a key with the permission {permission.value}",
                found=f"the roles {', '.join(self.roles) or 'none'}",
                remedy="Use a key with another role.",
            )

    @property
    def sight(self) -> Sight:
        """What the scopes let the principal see."""
        return Sight(self.scopes)

    def sees(self, namespace: str, name: str) -> bool:
        """Whether a model or data set lies in one of the scopes. Case counts."""
        return self.sight.sees(namespace, name)


OPERATOR = Principal(id="operator", name="operator of the host", roles=(Role.ADMIN,))
"""Whoever runs commands on the host that holds the database: keys are made there before there is a first key."""
