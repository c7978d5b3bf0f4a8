"""What serves now, or served at an instant: open deployments, their model versions, and the data behind these."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from governance.types.ancestry import Ancestry, DatasetVersion, Level, RunNode
from lineage.aliases import Aliases
from lineage.ancestry import trace_found
from lineage.descriptions import Known, describe_runs
from lineage.events import read_stored
from lineage.facet_values import facets_of
from lineage.fact_tables import DATASET_FACETS, RUN_FACETS, DeploymentRow, FacetKeysRow, FacetRow
from lineage.identity import run_identity, stamp_after, stamp_time
from lineage.reading import Reader, among, nodes_by_id, seen, until
from lineage.subjects import found_dataset
from lineage.tables import INPUT, OUTPUT, EventRow, NodeRow, PayloadRow, RunDatasetRow, RunRow

TRAFFIC = "assay_traffic"
MAX_DATA = 1_000
"""Dataset versions shown of one model; beyond it the row says that there are more."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model version that a deployment serves.

    ``level`` is the lowest level of a link in its ancestry; null where nothing is known of it. ``data`` are the
    versions upstream, each with the level of its strongest path. ``hidden`` counts the runs and versions that the unit
    does not see, and are left out.
    """

    namespace: str
    name: str
    traffic_percent: float | None
    content_digest: str | None
    risk_tier: str | None
    level: Level | None
    training: tuple[RunNode, ...]
    data: tuple[DatasetVersion, ...]
    is_truncated: bool
    hidden: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """An open run of a deployment: where it serves, which revision, by which decision, as its facet says."""

    run: RunNode
    environment: str
    revision: str | None
    decision_id: str | None
    policy_digest: str | None
    approvers: tuple[str, ...]
    endpoints: tuple[tuple[str, str], ...]
    models: tuple[ServedModel, ...]


@dataclass(frozen=True, slots=True)
class Served:
    """A page of deployments by environment and row, and the (environment, row id) that the next page begins after."""

    deployments: tuple[Deployment, ...]
    following: tuple[str, int] | None


@dataclass
class _Question:
    """What one answer looks things up with; a model that two deployments serve is traced once."""

    known: Known
    traced: dict[int, Ancestry] = field(default_factory=dict)

    def ancestry(self, node: int) -> Ancestry:
        if node not in self.traced:
            self.traced[node] = trace_found(self.known, found_dataset(self.known, node))
        return self.traced[node]


def serving(
    unit: Reader, environments: Sequence[str], as_of: datetime | None, after: tuple[str, int] | None, limit: int
) -> Served:
    """At most ``limit`` deployments whose run has started and not ended, now or as of an instant.

    A narrowed unit is given those of whose models it sees every one, with the place where they run.
    """
    question = _Question(Known(unit, Aliases(unit, as_of), as_of))
    found: list[tuple[RunRow, RunNode, DeploymentRow]] = []
    while len(found) <= limit:
        rows = _candidates(unit, environments, as_of, after, limit + 1)
        states = describe_runs(question.known, [run for run, _ in rows])
        found += [(run, states[run.id], row) for run, row in rows if states[run.id].state == "RUNNING"]
        if len(rows) <= limit:
            break
        after = (rows[-1][1].environment, rows[-1][0].id)
    page = found[:limit]
    following = (page[-1][2].environment, page[-1][0].id) if len(found) > limit and page else None
    facets = _facets(question.known, page)
    deployments = [_deployment(question, run, node, facets[run.id]) for run, node, _ in page]
    # A model that got another name is shown by that one, which the query did not look at.
    seen_whole = [each for each in deployments if all(unit.sight.sees(one.namespace, one.name) for one in each.models)]
    return Served(tuple(seen_whole), following)


def named_decisions(unit: Reader) -> list[tuple[str, str]]:
    """Run id and decision id of every deployment that lineage knows, open or not; an empty id where none is named."""
    query = sa.select(RunRow.run_id, DeploymentRow.decision_id).join(DeploymentRow, DeploymentRow.run_id == RunRow.id)
    return [(run_id, decision_id or "") for run_id, decision_id in unit.session.execute(query.order_by(RunRow.id))]


def deployment_of(unit: Reader, run_id: str) -> Deployment | None:
    """The deployment that a run is, as lineage knows it now; None where no event told of one."""
    query = (
        sa.select(RunRow, DeploymentRow)
        .join(DeploymentRow, DeploymentRow.run_id == RunRow.id)
        .where(RunRow.identity == run_identity(run_id))
    )
    found = unit.session.execute(query).one_or_none()
    if found is None:
        return None
    run, row = found
    known = Known(unit, Aliases(unit, None), None)
    node = describe_runs(known, [run])[run.id]
    return _deployment(_Question(known), run, node, json.loads(row.facet))


def _candidates(
    unit: Reader, environments: Sequence[str], as_of: datetime | None, after: tuple[str, int] | None, limit: int
) -> list[tuple[RunRow, DeploymentRow]]:
    """Runs of deployments that had begun and may be open; a run that ended later was open before."""
    open_then: sa.ColumnElement[bool] = RunRow.end_stamp.is_(None)
    if as_of is not None:
        open_then = sa.or_(open_then, RunRow.end_stamp >= stamp_after(as_of))
    query = (
        sa.select(RunRow, DeploymentRow)
        .join(DeploymentRow, DeploymentRow.run_id == RunRow.id)
        .where(open_then, until(RunRow.first_event, as_of))
        .order_by(DeploymentRow.environment, RunRow.id)
        .limit(limit)
    )
    if not unit.sight.is_whole:
        query = query.where(*_serves_what_is_seen(unit))
    if environments:
        query = query.where(DeploymentRow.environment.in_(environments))
    if after is not None:
        environment, number = after
        query = query.where(
            sa.or_(
                DeploymentRow.environment > environment,
                sa.and_(DeploymentRow.environment == environment, RunRow.id > number),
            )
        )
    return [(run, deployment) for run, deployment in unit.session.execute(query)]


def _serves_what_is_seen(unit: Reader) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """The run reads something, and nothing that the unit does not see."""
    read = (
        sa.select(sa.literal(1))
        .select_from(RunDatasetRow)
        .join(NodeRow, NodeRow.id == RunDatasetRow.node_id)
        .where(RunDatasetRow.run_id == RunRow.id, RunDatasetRow.role == INPUT)
        .correlate(RunRow)
    )
    return read.exists(), ~read.where(~sa.and_(*seen(unit))).exists()


def _facets(known: Known, rows: Iterable[tuple[RunRow, RunNode, DeploymentRow]]) -> dict[int, Mapping[str, Any]]:
    """What each deployment's facet said, by the instant that is asked for."""
    facets: dict[int, Mapping[str, Any]] = {}
    late: list[int] = []
    for run, _, row in rows:
        facets[run.id] = json.loads(row.facet)
        if known.as_of is not None and stamp_time(row.stamp) > known.as_of:
            late.append(run.id)
    earlier = facets_of(known.unit, RUN_FACETS, {run: run for run in late}, known.as_of) if late else {}
    for number, values in earlier.items():
        told = values.facets.get("assay_deployment")
        if isinstance(told, Mapping):
            facets[number] = told
    return facets


def _deployment(question: _Question, run: RunRow, node: RunNode, facet: Mapping[str, Any]) -> Deployment:
    known = question.known
    query = sa.select(RunDatasetRow.role, RunDatasetRow.node_id).where(
        RunDatasetRow.run_id == run.id, until(RunDatasetRow.first_seen, known.as_of)
    )
    ends = known.unit.session.execute(query).all()
    canonical = known.aliases.canonical([number for _, number in ends])
    sides: dict[int, set[int]] = {INPUT: set(), OUTPUT: set()}
    for role, number in ends:
        sides[role].add(canonical.get(number, number))
    rows = nodes_by_id(known.unit, sorted(sides[INPUT] | sides[OUTPUT]))
    approvers = facet.get("approvers")
    return Deployment(
        run=node,
        environment=str(facet.get("environment")),
        revision=_text(facet.get("revision")),
        decision_id=_text(facet.get("decisionId")),
        policy_digest=_text(facet.get("policyDigest")),
        approvers=tuple(str(approver) for approver in approvers) if isinstance(approvers, list) else (),
        endpoints=tuple(sorted((rows[number].namespace, rows[number].name) for number in sides[OUTPUT])),
        models=tuple(
            _model(question, run, rows[number])
            for number in sorted(sides[INPUT], key=lambda number: (rows[number].namespace, rows[number].name))
        ),
    )


def _model(question: _Question, run: RunRow, row: NodeRow) -> ServedModel:
    ancestry = question.ancestry(row.id)
    own = next((version for version in ancestry.datasets if version.key == ancestry.subject), None)
    writers = {edge.source for edge in ancestry.edges if edge.target == ancestry.subject}
    data = [version for version in ancestry.datasets if version.key != ancestry.subject]
    training = [one for one in ancestry.runs if one.key in writers]
    sight = question.known.unit.sight
    seen_data = [version for version in data if sight.sees(version.namespace, version.name)]
    seen_training = [one for one in training if sight.sees(one.job_namespace, one.job_name)]
    return ServedModel(
        namespace=row.namespace,
        name=row.name,
        traffic_percent=_traffic(question.known, run, row.id),
        content_digest=None if own is None else own.content_digest,
        risk_tier=None if own is None else own.risk_tier,
        level=ancestry.level,
        training=tuple(seen_training),
        data=tuple(seen_data[:MAX_DATA]),
        is_truncated=ancestry.truncated or len(seen_data) > MAX_DATA,
        hidden=len(data) - len(seen_data) + len(training) - len(seen_training),
    )


def _traffic(known: Known, run: RunRow, node: int) -> float | None:
    """The share of the traffic that the run's latest ``assay_traffic`` facet on this input tells."""
    members = known.aliases.members(node)
    keys = (
        sa.select(FacetKeysRow.id, FacetKeysRow.content)
        .join(FacetRow, FacetRow.keys_id == FacetKeysRow.id)
        .where(FacetRow.place == DATASET_FACETS, among(known.unit, FacetRow.entity_id, members))
        .distinct()
    )
    told = [number for number, content in known.unit.session.execute(keys) if TRAFFIC in json.loads(content)[2]]
    if not told:
        return None
    query = (
        sa.select(EventRow.redaction_version, PayloadRow.body)
        .join(FacetRow, sa.func.substr(FacetRow.stamp, 9) == EventRow.digest)
        .join(PayloadRow, PayloadRow.event_id == EventRow.id)
        .where(
            FacetRow.place == DATASET_FACETS,
            among(known.unit, FacetRow.entity_id, members),
            FacetRow.keys_id.in_(told),
            EventRow.run_identity == run.identity,
            until(EventRow.event_time, known.as_of),
        )
        .order_by(FacetRow.stamp.desc())
        .limit(1)
    )
    stored = known.unit.session.execute(query).first()
    if stored is None:
        return None
    names = {(one.namespace, one.name) for one in nodes_by_id(known.unit, members).values()}
    for mention in read_stored(stored.body, stored.redaction_version).inputs:
        facet = mention.role_facets.get(TRAFFIC)
        percent = facet.get("percent") if isinstance(facet, Mapping) else None
        if (mention.namespace, mention.name) in names and isinstance(percent, int | float):
            return float(percent)
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
