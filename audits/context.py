"""What the gate is built with: its settings, its keys and where its bytes lie."""

from dataclasses import dataclass

from governance.artifacts import ArtifactStore
from governance.settings import Settings
from governance.signing.keys import KeyRing


@dataclass(frozen=True, slots=True)
class GateContext:
    """The parts that a decision needs besides its unit of work."""

    settings: Settings
    ring: KeyRing
    artifacts: ArtifactStore

    @property
    def origin(self) -> str:
        """The name of this instance's log, to which every decision is bound."""
        return self.settings.origin
