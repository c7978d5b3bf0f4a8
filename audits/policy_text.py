"""The text of a policy document: where each of its places lies, so that what is wrong is named by its line. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from governance.errors import MalformedBody

MAX_NODES = 100_000
"""A policy has some hundred places; aliases of aliases would fill the memory."""


@dataclass(slots=True)
class Places:
    """Lines by JSON pointer, counted from 1, and the places whose key stands twice in its mapping."""

    lines: dict[str, int] = field(default_factory=dict)
    doubled: list[str] = field(default_factory=list)

    def line(self, pointer: str) -> int | None:
        """The line of a place, or of the nearest place around it that the text holds."""
        while pointer and pointer not in self.lines:
            pointer = pointer.rpartition("/")[0]
        return self.lines.get(pointer)


def places(text: bytes) -> Places:
    """The places of one YAML or JSON document.

    Raises:
        MalformedBody: it is neither, nests too deeply, or its aliases stand for more than ``MAX_NODES`` places or for
            themselves; the pointer is the line where reading ended.
    """
    found = Places()
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        size = _walk(root, "", found, {}) if root is not None else 0
    except _UNREADABLE as fault:
        raise _malformed(fault) from fault
    if size > MAX_NODES:
        raise MalformedBody(
            expected=f"a document of at most {MAX_NODES} places with its aliases written out",
            found="more, or an alias that stands for itself",
            remedy="Write out what aliases stand for.",
        )
    return found


def load(text: bytes) -> Any:
    """What one YAML or JSON document says.

    Raises:
        MalformedBody: it is neither.
    """
    try:
        return yaml.safe_load(text)
    except _UNREADABLE as fault:
        raise _malformed(fault) from fault


# A date that the calendar does not have is a ValueError of the loader.
_UNREADABLE = (yaml.YAMLError, ValueError, RecursionError)


def _malformed(fault: Exception) -> MalformedBody:
    mark = getattr(fault, "problem_mark", None)
    return MalformedBody(
        expected="one YAML or JSON document",
        found=str(getattr(fault, "problem", None) or fault)[:200],
        remedy="Correct the policy's syntax.",
        pointer=f"line {mark.line + 1}" if mark is not None else None,
    )


def _walk(node: yaml.Node, pointer: str, found: Places, sizes: dict[int, int]) -> int:
    """Note the places of a node; how many places it has with aliases written out."""
    found.lines.setdefault(pointer, node.start_mark.line + 1)
    if id(node) in sizes:  # an alias: what it stands for has its lines already
        return sizes[id(node)]
    sizes[id(node)] = MAX_NODES + 1  # until it is known: an alias inside stands for the node itself
    size = 1
    if isinstance(node, yaml.SequenceNode):
        size += sum(_walk(child, f"{pointer}/{number}", found, sizes) for number, child in enumerate(node.value))
    if isinstance(node, yaml.MappingNode):
        size += sum(_walk(child, place, found, sizes) for place, child in _entries(node, pointer, found))
    sizes[id(node)] = size
    return size


def _entries(node: yaml.MappingNode, pointer: str, found: Places) -> Iterator[tuple[str, yaml.Node]]:
    """Place and value of each key of a mapping, with the keys that stand twice noted."""
    keys: set[str] = set()
    for key, child in node.value:
        name = str(key.value).replace("~", "~0").replace("/", "~1") if isinstance(key, yaml.ScalarNode) else "?"
        place = f"{pointer}/{name}"
        if name in keys:
            found.doubled.append(place)
        keys.add(name)
        found.lines[place] = key.start_mark.line + 1
        yield place, child
