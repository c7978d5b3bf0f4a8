"""Where a model version came from, as a value: what lineage gives to checks and reports."""

from datetime import datetime
from typing import Literal

from governance.types.provenance import ProvenanceFact
from governance.types.value import Digest, Value

Precision = Literal["column", "dataset", "over-approximate"]
Level = Literal["linked", "observed", "reproducible"]
"""What a link rests on, from the weakest to the strongest (``docs/lineage.md``)."""


class DatasetVersion(Value):
    """One version of a dataset or model, as an event named it.

    ``key`` is unique within the ancestry. ``version`` is what the producer reported; ``digest`` is that version where
    it is a content digest. ``provenance`` holds every record known, oldest first. ``purposes``, ``content_digest`` and
    ``risk_tier`` come from the ``assay_model`` facet. ``erased_at`` is when a DROP or TRUNCATE of it was reported: the
    evidence that no copy is stored. ``level`` is that of the strongest path from it to the subject.
    """

    key: str
    namespace: str
    name: str
    version: str | None = None
    digest: Digest | None = None
    row_count: int | None = None
    fields: tuple[str, ...] = ()
    provenance: tuple[ProvenanceFact, ...] = ()
    content_digest: Digest | None = None
    purposes: tuple[str, ...] | None = None
    risk_tier: str | None = None
    intended_use: str | None = None
    erased_at: datetime | None = None
    level: Level | None = None


class RunNode(Value):
    """One run, with its state and times by event time."""

    key: str
    run_id: str
    job_namespace: str
    job_name: str
    job_type: str | None = None
    state: str
    started_at: datetime | None = None
    ended_at: datetime | None = None


class AncestryEdge(Value):
    """Data flow: from a dataset version into a run (``input``) or from a run to a dataset version (``output``).

    ``version_inferred`` marks an input whose version was taken from the latest write before the run started.
    ``columns`` names the columns of ``source`` that flow over an input edge, known only at column precision; null means
    not known, an empty tuple means that none flows. ``level`` says what the link rests on, ``level_reason`` why it is
    no higher.
    """

    source: str
    target: str
    role: Literal["input", "output"]
    precision: Precision
    version_inferred: bool = False
    read_digest: Digest | None = None
    columns: tuple[str, ...] | None = None
    level: Level | None = None
    level_reason: str | None = None


class Ancestry(Value):
    """Everything upstream of ``subject`` as of ``as_of``; ``subject`` is null when lineage does not know it.

    Nodes and edges are sorted, so that equal lineage gives equal bytes. ``level`` is the lowest of all links; null
    where there is none, so that a level which is demanded is not met by a model of which nothing is known.
    """

    subject: str | None
    as_of: datetime | None = None
    datasets: tuple[DatasetVersion, ...] = ()
    runs: tuple[RunNode, ...] = ()
    edges: tuple[AncestryEdge, ...] = ()
    level: Level | None = None
    truncated: bool = False
