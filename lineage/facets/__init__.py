"""The facet schemas: those of OpenLineage in every published version, and our own. Reads package files only."""

import json
import re
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from governance.errors import NotFound

SPEC = "https://openlineage.io/spec/"
CORE = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
OWN_VERSIONS = ("1-0-0",)
GATE_JOB = "GATE"
"""``jobType`` of the runs of a gate. They look at data and models; they are no source of what they look at."""

_NAME = re.compile(r"Assay[A-Za-z]{1,80}Facet")


def own_schema(version: str, name: str) -> bytes:
    """The bytes of one of our own facet schemas, as served at ``/spec/facets/{version}/{name}.json``.

    Raises:
        NotFound: there is no such schema.
    """
    if version in OWN_VERSIONS and _NAME.fullmatch(name):
        file = files(__name__) / version / f"{name}.json"
        if file.is_file():
            return file.read_bytes()
    raise NotFound(
        expected="a facet schema of this version",
        found=f"{version}/{name}"[:120],
        remedy="See docs/lineage.md for the facets and their versions.",
    )


def _schemas(folder: Traversable, prefix: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found |= _schemas(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".json"):
            found[f"{prefix}{entry.name}"] = json.loads(entry.read_bytes())
    return found


@cache
def openlineage_schemas() -> dict[str, dict[str, Any]]:
    """Every published OpenLineage schema by its path below ``https://openlineage.io/spec/``."""
    return _schemas(files(__name__) / "openlineage", "")


@cache
def own_schemas() -> dict[str, dict[str, Any]]:
    """Our own facet schemas by their path below ``/spec/facets/``."""
    found: dict[str, dict[str, Any]] = {}
    for version in OWN_VERSIONS:
        found |= _schemas(files(__name__) / version, f"{version}/")
    return found
