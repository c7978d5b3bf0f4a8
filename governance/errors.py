"""The error tree of the product: every fault a caller can meet, with its code, HTTP status and exit code.

Refusals of a model are results, not errors; see ``governance.types.results``.
"""

import math
from typing import ClassVar


class AssayError(Exception):
    """A fault that says what was expected, what was found and what to do.

    ``code`` is stable and documented in ``docs/errors.md``; ``status`` is the HTTP status an API answer carries;
    ``exit_code`` is what the command line exits with (``docs/cli.md``).
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 6
    title: ClassVar[str] = "The service met a fault of its own"

    def __init__(self, *, expected: str, found: str, remedy: str, pointer: str | None = None) -> None:
        """Keep the three parts; ``pointer`` is the JSON pointer or column of the place, where there is one."""
        self.expected = expected
        self.found = found
        self.remedy = remedy
        self.pointer = pointer
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One line for people: the place, what was expected, what was found, what to do."""
        place = f"{self.pointer}: " if self.pointer else ""
        return f"{place}expected {self.expected}, found {self.found}. {self.remedy}"


class MalformedBody(AssayError):
    """The bytes are not the JSON or YAML they claim to be."""

    code = "body.malformed"
    status = 400
    exit_code = 4
    title = "The body cannot be parsed"


class InputRefused(AssayError):
    """The input was understood and cannot be accepted."""

    code = "input.refused"
    status = 422
    exit_code = 4
    title = "The input is refused"


class MeasurementRefused(InputRefused):
    """A check cannot measure what it was given; the gate records it as status ``error``, which blocks."""

    code = "measurement.refused"
    exit_code = 2
    title = "The measurement is refused"


class NotAuthenticated(AssayError):
    """No key, or one that is unknown, expired or revoked."""

    code = "access.not_authenticated"
    status = 401
    exit_code = 5
    title = "A valid service key is needed"


class NotPermitted(AssayError):
    """The key is valid and its roles do not allow this."""

    code = "access.not_permitted"
    status = 403
    exit_code = 5
    title = "The key's roles do not allow this"


class DutiesNotSeparate(NotPermitted):
    """The act needs another person than the one who did what it rests on."""

    code = "access.duties_not_separate"
    title = "Another person must do this"


class NotFound(AssayError):
    """Nothing is stored under this name."""

    code = "not_found"
    status = 404
    exit_code = 4
    title = "Nothing is stored under this name"


class Conflict(AssayError):
    """The request contradicts what is stored."""

    code = "conflict"
    status = 409
    exit_code = 4
    title = "The request contradicts what is stored"


class TooLarge(AssayError):
    """A byte, row or item budget is exceeded."""

    code = "too_large"
    status = 413
    exit_code = 4
    title = "The input is larger than allowed"


class Busy(AssayError):
    """The service is at its limit; the request can be sent again later."""

    code = "busy"
    status = 429
    exit_code = 6
    title = "The service is busy"


class TooManyRequests(Busy):
    """The principal sent more requests in a minute than one may; ``retry_after_seconds`` is when it may again."""

    code = "limits.requests"
    title = "Too many requests of one principal"

    def __init__(self, *, expected: str, found: str, remedy: str, retry_after_seconds: float) -> None:
        """Keep the parts, and the seconds, rounded up, of which there is at least one."""
        self.retry_after_seconds = max(1, math.ceil(retry_after_seconds))
        super().__init__(expected=expected, found=found, remedy=remedy)


class StorageUnavailable(AssayError):
    """The database or the artifact store did not take the write; nothing was stored."""

    code = "storage.unavailable"
    status = 503
    title = "Storage is away; nothing was stored"


class IssuerUnavailable(AssayError):
    """The keys of a CI host cannot be had, so that its tokens can be neither taken nor refused."""

    code = "access.issuer_unavailable"
    status = 503
    exit_code = 6
    title = "The keys of the token's issuer cannot be had"


class ScopeNotSupported(NotPermitted):
    """The key sees a part of what is stored, and this answer cannot be narrowed to it."""

    code = "access.scope_not_supported"
    title = "This answer cannot be narrowed to the key's scopes"


class OutsideScopes(NotPermitted):
    """What was sent says something of a name outside of the key's scopes, whether or not anything is stored there."""

    code = "access.outside_scopes"
    title = "A name lies outside of the key's scopes"


class WrongRevision(AssayError):
    """The database is at another revision than this version of the product."""

    code = "database.wrong_revision"
    status = 503
    title = "The database is at another revision"


class StaleProjections(AssayError):
    """What is derived from the event log was derived by other rules than those of this version."""

    code = "lineage.stale"
    status = 503
    title = "Lineage must be rebuilt"


class Unreachable(AssayError):
    """The client could not reach the service, or got no usable answer."""

    code = "service.unreachable"
    status = 502
    title = "The service cannot be reached"


class ProofRejected(AssayError):
    """A signature, digest, proof or checkpoint does not hold."""

    code = "proof.rejected"
    status = 422
    exit_code = 7
    title = "The proof does not hold"


class UsageError(AssayError):
    """The command line or configuration is off."""

    code = "usage"
    status = 400
    exit_code = 4
    title = "The command or setting is wrong"
