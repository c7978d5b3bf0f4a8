"""OpenLineage's schemas and ours as validators, built once, with what they said about equal values remembered.

Pure in effect: the same value gives the same faults. The network is never asked; what is not in the package is unknown.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from lineage.facets import CORE, SPEC, openlineage_schemas, own_schemas
from lineage.formats import format_checker
from lineage.memory import Memory

Place = Literal["Run", "Job", "Dataset", "InputDataset", "OutputDataset"]
"""The kinds of entity that carry facets; OpenLineage's schema files end in ``{Place}Facet``."""

BASE = f"{CORE}#/$defs/BaseFacet"
OWN_SPEC = "urn:assay:spec:facets:"
"""Our schemas are served by each instance under its own host, so inside they go by this name."""

_FRAMES = frozenset(
    {"BaseFacet", "CustomFacet", "RunFacet", "JobFacet", "DatasetFacet", "InputDatasetFacet", "OutputDatasetFacet"}
)
"""What any facet is; naming one of these says nothing about what the facet holds."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_REMEMBERED = 16384  # entries; the schema facet of one table comes with every run that writes it
_FEW = 16  # faults of one value that are remembered; what has more is told anew, so that the memory stays small


@dataclass(frozen=True, slots=True)
class Fault:
    """A place where a value breaks its schema; ``missing`` names the member that is not there."""

    pointer: str
    expected: str
    found: str
    missing: str | None = None


_KNOWN: Memory[tuple[Fault, ...]] = Memory(_REMEMBERED)


def faults(reference: str, value: Any) -> tuple[Fault, ...]:
    """Where ``value`` breaks the schema at ``reference``; pointers are relative to the value."""
    try:
        spelled = msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError):  # lone surrogates and integers beyond 64 bits
        return _faults(reference, value)
    key = (reference, hashlib.sha256(spelled).digest())
    known = _KNOWN.get(key)
    if known is None:
        known = _faults(reference, value)
        if len(known) <= _FEW:
            _KNOWN.keep(key, known)
    return known


def core_fault(kind: str, document: Any) -> Fault | None:
    """What keeps an event from following the core schema, told of its kind where it can be; None when nothing does."""
    fault = best_match(_validator(CORE).iter_errors(document))
    if fault is None:
        return None
    of_kind = sorted(_faults(f"{CORE}#/$defs/{kind}", document), key=lambda item: (item.pointer, item.expected))
    return of_kind[0] if of_kind else _fault(fault)


def is_valid(reference: str, value: Any) -> bool:
    """Whether the value follows the schema at ``reference``."""
    return not faults(reference, value)


@lru_cache(maxsize=_REMEMBERED)
def facet_reference(place: Place, key: str, url: str | None) -> str:
    """The schema a facet is held to: the one it names, else the newest of its key, else the frame of any facet."""
    return _named(place, key, url) or _newest().get((place, key)) or _newest().get(("", key)) or BASE


def _named(place: Place, key: str, url: str | None) -> str | None:
    if url is None or len(url) > 512:  # no published address comes near
        return None
    address, _, fragment = url.partition("#")
    own = address.partition("/spec/facets/")[2]
    if own in own_schemas():
        return OWN_SPEC + own
    path = address.removeprefix(SPEC)
    schema = openlineage_schemas().get(path)
    if schema is None or not address.startswith(SPEC):
        return None
    if path.endswith("/OpenLineage.json"):
        name = fragment.rpartition("/")[2]
        # Producers name `definitions` where a version says `$defs`, and the other way round.
        holder = "$defs" if "$defs" in schema else "definitions"
        is_facet = name.endswith("Facet") and name not in _FRAMES and name in schema[holder]
        return f"{SPEC}{path}#/{holder}/{name}" if is_facet else None
    return _definition(path, schema, place, key)


def _definition(path: str, schema: dict[str, Any], place: Place, key: str) -> str | None:
    """The definition in a facet's file that speaks for ``key``; a custom key may use a standard facet's schema."""
    properties = schema.get("properties", {})
    entry = properties.get(key) or next(iter(properties.values()), None)
    if entry is None:
        return None
    references = [option["$ref"] for option in entry.get("anyOf", [entry]) if "$ref" in option]
    of_place = [reference for reference in references if reference.endswith(f"{place}Facet")]
    chosen = (of_place or references)[:1]
    return f"{SPEC}{path}{chosen[0]}" if chosen and chosen[0].startswith("#") else None


@cache
def _newest() -> dict[tuple[str, str], str]:
    """The newest schema by place and key, and by key alone under the place ``""``."""
    newest: dict[tuple[str, str], str] = {}
    for path in sorted(openlineage_schemas(), key=_version):
        if path.startswith("facets/"):
            newest.update(_references(path))
    for path in sorted(own_schemas()):
        key = own_schemas()[path]["x-facet-key"]
        for place in _places(path):
            newest[(place, key)] = newest[("", key)] = OWN_SPEC + path
    return newest


def _references(path: str) -> dict[tuple[str, str], str]:
    """What a published file defines, by place and key, and by key alone under the place ``""``."""
    schema = openlineage_schemas()[path]
    found: dict[tuple[str, str], str] = {}
    for place in _places(path):
        for key in schema.get("properties", {}):
            reference = _definition(path, schema, place, key)
            if reference:
                found[(place, key)] = found[("", key)] = reference
    return found


def _version(path: str) -> tuple[tuple[int, ...], str]:
    folder = path.removeprefix("facets/").partition("/")[0]
    return tuple(int(part) for part in folder.split("-")), path


def _places(path: str) -> tuple[Place, ...]:
    name = path.rpartition("/")[2].removesuffix("Facet.json")
    if name == "Lineage":
        return ("Dataset", "Job")
    every: tuple[Place, ...] = ("InputDataset", "OutputDataset", "Dataset", "Run", "Job")
    return next(((place,) for place in every if name.endswith(place)), ())


@cache
def _registry() -> Registry[Any]:
    resources = [(SPEC + path, schema) for path, schema in openlineage_schemas().items()]
    resources += [(OWN_SPEC + path, schema) for path, schema in own_schemas().items()]
    # Under the address it is published at, whatever the file says of itself.
    return Registry().with_resources(
        (address, Resource.from_contents(schema, default_specification=DRAFT202012)) for address, schema in resources
    )


@cache
def _validator(reference: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": reference}, registry=_registry(), format_checker=format_checker())


def _faults(reference: str, value: Any) -> tuple[Fault, ...]:
    try:
        return tuple(_fault(error) for error in _validator(reference).iter_errors(value))
    except Unresolvable:
        # Some published versions point to files that were never published; then only the frame can be checked.
        return _faults(BASE, value) if reference != BASE else ()


def _fault(error: ValidationError) -> Fault:
    inner = best_match([error]) or error
    pointer = json_pointer(inner.absolute_path)
    if inner.validator == "required":
        names: Iterable[str] = inner.validator_value if isinstance(inner.validator_value, list) else ()
        missing = next((name for name in names if inner.message.startswith(repr(name))), None)
        return Fault(pointer, f"the member {missing}", "nothing", missing)
    if inner.validator == "type":
        return Fault(pointer, f"a value of type {inner.validator_value}", shown(inner.instance))
    if inner.validator in ("format", "enum", "pattern", "const"):
        return Fault(pointer, f"{inner.validator} {json.dumps(inner.validator_value)}"[:200], shown(inner.instance))
    return Fault(pointer, f"a value that satisfies {inner.validator}", shown(inner.instance))


def json_pointer(parts: Iterable[str | int]) -> str:
    """The JSON pointer of a path (RFC 6901)."""
    return "".join("/" + escaped(str(part)) for part in parts)


def escaped(part: str) -> str:
    r"""A member's name as a part of a JSON pointer; what no database keeps as text is spelled ``\uXXXX``."""
    part = part.replace("~", "~0").replace("/", "~1")
    return _UNSTORABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", part)


def shown(value: Any) -> str:
    """A value short enough for a message."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return "nothing" if value is None else json.dumps(value)[:100]
