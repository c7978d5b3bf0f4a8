"""Secrets taken out of an event before it is stored or hashed. Pure; the rules carry a version.

What is a secret is decided by its form (a password in a URI, a token's prefix, a private key) or by the name of the
member that holds it. Maps keyed by column names are left alone: a column called ``password`` is lineage.
"""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

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

# In abfss://container@account and wasbs://container@account the part before the @ names the container.
_USER = re.compile(r"(?<![\w+.-])((?!(?:abfss?|wasbs?)://[^/\s:@]*@)[A-Za-z][\w+.-]{0,40}://)[^/\s?#\"'<>]{1,4096}@")
_PARAMETER = re.compile(
    r"(?i)([?&;]\s*(?:x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)|sig|signature"
    r"|awsaccesskeyid|googleaccessid|access_?token|auth_?token|token|password|passwd|pwd|secret|api_?key|access_?key"
    r"|account_?key|shared_?access_?(?:key|signature)|user|username|sslpassword)=)[^&;#\s\"'<>]+"
)
_FORMS = (
    re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)", re.S),
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
)
_HEADER = re.compile(r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9+/=._~-]{16,}")
_ASSIGNED = re.compile(r"(?i)\b((?:account|sharedaccess|access)key=)[A-Za-z0-9+/=]{16,}")

_HINTS = (
    b"@", b"=", b"token", b"secret", b"passw", b"passphrase", b"pwd", b"credential", b"key", b"akia", b"asia", b"ghp_",
    b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"glpat-", b"xox", b"aiza", b"ya29.", b"sk-", b"sk_", b"rk_",
    b"hf_", b"npm_", b"pypi-", b"dckr_pat_", b"dapi", b"sg.", b"eyj", b"bearer", b"basic", b"environmentvariables",
    b"debezium_config", b"\\u",
)  # fmt: skip


def may_hold_secret(body: bytes) -> bool:
    r"""False when no rule can match anything in the event's bytes, so that it need not be walked.

    An escaped character (``\u``) may spell any of the hints, so it counts as one.
    """
    low = body.lower()
    return any(hint in low for hint in _HINTS)


def redact(document: Any) -> tuple[Any, bool]:
    """The document with every secret replaced by ``[redacted]``, and whether anything was replaced.

    What is already replaced stays as it is, so redacting twice gives what redacting once gives.
    """
    redacted = _walk(document, "")
    return redacted, redacted is not document


def names_secret(name: str) -> bool:
    """Whether a member of this name holds a secret: its words, split at punctuation and case, name one."""
    words = [word.lower() for word in _PARTS.findall(name)]
    return any(word in _WORDS for word in words) or any(pair in _PAIRS for pair in pairwise(words))


def _walk(value: Any, member: str) -> Any:
    """The value without secrets; the same object when there was none. ``member`` is the name that holds it."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return _each(value, lambda item: _walk(item, member))
    if isinstance(value, dict):
        return _object(value, member)
    return value


def _object(value: dict[str, Any], member: str) -> dict[str, Any]:
    if member == "debezium_config":
        return _members(value, lambda name, item: item if name.startswith("_") else _blank(item, _setting))
    if member == "environmentVariables" and isinstance(value.get("name"), str) and not _is_allowed(value["name"]):
        return _members(value, lambda name, item: _blank(item) if name == "value" else _walk(item, name))
    key = value.get("key")
    if isinstance(key, str) and "value" in value and names_secret(key):
        return _members(value, lambda name, item: _blank(item) if name == "value" else _walk(item, name))
    if member in _COLUMN_MAPS:
        return _members(value, lambda _name, item: _walk(item, ""))
    return _members(value, _member)


def _member(name: str, item: Any) -> Any:
    """The value of a member, judged by its name. Names with a leading underscore belong to the facet's frame."""
    if not name.startswith("_") and names_secret(name):
        return _blank(item)
    return _walk(item, name)


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
        return _members(value, lambda name, item: item if name.startswith("_") else _blank(item, text))
    return value


def _setting(text: str) -> str:
    """``name=value`` without the value; anything else is replaced whole."""
    name, mark, _value = text.partition("=")
    return f"{name}={MARK}" if mark and re.fullmatch(r"[\w.-]{1,200}", name) else MARK


def _each(items: list[Any], change: Callable[[Any], Any]) -> list[Any]:
    changed = [change(item) for item in items]
    return items if all(new is old for new, old in zip(changed, items, strict=True)) else changed


def _members(items: dict[str, Any], change: Callable[[str, Any], Any]) -> dict[str, Any]:
    changed = {name: change(name, item) for name, item in items.items()}
    return items if all(changed[name] is item for name, item in items.items()) else changed


def _text(text: str) -> str:
    """The text without secrets that are told by their form."""
    if len(text) < 6 or text == MARK:
        return text
    changed = text
    if "://" in changed and "@" in changed:
        changed = _USER.sub(rf"\1{MARK}@", changed)
    if "=" in changed:
        changed = _PARAMETER.sub(rf"\1{MARK}", changed)
        changed = _ASSIGNED.sub(rf"\1{MARK}", changed)
    for form in _FORMS:
        changed = form.sub(MARK, changed)
    changed = _HEADER.sub(rf"\1{MARK}", changed)
    return text if changed == text else changed
