"""An answer about fields as somebody sees it: what lies outside keeps its place, and has no name."""

from collections.abc import Iterable
from dataclasses import replace

from governance.types.sight import Sight
from lineage.column_answer import CarriedMark, ColumnEdge, ColumnGraph, ColumnNode, FieldName

HIDDEN = FieldName("", "", "")
"""Stands for a field that the reader does not see; no stored name is empty."""


def seen_columns(found: ColumnGraph, sight: Sight) -> ColumnGraph:
    """The answer with hidden fields without names, types, marks or other names, last among those of their distance.

    Of an edge with a hidden end no more is told than that it is there; a hidden job has two empty names. The order of
    what is hidden says nothing of its names.
    """
    if sight.is_whole:
        return found
    shown = [_node(node, sight) for node in found.nodes]
    order = sorted(range(len(shown)), key=lambda place: _key(shown[place]))
    places = {old: new for new, old in enumerate(order)}
    nodes = tuple(shown[place] for place in order)
    edges = [_edge(edge, nodes, (places[edge.source], places[edge.target]), sight) for edge in found.edges]
    return replace(
        found,
        starts=tuple(sorted(places[start] for start in found.starts)),
        nodes=nodes,
        edges=tuple(sorted(edges, key=lambda edge: (edge.source, edge.target))),
        frontier=tuple(sorted(places[one] for one in found.frontier)),
    )


def seen_marks(marks: Iterable[CarriedMark], sight: Sight) -> tuple[CarriedMark, ...]:
    """The marks with the hidden fields on their ways without names; by key and by the way that is seen."""
    if sight.is_whole:
        return tuple(marks)
    shown = [replace(mark, way=tuple(_field(one, sight) for one in mark.way)) for mark in marks]
    return tuple(sorted(shown, key=lambda mark: (len(mark.way) > 1, mark.kind, mark.key, mark.value or "", mark.way)))


def _field(names: FieldName, sight: Sight) -> FieldName:
    return names if sight.sees(names.namespace, names.name) else HIDDEN


def _node(node: ColumnNode, sight: Sight) -> ColumnNode:
    if not sight.sees(node.names.namespace, node.names.name):
        return ColumnNode(node.dataset, HIDDEN, None, node.distance, (), ())
    aliases = tuple(names for names in node.aliases if sight.sees(*names))
    return replace(node, aliases=aliases, marks=seen_marks(node.marks, sight))


def _key(node: ColumnNode) -> tuple[int, bool, FieldName, int]:
    return (node.distance, node.names == HIDDEN, node.names, node.dataset)


def _edge(edge: ColumnEdge, nodes: tuple[ColumnNode, ...], ends: tuple[int, int], sight: Sight) -> ColumnEdge:
    placed = replace(edge, source=ends[0], target=ends[1])
    if HIDDEN in (nodes[ends[0]].names, nodes[ends[1]].names):
        return replace(placed, transformations=(), job=None, latest_run_id=None)
    if edge.job is None or sight.sees(*edge.job):
        return placed
    return replace(placed, job=("", ""), latest_run_id=None)
