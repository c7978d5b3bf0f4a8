"""Manifests that lie beside their data: ``file:`` locations become artifact URIs by digest, and nothing is guessed."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from governance.errors import InputRefused, MalformedBody, UsageError
from governance.types.manifest import Manifest
from governance.types.value import parse_value

CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class LocalManifest:
    """A manifest as the service takes it, and where the bytes of its artifacts lie here."""

    manifest: Manifest
    files: dict[str, Path]


def file_digest(path: Path) -> str:
    """``sha256:`` and the digest of a file, read in pieces.

    Raises:
        UsageError: the file cannot be read.
    """
    hasher = hashlib.sha256()
    try:
        with path.open("rb") as source:
            while chunk := source.read(CHUNK):
                hasher.update(chunk)
    except OSError as fault:
        raise UsageError(
            expected=f"a readable file {path}", found=fault.strerror or type(fault).__name__, remedy="Check the path."
        ) from fault
    return "sha256:" + hasher.hexdigest()


def read_yaml(path: Path) -> Any:
    """The YAML or JSON document in a file.

    Raises:
        UsageError: the file cannot be read. MalformedBody: it is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise UsageError(
            expected=f"a readable file {path}", found=fault.strerror or type(fault).__name__, remedy="Check the path."
        ) from fault
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise MalformedBody(
            expected=f"a YAML or JSON document in {path}", found=str(fault)[:200], remedy="Correct its syntax."
        ) from fault


def read_manifest(path: Path) -> LocalManifest:
    """The manifest in ``path``. ``uri: file:NAME`` means a file beside it; its digest takes the place of the name.

    Raises:
        UsageError: a file cannot be read. MalformedBody: not YAML. InputRefused: not a manifest.
    """
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise InputRefused(
            expected="a manifest of kind assay.evidence/v1", found=type(raw).__name__, remedy="See docs/evidence.md."
        )
    files: dict[str, Path] = {}
    dataset = raw.get("dataset")
    named = [(raw.get(part), "uri") for part in ("predictions", "counts", "model")]
    named += [(dataset.get("file") if isinstance(dataset, dict) else None, "uri"), (raw.get("features"), "dictionary")]
    tables = raw.get("tables")
    named += [(table, "uri") for table in tables.values()] if isinstance(tables, dict) else []
    for part, member in named:
        if isinstance(part, dict) and str(part.get(member, "")).startswith("file:"):
            local = path.parent / part[member].removeprefix("file:")
            part[member] = f"artifact:{file_digest(local)}"
            files[part[member]] = local
    return LocalManifest(parse_value(Manifest, raw, what="a manifest of kind assay.evidence/v1"), files)
