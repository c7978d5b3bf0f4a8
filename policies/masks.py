"""What is shown in place of personal values: a column's category, from lineage and from what a document declares."""

from collections.abc import Mapping

from governance.check import Facts
from governance.types.ancestry import Ancestry

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
