"""Each derived table, its key, and how two rows of one key merge."""

from governance.database import Row
from lineage.fact_tables import (
    DeploymentRow,
    ErasureRow,
    FacetKeysRow,
    FacetRow,
    LabelRow,
    ModelRow,
    ProvenanceRow,
    RenameRow,
    SearchRow,
    SourceRow,
    StatementRow,
    SymlinkRow,
    TagRow,
    TextRow,
)
from lineage.merging import Rules
from lineage.tables import (
    DatasetVersionRow,
    EdgeRow,
    FindingRow,
    FlowEdgeRow,
    FlowRow,
    MappingRow,
    NamespaceRow,
    NodeRow,
    RunDatasetRow,
    RunRow,
    VersionUseRow,
)

NAMESPACES = Rules(
    NamespaceRow,
    ("identity",),
    least=("first_seen",),
    greatest=("last_seen", "last_recorded"),
    returning=("id", "identity"),
)
DESCRIBED_NAMESPACES = Rules(
    NamespaceRow,
    ("identity",),
    least=("first_seen",),
    greatest=("last_seen", "last_recorded"),
    latest=(("described_stamp", ("owner", "description")),),
)
"""As ``NAMESPACES``, where an operator describes one."""

NODES = Rules(
    NodeRow,
    ("identity",),
    least=("first_seen", "explicit_since"),
    greatest=("last_seen", "last_recorded"),
    latest=(
        ("type_stamp", ("type", "subtype")),
        ("version_stamp", ("version_identity",)),
        ("schema_stamp", ("schema_identity",)),
    ),
    returning=("id", "identity"),
)
RUNS = Rules(
    RunRow,
    ("identity",),
    least=("first_start", "first_running", "first_event"),
    greatest=("end_stamp", "last_event"),
    bits=("end_kinds", "is_explicit"),
    latest=(
        ("job_stamp", ("job_id",)),
        ("parent_stamp", ("parent_run_id", "parent_namespace", "parent_name")),
        ("nominal_stamp", ("nominal_start", "nominal_end")),
        ("location_stamp", ("location_digest",)),
    ),
    returning=("id", "identity"),
)
RUN_DATASETS = Rules(
    RunDatasetRow, ("run_id", "role", "node_id", "job_id"), least=("first_seen",), greatest=("last_seen",)
)
EDGES = Rules(
    EdgeRow,
    ("job_id", "role", "node_id"),
    least=("first_seen",),
    greatest=("last_seen",),
    add=("run_count",),
    latest=(("latest_stamp", ("latest_run_id",)),),
)
VERSIONS = Rules(
    DatasetVersionRow,
    ("identity",),
    least=("first_stamp",),
    latest=(("last_stamp", ("fields",)), ("row_count_stamp", ("row_count",))),
    returning=("id", "identity"),
)
VERSION_USES = Rules(VersionUseRow, ("run_id", "role", "version_id"), least=("first_seen",))
FLOWS = Rules(
    FlowRow,
    ("job_id", "run_id", "source_id", "target_id"),
    least=("first_seen",),
    bits=("is_explicit",),
    latest=(("stamp", ("mapping_id",)),),
)
FLOW_EDGES = Rules(
    FlowEdgeRow,
    ("target_id", "source_id", "job_id", "mapping_id"),
    least=("first_seen",),
    greatest=("last_seen",),
    bits=("is_explicit",),
    latest=(("latest_stamp", ("latest_run_id",)),),
)
FACETS = Rules(FacetRow, ("place", "entity_id", "keys_id", "stamp"))
LABELS = Rules(LabelRow, ("node_id", "key", "stamp"))
STATEMENTS = Rules(StatementRow, ("job_id", "target_id", "stamp"), bits=("is_end",))
RENAMES = Rules(RenameRow, ("carrier_id", "stamp", "old_id"))
DEPLOYMENTS = Rules(DeploymentRow, ("run_id",), latest=(("stamp", ("environment", "decision_id", "facet")),))
TAGS = Rules(TagRow, ("identity",), latest=(("stamp", ("description",)),))
SOURCES = Rules(
    SourceRow,
    ("identity",),
    least=("first_seen",),
    greatest=("last_seen",),
    latest=(("uri_stamp", ("type", "uri")), ("description_stamp", ("description",))),
)
MAPPINGS = Rules(MappingRow, ("digest",))
FACET_KEYS = Rules(FacetKeysRow, ("digest",))
TEXTS = Rules(TextRow, ("digest",))
SYMLINKS = Rules(SymlinkRow, ("carrier_id", "stamp", "alias_id"))
PROVENANCE = Rules(ProvenanceRow, ("identity",), least=("recorded_at",))
MODELS = Rules(
    ModelRow, ("node_id", "run_id", "content_digest"), least=("first_seen",), latest=(("stamp", ("facet",)),)
)
ERASURES = Rules(ErasureRow, ("node_id", "erased_at", "change"))

DERIVED: tuple[type[Row], ...] = (
    FindingRow, NamespaceRow, NodeRow, RunRow, RunDatasetRow, EdgeRow, DatasetVersionRow, VersionUseRow, FlowRow,
    MappingRow, FlowEdgeRow, FacetKeysRow, FacetRow, TextRow, LabelRow, RenameRow, DeploymentRow, TagRow, SourceRow,
    SymlinkRow, ProvenanceRow, ModelRow, ErasureRow, SearchRow, StatementRow,
)  # fmt: skip
"""Every table that a rebuild empties and fills again."""
