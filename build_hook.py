"""Lay the application packages inside ``governance/_app`` in a real wheel; an editable install is left alone."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

APPLICATION = ("lineage", "policies", "audits", "reports", "api", "migrations", "examples")


class PackApplication(BuildHookInterface[Any]):
    """Adds the application packages to the one top-level package of the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Map each package into ``governance/_app`` unless the install is editable."""
        if version != "editable":
            build_data["force_include"].update({name: f"governance/_app/{name}" for name in APPLICATION})
