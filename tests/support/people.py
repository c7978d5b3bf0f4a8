"""People for tests of the gate: holders of keys, and small waivers."""

from datetime import UTC, datetime, timedelta
from typing import Any

from governance.access.principal import Principal
from governance.access.roles import Role

SUBJECT = {"namespace": "mlflow://models.test", "name": "credit-line", "version": "1", "digest": "sha256:" + "5a" * 32}
"""The model of ``tests.support.story``."""

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)


def person(name: str, *roles: Role, scopes: tuple[str, ...] = ("*",), key: str | None = "k") -> Principal:
    """A holder of a service key."""
    return Principal(id=name, name=f"{name}'s key", roles=roles, scopes=scopes, key_id=key)


def waiver(**changes: Any) -> dict[str, Any]:
    """A waiver of the check of fairness, for thirty days from ``NOW``."""
    return {
        "checks": ["fairness"],
        "subject": SUBJECT,
        "environment": "prod",
        "bounds": {"fairness": [{"metric": "selection_rate_ratio", "at_least": "0.25"}]},
        "reason": "The gap comes from the pilot region.",
        "ticket": "RISK-1",
        "expires_at": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
        **changes,
    }
