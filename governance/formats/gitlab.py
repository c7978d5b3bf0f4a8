"""Answers as GitLab's code quality report: an entry for each thing that blocks or warns.

Source: GitLab Docs, "Code Quality report format", a part of the Code Climate engine specification.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from governance.formats.reading import BLOCKING, Item, Told, Weight, on_one_line, read_answers

LONGEST_TEXT = 2_000

SEVERITIES = {"high": "blocker", "medium": "critical", "warning": "major", "review": "minor", "info": "info"}


def code_quality(answers: Sequence[dict[str, Any]], *, location: str = "model") -> str:
    """The answers as one report. ``location`` is the file that findings are shown at, relative to the repository.

    Fingerprints are the same from run to run, so that hosts tell new findings from known ones, and differ within one.
    """
    found = [
        (each, item)
        for each in read_answers(answers)
        for item in each.items
        if item.weight in BLOCKING or item.weight is Weight.WARNING
    ]
    seen: dict[str, int] = {}
    entries = []
    for told, item in found:
        about = "\x00".join((told.namespace, told.name, told.environment, item.name, item.code))
        seen[about] = seen.get(about, 0) + 1
        entries.append(_entry(told, item, f"{about}\x00{seen[about]}", location))
    return json.dumps(entries, ensure_ascii=True)


def _entry(told: Told, item: Item, identity: str, location: str) -> dict[str, Any]:
    blocks = item.weight in BLOCKING
    text = on_one_line(f"{told.title}: {item.message}").encode("utf-8", "replace").decode("utf-8")
    return {
        "description": text[:LONGEST_TEXT],
        "check_name": f"assay/{item.name}"[:255].encode("utf-8", "replace").decode("utf-8"),
        "fingerprint": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest(),
        "severity": SEVERITIES.get(item.severity, "blocker") if blocks else "minor",
        "location": {"path": location, "lines": {"begin": 1}},
    }
