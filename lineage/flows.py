"""Which dataset feeds which, as the ``lineage`` and ``columnLineage`` facets of an event say. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lineage.events import DatasetMention, Event
from lineage.facts import usable
from lineage.mapping import ColumnPair, Transformation, mapping_document

Names = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Data flows from ``source`` to ``target``; None is the event's own job.

    ``columns`` is empty where the facet names datasets only. ``is_explicit`` marks the entries of a ``lineage`` facet,
    which are the whole of the data flow that they describe.
    """

    source: Names | None
    target: Names | None
    is_explicit: bool
    columns: frozenset[ColumnPair] = frozenset()

    def mapping(self) -> bytes | None:
        """The pairs of columns as they are stored; None where datasets alone are named."""
        return mapping_document(self.columns) if self.columns else None


@dataclass
class _Gathered:
    """The flows of one event while they are gathered."""

    pairs: dict[tuple[Names | None, Names | None], set[ColumnPair]] = field(default_factory=dict)

    def add(self, source: Names | None, target: Names | None, pair: ColumnPair) -> None:
        self.pairs.setdefault((source, target), set()).add(pair)

    def flows(self, *, is_explicit: bool) -> Iterator[Flow]:
        for (source, target), pairs in self.pairs.items():
            # Datasets alone are named where no pair names a column on either side.
            named = any(pair.source or pair.target for pair in pairs) and source is not None and target is not None
            yield Flow(source, target, is_explicit, frozenset(pairs) if named else frozenset())


def flows_of(event: Event) -> tuple[list[Flow], bool]:
    """The event's flows, and whether its job carries a ``lineage`` facet, which then is its whole data flow."""
    if event.job is None:
        return [], False
    entries = _live(event.job.facets, "lineage").get("entries")
    if isinstance(entries, list):
        gathered = _Gathered()
        for entry in entries:
            _entry(gathered, entry)
        return list(gathered.flows(is_explicit=True)), True
    flows: list[Flow] = []
    for mention in event.outputs:
        flows += _output_flows(mention)
    return flows, False


def _output_flows(mention: DatasetMention) -> Iterator[Flow]:
    target = (mention.namespace, mention.name)
    gathered = _Gathered()
    lineage = _live(mention.facets, "lineage")
    if lineage:
        _inputs(gathered, lineage, target)
        yield from gathered.flows(is_explicit=True)
        return
    facet = _live(mention.facets, "columnLineage")
    for name, entry in _items(facet.get("fields")):
        of_field = _old_transformation(entry)
        for source in _list(entry.get("inputFields") if isinstance(entry, dict) else None):
            _column(gathered, source, target, name, of_field)
    for source in _list(facet.get("dataset")):
        _column(gathered, source, target, "", ())
    yield from gathered.flows(is_explicit=False)


def _column(gathered: _Gathered, source: Any, target: Names, name: str, otherwise: tuple[Transformation, ...]) -> None:
    names, column = _names(source), usable(source.get("field")) if isinstance(source, dict) else None
    if names is not None and column is not None and (usable(name) or name == ""):
        gathered.add(names, target, ColumnPair(column, name, _transformations(source) or otherwise))


def _transformations(source: Any) -> tuple[Transformation, ...]:
    """How the column goes on, as the producer told it; what is no transformation is left out."""
    return tuple(
        Transformation(
            usable(entry.get("type")), usable(entry.get("subtype")), usable(entry.get("description")),
            entry.get("masking") is True,
        )
        for entry in _list(source.get("transformations"))
        if isinstance(entry, dict)
    )  # fmt: skip


def _old_transformation(entry: Any) -> tuple[Transformation, ...]:
    """``transformationType`` of a field, as producers before version 1-1-0 of the facet told it."""
    kind = usable(entry.get("transformationType")) if isinstance(entry, dict) else None
    if kind is None:
        return ()
    return (Transformation("DIRECT", kind, usable(entry.get("transformationDescription")), kind == "MASKED"),)


def _entry(gathered: _Gathered, entry: Any) -> None:
    """An entry of a job's ``lineage`` facet. Relationships with other jobs carry no dataset and are left to them."""
    if not isinstance(entry, dict):
        return
    target = _names(entry)
    if entry.get("type") == "DATASET" and target is not None:
        _inputs(gathered, entry, target)
        if not _list(entry.get("inputs")) and not _items(entry.get("fields")):
            gathered.add(None, target, ColumnPair("", ""))
    elif entry.get("type") == "JOB" and "name" not in entry:
        for source in _list(entry.get("inputs")):
            names = _names(source)
            if names is not None and source.get("type") == "DATASET":
                gathered.add(names, None, ColumnPair("", ""))


def _inputs(gathered: _Gathered, holder: Mapping[str, Any], target: Names) -> None:
    for source in _list(holder.get("inputs")):
        _input(gathered, source, target, "")
    for name, entry in _items(holder.get("fields")):
        for source in _list(entry.get("inputs") if isinstance(entry, dict) else None):
            _input(gathered, source, target, name)


def _input(gathered: _Gathered, source: Any, target: Names, name: str) -> None:
    if not isinstance(source, dict):
        return
    if source.get("type") == "JOB" and "name" not in source:
        gathered.add(None, target, ColumnPair("", ""))
        return
    names = _names(source)
    if names is None or source.get("type") != "DATASET":
        return
    column, end = usable(source.get("field")) or "", usable(name) or ""
    gathered.add(names, target, ColumnPair(column, end, _transformations(source)))


def _names(holder: Any) -> Names | None:
    if not isinstance(holder, dict):
        return None
    namespace, name = usable(holder.get("namespace")), usable(holder.get("name"))
    return None if namespace is None or name is None else (namespace, name)


def _live(facets: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    facet = facets.get(key)
    return facet if isinstance(facet, dict) and facet.get("_deleted") is not True else {}


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
