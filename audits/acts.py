"""An act of a person as it is kept: a document that says who, when and what, its digest, and a leaf in the log."""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import JsonValue

from governance.access.principal import Principal
from governance.canonical import canonical, read_json, sha256
from governance.clock import rfc3339
from governance.database import ReadUnit, Unit
from governance.errors import NotFound
from governance.log.journal import Leaf, append
from governance.types.value import Value

AnyUnit = Unit | ReadUnit
T = TypeVar("T")
P = TypeVar("P", int, str)


class Signature(Value):
    """Who did something and when: the stable id, and the name and id of the key that was shown."""

    id: str
    name: str
    key: str | None
    at: str


def sign(unit: Unit, principal: Principal, kind: str, content: dict[str, JsonValue]) -> dict[str, Any]:
    """The columns of a signed row: the act is logged here, as ``{kind, digest}``, and the caller adds its row.

    ``kind`` is such as ``waiver.request/v1``; the leaf's kind is what stands before the point. ``by.id`` is the holder
    on whose behalf the key acts, ``by.name`` and ``by.key`` are the key that acted.
    """
    signature = Signature(id=principal.id, name=principal.name, key=principal.key_id, at=rfc3339(unit.now))
    body = canonical({**content, "kind": kind, "by": signature.document()})
    digest = sha256(body)
    (index,) = append(unit, [Leaf(kind=kind.partition(".")[0], body=canonical({"kind": kind, "digest": digest}))])
    return {
        "digest": digest,
        "body": body,
        "by_id": principal.id,
        "by_name": principal.name,
        "recorded_at": unit.now,
        "log_index": index,
    }


def document_of(body: bytes) -> dict[str, Any]:
    """The document of an act."""
    document: dict[str, Any] = read_json(body)
    return document


def signature_of(body: bytes) -> Signature:
    """Who did the act, and when."""
    return Signature.model_validate(document_of(body)["by"])


def hidden(what: str, identifier: str) -> NotFound:
    """The answer to whoever asks for what is not there, or not theirs to see; it does not tell which."""
    return NotFound(expected=f"the id of {what}", found=repr(identifier[:80]), remedy="Check the id.")


def page(
    fetch: Callable[[P], list[T]], place: Callable[[T], P], sees: Callable[[T], bool], *, after: P, limit: int
) -> tuple[list[T], P | None]:
    """Up to ``limit`` things that may be seen, and the place after which the next page begins; None at the end.

    ``fetch(after)`` gives the next ones in the order of their ``place``, and none when there are no more.
    """
    found: list[T] = []
    while len(found) <= limit:
        batch = fetch(after)
        if not batch:
            break
        found += [one for one in batch if sees(one)]
        after = place(batch[-1])
    shown = found[:limit]
    return shown, place(shown[-1]) if len(found) > limit and shown else None
