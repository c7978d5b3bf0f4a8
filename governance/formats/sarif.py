"""Answers as SARIF 2.1.0: a result for each thing that blocks, warns or was waived.

What passed is left out, since hosts show every result as an alert. A waiver is a suppression. There are at most 5,000
results in at most 10 MB, the bounds of the hosts; a notification counts those that were left out.

Source: OASIS SARIF 2.1.0, sections 3.14 (run), 3.27 (result), 3.35 (suppression).
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from governance.formats.reading import Item, Told, Weight, read_answers

MOST_RESULTS = 5_000
MOST_BYTES = 10_000_000
LONGEST_TEXT = 4_000
"""Characters of one message; a name can be of any length."""

LEVELS = {Weight.FAILURE: "error", Weight.ERROR: "error", Weight.WARNING: "warning", Weight.WAIVED: "error"}
ORDER = (Weight.ERROR, Weight.FAILURE, Weight.WARNING, Weight.WAIVED)
"""What is kept first where not everything is."""

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(answers: Sequence[dict[str, Any]], *, version: str, location: str = "model") -> str:
    """The answers as one SARIF log. ``location`` is the file that alerts are shown at, relative to the repository."""
    told = read_answers(answers)
    found = [(each, item) for each in told for item in each.items if item.weight in LEVELS]
    found.sort(key=lambda pair: ORDER.index(pair[1].weight))
    kept = min(len(found), MOST_RESULTS)
    while len((text := _log(found, kept, version=version, location=location)).encode("utf-8")) > MOST_BYTES and kept:
        kept //= 2
    return text


def _log(found: Sequence[tuple[Told, Item]], kept: int, *, version: str, location: str) -> str:
    shown = found[:kept]
    rules = sorted({item.code for _, item in shown})
    invocation: dict[str, Any] = {"executionSuccessful": True}
    if len(found) > kept:
        more = f"{len(found) - kept} more results are left out; ask the gate for the decision."
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": more}}]
    driver = {
        "name": "Assay",
        "semanticVersion": version,
        "rules": [{"id": _text(code), "shortDescription": {"text": _text(code)}} for code in rules],
    }
    places = {code: place for place, code in enumerate(rules)}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "assay/gate/"},
        "invocations": [invocation],
        "results": [_result(told, item, places[item.code], location) for told, item in shown],
        "columnKind": "unicodeCodePoints",
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _result(told: Told, item: Item, place: int, location: str) -> dict[str, Any]:
    advice = f" To do: {item.remediation}" if item.remediation else ""
    about = "\x00".join((told.namespace, told.name, told.environment, item.name, item.code))
    result: dict[str, Any] = {
        "ruleId": _text(item.code),
        "ruleIndex": place,
        "level": LEVELS[item.weight],
        "message": {"text": _text(f"{told.title}: {item.message}{advice}")},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": quote(location)}, "region": {"startLine": 1}},
                "logicalLocations": [{"fullyQualifiedName": _text(f"{told.namespace}/{told.name}@{told.version}")}],
            }
        ],
        "partialFingerprints": {"assayItem/v1": hashlib.sha256(about.encode("utf-8", "replace")).hexdigest()},
        "properties": {
            "verdict": _text(told.verdict), "status": _text(item.status), "environment": _text(told.environment),
            "decision_id": _text(told.decision_id), "digest": _text(told.digest), "observed": item.observed,
            "limit": item.limit,
        },
    }  # fmt: skip
    if item.weight is Weight.WAIVED:
        waiver = f"waiver {item.waiver}" if item.waiver else "a waiver"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": _text(waiver)}]
    return result


def _text(text: str) -> str:
    """The text as JSON in UTF-8 can hold it, at a bounded length; never empty."""
    whole = text.encode("utf-8", "replace").decode("utf-8") or "-"
    return whole if len(whole) <= LONGEST_TEXT else whole[: LONGEST_TEXT - 1] + "…"
