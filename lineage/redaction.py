"""Secrets taken out of an event before it is stored or hashed. Pure; the rules carry a version.

What is a secret is decided by its form (a password in a URI, a token's prefix, a private key) or by the name of the
member that holds it. Maps keyed by column names are left alone: a column called ``password`` is lineage.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import msgspec

from lineage.memory import Memory

VERSION = 1
"""Version of the rules below; it is stored with each event. Any change of a rule raises it."""

MARK = "[redacted]"

ALLOWED_VARIABLES = frozenset({"LANG", "LC_ALL", "TZ"})
"""Environment variables whose values are kept, beside those whose name ends in ``_VERSION``."""

_COLUMN_MAPS = frozenset({"fields", "columnMetrics", "columns"})
"""Members whose value, where it is an object, is keyed by column names."""

_WORDS = frozenset(
    {
        "apikey", "accesskey", "authtoken", "accesstoken", "secretkey", "privatekey", "passwd", "password", "passwords",
        "passphrase", "pwd", "secret", "secrets", "token", "credential", "credentials",
    }
)  # fmt: skip
_PAIRS = frozenset({("access", "key"), ("api", "key"), ("private", "key"), ("account", "key"), ("secret", "key")})
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_URI = "://"


@dataclass(frozen=True, slots=True)
class _Form:
    """A secret told by its form. ``hints`` are in lower case: without one of them in the event it cannot occur.

    ``needs`` are in every text that holds the form; looking for them first is cheaper than the pattern.
    """

    hints: tuple[bytes, ...]
    needs: tuple[str, ...]
    pattern: re.Pattern[str]
    kept: str = ""

    def strike(self, text: str) -> str:
        """The text without the secrets of this form."""
        if all(part in text for part in self.needs):
            return self.pattern.sub(f"{self.kept}{MARK}", text)
        return text


_FORMS = (
    # In abfss://container@account and wasbs://container@account the part before the @ names the container.
    _Form(
        (b"@",),
        (_URI, "@"),
        re.compile(
            r"(?<![\w+.-])((?!(?:abfss?|wasbs?)://[^/\s:@]*@)[A-Za-z][\w+.-]{0,40}://)[^/\s?#\"'<>]{1,4096}(?=@)"
        ),
        r"\1",
    ),
    _Form(
        (b"=",),
        ("=",),
        re.compile(
            r"(?i)([?&;]\s*(?:x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)|sig"
            r"|signature|awsaccesskeyid|googleaccessid|access_?token|auth_?token|token|password|passwd|pwd|secret"
            r"|api_?key|access_?key|account_?key|shared_?access_?(?:key|signature)|user|username|sslpassword)=)"
            r"[^&;#\s\"'<>]+"
        ),
        r"\1",
    ),
    _Form(
        (b"key=",),
        ("=",),
        re.compile(r"(?i)\b((?:account|sharedaccess|access)key=)[A-Za-z0-9+/=]{16,}"),
        r"\1",
    ),
    _Form(
        (b"private key",),
        ("PRIVATE KEY",),
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)", re.S
        ),
    ),
    _Form(
        (b"akia", b"asia", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"glpat-", b"xox", b"aiza",
         b"ya29.", b"sk-", b"k_live_", b"k_test_", b"hf_", b"npm_", b"pypi-", b"dckr_pat_", b"dapi", b"sg.", b"eyj"),
        (),
        re.compile(
            r"(?<![A-Za-z0-9_])(?:"
            r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])"
            r"|gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{40,255}"
            r"|glpat-[A-Za-z0-9_-]{20,}"
            r"|xox[abposr]-[A-Za-z0-9-]{10,}"
            r"|AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}"
            r"|sk-[A-Za-z0-9_-]{20,}|[sr]k_(?:live|test)_[0-9A-Za-z]{16,}"
            r"|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}|dckr_pat_[A-Za-z0-9_-]{20,}"
            r"|dapi[0-9a-f]{32}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"
            r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"
            r")"
        ),
    ),
    _Form(
        (b"bearer", b"basic"),
        (" ",),
        re.compile(r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9+/=._~-]{16,}"),
        r"\1",
    ),
)  # fmt: skip

_NAME_HINTS = (b"token", b"secret", b"passw", b"passphrase", b"pwd", b"credential", b"key")
"""Without one of these in the event no member names a secret."""

_HOLDERS = (b"environmentvariables", b"debezium_config")
"""Facets whose values are hidden whatever their names."""

_ESCAPE = re.compile(r"\\(.)")
_NAME = re.compile(r'"([^"]+)"\s*:')
_KEYED = re.compile(r'"key"\s*:\s*"([^"]+)"')


def redact(document: Any, body: bytes | None = None) -> tuple[Any, bool]:
    """The document with every secret replaced by ``[redacted]``, and whether anything was replaced.

    What is already replaced stays as it is, so redacting twice gives what redacting once gives. ``body`` are the bytes
    that the document was read from: where they show that no rule can match, the document is not walked.
    """
    rules = _EVERY_RULE if body is None else _rules_for(body)
    if rules is None:
        return document, False
    redacted = rules.walk(document, "")
    return redacted, redacted is not document


def _rules_for(body: bytes) -> "_Rules | None":
    r"""The rules that may match something in the event; None when there is none.

    The patterns are tried on the text of the whole event, which takes a tenth of a walk. Escapes are undone as far as
    a pattern could see them; a character spelled by its number (``\u``) may be any, so then every rule is applied.
    """
    if b"\\u" in body:
        return _EVERY_RULE
    low = body.lower()
    text = _ESCAPE.sub(_unescaped, body.decode("utf-8")) if b"\\" in body else body.decode("utf-8")
    forms = tuple(form for form in _FORMS if _any(form.hints, low) and form.pattern.search(text))
    names = _any(_HOLDERS, low) or (
        _any(_NAME_HINTS, low) and any(names_secret(name) for name in {*_NAME.findall(text), *_KEYED.findall(text)})
    )
    return _Rules(forms, names) if forms or names else None


def _unescaped(match: re.Match[str]) -> str:
    return {"/": "/", "n": " ", "r": " ", "t": " "}.get(match[1], "!")


def _any(hints: Iterable[bytes], low: bytes) -> bool:
    return any(hint in low for hint in hints)


@lru_cache(maxsize=4096)
def names_secret(name: str) -> bool:
    """Whether a member of this name holds a secret: its words, split at punctuation and case, name one."""
    words = [word.lower() for word in _PARTS.findall(name)]
    return any(word in _WORDS for word in words) or any(pair in _PAIRS for pair in pairwise(words))


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules that may match in one event."""

    forms: Sequence[_Form]
    names: bool

    def walk(self, value: Any, member: str) -> Any:
        """The value without secrets; the same object when it held none. ``member`` is the name that holds it."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return _each(value, lambda item: self.walk(item, member))
        if isinstance(value, dict):
            return self.object(value, member)
        return value

    def text(self, text: str) -> str:
        """The text without secrets that are told by their form."""
        changed = text
        for form in self.forms:
            changed = form.strike(changed)
        return text if changed == text else changed

    def object(self, value: dict[str, Any], member: str) -> dict[str, Any]:
        """The object without secrets."""
        if member == "debezium_config":
            return self.members(value, lambda name, item: item if name.startswith("_") else _blank(item, _setting))
        variable, key = value.get("name"), value.get("key")
        hides_value = (
            member == "environmentVariables" and isinstance(variable, str) and not _is_allowed(variable)
        ) or (isinstance(key, str) and "value" in value and names_secret(key))
        if hides_value:
            return self.members(value, lambda name, item: _blank(item) if name == "value" else self.walk(item, name))
        if member in _COLUMN_MAPS or not self.names:
            return self.members(value, lambda name, item: self.walk(item, "" if member in _COLUMN_MAPS else name))
        return self.members(value, self.member)

    def member(self, name: str, item: Any) -> Any:
        """The value of a member, judged by its name. A leading underscore marks the facet's frame."""
        if not name.startswith("_") and names_secret(name):
            return _blank(item)
        return self.walk(item, name)

    def members(self, items: dict[str, Any], change: Callable[[str, Any], Any]) -> dict[str, Any]:
        """The object with each value changed, and each name freed of secrets told by their form."""
        changed = {name: change(name, item) for name, item in items.items()}
        renamed = {name: self.text(name) for name in items if len(name) > 8}
        if any(name != new for name, new in renamed.items()):
            return {_free(renamed.get(name, name), place): item for place, (name, item) in enumerate(changed.items())}
        return items if all(changed[name] is item for name, item in items.items()) else changed


_EVERY_RULE = _Rules(_FORMS, True)
_CLEAN: Memory[bool] = Memory(8192)


def is_clean(document: Mapping[str, Any], digest: bytes) -> bool:
    """Whether the document holds no secret; what was found of one digest is remembered."""
    known = _CLEAN.get(digest)
    if known is None:
        known = not redact(document, msgspec.json.encode(document))[1]
        _CLEAN.keep(digest, known)
    return known


def is_clean_text(text: str) -> bool:
    """Whether the text holds nothing that has the form of a secret."""
    return _is_clean_text(text) if len(text) <= 256 else _EVERY_RULE.text(text) is text


@lru_cache(maxsize=16384)
def _is_clean_text(text: str) -> bool:
    """Names come again with every run."""
    return _EVERY_RULE.text(text) is text


def _free(name: str, place: int) -> str:
    """A redacted name told apart from others like it by its place in the object."""
    return f"{name} {place}" if MARK in name and not name.endswith(f" {place}") else name


def _is_allowed(variable: str) -> bool:
    return variable in ALLOWED_VARIABLES or variable.endswith("_VERSION")


def _blank(value: Any, text: Callable[[str], str] = lambda text: text and MARK) -> Any:
    """The value with every string in it replaced, but for the members of a facet's frame (``_producer``)."""
    if isinstance(value, str):
        changed = text(value)
        return value if changed == value else changed
    if isinstance(value, list):
        return _each(value, lambda item: _blank(item, text))
    if isinstance(value, dict):
        changed_members = {name: item if name.startswith("_") else _blank(item, text) for name, item in value.items()}
        return value if all(changed_members[name] is item for name, item in value.items()) else changed_members
    return value


def _setting(text: str) -> str:
    """``name=value`` without the value; anything else is replaced whole."""
    name, mark, _value = text.partition("=")
    return f"{name}={MARK}" if mark and re.fullmatch(r"[\w.-]{1,200}", name) else MARK


def _each(items: list[Any], change: Callable[[Any], Any]) -> list[Any]:
    changed = [change(item) for item in items]
    return items if all(new is old for new, old in zip(changed, items, strict=True)) else changed
