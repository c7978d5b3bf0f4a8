"""Tables of what facets say about datasets, jobs and runs; derived from the event log as in ``lineage.tables``."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import BigId, Row

JOB_FACETS = 0
DATASET_FACETS = 1
RUN_FACETS = 2
"""Whose facets a ``FacetRow`` speaks of: those of a job, a dataset or a run."""


class FacetKeysRow(Row):
    """Which facets came together: ``content`` lists the keys of those set, of those deleted, and of those of a role."""

    __tablename__ = "lineage_facet_keys"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary, unique=True)
    content: Mapped[bytes] = mapped_column(sa.LargeBinary)


class FacetRow(Row):
    """The event with this stamp carried these facets of a job, dataset or run. What they say is in the event.

    A run has a row for each of its events, also for one without facets.
    """

    __tablename__ = "lineage_facet"

    place: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    entity_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    keys_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    stamp: Mapped[bytes] = mapped_column(sa.LargeBinary, primary_key=True)


class TextRow(Row):
    """The content of a label, once per content."""

    __tablename__ = "lineage_text"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary, unique=True)
    content: Mapped[bytes] = mapped_column(sa.LargeBinary)


class LabelRow(Row):
    """From this stamp on a small facet that lists show (``lineage.labels``) says this of a node; 0: it is deleted."""

    __tablename__ = "lineage_label"

    node_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    stamp: Mapped[bytes] = mapped_column(sa.LargeBinary, primary_key=True)
    text_id: Mapped[int] = mapped_column(sa.BigInteger)


class StatementRow(Row):
    """At this stamp an event without a run declared data flow, or one deleted a lineage facet (``is_end``).

    It was that of a job (target 0), of a dataset (job 0), or of a job's output; what it said before no longer holds.
    """

    __tablename__ = "lineage_statement"

    job_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    target_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    stamp: Mapped[bytes] = mapped_column(sa.LargeBinary, primary_key=True)
    is_end: Mapped[int] = mapped_column(sa.SmallInteger)


class RenameRow(Row):
    """At this stamp the carrier reported that it had been called by the old name before."""

    __tablename__ = "lineage_rename"
    __table_args__ = (sa.Index(None, "old_id"),)

    carrier_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    stamp: Mapped[bytes] = mapped_column(sa.LargeBinary, primary_key=True)
    old_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)


class DeploymentRow(Row):
    """What a run's ``assay_deployment`` facet says; ``facet`` is as sent."""

    __tablename__ = "lineage_deployment"
    __table_args__ = (sa.Index(None, "environment"),)

    run_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    environment: Mapped[str] = mapped_column(sa.Text)
    decision_id: Mapped[str | None] = mapped_column(sa.Text)
    facet: Mapped[bytes] = mapped_column(sa.LargeBinary)
    stamp: Mapped[bytes] = mapped_column(sa.LargeBinary)


class TagRow(Row):
    """A tag that a facet or an operator named; ``description`` is what an operator last said of it."""

    __tablename__ = "lineage_tag"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    identity: Mapped[bytes] = mapped_column(sa.LargeBinary, unique=True)
    name: Mapped[str] = mapped_column(sa.Text)
    description: Mapped[str | None] = mapped_column(sa.Text)
    stamp: Mapped[bytes | None] = mapped_column(sa.LargeBinary)


class SourceRow(Row):
    """Where datasets lie, as a ``dataSource`` facet or an operator told it; the later word holds."""

    __tablename__ = "lineage_source"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    identity: Mapped[bytes] = mapped_column(sa.LargeBinary, unique=True)
    name: Mapped[str] = mapped_column(sa.Text)
    type: Mapped[str | None] = mapped_column(sa.Text)
    uri: Mapped[str | None] = mapped_column(sa.Text)
    uri_stamp: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    description: Mapped[str | None] = mapped_column(sa.Text)
    description_stamp: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]


class SymlinkRow(Row):
    """At this stamp the carrier listed the alias; an alias that is the carrier itself says that it listed none."""

    __tablename__ = "lineage_symlink"
    __table_args__ = (sa.Index(None, "alias_id"),)

    carrier_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    stamp: Mapped[bytes] = mapped_column(sa.LargeBinary, primary_key=True)
    alias_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)


class ProvenanceRow(Row):
    """A provenance record of a dataset, or of one version of it; ``record`` is null where the facet ended the facts."""

    __tablename__ = "lineage_provenance"
    __table_args__ = (sa.Index(None, "node_id"),)

    identity: Mapped[bytes] = mapped_column(sa.LargeBinary, primary_key=True)
    node_id: Mapped[int] = mapped_column(sa.BigInteger)
    version: Mapped[str | None] = mapped_column(sa.Text)
    record: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    record_digest: Mapped[str | None] = mapped_column(sa.Text)
    valid_from: Mapped[datetime]
    stamp: Mapped[bytes] = mapped_column(sa.LargeBinary)
    recorded_at: Mapped[datetime]


class ModelRow(Row):
    """A run, or a dataset event (run 0), said which bytes a model version has; ``facet`` is ``assay_model`` as sent."""

    __tablename__ = "lineage_model"
    __table_args__ = (sa.Index(None, "content_digest"),)

    node_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    run_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    content_digest: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    facet: Mapped[bytes] = mapped_column(sa.LargeBinary)
    stamp: Mapped[bytes] = mapped_column(sa.LargeBinary)
    first_seen: Mapped[datetime]


class ErasureRow(Row):
    """A DROP or TRUNCATE of a dataset was reported."""

    __tablename__ = "lineage_erasure"

    node_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    erased_at: Mapped[datetime] = mapped_column(primary_key=True)
    change: Mapped[str] = mapped_column(sa.Text, primary_key=True)


class SearchRow(Row):
    """A node has been indexed for search: ``digest`` is the SHA-256 of what it is found by.

    ``parts`` says from which rows that was made, so that most events are seen to change nothing. The words themselves
    are in the index of each database (``lineage.search_index``).
    """

    __tablename__ = "lineage_search"

    node_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary)
    parts: Mapped[bytes] = mapped_column(sa.LargeBinary)
