"""Our facet schemas are current, and what is served is what is in the package."""

import json

import pytest

from governance.errors import NotFound
from lineage.facets import own_schema, own_schemas
from lineage.facets.provenance import provenance_schema
from lineage.schemas import OWN_SPEC, Place, facet_reference, is_valid
from tests.lineage.material import facet

PLACES: tuple[Place, ...] = ("InputDataset", "OutputDataset", "Dataset", "Job", "Run")
"""Longer names first: a file that ends in one of them may end in a shorter one too."""


def test_the_provenance_schema_is_generated_from_the_records_model() -> None:
    """When it is not: write `provenance_schema()` with an indent of 2 into a folder of a new version."""
    assert json.loads(own_schema("1-0-0", "AssayProvenanceDatasetFacet")) == provenance_schema()


def test_each_of_our_facets_is_held_to_its_own_schema() -> None:
    for path, schema in own_schemas().items():
        place = next(place for place in PLACES if path.endswith(f"{place}Facet.json"))
        assert facet_reference(place, schema["x-facet-key"], None) == OWN_SPEC + path
        assert facet_reference("Dataset", "other", f"https://any.example/spec/facets/{path}") == OWN_SPEC + path


def test_a_whole_provenance_record_is_valid() -> None:
    record = facet(
        lawfulBasis="Art6.1.a",
        purposes=["marketing"],
        columns=[{"path": "a.b", "categories": ["user.name"], "directIdentifier": True}],
        retention={"startsAt": "2026-01-01T00:00:00Z", "duration": "P3Y"},
        controller={"name": "Bank"},
        validFrom="2026-01-01T00:00:00Z",
    )
    reference = facet_reference("Dataset", "assay_provenance", None)
    assert is_valid(reference, record)
    assert not is_valid(reference, {**record, "lawful": "x"})


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("1-0-0", "Other"),
        ("9-9-9", "AssayModelDatasetFacet"),
        ("..", "AssayModelDatasetFacet"),
        ("1-0-0", "../../tables"),
    ],
)
def test_nothing_else_is_served(version: str, name: str) -> None:
    with pytest.raises(NotFound):
        own_schema(version, name)
