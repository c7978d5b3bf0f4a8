"""Which jobs and datasets an event asserts something about, so that a narrowed key can be held to its scopes. Pure.

To read somebody's table is what one reports; what one says of it beyond what a reader sees is an assertion.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from lineage.conformance import DEPLOYMENT
from lineage.events import DatasetMention, Event
from lineage.facts import renamed_from, symlinks_of
from lineage.flows import End, flows_of

SEEN_BY_READERS = frozenset({"catalog", "dataSource", "datasetType", "hierarchy", "schema", "storage", "version"})
"""Facets of a dataset that tell what whoever reads it comes to see, and change no name, owner, label or fact of it."""


class Asserted(NamedTuple):
    """A name that an event asserts something about, and the JSON pointer of the place that does."""

    namespace: str
    name: str
    pointer: str


def asserted(event: Event) -> Iterator[Asserted]:
    """The event's job or dataset, what it writes, and every other name that it would change.

    That are the other names and the earlier name of a dataset, jobs that a ``lineage`` facet names, the datasets that
    such a job writes, and inputs that are told more of than a reader sees. Inputs and sources are not among them.
    """
    if event.dataset is not None:
        yield from _of_dataset(event.dataset)
    if event.job is not None:
        yield Asserted(event.job.namespace, event.job.name, "/job")
    for mention in event.outputs:
        yield from _of_dataset(mention)
    for mention in event.inputs:
        told = sorted(key for key, facet in mention.facets.items() if not _is_seen(key, facet))
        if told:
            place = told[0].replace("~", "~0").replace("/", "~1")
            yield Asserted(mention.namespace, mention.name, f"{mention.pointer}/facets/{place}")
            yield from _other_names(mention)
    yield from _of_flows(event)


def is_deployment(event: Event) -> bool:
    """Whether the event says that its run is a deployment, of which the inputs are what it serves."""
    return event.run_id is not None and DEPLOYMENT in event.run_facets


def named_in(value: Any) -> Iterator[tuple[str, str]]:
    """Namespace and name of every dataset or job that an event, or a part of one, names in any of its objects."""
    if isinstance(value, list):
        for item in value:
            yield from named_in(item)
    if isinstance(value, dict):
        names = names_of(value)
        if names is not None:
            yield names
        for item in value.values():
            yield from named_in(item)


def names_of(value: Any) -> tuple[str, str] | None:
    """What an object names by its ``namespace`` and its ``name`` or ``dataset``; None where it names nothing so."""
    if not isinstance(value, dict):
        return None
    namespace, name = value.get("namespace"), value.get("name", value.get("dataset"))
    return (namespace, name) if isinstance(namespace, str) and isinstance(name, str) else None


def _is_seen(key: str, facet: object) -> bool:
    """A facet that is withdrawn would be withdrawn from what others said."""
    is_withdrawn = isinstance(facet, dict) and facet.get("_deleted") is True
    return key in SEEN_BY_READERS and not is_withdrawn


def _of_dataset(mention: DatasetMention) -> Iterator[Asserted]:
    yield Asserted(mention.namespace, mention.name, mention.pointer)
    yield from _other_names(mention)


def _other_names(mention: DatasetMention) -> Iterator[Asserted]:
    for namespace, name in symlinks_of(mention) or ():
        yield Asserted(namespace, name, f"{mention.pointer}/facets/symlinks")
    previous = renamed_from(mention.facets)
    if previous is not None:
        yield Asserted(*previous, f"{mention.pointer}/facets/lifecycleStateChange")


def _of_flows(event: Event) -> Iterator[Asserted]:
    """What is fed, and every job that is named: what feeds a dataset is said to write it."""
    told = flows_of(event)
    place = "/dataset/facets/lineage" if event.job is None else "/job/facets/lineage"
    for flow in told.flows:
        yield Asserted(*flow.target, place)
    for source, target in told.links:
        for end in _ends(source, target):
            yield Asserted(end[1], end[2], place)


def _ends(source: End, target: End) -> Iterator[End]:
    if source[0] == "job":
        yield source
    yield target
