"""Every standard facet that the official client has a class for, filled from the types that the class declares."""

import inspect
import pkgutil
import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attr
from openlineage.client import generated
from openlineage.client.generated.base import (
    BaseFacet,
    DatasetFacet,
    InputDatasetFacet,
    JobFacet,
    OutputDatasetFacet,
    RunFacet,
)

from lineage.facets import SPEC, openlineage_schemas

PLACES = {
    "Run": RunFacet,
    "Job": JobFacet,
    "Dataset": DatasetFacet,
    "InputDataset": InputDatasetFacet,
    "OutputDataset": OutputDatasetFacet,
}
"""The frames of the facets of each kind of entity."""

TEXTS = {
    "uri": "https://data.example.org/claims",
    "url": "https://git.example.org/claims",
    "runId": "0195553c-9a10-7d41-8f6b-3c1de2a40b17",
    "nominalStartTime": "2026-03-01T12:00:00Z",
    "nominalEndTime": "2026-03-02T12:00:00Z",
    "lastUpdated": "2026-03-01T12:00:00Z",
    "captureDate": "2026-03-01T12:00:00Z",
    "operator": "AND",
    "comparison": "EQUAL",
}
"""Members whose text has a form; the client's types say no more than that they are texts."""

DEPTH = 4
"""Levels of values within values; a schema's fields may hold fields."""


@cache
def facet_classes() -> tuple[type[BaseFacet], ...]:
    """The classes of the client's package for its facets, without the frames that they share."""
    found = []
    for entry in pkgutil.iter_modules(generated.__path__):
        module = import_module(f"{generated.__name__}.{entry.name}")
        for _, of in inspect.getmembers(module, inspect.isclass):
            own = of.__module__ == module.__name__
            if own and issubclass(of, BaseFacet) and of not in (BaseFacet, *PLACES.values()):
                found.append(of)
    return tuple(found)


def schema_path(of: type[BaseFacet]) -> str:
    """Where the schema that the class names lies below OpenLineage's address."""
    return of._get_schema().partition("#")[0].removeprefix(SPEC)


def key_of(of: type[BaseFacet]) -> str:
    """The name that the standard gives the facet: the only member that its schema file describes."""
    named = schema_path(of).rpartition("/")[2]
    of_file = [schema for path, schema in openlineage_schemas().items() if path.endswith(f"/{named}")]
    (key,) = {key for schema in of_file for key in schema["properties"]}
    return str(key)


@dataclass(frozen=True)
class Shape:
    """How much a value holds: all that it can or only what it must, and which of several types it takes."""

    is_full: bool = True
    turn: int = 0


SHAPES = (Shape(is_full=False), *(Shape(turn=turn) for turn in range(4)))
"""The least, and as many full ones as any member has types to choose from."""


def facets_of(place: str, shape: Shape) -> dict[str, Any]:
    """One of each facet that an entity of this kind may carry, by its standard name."""
    return {key_of(of): made(of, shape) for of in facet_classes() if issubclass(of, PLACES[place])}


def made(of: Any, shape: Shape, name: str = "", depth: int = 0) -> Any:
    """A value of a declared type."""
    origin, options = get_origin(of), get_args(of)
    if origin in (Union, types.UnionType):
        some = [option for option in options if option is not types.NoneType]
        return made(some[shape.turn % len(some) if depth < DEPTH else 0], shape, name, depth)
    if origin is Literal:
        return options[0]
    if origin is list:
        return [made(options[0], shape, name, depth + 1)]
    if origin is dict:
        return {"one": made(options[1], shape, name, depth + 1)}
    if of in PLACES.values():
        return of()
    if attr.has(of):
        return of(**_members(of, shape, depth))
    if isinstance(of, type) and issubclass(of, Enum):
        return next(iter(of))
    simple: Mapping[Any, Any] = {str: TEXTS.get(name, f"some {name}"), bool: True, int: 3, float: 0.5, Any: "any"}
    return simple[of]


def _members(of: type, shape: Shape, depth: int) -> dict[str, Any]:
    hints = get_type_hints(of)
    return {
        field.alias: made(hints[field.name], shape, field.name, depth + 1)
        for field in attr.fields(of)
        if not field.name.startswith("_")  # the frame, which the client fills
        and (field.default is attr.NOTHING or (shape.is_full and depth < DEPTH and not isinstance(field.default, str)))
    }
