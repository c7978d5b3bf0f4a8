"""Answers for GitHub Actions: annotations on standard output, and the outputs of the step.

A runner takes lines of output that begin with ``::`` for commands, so every text is escaped as its toolkit does it.

Source: actions/toolkit, ``packages/core/src/command.ts`` and ``file-command.ts``; GitHub Docs, "Workflow commands".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from governance.formats.reading import BLOCKING, Item, Told, Weight, read_answers

MOST_ANNOTATIONS = 10
"""Annotations of a kind that GitHub shows of one step; the rest would be dropped without a word."""


def annotations(answers: Sequence[dict[str, Any]]) -> list[str]:
    """Lines for standard output: an annotation for each thing that blocks or warns, at most ten of a kind."""
    told = read_answers(answers)
    errors = [(each, item) for each in told for item in each.items if item.weight in BLOCKING]
    warnings = [(each, item) for each in told for item in each.items if item.weight is Weight.WARNING]
    return [*_lines("error", errors), *_lines("warning", warnings)]


def _lines(kind: str, found: Sequence[tuple[Told, Item]]) -> list[str]:
    lines = [
        command(kind, item.message, title=f"Assay: {told.title}: {item.name}")
        for told, item in found[:MOST_ANNOTATIONS]
    ]
    left = len(found) - len(lines)
    # A notice has a count of its own, so that this one is shown.
    return [*lines, command("notice", f"{left} more {kind}s; see the summary of the step.")] if left else lines


def command(kind: str, message: str, **properties: str) -> str:
    """One workflow command, escaped; it is one line whatever the texts hold."""
    named = ",".join(f"{name}={_escaped_property(value)}" for name, value in properties.items())
    return f"::{kind}{' ' if named else ''}{named}::{_escaped(message)}"


def outputs(values: Mapping[str, str], *, delimiter: str) -> str:
    """Lines for the file of a step's outputs. ``delimiter`` is one that nobody can guess.

    Each value is written between delimiters, so that one with line breaks sets no output beside its own.
    """
    return "".join(
        f"{name}<<{delimiter}\n{_without(value, delimiter)}\n{delimiter}\n" for name, value in values.items()
    )


def _without(value: str, delimiter: str) -> str:
    return value.replace(delimiter, "").encode("utf-8", "replace").decode("utf-8")


def _escaped(text: str) -> str:
    safe = text.encode("utf-8", "replace").decode("utf-8")
    return safe.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
