"""The feature dictionary of a manifest, inline or in a document of its own."""

from collections.abc import Mapping
from pathlib import Path

from governance.errors import AssayError, MeasurementRefused
from governance.localfiles import read_yaml
from governance.types.manifest import FeatureDictionary, FeatureEntry, Manifest
from governance.types.value import parse_value

MAX_BYTES = 2**22
"""Largest dictionary document: thousands of features with a paragraph each."""


def with_dictionary(manifest: Manifest, files: Mapping[str, Path]) -> Manifest:
    """The manifest with its dictionary inline, read from the file that it names where it names one.

    Raises:
        MeasurementRefused: the file is not at hand, too large, or not a mapping of features to entries.
    """
    if not isinstance(manifest.features, FeatureDictionary):
        return manifest
    path = files.get(manifest.features.dictionary)
    if path is None or path.stat().st_size > MAX_BYTES:
        raise _refused("none at hand" if path is None else f"one of {path.stat().st_size} bytes")
    try:
        raw = read_yaml(path)
        if not isinstance(raw, dict):
            raise _refused(type(raw).__name__)
        read = {str(name): parse_value(FeatureEntry, entry, what=f"the entry of {name}") for name, entry in raw.items()}
    except MeasurementRefused:
        raise
    except AssayError as fault:
        raise _refused(fault.message) from fault
    return manifest.model_copy(update={"features": read})


def entries(manifest: Manifest) -> dict[str, FeatureEntry]:
    """The entries of a manifest whose dictionary is inline; none where it lies elsewhere."""
    return {} if isinstance(manifest.features, FeatureDictionary) else manifest.features


def _refused(found: str) -> MeasurementRefused:
    return MeasurementRefused(
        expected=f"a feature dictionary of at most {MAX_BYTES} bytes: a mapping of features to entries",
        found=found,
        remedy="Upload the document that the manifest names; docs/evidence.md shows its form.",
        pointer="/features/dictionary",
    )
