"""Whether a record holds a condition for special categories: Art. 9(2), and the authority of Art. 10. Pure."""

from datetime import datetime, tzinfo

from governance.types.provenance import ConditionRecord, ProvenanceRecord
from policies.gdpr.durations import holds
from policies.gdpr.vocabulary import covered

CONDITIONS = frozenset(f"A9-2-{letter}" for letter in "abcdefghij")
NEED_LAW = frozenset(f"A9-2-{letter}" for letter in "bghij")
"""Conditions that rest on Union or Member State law, which has to be named."""


def condition_code(condition: str) -> str:
    """The code without the vocabulary's prefix (``eu-gdpr:A9-2-a`` is ``A9-2-a``)."""
    return condition.removeprefix("eu-gdpr:")


def condition_fault(
    record: ProvenanceRecord, kind: str, purposes: tuple[str, ...], at: datetime, zone: tzinfo
) -> tuple[str, str] | None:
    """Why no condition covers every purpose at an instant: a reason code and a clause; null where one does."""
    if kind == "art10":
        if record.art10_authority_ref:
            return None
        return "authority_missing", "no authority or authorising law is recorded (Art. 10)"
    lawless = False
    for purpose in purposes:
        valid = [entry for entry in record.art9_conditions if _covers(entry, purpose, at, zone)]
        if not valid:
            return "condition_missing", f"no condition of Art. 9(2) is recorded that covers {purpose}"
        lawless = lawless or all(condition_code(entry.condition) in NEED_LAW and not entry.law_ref for entry in valid)
    return ("law_missing", "its condition needs a law, which is not named") if lawless else None


def _covers(entry: ConditionRecord, purpose: str, at: datetime, zone: tzinfo) -> bool:
    known = condition_code(entry.condition) in CONDITIONS
    return known and covered(entry.purposes, purpose) and holds(at, entry.valid_from, entry.valid_to, zone)
