"""What a reader may see: patterns over ``namespace/name``, matched here and in SQL."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import StringConstraints

Scope = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,512}$")]
"""A pattern over ``namespace/name``: ``*`` stands for any run of characters, ``?`` for one; the rest for itself."""

EVERYTHING = ("*",)
"""The scopes of whoever was not narrowed."""


@dataclass(frozen=True, slots=True)
class Sight:
    """The models and data that lie in at least one of the scopes. Case counts; no scopes see nothing."""

    scopes: tuple[str, ...] = EVERYTHING

    @property
    def is_whole(self) -> bool:
        """Whether nothing is hidden, so that readers need not look."""
        return "*" in self.scopes

    def sees(self, namespace: str, name: str) -> bool:
        """Whether a model or data set lies in one of the scopes."""
        return self.is_whole or any(_pattern(scope).fullmatch(f"{namespace}/{name}") for scope in self.scopes)

    def sees_all_of(self, namespace: str) -> bool:
        """Whether everything that a namespace may ever hold lies in one scope."""
        return self.is_whole or any(
            scope.endswith("/*") and _pattern(scope[:-2]).fullmatch(namespace) is not None for scope in self.scopes
        )


WHOLE = Sight()
"""The sight of the service itself and of keys that were not narrowed."""


@lru_cache(maxsize=4096)
def _pattern(scope: str) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    # Runs of stars mean what one means; left as they are they would make matching exponential.
    text = re.sub(r"\*+", "*", scope)
    return re.compile("".join(wild.get(character) or re.escape(character) for character in text), re.DOTALL)
