"""The artifacts that a manifest asks the service to hold."""

from audits.evidence import artifact_uris
from governance.types.manifest import Manifest

SUBJECT = {"namespace": "tests", "name": "m", "version": "1", "digest": f"sha256:{'0' * 64}"}


def uri(digit: str) -> str:
    """An artifact's name."""
    return f"artifact:sha256:{digit * 64}"


def test_a_counts_table_is_among_a_manifests_artifacts() -> None:
    manifest = Manifest.model_validate(
        {
            "kind": "assay.evidence/v1",
            "subject": SUBJECT,
            "counts": {"uri": uri("1"), "format": "csv"},
            "model": {"uri": uri("2"), "format": "skops"},
        }
    )
    assert artifact_uris(manifest) == [uri("1"), uri("2")]


def test_every_file_of_rows_is_among_a_manifests_artifacts() -> None:
    manifest = Manifest.model_validate(
        {
            "kind": "assay.evidence/v1",
            "subject": SUBJECT,
            "dataset": {"namespace": "n", "name": "d", "file": {"uri": uri("1"), "format": "csv"}},
            "predictions": {"uri": uri("2"), "format": "csv", "join_on": "id"},
        }
    )
    assert sorted(artifact_uris(manifest)) == [uri("1"), uri("2")]
