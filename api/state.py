"""What the composition root builds once and routes reach through the application."""

from dataclasses import dataclass

from audits.context import GateContext
from governance.access.identities import Identities
from governance.access.rates import Rates
from governance.artifacts import ArtifactStore
from governance.database import Database
from governance.jobs.engine import Engine
from governance.settings import Settings


@dataclass(frozen=True, slots=True)
class State:
    """The parts of a running service."""

    settings: Settings
    database: Database
    artifacts: ArtifactStore
    gate: GateContext
    engine: Engine
    identities: Identities
    rates: Rates
