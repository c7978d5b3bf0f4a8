"""What somebody with scopes is shown in Marquez's shapes: facets without hidden names, and the places that are seen."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from governance.types.sight import Sight
from lineage.asserted import names_of
from lineage.labels import source_in
from lineage.marks import seen_texts
from lineage.reading import Reader, among, in_scopes, seen
from lineage.tables import NamespaceRow, NodeRow, RunRow

HIDDEN = {"hidden": True}


def seen_facets(facets: Mapping[str, Any], sight: Sight) -> dict[str, Any]:
    """The facets with ``{"hidden": true}`` in place of each object that names a hidden dataset or job.

    An object names what its ``namespace`` and ``name`` (or ``dataset``) say, or those of its ``job``. Other texts, such
    as queries and descriptions, are said of whoever carries the facet and stay.
    """
    return dict(facets) if sight.is_whole else {key: seen_part(facet, sight) for key, facet in facets.items()}


def seen_part(value: Any, sight: Sight) -> Any:
    """A part of an event, or all of it, as ``seen_facets`` shows what is in it."""
    if isinstance(value, list):
        return [seen_part(item, sight) for item in value]
    if not isinstance(value, dict):
        return value
    if _is_hidden(value, sight) or _is_hidden(value.get("job"), sight):
        return HIDDEN
    return {key: seen_part(item, sight) for key, item in value.items()}


def _is_hidden(value: Any, sight: Sight) -> bool:
    names = names_of(value)
    return names is not None and not sight.sees(*names)


def visible_runs(unit: Reader, runs: Sequence[int]) -> Sequence[int]:
    """Those of the runs of which the unit sees the job."""
    if unit.sight.is_whole or not runs:
        return runs
    query = sa.select(RunRow.id).join(NodeRow, NodeRow.id == RunRow.job_id).where(among(unit, RunRow.id, runs))
    found = set(unit.session.scalars(query.where(*seen(unit))))
    return [run for run in runs if run in found]


def seen_namespaces(unit: Reader) -> list[sa.ColumnElement[bool]]:
    """The conditions under which the unit sees a namespace: something in it is seen, or a scope holds all of it."""
    if unit.sight.is_whole:
        return []
    held = sa.select(NodeRow.id).where(
        NodeRow.namespace_id == NamespaceRow.id, NodeRow.first_seen.is_not(None), *seen(unit)
    )
    wide = [scope.removesuffix("/*") for scope in unit.sight.scopes if scope.endswith("/*")]
    return [sa.or_(held.exists(), in_scopes(unit.dialect, NamespaceRow.name, wide))]


def told_sources(unit: Reader) -> set[str]:
    """The sources that were ever told of datasets that the unit sees."""
    return {name for name, _ in map(source_in, seen_texts(unit, "dataSource")) if name is not None}
