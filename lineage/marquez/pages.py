"""Which rows make up a page of a list, and how many there are: by indexes that hold all that is asked.

An offset skips entries of an index and counting counts them; neither reads a row, so a page costs what it shows.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from lineage.aliases import renamed_away
from lineage.identity import NodeKind
from lineage.reading import Reader, answers, id_list, listed, seen
from lineage.state import RANKS, State
from lineage.tables import DatasetVersionRow, NodeRow, RunRow

MAX_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for; a limit above ``MAX_LIMIT`` is served as that."""

    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Keys:
    """Row ids of a page in their order, and the number of all rows that match."""

    ids: tuple[int, ...]
    total: int


def node_keys(unit: Reader, kind: NodeKind, page: Page, namespace_id: int | None = None) -> Keys:
    """Datasets or jobs by name, of one namespace or all, without those that ``hidden_nodes`` tells."""
    columns = [NodeRow.kind == kind, *seen(unit)]
    if namespace_id is not None:
        columns.append(NodeRow.namespace_id == namespace_id)
    hidden = hidden_nodes(kind, *columns)
    chosen = sa.select(NodeRow.id).where(*columns, NodeRow.id.not_in(hidden))
    # A difference of two counts, since asking of each entry whether it is hidden takes longer than counting all.
    every = sa.select(sa.func.count()).select_from(NodeRow).where(*columns).scalar_subquery()
    left_out = sa.select(sa.func.count()).select_from(hidden.subquery()).scalar_subquery()
    return _keys(unit, chosen.order_by(NodeRow.sort_key, NodeRow.id), page, sa.select(every - left_out))


def hidden_nodes(kind: NodeKind, *conditions: Any) -> Any:
    """The ids of nodes that no list shows: never named by an event, deleted since, or renamed to another."""
    unnamed = sa.select(NodeRow.id).where(NodeRow.first_seen.is_(None), *conditions)
    deleted = sa.select(NodeRow.id).where(is_deleted(), *conditions)
    if kind == "job":
        return sa.union(unnamed, deleted)
    return sa.union(unnamed, deleted, sa.select(NodeRow.id).where(NodeRow.id.in_(renamed_away()), *conditions))


def is_deleted() -> Any:
    """Whether a node was deleted and no event that was recorded since named it."""
    return sa.and_(
        NodeRow.deleted_at.is_not(None),
        sa.or_(NodeRow.last_recorded.is_(None), NodeRow.deleted_at >= NodeRow.last_recorded),
    )


def job_keys_by_state(unit: Reader, states: Collection[State], page: Page, namespace_id: int | None = None) -> Keys:
    """Jobs by name whose latest run is in one of the states; one look into the index of runs a job."""
    columns = [NodeRow.kind == "job", *seen(unit)]
    if namespace_id is not None:
        columns.append(NodeRow.namespace_id == namespace_id)
    run = aliased(RunRow)
    latest = (
        sa.select(run.id)
        .where(run.job_id == NodeRow.id)
        .order_by(run.first_event.desc(), run.id.desc())
        .limit(1)
        .correlate(NodeRow)
    )
    chosen = (
        sa.select(NodeRow.id)
        .join(RunRow, RunRow.id == latest.scalar_subquery())
        .where(*columns, NodeRow.id.not_in(hidden_nodes("job", *columns)), sa.or_(*(_is_in(state) for state in states)))
    )
    count = sa.select(sa.func.count()).select_from(chosen.subquery())
    return _keys(unit, chosen.order_by(NodeRow.sort_key, NodeRow.id), page, count)


def _is_in(state: State) -> Any:
    """Whether the run is in the state, as ``lineage.state.run_state`` decides it."""
    begun = sa.or_(RunRow.first_start.is_not(None), RunRow.first_running.is_not(None))
    if state == "NEW":
        return sa.and_(RunRow.end_stamp.is_(None), ~begun)
    if state == "RUNNING":
        return sa.and_(RunRow.end_stamp.is_(None), begun)
    rank = RANKS[{"COMPLETED": "COMPLETE", "FAILED": "FAIL", "ABORTED": "ABORT"}[state]]
    return sa.func.substr(RunRow.end_stamp, 9, 1, type_=sa.LargeBinary) == sa.literal(bytes([rank]), sa.LargeBinary)


def run_keys(unit: Reader, job: int, page: Page) -> Keys:
    """The runs of a job, newest first by their first event."""
    chosen = sa.select(RunRow.id).where(RunRow.job_id == job)
    count = sa.select(sa.func.count()).select_from(RunRow).where(RunRow.job_id == job)
    return _keys(unit, chosen.order_by(RunRow.first_event.desc(), RunRow.id.desc()), page, count)


def version_keys(unit: Reader, datasets: Sequence[int], page: Page) -> Keys:
    """The versions of a dataset under all its names, newest first by when they were first told."""
    version = DatasetVersionRow
    # Where there is one name its index gives the order; of several the versions are sorted.
    of = version.node_id == datasets[0] if len(datasets) == 1 else version.node_id.in_(datasets)
    chosen = sa.select(version.id).where(of)
    count = sa.select(sa.func.count()).select_from(version).where(of)
    return _keys(unit, chosen.order_by(version.first_stamp.desc(), version.id.desc()), page, count)


def latest_run_keys(unit: Reader, jobs: Sequence[int], most: int) -> dict[int, list[int]]:
    """At most ``most`` runs of each job, in the order of ``run_keys``."""
    found: dict[int, list[int]] = {job: [] for job in jobs}
    (rows,) = answers(unit, (_latest(unit.dialect), {"ids": id_list(unit.dialect, jobs), "most": most}))
    for job, run in rows:
        found[job].append(run)
    return found


@cache
def _latest(dialect: str) -> Any:
    """(job, run) of the ``most`` newest runs of each listed job; built once."""
    asked, run = aliased(NodeRow), aliased(RunRow)
    newest = run.first_event.desc(), run.id.desc()
    few = sa.select(run.id, run.first_event).where(run.job_id == asked.id).order_by(*newest)
    few = few.limit(sa.bindparam("most", type_=sa.Integer))
    if dialect == "postgresql":
        each = few.correlate(asked).lateral("latest")
        query: Any = sa.select(asked.id, each.c.id).join_from(asked, each, sa.true())
        query = query.order_by(asked.id, each.c.first_event.desc(), each.c.id.desc())
    else:
        of_job = few.with_only_columns(run.id).correlate(asked)
        query = sa.select(asked.id, RunRow.id).join_from(asked, RunRow, RunRow.id.in_(of_job))
        query = query.order_by(asked.id, RunRow.first_event.desc(), RunRow.id.desc())
    return query.where(listed(dialect, asked.id))


def _keys(unit: Reader, chosen: Any, page: Page, count: Any) -> Keys:
    connection = unit.session.connection()
    total: int = connection.execute(count).scalar_one()
    if page.limit == 0 or page.offset >= total:
        return Keys((), total)
    return Keys(tuple(connection.execute(chosen.limit(page.limit).offset(page.offset)).scalars()), total)
