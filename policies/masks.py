"""What is shown in place of personal values: a column's category, from lineage and from what a document declares."""

from collections.abc import Mapping
from typing import Any

from governance.check import Facts
from governance.types.ancestry import Ancestry
from governance.types.results import CheckResult, Finding

NOT_PERSONAL = "system"
"""The root of Fideslang's categories of data that is about no person; every other category is masked."""


def masks_of(facts: Facts, declared: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Column to the words shown in place of its values, as ``masks_in`` says, by the subject's lineage."""
    return masks_in(facts.lineage.ancestry(facts.subject) if facts.lineage is not None else None, declared)


def masks_in(ancestry: Ancestry | None, declared: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Column to the words shown in place of its values: ``[user.contact.email]``.

    ``declared`` maps columns to categories. A column is also masked where lineage gives a column of its name a personal
    category, in any dataset upstream of the subject: a value that is hidden needlessly can be looked up at its source,
    and one that was shown cannot be taken back.
    """
    found: dict[str, set[str]] = {name: set(categories) for name, categories in declared.items()}
    for node in ancestry.datasets if ancestry is not None else ():
        for fact in node.provenance:
            for column in fact.record.columns or ():
                found.setdefault(column.path, set()).update(column.categories)
    personal = {name: sorted(one for one in keys if not _is_of_no_person(one)) for name, keys in found.items()}
    return {name: f"[{', '.join(keys)}]" for name, keys in personal.items() if keys}


def _is_of_no_person(category: str) -> bool:
    return category == NOT_PERSONAL or category.startswith(f"{NOT_PERSONAL}.")


def shows_values(result: CheckResult) -> bool:
    """Whether a finding of the result names rows with their values."""
    return any(finding.data.get("examples") for finding in result.findings)


def masked(result: CheckResult, masks: Mapping[str, str]) -> CheckResult:
    """The result with the values of masked columns shown by their category, wherever it names rows.

    Values are masked when they are measured, by what is known then. What lineage knows when the evidence is judged
    hides them here too: whoever measured beside the data may not have known it.
    """
    findings = tuple(_masked(finding, masks) for finding in result.findings)
    if findings == result.findings:
        return result
    details: dict[str, Any] = dict(result.details)
    if "failing_values" in details:
        details["failing_values"] = sorted({text for finding in findings for text in _values(finding)})
    hidden = {name: mask for name, mask in masks.items() if any(name in _columns(one) for one in findings)}
    if isinstance(details.get("masked"), dict):
        details["masked"] = {**details["masked"], **dict(sorted(hidden.items()))}
    return result.model_copy(update={"findings": findings, "details": details})


def _masked(finding: Finding, masks: Mapping[str, str]) -> Finding:
    """Examples of several columns write their values in one text, so that all of it gives way to the categories."""
    hidden = ", ".join(sorted({masks[name] for name in _columns(finding) if name in masks}))
    if not hidden:
        return finding
    examples = [{**one, "value": hidden} for one in _examples(finding)]
    return finding.model_copy(update={"data": {**finding.data, "examples": examples}})


def _columns(finding: Finding) -> list[str]:
    columns = finding.data.get("columns")
    return [str(name) for name in columns] if isinstance(columns, list) and finding.data.get("examples") else []


def _examples(finding: Finding) -> list[dict[str, Any]]:
    examples = finding.data.get("examples")
    return [one for one in examples if isinstance(one, dict)] if isinstance(examples, list) else []


def _values(finding: Finding) -> list[str]:
    return [str(one["value"]) for one in _examples(finding) if "value" in one]
