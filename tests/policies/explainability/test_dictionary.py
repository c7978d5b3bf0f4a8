"""The feature dictionary as a document of its own."""

from pathlib import Path

import pytest
import yaml

from governance.errors import MeasurementRefused
from governance.localfiles import read_manifest
from governance.types.manifest import FeatureDictionary, Manifest
from policies.explainability.dictionary import entries, with_dictionary
from tests.support.story import manifest

ENTRIES = {"age": {"meaning": "age in years", "lawful_basis": "A6-1-f"}}


def written(folder: Path, content: str) -> tuple[Manifest, dict[str, Path]]:
    (folder / "features.yaml").write_text(content)
    (folder / "data.csv").write_text("a\n1\n")
    document = manifest("file:data.csv", features={"dictionary": "file:features.yaml"})
    (folder / "manifest.yaml").write_text(yaml.safe_dump(document))
    local = read_manifest(folder / "manifest.yaml")
    return local.manifest, local.files


def test_a_dictionary_beside_the_manifest_is_named_by_its_digest_and_read(tmp_path: Path) -> None:
    found, files = written(tmp_path, yaml.safe_dump(ENTRIES))
    assert isinstance(found.features, FeatureDictionary)
    assert found.features.dictionary in files
    assert entries(found) == {}
    assert entries(with_dictionary(found, files))["age"].lawful_basis == "A6-1-f"


def test_an_inline_dictionary_is_left_as_it_is() -> None:
    inline = Manifest.model_validate(manifest("artifact:sha256:" + "0" * 64, features=ENTRIES))
    assert with_dictionary(inline, {}) is inline


@pytest.mark.parametrize("content", ["[1, 2]", "{age: {meaning: 1}}", "{age: {unknown: x}}", "{", "age"])
def test_a_document_that_is_no_dictionary_is_refused(tmp_path: Path, content: str) -> None:
    found, files = written(tmp_path, content)
    with pytest.raises(MeasurementRefused, match="feature dictionary"):
        with_dictionary(found, files)


def test_a_dictionary_that_is_not_at_hand_is_refused(tmp_path: Path) -> None:
    found, _ = written(tmp_path, yaml.safe_dump(ENTRIES))
    with pytest.raises(MeasurementRefused, match="none at hand"):
        with_dictionary(found, {})
