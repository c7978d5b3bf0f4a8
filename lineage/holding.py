"""Events of narrowed keys held to their scopes before they are stored: what lies outside is refused, the rest stays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from governance.database import Unit
from governance.errors import AssayError, OutsideScopes
from governance.types.sight import Sight
from lineage.asserted import asserted, is_deployment
from lineage.events import Event
from lineage.fact_tables import DeploymentRow
from lineage.identity import run_identity
from lineage.ingest import Read, Refused
from lineage.reading import among
from lineage.tables import INPUT, NodeRow, RunDatasetRow, RunRow

Events = Sequence[Read | Refused]
Names = tuple[str, str]


@dataclass(slots=True)
class _Run:
    """What is known of a run: the jobs that said they ran it, whether it is a deployment, and what it read."""

    jobs: set[Names] = field(default_factory=set)
    is_deployment: bool = False
    inputs: set[Names] = field(default_factory=set)


def held(unit: Unit, asked: Sequence[tuple[Sight, Events]]) -> list[Events]:
    """The events of each caller, in order, with those that his sight does not cover refused.

    An event is taken when every job and dataset that it asserts something about (``lineage.asserted``) is seen, its
    run, where there is one, is of a job that is seen, and, of a deployment, all that it serves is. Names decide alike
    whether anything is stored under them. Whoever sees everything costs nothing.
    """
    if all(sight.is_whole for sight, _ in asked):
        return [events for _, events in asked]
    runs = _known_runs(unit, [item.event for _, events in asked for item in events if isinstance(item, Read)])
    return [
        [_held(sight, item, runs) if isinstance(item, Read) else item for item in events] for sight, events in asked
    ]


def _held(sight: Sight, item: Read, runs: dict[bytes, _Run]) -> Read | Refused:
    """The event or its refusal; what a taken event says of its run counts for those after it."""
    event = item.event
    run = None if event.run_id is None else runs[run_identity(event.run_id)]
    fault = None if sight.is_whole else _fault(sight, event, run)
    if fault is not None:
        return Refused(fault.pointer or "", f"{fault.pointer}: expected {fault.expected}, found {fault.found}", fault)
    if run is not None:
        run.jobs |= {(event.job.namespace, event.job.name)} if event.job is not None else set()
        run.is_deployment |= is_deployment(event)
        run.inputs |= _inputs(event)
    return item


def _fault(sight: Sight, event: Event, run: _Run | None) -> AssayError | None:
    for name in asserted(event):
        if not sight.sees(name.namespace, name.name):
            return _outside(name.pointer, "a name within the scopes of the key", "another")
    if run is None:
        return None
    if not all(sight.sees(*job) for job in run.jobs):
        return _outside("/run/runId", "a run of a job within the scopes of the key", "another")
    serves = run.is_deployment or is_deployment(event)
    if serves and not all(sight.sees(*served) for served in run.inputs | _inputs(event)):
        return _outside("/inputs", "a deployment of what lies within the scopes of the key", "another")
    return None


def _outside(pointer: str, expected: str, found: str) -> OutsideScopes:
    return OutsideScopes(
        expected=expected,
        found=found,
        remedy="Leave out what it says of this name, or use a key with wider scopes; docs/access.md has the rule.",
        pointer=pointer,
    )


def _inputs(event: Event) -> set[Names]:
    return {(mention.namespace, mention.name) for mention in event.inputs}


def _known_runs(unit: Unit, events: Iterable[Event]) -> dict[bytes, _Run]:
    """What is stored of the runs of the events; an empty entry for a run that is not."""
    deploying: dict[bytes, bool] = {}
    for event in events:
        if event.run_id is not None:
            identity = run_identity(event.run_id)
            deploying[identity] = deploying.get(identity, False) or is_deployment(event)
    runs = {identity: _Run() for identity in deploying}
    stored: dict[int, bytes] = {}
    wanted = sorted(deploying)
    query = (
        sa.select(RunRow.id, RunRow.identity, NodeRow.namespace, NodeRow.name, DeploymentRow.run_id.is_not(None))
        .join(NodeRow, NodeRow.id == RunRow.job_id)
        .outerjoin(DeploymentRow, DeploymentRow.run_id == RunRow.id)
    )
    for start in range(0, len(wanted), 500):
        chunk = wanted[start : start + 500]
        for number, identity, namespace, name, deployed in unit.session.execute(
            query.where(RunRow.identity.in_(chunk))
        ):
            runs[identity] = _Run({(namespace, name)}, deployed)
            if deployed or deploying[identity]:
                stored[number] = identity
    for number, names in _stored_inputs(unit, sorted(stored)):
        runs[stored[number]].inputs.add(names)
    return runs


def _stored_inputs(unit: Unit, runs: Sequence[int]) -> list[tuple[int, Names]]:
    if not runs:
        return []
    query = (
        sa.select(RunDatasetRow.run_id, NodeRow.namespace, NodeRow.name)
        .join(NodeRow, NodeRow.id == RunDatasetRow.node_id)
        .where(RunDatasetRow.role == INPUT, among(unit, RunDatasetRow.run_id, runs))
    )
    return [(number, (namespace, name)) for number, namespace, name in unit.session.execute(query)]
