"""Answers as JUnit XML: a suite for each model, a case for its verdict and for each check.

Failures (a check says no), errors (nothing could be shown) and skips with their reason (not applicable, waived) are
kept apart. A warning passes with its message as output: the form has no word for it.

Source: the schema of the Jenkins xUnit plugin (``junit-10.xsd``); XML 1.0, section 2.2 for the characters.
"""

import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

from governance.formats.reading import Item, Told, Weight, read_answers

FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold in any spelling; they are left out."""

SKIPS = (Weight.SKIPPED, Weight.WAIVED)


def junit(answers: Sequence[dict[str, Any]]) -> str:
    """The answers as one JUnit XML document."""
    told = read_answers(answers)
    root = ET.Element("testsuites", _counts([item for each in told for item in each.items], "assay gate"))
    for each in told:
        _suite(root, each)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, told: Told) -> None:
    suite = ET.SubElement(root, "testsuite", _counts(told.items, f"assay gate: {told.title}"))
    if told.evaluated_at:
        # The form knows no zone and no fraction of a second.
        suite.set("timestamp", _clean(told.evaluated_at[:19]))
    properties = ET.SubElement(suite, "properties")
    facts = {
        "namespace": told.namespace, "digest": told.digest, "decision_id": told.decision_id, "policy": told.policy,
        "valid_until": told.valid_until, "mode": told.mode,
    }  # fmt: skip
    for name, value in facts.items():
        if value:
            ET.SubElement(properties, "property", name=name, value=_clean(value))
    for item in told.items:
        _case(suite, told, item)


def _counts(items: Sequence[Item], name: str) -> dict[str, str]:
    weights = [item.weight for item in items]
    return {
        "name": _clean(name),
        "tests": str(len(weights)),
        "failures": str(weights.count(Weight.FAILURE)),
        "errors": str(weights.count(Weight.ERROR)),
        "skipped": str(sum(weights.count(each) for each in SKIPS)),
        "time": "0",
    }


def _case(suite: ET.Element, told: Told, item: Item) -> None:
    case = ET.SubElement(suite, "testcase", classname=_clean(f"assay.{told.name}"), name=_clean(item.name), time="0")
    if item.weight in SKIPS:
        said = f"waived ({item.waiver or 'no id'}): {item.message}" if item.weight is Weight.WAIVED else item.message
        ET.SubElement(case, "skipped", message=_clean(said))
        return
    if item.weight in (Weight.FAILURE, Weight.ERROR):
        outcome = ET.SubElement(case, item.weight.value, message=_clean(item.message), type=_clean(item.code))
        outcome.text = _clean(_told_at_length(item))
        return
    ET.SubElement(case, "system-out").text = _clean(_told_at_length(item))


def _told_at_length(item: Item) -> str:
    numbers = {"observed": item.observed, "limit": item.limit, "n": item.count}
    parts = [item.message, *(f"{name}: {value}" for name, value in numbers.items() if value is not None)]
    return "\n".join([*parts, f"to do: {item.remediation}"] if item.remediation else parts)


def _clean(text: str) -> str:
    return FORBIDDEN.sub("", text)
