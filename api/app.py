"""The composition root: settings in, an application out."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import Lifespan

from api import errors, examples
from api.headers import SafeHeaders
from api.intake import Intake
from api.names import EncodedNames
from api.routers import (
    approvals,
    attestations,
    break_glass,
    deployments,
    evidence,
    formats,
    gate,
    health,
    integrations,
    keys,
    lineage,
    lineage_columns,
    lineage_graph,
    lineage_intake,
    lineage_runs,
    lineage_search,
    marquez_datasets,
    marquez_events,
    marquez_graph,
    marquez_jobs,
    marquez_places,
    marquez_search,
    marquez_writes,
    models,
    policies,
    proof,
    reports,
    retention,
    revocations,
    schemas,
    waivers,
    webhooks,
)
from api.state import State
from audits.callbacks import HostTask
from audits.context import GateContext
from audits.hosts import hosts_of
from audits.publishing import install_packs
from audits.running import DeploymentTask
from audits.work import EvaluationTask
from governance import __version__
from governance.access.identities import Identities
from governance.access.issuers import open_issuers
from governance.access.rates import Rates
from governance.artifacts import ArtifactStore
from governance.clock import Clock, system_clock
from governance.database import Database
from governance.jobs.choice import build_engine
from governance.jobs.engine import Task
from governance.log.checkpoint import open_witnesses
from governance.migration import require_head
from governance.notices.delivery import WebhookTask
from governance.settings import Settings
from governance.signing.stores import open_keys
from lineage.outbox import OutboxTask
from lineage.replay import require_current
from lineage.retention import RetentionTask
from lineage.transports import open_sender

log = structlog.get_logger("assay.service")

DESCRIPTION = """
Lineage, checks and a signed deployment gate for machine-learning models.
A deny is a 200 with a verdict; an HTTP error is never a verdict. *Cannot tell* blocks.
""".strip()


MARQUEZ = (
    marquez_graph, marquez_events, marquez_places, marquez_datasets, marquez_jobs, marquez_search, marquez_writes,
)  # fmt: skip
"""The modules whose routes are those of Marquez's API."""

SUBJECTS = (
    lineage_intake, health, lineage, lineage_graph, lineage_runs, lineage_columns, lineage_search, retention, *MARQUEZ,
    evidence, attestations, models, policies, schemas, gate, approvals, waivers, break_glass, revocations, deployments,
    reports, proof, keys, webhooks,
    formats,
    integrations,
)  # fmt: skip
"""The modules whose routes the application serves."""


def build_state(settings: Settings, *, clock: Clock = system_clock) -> State:
    """The parts of a service, opened and checked.

    Raises:
        WrongRevision: the database is at another revision. StaleProjections: lineage must be rebuilt first.
        UsageError: the signing keys are missing, or events are to be sent on by a transport that cannot be used.
    """
    database = Database(
        settings.resolved_database_url, clock=clock, statement_seconds=settings.database.statement_seconds
    )
    require_head(database)
    signing_keys = open_keys(settings.home, settings.keys)
    signing_keys.ring()
    artifacts = ArtifactStore(settings.resolved_artifacts_url)
    context = GateContext(settings, signing_keys, artifacts, open_witnesses(settings.log.witnesses))
    with database.unit() as unit:
        require_current(unit)
        install_packs(unit)
    engine = build_engine(settings, _tasks(database, context))
    identities = Identities(open_issuers(settings.oidc))
    rates = Rates(settings.limits.requests_per_minute, clock=time.monotonic)
    return State(settings, database, artifacts, context, engine, identities, rates)


def build_tasks(settings: Settings, *, clock: Clock = system_clock) -> list[Task]:
    """The work that a worker process carries out: the same rows and functions as in the server."""
    state = build_state(settings, clock=clock)
    return _tasks(state.database, state.gate)


def _tasks(database: Database, context: GateContext) -> list[Task]:
    """Evaluations, and what the settings ask for besides: sending events on, and pruning by age."""
    asked = context.settings.lineage
    tasks: list[Task] = [EvaluationTask(database, context), DeploymentTask(database)]
    if asked.forward_to is not None:
        # A transport tries several times before it gives up, which takes longer than a row of other work is held.
        lease_seconds = 4 * context.settings.work.lease_seconds
        tasks.append(OutboxTask(database, open_sender(asked.forward_to), lease_seconds=lease_seconds))
    if asked.retention_days is not None:
        tasks.append(RetentionTask(database, days=asked.retention_days))
    tasks.append(WebhookTask(database, context.settings.webhooks, source=context.settings.lineage_namespace))
    hosts = hosts_of(context.settings.github, context.settings.gitlab)
    tasks.append(HostTask(database, hosts))
    return tasks


def create_app(settings: Settings, *, clock: Clock = system_clock) -> FastAPI:
    """The service as an ASGI application; its engine runs while the application does."""
    state = build_state(settings, clock=clock)

    @asynccontextmanager
    async def running(_app: FastAPI) -> AsyncIterator[None]:
        state.engine.start()
        state.identities.start(state.database)
        log.info("service.started", database=state.database.dialect, sandbox_level=health.sandbox_level())
        yield
        state.engine.stop()
        state.identities.stop(state.database)
        state.database.close()

    app = routed(running)
    app.state.assay = state
    app.add_middleware(Intake, routes=lineage_intake.router.routes)
    if "*" not in settings.allowed_hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(settings.allowed_hosts))
    app.add_middleware(SafeHeaders)
    return app


def routed(lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """The application with its routes and fault handlers and nothing behind them: what the OpenAPI document shows."""
    app = FastAPI(
        title="Assay",
        version=__version__,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        responses=examples.PROBLEMS,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(EncodedNames)
    errors.install(app)
    for module in SUBJECTS:
        app.include_router(module.router)
    return app
