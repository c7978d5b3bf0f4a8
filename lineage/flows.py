"""Which dataset feeds which, as the ``lineage`` and ``columnLineage`` facets of an event say. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lineage.events import DatasetMention, Event
from lineage.facts import usable

Names = tuple[str, str]
"""Namespace and name."""

Pair = tuple[str, str]
"""Source column and target column; the target is empty where the source column affects every row (filter, join)."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Data flows from ``source`` to ``target``; None is the event's own job.

    ``columns`` is None where the facet names datasets only. ``is_explicit`` marks the entries of a ``lineage`` facet,
    which are the whole of the data flow that they describe.
    """

    source: Names | None
    target: Names | None
    is_explicit: bool
    columns: frozenset[Pair] | None

    def columns_document(self) -> bytes | None:
        """The pairs of columns as sorted JSON."""
        return None if self.columns is None else json.dumps(sorted(self.columns), separators=(",", ":")).encode("ascii")


@dataclass
class _Gathered:
    """The flows of one event while they are gathered; a source named without a column is known as a dataset only."""

    pairs: dict[tuple[Names | None, Names | None], set[Pair]] = field(default_factory=dict)
    whole: set[tuple[Names | None, Names | None]] = field(default_factory=set)

    def add(self, source: Names | None, target: Names | None, pair: Pair | None) -> None:
        pairs = self.pairs.setdefault((source, target), set())
        if pair is None:
            self.whole.add((source, target))
        else:
            pairs.add(pair)

    def flows(self, *, is_explicit: bool) -> Iterator[Flow]:
        for ends, pairs in self.pairs.items():
            known = ends not in self.whole and all(end is not None for end in ends)
            yield Flow(*ends, is_explicit, frozenset(pairs) if known else None)


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
        for source in _list(entry.get("inputFields") if isinstance(entry, dict) else None):
            _column(gathered, source, target, name)
    for source in _list(facet.get("dataset")):
        _column(gathered, source, target, "")
    yield from gathered.flows(is_explicit=False)


def _column(gathered: _Gathered, source: Any, target: Names, name: str) -> None:
    names, column = _names(source), usable(source.get("field")) if isinstance(source, dict) else None
    if names is not None and column is not None and (usable(name) or name == ""):
        gathered.add(names, target, (column, name))


def _entry(gathered: _Gathered, entry: Any) -> None:
    """An entry of a job's ``lineage`` facet. Relationships with other jobs carry no dataset and are left to them."""
    if not isinstance(entry, dict):
        return
    target = _names(entry)
    if entry.get("type") == "DATASET" and target is not None:
        _inputs(gathered, entry, target)
        if not _list(entry.get("inputs")) and not _items(entry.get("fields")):
            gathered.add(None, target, None)
    elif entry.get("type") == "JOB" and "name" not in entry:
        for source in _list(entry.get("inputs")):
            names = _names(source)
            if names is not None and source.get("type") == "DATASET":
                gathered.add(names, None, None)


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
        gathered.add(None, target, None)
        return
    names = _names(source)
    if names is None or source.get("type") != "DATASET":
        return
    column = usable(source.get("field"))
    is_pair = column is not None and (usable(name) is not None or name == "")
    gathered.add(names, target, (column or "", name) if is_pair else None)


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
