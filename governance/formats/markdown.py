"""Answers as Markdown for the comment of a merge request, as CML posts it, and for the summary of a CI step.

Names come from outside: nothing in them becomes a link, an image, HTML, a mention or another cell of a table.

Source: GitHub Flavored Markdown 0.29, sections 2.4 (backslash escapes) and 4.10 (tables).
"""

import re
from collections.abc import Sequence
from typing import Any

from governance.formats.reading import Item, Told, Weight, on_one_line, read_answers

MOST_BYTES = 900_000
"""A step's summary holds 1 MiB; a comment 65,536 characters on GitHub, which few answers reach."""

LONGEST_CELL = 600

SIGNS = {
    Weight.PASSED: "✅", Weight.SKIPPED: "➖", Weight.WAIVED: "🟦", Weight.WARNING: "⚠️", Weight.FAILURE: "❌",
    Weight.ERROR: "⛔",
}  # fmt: skip

SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>$^:/])")
"""What Markdown reads as more than text. The slash and the colon keep addresses from becoming links."""


def markdown(answers: Sequence[dict[str, Any]]) -> str:
    """The answers as one Markdown text, at most 900 kB."""
    text = "\n".join(_section(told) for told in read_answers(answers))
    if len(text.encode("utf-8")) <= MOST_BYTES:
        return text
    cut = text.encode("utf-8")[:MOST_BYTES].decode("utf-8", "ignore")
    return cut.rpartition("\n")[0] + "\n\nThe rest is left out: ask the gate for the decision.\n"


def _section(told: Told) -> str:
    sign = SIGNS[told.weight]
    dry = " (dry run, without effect)" if told.mode == "dry_run" else ""
    lines = [f"## {sign} Assay: {escaped(told.verdict)} for {escaped(told.title)}{dry}", ""]
    checks = [item for item in told.items if item.kind == "check"]
    if checks:
        lines += ["| | check | status | observed | limit | n | what it says |", "|---|---|---|---|---|---|---|"]
        lines += [_row(item) for item in checks]
        lines.append("")
    for item in told.items:
        if item.kind == "reason" or item.remediation:
            advice = f" To do: {escaped(item.remediation)}" if item.remediation else ""
            said = escaped(item.message) if item.kind == "reason" else ""
            lines.append(f"- **{escaped(item.name)}**: {said}{advice}".rstrip())
    facts = {
        "decision": told.decision_id, "digest": told.digest, "policy": told.policy, "valid until": told.valid_until,
    }  # fmt: skip
    known = "; ".join(f"{name} {escaped(value)}" for name, value in facts.items() if value)
    return "\n".join([*lines, "", f"<sub>{known}</sub>" if known else "", ""])


def _row(item: Item) -> str:
    waived = f" ({item.waiver})" if item.waiver else ""
    cells = (item.name, item.status + waived, item.observed, item.limit, item.count, item.message)
    return f"| {SIGNS[item.weight]} | " + " | ".join(escaped(cell or "-") for cell in cells) + " |"


def escaped(text: str) -> str:
    """The text as Markdown that shows as it is, on one line, at most 600 characters of it."""
    line = on_one_line(text.encode("utf-8", "replace").decode("utf-8"))
    if len(line) > LONGEST_CELL:
        line = line[: LONGEST_CELL - 1] + "…"
    # Hosts look for mentions and references after rendering, so no escape helps: a space of no width does.
    apart = re.sub(r"([@#])(?=\w)", "\\1\u200b", line)
    entities = apart.replace("&", "&amp;").replace("<", "&lt;")
    return SPECIAL.sub(r"\\\1", entities)
