"""What a walk over the stored edges asks for: one indexed query a level, ids only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from governance.database import UTCDateTime
from lineage.aliases import Aliases
from lineage.fact_tables import StatementRow
from lineage.graph import Direction, Pairs
from lineage.identity import stamp_after, stamp_time
from lineage.reading import Reader, among, gathered, id_list, listed, pairs, until
from lineage.tables import INPUT, OUTPUT, EdgeRow, FlowEdgeRow, NodeRow, RunDatasetRow, RunRow

EdgesMode = Literal["ever", "current"]


@cache
def _edge_pairs(dialect: str, column: Any, has_instant: bool) -> sa.Select[Any]:
    """The query of one level, built once: a deep walk would otherwise spend its time on building it."""
    query = gathered(dialect, EdgeRow.job_id, EdgeRow.node_id).where(
        listed(dialect, column), EdgeRow.role == sa.bindparam("role", type_=sa.SmallInteger)
    )
    return query.where(EdgeRow.first_seen <= sa.bindparam("as_of", type_=UTCDateTime)) if has_instant else query


@cache
def _explicit_jobs(dialect: str) -> Any:
    query: Any = sa.select(NodeRow.id, NodeRow.explicit_since)
    return query.where(listed(dialect, NodeRow.id), NodeRow.explicit_since.is_not(None))


def is_hidden() -> sa.ColumnElement[bool]:
    """A node was deleted by an operator, and no event that was recorded later names it."""
    return sa.and_(
        NodeRow.deleted_at.is_not(None),
        sa.or_(NodeRow.last_recorded.is_(None), NodeRow.deleted_at >= NodeRow.last_recorded),
    )


@cache
def _latest_runs(dialect: str, has_instant: bool) -> Any:
    """Of each listed job the latest run that named datasets, until ``as_of`` where an instant is asked for."""
    mention, latest_mention = aliased(RunDatasetRow), aliased(RunDatasetRow)
    until_then = latest_mention.first_seen <= sa.bindparam("as_of", type_=UTCDateTime) if has_instant else sa.true()
    # In two steps: sorting by both at once, PostgreSQL goes through every run of the job.
    time = (
        sa.select(latest_mention.first_seen)
        .where(latest_mention.job_id == NodeRow.id, until_then)
        .order_by(latest_mention.first_seen.desc())
        .limit(1)
        .correlate(NodeRow)
    )
    run = (
        sa.select(mention.run_id)
        .join(RunRow, RunRow.id == mention.run_id)
        .where(mention.job_id == NodeRow.id, mention.first_seen == time.scalar_subquery())
        .order_by(RunRow.identity.desc())
        .limit(1)
        .correlate(NodeRow)
    )
    return sa.select(NodeRow.id, run.scalar_subquery()).where(listed(dialect, NodeRow.id))


@cache
def _hidden_nodes(dialect: str) -> Any:
    return sa.select(NodeRow.id).where(listed(dialect, NodeRow.id), is_hidden())


class _Present(NamedTuple):
    """Whether any node was deleted, any job carries explicit lineage, and any link is direct."""

    deleted: bool
    explicit: bool
    direct: bool


@dataclass
class StoredLinks:
    """The links in the database as of an instant: every edge ever seen, or those of each job's latest run."""

    unit: Reader
    as_of: datetime | None = None
    mode: EdgesMode = "ever"
    aliases: Aliases = field(init=False)
    _known: _Present | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Share one resolution of aliases over the whole walk."""
        self.aliases = Aliases(self.unit, self.as_of)

    def jobs(self, datasets: Sequence[int], direction: Direction) -> Pairs:
        """(job, dataset): who wrote (upstream) or read (downstream) the datasets, under any of their names."""
        role = OUTPUT if direction == "upstream" else INPUT
        if not self.aliases.exist():
            return self._current_of(self._pairs(EdgeRow.node_id, datasets, role), role)
        members = {member: node for node in datasets for member in self.aliases.members(node)}
        found = self._current_of(self._pairs(EdgeRow.node_id, list(members), role), role)
        return [(job, members[node]) for job, node in found]

    def datasets(self, jobs: Sequence[int], direction: Direction) -> Pairs:
        """(job, dataset): what the jobs read (upstream) or wrote (downstream)."""
        role = INPUT if direction == "upstream" else OUTPUT
        if self.mode == "current":
            return sorted(self._current(jobs, role))
        return self._pairs(EdgeRow.job_id, jobs, role)

    def direct(self, nodes: Sequence[int], direction: Direction) -> Pairs:
        """(near, far) for datasets linked to datasets, and jobs to jobs, with nothing between them."""
        if not self._present().direct:
            return []
        members = {member: node for node in nodes for member in self.aliases.members(node)}
        edge, upstream = FlowEdgeRow, direction == "upstream"
        here, there = (edge.target_id, edge.source_id) if upstream else (edge.source_id, edge.target_id)
        columns = (here, there, edge.job_id, edge.target_id, edge.latest_run_id, edge.latest_stamp)
        query = sa.select(*columns).where(
            # In the words of the index that holds these rows only.
            sa.text("is_explicit >= 2"), among(self.unit, here, list(members)), until(edge.first_seen, self.as_of)
        )  # fmt: skip
        rows = self.unit.session.connection().execute(query).all()
        if self.mode == "current":
            rows = self._told_last(rows)
        canonical = self.aliases.canonical([row[1] for row in rows])
        return sorted({(members[row[0]], canonical.get(row[1], row[1])) for row in rows})

    def _present(self) -> _Present:
        """What there is at all, so that a walk on an instance without it asks once and not at every level."""
        if self._known is None:
            deleted = sa.select(NodeRow.id).where(NodeRow.deleted_at.is_not(None))
            explicit = sa.select(NodeRow.id).where(NodeRow.explicit_since.is_not(None))
            direct = sa.select(FlowEdgeRow.target_id).where(sa.text("is_explicit >= 2"))
            query = sa.select(*(sa.exists(found) for found in (deleted, explicit, direct)))
            self._known = _Present(*map(bool, self.unit.session.connection().execute(query).one()))
        return self._known

    def _told_last(self, rows: Sequence[Any]) -> list[Any]:
        """The direct links that the latest run of their job told, or that nothing was declared in place of since."""
        latest = self.latest_runs(sorted({row[2] for row in rows if row[2]}))
        since = statements(self.unit, [row[2] for row in rows], [row[3] for row in rows], self.as_of)
        return [
            row
            for row in rows
            if (latest.get(row[2]) == row[4] if row[4] is not None else since.get(row[2], row[3]) <= row[5])
        ]

    def hidden(self, nodes: Sequence[int]) -> set[int]:
        """Those of the nodes that an operator deleted and no event has named since."""
        if not self._present().deleted:
            return set()
        ids = {"ids": id_list(self.unit.dialect, nodes)}
        return set(self.unit.session.connection().execute(_hidden_nodes(self.unit.dialect), ids).scalars())

    def _current_of(self, found: Pairs, role: int) -> Pairs:
        """Those of the edges that are asked for."""
        if self.mode != "current":
            return found
        current = self._current([job for job, _ in found], role)
        return [pair for pair in found if pair in current]

    def _pairs(self, column: Any, ids: Sequence[int], role: int) -> Pairs:
        """(job, dataset) of the edges whose ``column`` is one of the ids."""
        dialect = self.unit.dialect
        parameters = {"ids": id_list(dialect, ids), "role": role}
        if self.as_of is not None:
            parameters["as_of"] = self.as_of
        return pairs(self.unit, _edge_pairs(dialect, column, self.as_of is not None), parameters)

    def explicit(self, jobs: Sequence[int]) -> set[int]:
        """Those of the jobs that carry explicit lineage: it was told, and not deleted after it was told last."""
        if not self._present().explicit:
            return set()
        ids = {"ids": id_list(self.unit.dialect, jobs)}
        rows = self.unit.session.connection().execute(_explicit_jobs(self.unit.dialect), ids)
        told = {job for job, since in rows if self.as_of is None or since <= self.as_of}
        return told - self._ended(sorted(told)) if told else told

    def _ended(self, jobs: Sequence[int]) -> set[int]:
        """Those of the jobs whose lineage facet was deleted, and no event has told an entry since."""
        statement = StatementRow
        query = (
            sa.select(statement.job_id, statement.stamp, statement.is_end)
            .where(
                among(self.unit, statement.job_id, jobs),
                statement.target_id == 0,
                sa.true() if self.as_of is None else statement.stamp < stamp_after(self.as_of),
            )
            .order_by(statement.stamp)
        )
        latest = {job: (stamp, is_end) for job, stamp, is_end in self.unit.session.connection().execute(query)}
        ended = {job: stamp_time(stamp) for job, (stamp, is_end) in latest.items() if is_end}
        if not ended:
            return set()
        edge = FlowEdgeRow
        told = sa.select(edge.job_id, sa.func.max(edge.last_seen)).where(
            among(self.unit, edge.job_id, list(ended)), edge.is_explicit > 0, until(edge.first_seen, self.as_of)
        )
        again = dict(self.unit.session.connection().execute(told.group_by(edge.job_id)).all())
        return {job for job, since in ended.items() if again.get(job) is None or again[job] <= since}

    def flows(self, entered: Sequence[tuple[int, int]], direction: Direction) -> Pairs:
        """(job, dataset) where an explicit entry leads from a job that was entered through a dataset.

        A job that was entered from another job comes with itself: it is left where it is an end of an entry of its own.
        """
        members = {
            (job, member): node for job, node in entered for member in self.aliases.members(node)
        }  # fmt: skip
        upstream = direction == "upstream"
        ends = (FlowEdgeRow.target_id, FlowEdgeRow.source_id)
        here, there = ends if upstream else (ends[1], ends[0])
        query = (
            sa.select(FlowEdgeRow.job_id, here, there)
            .where(
                among(self.unit, FlowEdgeRow.job_id, sorted({job for job, _ in entered})),
                among(self.unit, here, sorted({node for _, node in members})),
                FlowEdgeRow.is_explicit == 1,
                until(FlowEdgeRow.first_seen, self.as_of),
            )
            .distinct()
        )
        rows = self.unit.session.execute(query)
        return [(job, far) for job, near, far in rows if (job, near) in members and far != job]

    def entries(self, jobs: Sequence[int]) -> set[tuple[int, int, int]]:
        """(job, source, target) for each explicit entry of the jobs, and for what leads to and from the job itself."""
        query = sa.select(FlowEdgeRow.job_id, FlowEdgeRow.source_id, FlowEdgeRow.target_id).where(
            among(self.unit, FlowEdgeRow.job_id, jobs),
            FlowEdgeRow.is_explicit == 1,
            until(FlowEdgeRow.first_seen, self.as_of),
        )
        rows = self.unit.session.execute(query).all()
        canonical = self.aliases.canonical([end for _, source, target in rows for end in (source, target)])
        told = {(job, canonical.get(source, source), canonical.get(target, target)) for job, source, target in rows}
        into = {(job, source) for job, source, target in told if target == job} | set(self.direct(jobs, "upstream"))
        out = {(job, target) for job, source, target in told if source == job} | set(self.direct(jobs, "downstream"))
        through = {(job, source, target) for job, source in into for other, target in out if other == job}
        return {entry for entry in told if entry[0] not in entry[1:]} | through

    def canonical(self, datasets: Sequence[int]) -> Mapping[int, int]:
        """The canonical dataset of each that has another."""
        return self.aliases.canonical(datasets)

    def sort_keys(self, nodes: Sequence[int]) -> Mapping[int, tuple[str, str, str]]:
        """(kind, namespace, name) of each node."""
        query = sa.select(NodeRow.id, NodeRow.kind, NodeRow.namespace, NodeRow.name)
        rows = self.unit.session.execute(query.where(among(self.unit, NodeRow.id, nodes)))
        return {node: (kind, namespace, name) for node, kind, namespace, name in rows}

    def _current(self, jobs: Sequence[int], role: int) -> set[tuple[int, int]]:
        """(job, dataset) of each job's latest run that named datasets; of a job without runs, what it declared."""
        latest = self.latest_runs(sorted(set(jobs)))
        ran = {job: run for job, run in latest.items() if run is not None}
        query = sa.select(RunDatasetRow.job_id, RunDatasetRow.node_id, RunDatasetRow.run_id).where(
            among(self.unit, RunDatasetRow.run_id, sorted(set(ran.values()))),
            RunDatasetRow.role == role,
            until(RunDatasetRow.first_seen, self.as_of),
        )
        found = {(job, node) for job, node, run in self.unit.session.execute(query) if ran.get(job) == run}
        declared = sa.select(EdgeRow.job_id, EdgeRow.node_id).where(
            among(self.unit, EdgeRow.job_id, [job for job, run in latest.items() if run is None]),
            EdgeRow.role == role,
            until(EdgeRow.first_seen, self.as_of),
        )
        return found | {(job, node) for job, node in self.unit.session.execute(declared)}

    def latest_runs(self, jobs: Sequence[int]) -> dict[int, int | None]:
        """Each job's latest run that named datasets: the one whose first mention of a dataset is the latest."""
        dialect = self.unit.dialect
        parameters: dict[str, Any] = {"ids": id_list(dialect, jobs)}
        if self.as_of is not None:
            parameters["as_of"] = self.as_of
        rows = self.unit.session.connection().execute(_latest_runs(dialect, self.as_of is not None), parameters)
        latest: dict[int, int | None] = {}
        latest.update((job, run) for job, run in rows)
        return latest


@dataclass(frozen=True)
class Statements:
    """When data flow was last declared or deleted, by (job, target); 0 stands for none and for the job's own facet."""

    stamps: Mapping[tuple[int, int], bytes]

    def get(self, job: int, target: int) -> bytes:
        """What was declared before this stamp, through the job into the target, holds no longer."""
        own = self.stamps.get((job, 0), b"") if job else b""
        return max(own, self.stamps.get((job, target), b""))


def statements(unit: Reader, jobs: Sequence[int], targets: Sequence[int], as_of: datetime | None) -> Statements:
    """The latest statements of the jobs and about the targets, as of an instant."""
    row = StatementRow
    query = (
        sa.select(row.job_id, row.target_id, row.stamp)
        .where(
            among(unit, row.job_id, sorted(set(jobs))),
            among(unit, row.target_id, sorted({0, *targets})),
            sa.true() if as_of is None else row.stamp < stamp_after(as_of),
        )
        .order_by(row.stamp)
    )
    found = unit.session.connection().execute(query)
    return Statements({(job, target): stamp for job, target, stamp in found})
