"""What the gate is built with: its settings, its keys and where its bytes lie."""

from dataclasses import dataclass

from audits.lineage_events import Speaker
from governance import __version__
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

    @property
    def speaker(self) -> Speaker:
        """In whose name this instance writes events."""
        namespace = self.settings.lineage_namespace
        return Speaker(namespace, f"{namespace}/versions/{__version__}", self.settings.public_url)
