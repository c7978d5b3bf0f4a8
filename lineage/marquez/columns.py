"""Column lineage in Marquez's shape, around a dataset's fields, a job's outputs or one field."""

from collections.abc import Mapping, Sequence
from typing import Any

from lineage.column_answer import starts_of, starts_of_job
from lineage.column_nodes import column_nodes
from lineage.columns import StoredFields
from lineage.marquez.lookup import entity_uuid
from lineage.marquez.node_ids import Node
from lineage.marquez.runs import bare_version
from lineage.reading import Reader, nodes_by_id


def column_document(unit: Reader, start: Node, *, depth: int | None, with_downstream: bool) -> dict[str, Any]:
    """``{graph: [Node], truncated}`` of the fields that the start names.

    Raises:
        NotFound: neither a schema nor a lineage facet names the field.
    """
    stored = StoredFields(unit, start.as_of)
    fields = starts_of_job(stored, start.row) if start.row.kind == "job" else starts_of(stored, start.row, start.field)

    def versions(datasets: Sequence[int]) -> Mapping[int, str | None]:
        rows = nodes_by_id(unit, datasets)
        return {node: entity_uuid(row.version_identity or bare_version(row.identity)) for node, row in rows.items()}

    return column_nodes(stored, fields, versions, depth=depth, with_downstream=with_downstream)
