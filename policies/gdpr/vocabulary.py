"""The keys of categories, uses and subjects: which there are, which one covers which, and which are special.

The data lies in ``taxonomy/`` (Fideslang, Ethyca Inc., CC BY 4.0, and extension keys in a file of their own).
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from governance.types.provenance import ColumnRecord

SpecialKind = Literal["art9", "art10", "unknown", "none"]

ART9 = (
    "user.authorization.biometric",
    "user.biometric",
    "user.demographic.philosophical_belief",
    "user.demographic.political_opinion",
    "user.demographic.race_ethnicity",
    "user.demographic.religious_belief",
    "user.demographic.sex_life",
    "user.demographic.sexual_orientation",
    "user.demographic.trade_union_membership",
    "user.health_and_medical",
)
"""Special categories (Art. 9(1)); each covers the keys below it."""

ART10 = ("user.criminal_history",)
"""Criminal convictions and offences (Art. 10)."""

_BIOMETRIC = ("user.authorization.biometric", "user.biometric")
_ALWAYS_SPECIAL = ("user.biometric.health",)


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(files("policies.gdpr").joinpath("taxonomy", name).read_text("utf-8"))
    return content


@cache
def categories() -> Mapping[str, str]:
    """Key and name of every data category."""
    return MappingProxyType({**_read("categories.json")["keys"], **_read("extensions.json")["categories"]})


@cache
def uses() -> Mapping[str, str]:
    """Key and name of every use, which is what a purpose is named by."""
    return MappingProxyType({**_read("uses.json")["keys"], **_read("extensions.json")["uses"]})


@cache
def subjects() -> Mapping[str, str]:
    """Key and name of every kind of person."""
    return MappingProxyType(dict(_read("subjects.json")["keys"]))


@cache
def _name_words() -> Mapping[str, str]:
    return MappingProxyType(dict(_read("column_names.json")["words"]))


def covers(key: str, wanted: str) -> bool:
    """Whether ``key`` is ``wanted`` or stands above it: ``k`` covers ``k`` and every key that starts with ``k.``."""
    return wanted == key or wanted.startswith(key + ".")


def covered(keys: tuple[str, ...], wanted: str) -> bool:
    """Whether a known key among ``keys`` covers ``wanted``; an unknown key covers nothing: its meaning is open."""
    return any(key in uses() and covers(key, wanted) for key in keys)


def is_unspecific(purpose: str) -> bool:
    """Whether a purpose is a top-level key with keys below it, which Art. 5(1)(b) ("specified") speaks against.

    ``train_ai_system`` is apart: its one child is narrower for a reason of its own.
    """
    if "." in purpose or purpose == "train_ai_system":
        return False
    return any(key.startswith(purpose + ".") for key in uses())


def is_personal(category: str) -> bool | None:
    """Whether a category is data about a person; null for an unknown key that does not lie under ``user``."""
    if covers("user", category):
        return True
    return False if category in categories() else None


def special_kind(category: str, biometric_use: str | None) -> SpecialKind:
    """Which article makes a category special.

    Biometric keys count when they serve identification, do not when they serve something else, and are ``unknown``
    where that is not stated; ``user.biometric.health`` always counts. An unknown key is ``unknown``.

    Source: GDPR Art. 9(1), Art. 10.
    """
    if category not in categories():
        return "unknown"
    if any(covers(key, category) for key in ART10):
        return "art10"
    if any(covers(key, category) for key in _ALWAYS_SPECIAL):
        return "art9"
    if any(covers(key, category) for key in _BIOMETRIC):
        return {"identification": "art9", "other": "none"}.get(biometric_use or "", "unknown")  # type: ignore[return-value]  # the three words are of the kind
    return "art9" if any(covers(key, category) for key in ART9) else "none"


def special_columns(column: ColumnRecord) -> dict[str, SpecialKind]:
    """The categories of a column that are special, or may be."""
    kinds = {category: special_kind(category, column.biometric_use) for category in column.categories}
    return {category: kind for category, kind in kinds.items() if kind != "none"}


def category_by_name(column: str) -> str | None:
    """The special category that a column's name betrays, word by word; null where none does."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).lower())
    return next((_name_words()[word] for word in words if word in _name_words()), None)
