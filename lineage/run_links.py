"""What a walk over runs asks: what each run read and wrote, which of its inputs reach which output, who read that."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from lineage.descriptions import Known
from lineage.mapping import known_pairs
from lineage.points import Point, Points, Read
from lineage.precision import Flows
from lineage.reading import among, until
from lineage.tables import INPUT, OUTPUT, FlowRow, MappingRow, RunDatasetRow, RunRow


@dataclass
class RunLinks:
    """The runs met so far in one question, each read once with what it read and wrote."""

    known: Known
    points: Points
    runs: dict[int, RunRow] = field(default_factory=dict)
    inputs: dict[int, set[int]] = field(default_factory=dict)
    outputs: dict[int, set[int]] = field(default_factory=dict)
    flows: dict[int, Flows] = field(default_factory=dict)
    reported: dict[tuple[int, int], set[str]] = field(default_factory=dict)
    """For each run and input, the versions that the run reported to have read."""
    written: dict[tuple[int, int], set[str]] = field(default_factory=dict)
    """For each run and output, the versions that the run reported to have written."""
    _reads: dict[tuple[int, int], list[Read]] = field(default_factory=dict)

    def load(self, runs: Iterable[int]) -> None:
        """Read the runs that are new."""
        new = sorted(set(runs) - self.runs.keys())
        if not new:
            return
        unit, as_of = self.known.unit, self.known.as_of
        query = sa.select(RunRow).where(among(unit, RunRow.id, new)).order_by(RunRow.identity)
        rows = list(unit.session.scalars(query))
        self.runs.update((row.id, row) for row in rows)
        ends = unit.session.execute(
            sa.select(RunDatasetRow.run_id, RunDatasetRow.role, RunDatasetRow.node_id).where(
                among(unit, RunDatasetRow.run_id, new), until(RunDatasetRow.first_seen, as_of)
            )
        ).all()
        canonical = self.known.aliases.canonical([node for _, _, node in ends])
        for run, role, node in ends:
            side = self.inputs if role == INPUT else self.outputs
            side.setdefault(run, set()).add(canonical.get(node, node))
        self._load_flows(new)
        self.reported.update(self.points.reported(new, INPUT))
        self.written.update(self.points.reported(new, OUTPUT))

    def reads(self, run: int, node: int) -> list[Read]:
        """What the run read of its input."""
        if (run, node) not in self._reads:
            versions = self.reported.get((run, node), ())
            self._reads[(run, node)] = self.points.reads_of(self.runs[run], node, versions)
        return self._reads[(run, node)]

    def inputs_for(self, run: int, target: int) -> list[int]:
        """The run's inputs that can reach its output ``target``: all of them, or what an explicit facet names."""
        return [node for node in sorted(self.inputs.get(run, ())) if self.leads(run, node, target)]

    def outputs_for(self, run: int, source: int) -> list[int]:
        """The run's outputs that its input ``source`` can reach."""
        return [node for node in sorted(self.outputs.get(run, ())) if self.leads(run, source, node)]

    def leads(self, run: int, source: int, target: int) -> bool:
        """Whether data of the input can reach the output: always, unless an explicit facet names other sources."""
        flows = self.flows[run]
        is_restricted = self.runs[run].is_explicit or flows.is_explicit_for(target)
        return not is_restricted or source in flows.sources(target)

    def points_written(self, run: int, node: int) -> list[Point]:
        """What the run wrote of the dataset: the versions that it reported, else whatever it was."""
        versions = sorted(self.written.get((run, node), ()))
        return [Point(node, version) for version in versions] or [Point(node, None, run)]

    def readers(self, run: int, node: int, limit: int) -> tuple[dict[Point, list[int]], bool]:
        """The runs that read what the run wrote of the dataset, by the point they read, and whether there are more.

        Every run that may have is loaded, and its own reads decide: those that reported a version the run wrote, and
        those that started after the run began to write and before another write ended.
        """
        versions = sorted(self.written.get((run, node), ()))
        reported = self.points.readers_of(node, versions) if versions else []
        by_time = self.points.readers_between(self.runs[run], node, is_silent=not versions, limit=limit)
        candidates = sorted({*reported, *by_time} - {run})
        self.load(candidates)
        own = set(self.points_written(run, node))
        found: dict[Point, list[int]] = defaultdict(list)
        for reader in candidates:
            read_points = [read.point for read in self.reads(reader, node)]
            for point in read_points:
                if point in own or point.writer == run:
                    found[point].append(reader)
        return found, len(by_time) >= limit

    def _load_flows(self, runs: Sequence[int]) -> None:
        unit = self.known.unit
        self.flows.update((run, Flows()) for run in runs)
        query = (
            sa.select(FlowRow, MappingRow.content)
            .outerjoin(MappingRow, MappingRow.id == FlowRow.mapping_id)
            .where(among(unit, FlowRow.run_id, runs), until(FlowRow.first_seen, self.known.as_of))
        )
        rows = unit.session.execute(query).all()
        canonical = self.known.aliases.canonical([end for row, _ in rows for end in (row.source_id, row.target_id)])
        for row, mapping in rows:
            source, target = (canonical.get(end, end) for end in (row.source_id, row.target_id))
            self.flows[row.run_id].add(source, target, known_pairs(mapping), is_explicit=bool(row.is_explicit))
