"""What the links of an ancestry rest on: what is stored about versions, code and environments, rated by its level."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from governance.types.ancestry import AncestryEdge, DatasetVersion
from lineage.descriptions import Known
from lineage.facet_values import facets_of
from lineage.fact_tables import DATASET_FACETS, RUN_FACETS, TextRow
from lineage.levels import Rated, RunPins, code_revision, is_snapshot, lowest, node_levels, pinned_environment, rate
from lineage.points import Point
from lineage.tables import RunRow


@dataclass(frozen=True, slots=True)
class LinkRater:
    """Rates the links of one ancestry."""

    pins: Mapping[int, RunPins]
    layers: Mapping[int, str]

    def rated(self, run: int, point: Point, described: DatasetVersion, *, is_inferred: bool = False) -> Rated:
        """The level of the link between the run and the version; of a model its digest is a version as well."""
        version = point.version or described.content_digest
        return rate(
            version,
            is_inferred=is_inferred,
            is_kept=is_snapshot(described.name, version, self.layers.get(point.node)),
            pins=self.pins.get(run, RunPins()),
        )


def link_rater(known: Known, runs: Sequence[RunRow], points: Iterable[Point]) -> LinkRater:
    """What is stored about the runs and versions, read as far as it can matter.

    The environment of a run counts only where its code has a revision, and a storage layer only where some run has
    both: most ancestries are rated without reading one facet.
    """
    revisions = _revisions(known, runs)
    environments = _environments(known, sorted(revisions))
    pins = {run: RunPins(revision, environments.get(run)) for run, revision in revisions.items()}
    layers: dict[int, str] = {}
    if environments:
        layers = _storage_layers(known, sorted({point.node for point in points if point.version is not None}))
    return LinkRater(pins, layers)


def _revisions(known: Known, runs: Sequence[RunRow]) -> dict[int, str]:
    """The revision of each run's code, of the runs that name one."""
    located = {run.id: run.location_digest for run in runs if run.location_digest is not None}
    if not located:
        return {}
    query = sa.select(TextRow.digest, TextRow.content).where(TextRow.digest.in_(sorted(set(located.values()))))
    revisions = {digest: code_revision(json.loads(content)) for digest, content in known.unit.session.execute(query)}
    return {run: revision for run, digest in located.items() if (revision := revisions.get(digest)) is not None}


def _environments(known: Known, runs: Sequence[int]) -> dict[int, str]:
    if not runs:
        return {}
    found = facets_of(known.unit, RUN_FACETS, {run: run for run in runs}, known.as_of)
    pinned = {run: pinned_environment(values.facets) for run, values in found.items()}
    return {run: environment for run, environment in pinned.items() if environment is not None}


def _storage_layers(known: Known, nodes: Sequence[int]) -> dict[int, str]:
    if not nodes:
        return {}
    members = {member: node for node in nodes for member in known.aliases.members(node)}
    found = facets_of(known.unit, DATASET_FACETS, members, known.as_of)
    layers: dict[int, Any] = {node: _layer(values.facets.get("storage")) for node, values in found.items()}
    return {node: layer for node, layer in layers.items() if isinstance(layer, str)}


def _layer(facet: Any) -> Any:
    return facet.get("storageLayer") if isinstance(facet, Mapping) else None


def levelled(
    subject: str, datasets: Iterable[DatasetVersion], edges: Sequence[AncestryEdge]
) -> tuple[list[DatasetVersion], dict[str, Any]]:
    """The datasets with the level of the strongest path to the subject, and the level of the whole as a member."""
    links = {(edge.source, edge.target): edge.level for edge in edges if edge.level is not None}
    levels = node_levels(subject, links)
    shown = [version.model_copy(update={"level": levels.get(version.key)}) for version in datasets]
    return shown, {"level": lowest(links.values())}
