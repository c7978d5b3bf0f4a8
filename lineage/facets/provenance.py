"""The schema of the ``assay_provenance`` facet, generated from the record's model. Pure."""

from typing import Any

from governance.types.provenance import ProvenanceRecord


def provenance_schema() -> dict[str, Any]:
    """The JSON schema as it is committed; a test compares the two."""
    schema = ProvenanceRecord.model_json_schema(by_alias=True, mode="validation")
    frame = {
        "_producer": {"type": "string", "format": "uri"},
        "_schemaURL": {"type": "string", "format": "uri"},
        "_deleted": {"type": "boolean", "description": "True ends the facts from the event's time on."},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "AssayProvenanceDatasetFacet",
        "x-facet-key": "assay_provenance",
        **{
            name: value for name, value in schema.items() if name not in ("title", "properties", "additionalProperties")
        },
        "properties": {**frame, **schema["properties"]},
        "patternProperties": {"^_": True},
        "additionalProperties": False,
        "required": ["_producer", "_schemaURL"],
    }
