"""Which dataset in lineage a model version is, and which runs wrote it."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from governance.database import UTCDateTime, plain_rows
from governance.errors import Conflict
from governance.types.subject import Subject
from lineage.aliases import any_alias
from lineage.descriptions import Known, model_members
from lineage.facets import GATE_JOB
from lineage.fact_tables import DATASET_FACETS, FacetRow, ModelRow
from lineage.identity import node_identity
from lineage.points import Point, Points
from lineage.reading import among, id_list, listed, nodes_by_id, until
from lineage.tables import OUTPUT, EdgeRow, NodeRow, RunDatasetRow


@dataclass(frozen=True, slots=True)
class Found:
    """The model version as a dataset, the runs that wrote it, and what its ``assay_model`` facet says."""

    node: int
    version: str | None
    writers: tuple[int, ...]
    members: dict[str, Any]


def find_subject(known: Known, subject: Subject) -> Found | None:
    """The dataset whose ``assay_model`` facet has the subject's digest, else the one of its name.

    A dataset of its name that is known to hold other bytes is not the subject. Runs that wrote the dataset count
    unless they said that they wrote other bytes. A name that only runs of a gate mentioned is not known: that somebody
    asked about a model says nothing about where it came from.

    Raises:
        Conflict: two different datasets have the digest.
    """
    unit = known.unit
    asked = _asked(known.as_of)
    models = plain_rows(unit, ModelRow, _models_with(*asked), digest=subject.digest, **asked)
    rows = sorted(models, key=lambda row: row.stamp)
    canonical = known.aliases.canonical([row.node_id for row in rows])
    nodes = {canonical.get(row.node_id, row.node_id) for row in rows}
    if len(nodes) > 1:
        named = sorted(f"{row.namespace} {row.name}" for row in nodes_by_id(unit, sorted(nodes)).values())
        raise Conflict(
            expected=f"one model version with the content digest {subject.digest}",
            found="; ".join(named)[:500],
            remedy="Say with a symlinks facet that they are one, or correct the digest of the other.",
        )
    if nodes:
        node = nodes.pop()
    else:
        of_name = _named(known, subject)
        if of_name is None:
            return None
        node = of_name
    told = _told(known, node)
    if told and not rows:
        return None
    writers = tuple(run for run in _writers(known, node) if not told.get(run) or subject.digest in told[run])
    return Found(node, None, writers, model_members(rows[-1]) if rows else {})


def _named(known: Known, subject: Subject) -> int | None:
    """The dataset of the subject's name; None where nothing but runs of a gate ever named it."""
    asked, connection = _asked(known.as_of), known.unit.session.connection()
    identity = node_identity("dataset", subject.namespace, subject.lineage_name)
    row = connection.execute(_by_name(*asked), {"identity": identity, **asked}).first()
    if row is None or row.first_seen is None or (known.as_of is not None and row.first_seen > known.as_of):
        return None
    if not row.aliases:
        return None if row.alone else row.id
    node: int = known.aliases.canonical([row.id]).get(row.id, row.id)
    members = id_list(known.unit.dialect, known.aliases.members(node))
    alone = connection.execute(_of_group(known.unit.dialect, *asked), {"ids": members, **asked}).scalar()
    return None if alone else node


def _asked(as_of: datetime | None) -> dict[str, Any]:
    """The parameters of a query as of an instant or now; their names tell the two queries apart."""
    return {} if as_of is None else {"as_of": as_of}


def _until(column: Any, *as_of: str) -> list[sa.ColumnElement[bool]]:
    """The instant in ``column`` is at or before that of the parameter; nothing where none is given."""
    return [column <= sa.bindparam(name, type_=UTCDateTime()) for name in as_of]


# Each verdict asks these, and making a query anew costs more than carrying it out.
@cache
def _models_with(*as_of: str) -> sa.Select[ModelRow]:
    return sa.select(ModelRow).where(
        ModelRow.content_digest == sa.bindparam("digest"), *_until(ModelRow.first_seen, *as_of)
    )


def _alone(among: Callable[[Any], sa.ColumnElement[bool]], *as_of: str) -> sa.ColumnElement[int]:
    """1 where nothing but runs of a gate named the datasets that ``among`` takes a column to; they say nothing more."""
    named = sa.select(EdgeRow.job_id).where(among(EdgeRow.node_id), *_until(EdgeRow.first_seen, *as_of))
    job = aliased(NodeRow)
    other = named.join(job, job.id == EdgeRow.job_id).where(job.subtype.is_distinct_from(GATE_JOB))
    facets = sa.select(FacetRow.entity_id).where(FacetRow.place == DATASET_FACETS, among(FacetRow.entity_id))
    return sa.case((sa.and_(named.exists(), ~other.exists(), ~facets.exists()), 1), else_=0)


@cache
def _by_name(*as_of: str) -> Any:
    """The dataset of an identity, whether any dataset at all has aliases, and whether gates alone named this one."""
    alone = _alone(lambda column: column == NodeRow.id, *as_of)
    row = sa.select(NodeRow.id, NodeRow.first_seen, any_alias().label("aliases"), alone.label("alone"))
    return row.where(NodeRow.identity == sa.bindparam("identity"))


@cache
def _of_group(dialect: str, *as_of: str) -> Any:
    return sa.select(_alone(lambda column: listed(dialect, column), *as_of))


def found_dataset(known: Known, node: int, version: str | None = None) -> Found:
    """A dataset as the subject of a question, in the version that producers reported or as its last writers left it."""
    query = sa.select(ModelRow).where(
        among(known.unit, ModelRow.node_id, known.aliases.members(node)), until(ModelRow.first_seen, known.as_of)
    )
    rows = sorted(known.unit.session.scalars(query), key=lambda row: (row.stamp, row.content_digest))
    writers = tuple(_writers(known, node))
    if version is not None:
        writers = tuple(Points(known.unit, known.aliases, known.as_of).writers(Point(node, version)))
    return Found(node, version, writers, model_members(rows[-1]) if rows else {})


def _told(known: Known, node: int) -> dict[int, set[str]]:
    """The content digests that each run said it wrote; run 0 stands for dataset events."""
    query = sa.select(ModelRow.run_id, ModelRow.content_digest).where(
        among(known.unit, ModelRow.node_id, known.aliases.members(node)), until(ModelRow.first_seen, known.as_of)
    )
    told: dict[int, set[str]] = defaultdict(set)
    for run, digest in known.unit.session.execute(query):
        told[run].add(digest)
    return told


def _writers(known: Known, node: int) -> list[int]:
    query = (
        sa.select(RunDatasetRow.run_id)
        .where(
            among(known.unit, RunDatasetRow.node_id, known.aliases.members(node)),
            RunDatasetRow.role == OUTPUT,
            until(RunDatasetRow.first_seen, known.as_of),
        )
        .distinct()
    )
    return sorted(known.unit.session.scalars(query))
