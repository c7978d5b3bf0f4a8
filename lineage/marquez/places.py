"""Namespaces, sources of data and tags in Marquez's shape."""

from typing import Any

import sqlalchemy as sa

from governance.errors import NotFound
from lineage.fact_tables import LabelRow, SourceRow, TagRow
from lineage.identity import label_identity
from lineage.marquez.lookup import is_hidden
from lineage.marquez.pages import Page
from lineage.marquez.runs import time_text
from lineage.marquez.sight import seen_namespaces, told_sources
from lineage.reading import Reader, seen
from lineage.tables import NamespaceRow, NodeRow
from lineage.tagging import seen_tags

OWNER = "anonymous"
"""Owner of a namespace that nobody described, as Marquez has it."""


def namespace_document(row: NamespaceRow) -> dict[str, Any]:
    """A namespace in Marquez's shape."""
    return {
        "name": row.name,
        "createdAt": time_text(row.first_seen),
        "updatedAt": time_text(row.last_seen),
        "ownerName": row.owner or OWNER,
        "description": row.description,
        "isHidden": is_hidden(row),
    }


def namespaces(unit: Reader, page: Page) -> list[dict[str, Any]]:
    """The namespaces that events or operators named and nobody deleted, by name."""
    shown = sa.or_(
        NamespaceRow.deleted_at.is_(None),
        NamespaceRow.deleted_at < NamespaceRow.last_recorded,
    )
    query = sa.select(NamespaceRow).where(NamespaceRow.first_seen.is_not(None), shown, *seen_namespaces(unit))
    rows = unit.session.scalars(_paged(unit, query, NamespaceRow.name, page))
    return [namespace_document(row) for row in rows]


def sources(unit: Reader, page: Page) -> list[dict[str, Any]]:
    """The sources that facets or operators named, and each namespace that is one by itself; by name."""
    told = sa.select(*_told_columns()).where(*_seen_sources(unit))
    implied = _implied(unit).where(NamespaceRow.name.not_in(sa.select(SourceRow.name)))
    every = sa.union_all(told, implied).subquery()
    rows = unit.session.execute(_paged(unit, sa.select(every), every.c.name, page))
    return [_source_document(row) for row in rows]


def source(unit: Reader, name: str) -> dict[str, Any]:
    """The source of this name.

    Raises:
        NotFound: there is none.
    """
    told = sa.select(*_told_columns()).where(SourceRow.identity == label_identity("source", name), *_seen_sources(unit))
    row = unit.session.execute(told).first()
    if row is None:
        row = unit.session.execute(_implied(unit).where(NamespaceRow.name == name)).first()
    if row is None:
        raise NotFound(
            expected="a source that a facet or an operator has named", found=repr(name[:200]), remedy="See /sources."
        )
    return _source_document(row)


def source_births(unit: Reader) -> list[Any]:
    """When each source was first named."""
    implied = _implied(unit).where(NamespaceRow.name.not_in(sa.select(SourceRow.name))).subquery()
    query = sa.union_all(sa.select(SourceRow.first_seen).where(*_seen_sources(unit)), sa.select(implied.c.first_seen))
    return list(unit.session.scalars(query))


def tags(unit: Reader, page: Page) -> list[dict[str, Any]]:
    """The tags that facets or operators named, by name."""
    shown = [] if unit.sight.is_whole else [TagRow.name.in_(seen_tags(unit))]
    rows = unit.session.scalars(_paged(unit, sa.select(TagRow).where(*shown), TagRow.name, page))
    return [tag_document(row) for row in rows]


def tag_document(row: TagRow) -> dict[str, Any]:
    """A tag in Marquez's shape."""
    return {"name": row.name, "description": row.description}


def _told_columns() -> tuple[Any, ...]:
    return (
        SourceRow.name, SourceRow.type, SourceRow.uri, SourceRow.description, SourceRow.first_seen,
        SourceRow.last_seen,
    )  # fmt: skip


def _seen_sources(unit: Reader) -> list[sa.ColumnElement[bool]]:
    return [] if unit.sight.is_whole else [SourceRow.name.in_(told_sources(unit))]


def _implied(unit: Reader) -> Any:
    """Namespaces that hold a dataset of which nobody told the source: a namespace says where its data lies."""
    told = sa.select(LabelRow.node_id).where(LabelRow.node_id == NodeRow.id, LabelRow.key == "dataSource")
    held = sa.select(NodeRow.id).where(
        NodeRow.namespace_id == NamespaceRow.id,
        NodeRow.kind == "dataset",
        NodeRow.first_seen.is_not(None),
        ~told.exists(),
        *seen(unit),
    )
    nothing = sa.cast(sa.null(), sa.Text)
    return sa.select(
        NamespaceRow.name, nothing.label("type"), NamespaceRow.name.label("uri"), nothing.label("description"),
        NamespaceRow.first_seen, NamespaceRow.last_seen,
    ).where(NamespaceRow.first_seen.is_not(None), held.exists())  # fmt: skip


def _source_document(row: Any) -> dict[str, Any]:
    kind = row.type or row.uri.partition(":")[0]
    return {
        "type": kind.upper(),
        "name": row.name,
        "createdAt": time_text(row.first_seen),
        "updatedAt": time_text(row.last_seen),
        "connectionUrl": row.uri or "",
        "description": row.description,
    }


def _paged(unit: Reader, query: Any, name: Any, page: Page) -> Any:
    """The page by name, in the order of code points whatever the collation of the database is."""
    by_name = sa.collate(name, "C" if unit.dialect == "postgresql" else "BINARY")
    return query.order_by(by_name).limit(page.limit).offset(page.offset)
