"""What the gate is built with: its settings, its keys and where its bytes lie."""

from dataclasses import dataclass

from audits.lineage_events import Speaker
from governance import __version__
from governance.artifacts import ArtifactStore
from governance.log.cosignature import Witness
from governance.settings import Settings
from governance.signing.keys import KeyRing
from governance.signing.stores import KeyStore


@dataclass(frozen=True, slots=True)
class GateContext:
    """The parts that a decision needs besides its unit of work."""

    settings: Settings
    keys: KeyStore
    artifacts: ArtifactStore
    witnesses: tuple[Witness, ...] = ()

    @property
    def ring(self) -> KeyRing:
        """The signing keys as they are now; ask again for each signature, since they may be rotated meanwhile."""
        return self.keys.ring()

    @property
    def origin(self) -> str:
        """The name of this instance's log, to which every decision is bound."""
        return self.settings.origin

    @property
    def speaker(self) -> Speaker:
        """In whose name this instance writes events."""
        namespace = self.settings.lineage_namespace
        return Speaker(namespace, f"{namespace}/versions/{__version__}", self.settings.public_url)
