"""A manifest beside its files: each ``file:`` name becomes the artifact of those bytes."""

from pathlib import Path

from governance.canonical import sha256
from governance.localfiles import read_manifest

MANIFEST = """
kind: assay.evidence/v1
subject: {{namespace: tests, name: m, version: "1", digest: "sha256:{zeros}"}}
counts: {{uri: "file:counts.csv", format: csv}}
sensitive: {{sex: {{}}}}
"""


def test_a_counts_table_beside_the_manifest_is_named_by_its_bytes(tmp_path: Path) -> None:
    table = tmp_path / "counts.csv"
    table.write_text("sex,n,selected\nf,10,5\nm,10,5\n", encoding="utf-8")
    path = tmp_path / "manifest.yaml"
    path.write_text(MANIFEST.format(zeros="0" * 64), encoding="utf-8")
    local = read_manifest(path)
    uri = f"artifact:{sha256(table.read_bytes())}"
    assert local.manifest.counts is not None
    assert local.manifest.counts.uri == uri
    assert local.files == {uri: table}
