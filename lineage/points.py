"""Where a run's input came from: the version it reported, else the latest write that ended before it started."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from lineage.aliases import Aliases
from lineage.facts import version_digest
from lineage.identity import stamp_after, stamp_time
from lineage.reading import Reader, among, until
from lineage.tables import INPUT, OUTPUT, DatasetVersionRow, RunDatasetRow, RunRow, VersionUseRow

OPEN_WRITERS = 20
"""Runs still writing that one unversioned read is traced to; a stream has one, a pipeline a few."""


@dataclass(frozen=True, slots=True)
class Point:
    """A version of a dataset in an ancestry.

    ``version`` is what producers reported; without it, ``writer`` is the run that wrote it. Neither is known of a root
    that nobody described.
    """

    node: int
    version: str | None = None
    writer: int | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A point that a run read; ``is_inferred`` when the run did not report the version."""

    point: Point
    is_inferred: bool


@dataclass
class Points:
    """Answers about points for one ancestry."""

    unit: Reader
    aliases: Aliases
    as_of: datetime | None

    def reads_of(self, run: RunRow, node: int, versions: Iterable[str]) -> list[Read]:
        """What the run read of an input; ``versions`` are those that it reported of it."""
        labelled = [self._labelled(run, node, version) for version in sorted(versions)]
        return labelled or self._by_time(run, node)

    def reported(self, runs: Sequence[int], role: int) -> dict[tuple[int, int], set[str]]:
        """The versions that the runs reported of what they read or wrote, by (run, canonical dataset)."""
        query = (
            sa.select(VersionUseRow.run_id, DatasetVersionRow.node_id, DatasetVersionRow.version)
            .join(DatasetVersionRow, DatasetVersionRow.id == VersionUseRow.version_id)
            .where(
                among(self.unit, VersionUseRow.run_id, runs),
                VersionUseRow.role == role,
                DatasetVersionRow.version.is_not(None),
                until(VersionUseRow.first_seen, self.as_of),
            )
        )
        rows: Sequence[Any] = self.unit.session.execute(query).all()
        canonical = self.aliases.canonical([node for _, node, _ in rows])
        found: dict[tuple[int, int], set[str]] = defaultdict(set)
        for run, node, version in rows:
            found[(run, canonical.get(node, node))].add(version)
        return found

    def writers(self, point: Point) -> list[int]:
        """The runs that wrote the point."""
        if point.writer is not None:
            return [point.writer]
        if point.version is None:
            return []
        query = (
            sa.select(VersionUseRow.run_id)
            .join(DatasetVersionRow, DatasetVersionRow.id == VersionUseRow.version_id)
            .where(
                among(self.unit, DatasetVersionRow.node_id, self.aliases.members(point.node)),
                DatasetVersionRow.version_digest == version_digest(point.version),
                VersionUseRow.role == OUTPUT,
                until(VersionUseRow.first_seen, self.as_of),
            )
            .distinct()
        )
        return sorted(self.unit.session.scalars(query))

    def readers_of(self, node: int, versions: Iterable[str]) -> list[int]:
        """The runs that reported to have read one of the versions."""
        query = (
            sa.select(VersionUseRow.run_id)
            .join(DatasetVersionRow, DatasetVersionRow.id == VersionUseRow.version_id)
            .where(
                among(self.unit, DatasetVersionRow.node_id, self.aliases.members(node)),
                DatasetVersionRow.version_digest.in_([version_digest(version) for version in versions]),
                VersionUseRow.role == INPUT,
                until(VersionUseRow.first_seen, self.as_of),
            )
            .distinct()
        )
        return sorted(self.unit.session.scalars(query))

    def readers_between(self, writer: RunRow, node: int, *, is_silent: bool, limit: int) -> list[int]:
        """The runs that read the dataset and started between the write and the end of the next: first those at first.

        Whether they read what ``writer`` wrote is for ``reads_of`` to say; no other run without a reported version can
        have. ``is_silent`` says that the writer reported no version: then a write that reported one is no next write.
        """
        started = sa.func.coalesce(RunRow.first_start, RunRow.first_running, RunRow.first_event)
        begun, following = self._span(writer, node, is_silent=is_silent)
        query = (
            sa.select(RunDatasetRow.run_id)
            .join(RunRow, RunRow.id == RunDatasetRow.run_id)
            .where(
                among(self.unit, RunDatasetRow.node_id, self.aliases.members(node)),
                RunDatasetRow.role == INPUT,
                RunDatasetRow.run_id != writer.id,
                until(RunDatasetRow.first_seen, self.as_of),
            )
            .order_by(started, RunRow.identity)
            .limit(limit)
        )
        if begun is not None:
            query = query.where(started >= begun)
        if following is not None:
            query = query.where(started < following)
        return list(self.unit.session.scalars(query))

    def _span(self, writer: RunRow, node: int, *, is_silent: bool) -> tuple[datetime | None, datetime | None]:
        """When the run began to write the dataset, and when the next write of it by another run ended."""
        first = sa.select(sa.func.min(RunDatasetRow.first_seen)).where(
            RunDatasetRow.run_id == writer.id,
            RunDatasetRow.role == OUTPUT,
            among(self.unit, RunDatasetRow.node_id, self.aliases.members(node)),
        )
        ended = None if writer.end_stamp is None else stamp_time(writer.end_stamp)
        known = [instant for instant in (self.unit.session.scalar(first), ended) if instant is not None]
        later = sa.select(RunRow.end_stamp).where(
            RunRow.id.in_(self._writes(writer, node, is_silent=is_silent)),
            RunRow.end_stamp.is_not(None) if writer.end_stamp is None else RunRow.end_stamp > writer.end_stamp,
        )
        stamp = self.unit.session.scalar(later.order_by(RunRow.end_stamp).limit(1))
        return min(known, default=None), None if stamp is None else stamp_time(stamp)

    def _labelled(self, run: RunRow, node: int, version: str) -> Read:
        """The version the run reported; where no run says that it wrote it, the latest silent write before did."""
        point = Point(node, version)
        if self.writers(point):
            return Read(point, False)
        writer = next(iter(self._ended(run, node, is_silent=True)), None)
        return Read(point if writer is None else Point(node, version, writer), writer is not None)

    def _by_time(self, run: RunRow, node: int) -> list[Read]:
        writers = self._ended(run, node) or self._open(run, node)
        if writers:
            reported = self.reported(writers, OUTPUT)
            return [
                Read(point, True)
                for writer in writers
                for point in _written(node, writer, reported.get((writer, node), set()))
            ]
        version = self._newest_version(node, start_of(run))
        return [Read(Point(node, version), version is not None)]

    def _ended(self, run: RunRow, node: int, *, is_silent: bool = False) -> list[int]:
        """The run whose write of the dataset ended last before ``run`` started, if there is one."""
        query = self._writes(run, node, is_silent=is_silent).where(RunRow.end_stamp < stamp_after(start_of(run)))
        query = query.order_by(RunRow.end_stamp.desc(), RunRow.identity).limit(1)
        return list(self.unit.session.scalars(query))

    def _open(self, run: RunRow, node: int) -> list[int]:
        """The runs that had begun to write the dataset and had not ended when ``run`` started."""
        query = self._writes(run, node).where(RunDatasetRow.first_seen <= start_of(run))
        return list(self.unit.session.scalars(query.order_by(RunRow.identity).limit(OPEN_WRITERS)))

    def _writes(self, run: RunRow, node: int, *, is_silent: bool = False) -> sa.Select[Any]:
        """The other runs that wrote the dataset; only those that reported no version of it where ``is_silent``."""
        query = (
            sa.select(RunDatasetRow.run_id)
            .join(RunRow, RunRow.id == RunDatasetRow.run_id)
            .where(
                among(self.unit, RunDatasetRow.node_id, self.aliases.members(node)),
                RunDatasetRow.role == OUTPUT,
                RunDatasetRow.run_id != run.id,
                until(RunDatasetRow.first_seen, self.as_of),
            )
        )
        return query.where(~self._reports_version(node)) if is_silent else query

    def _reports_version(self, node: int) -> sa.Exists:
        return (
            sa.select(VersionUseRow.version_id)
            .join(DatasetVersionRow, DatasetVersionRow.id == VersionUseRow.version_id)
            .where(
                VersionUseRow.run_id == RunDatasetRow.run_id,
                VersionUseRow.role == OUTPUT,
                among(self.unit, DatasetVersionRow.node_id, self.aliases.members(node)),
                DatasetVersionRow.version.is_not(None),
            )
            .exists()
        )

    def _newest_version(self, node: int, before: datetime) -> str | None:
        """The newest version of the dataset that was told before an instant, by a dataset event or another reader."""
        query = (
            sa.select(DatasetVersionRow.version)
            .where(
                among(self.unit, DatasetVersionRow.node_id, self.aliases.members(node)),
                DatasetVersionRow.version.is_not(None),
                DatasetVersionRow.first_stamp < stamp_after(before),
            )
            .order_by(DatasetVersionRow.first_stamp.desc(), DatasetVersionRow.identity)
            .limit(1)
        )
        return self.unit.session.scalar(query)


def start_of(run: RunRow) -> datetime:
    """When the run started: its START, else RUNNING, else its first event."""
    return run.first_start or run.first_running or run.first_event


def _written(node: int, writer: int, versions: Iterable[str]) -> list[Point]:
    """What a run wrote: the versions it reported, else whatever it was."""
    return [Point(node, version) for version in sorted(versions)] or [Point(node, None, writer)]
