"""The keys of CI hosts: fetched from where the settings say, kept, and looked for again when a new one appears."""

import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from urllib.parse import urlsplit

import structlog

from governance.access.oidc import PublicKeys, header_and_claims, principal_of, public_keys, refused, verified
from governance.access.principal import Principal
from governance.egress import Guard, exchange
from governance.errors import AssayError, IssuerUnavailable
from governance.types.ci_identity import IssuerSettings, OIDCSettings

log = structlog.get_logger("assay.access")

FRESH_SECONDS = 3600
"""Kept keys are looked at again after so long, so that one which the host withdrew is not believed for ever."""
BELIEVED_SECONDS = 24 * 3600
"""Keys that could not be looked at again for so long are not believed any more."""
LARGEST_KEY_SET = 256 * 1024
FETCH_SECONDS = 5


def load_keys(issuer: IssuerSettings) -> bytes:
    """The JWKS of an issuer, from its file or its address.

    Raises:
        AssayError: it cannot be had.
    """
    if issuer.jwks_file is not None:
        try:
            return issuer.jwks_file.read_bytes()
        except OSError as fault:
            raise IssuerUnavailable(
                expected=f"the readable key set of {issuer.label}",
                found=fault.strerror or type(fault).__name__,
                remedy="Put the issuer's JWKS where the settings say.",
            ) from fault
    url = issuer.jwks_url or ""
    host = urlsplit(url).hostname or ""
    answer = exchange(
        "GET",
        url,
        Guard(allowed=(host,) if issuer.private else ()),
        headers={"Accept": "application/json"},
        timeout_seconds=FETCH_SECONDS,
        most_bytes=LARGEST_KEY_SET,
    )
    if answer.status != 200:
        raise IssuerUnavailable(
            expected=f"the key set of {issuer.label}",
            found=f"status {answer.status}",
            remedy="Check jwks_url; redirects are not followed.",
        )
    return answer.body


class KeySetCache:
    """The keys of one issuer. A key that is not known is looked for once, and not again for a while by anybody."""

    def __init__(
        self,
        issuer: IssuerSettings,
        *,
        refetch_seconds: float,
        load: Callable[[IssuerSettings], bytes] = load_keys,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Nothing is loaded before the first token."""
        self._issuer, self._refetch_seconds = issuer, refetch_seconds
        self._load, self._clock = load, clock
        self._lock = threading.Lock()
        self._keys: PublicKeys = {}
        self._loaded_at: float | None = None
        self._tried_at: float | None = None
        self._failed = False

    def keys_with(self, kid: str, *, look: bool = True) -> PublicKeys:
        """The issuer's keys, looked for anew when ``kid`` is not among them or they are old.

        Without ``look`` they are those that are kept, so that nobody waits for a host. One caller looks while the
        others wait for what it finds. The first look for an unknown key goes out at once, however recently the keys
        were loaded, since a host that rotates its keys signs with the new one right away.

        Raises:
            IssuerUnavailable: whether the issuer has this key cannot be told now.
        """
        if kid in self._keys and (not self._is_old() or (not look and self._age() <= BELIEVED_SECONDS)):
            return self._keys
        if not look:
            return {}
        with self._lock:
            if (kid not in self._keys or self._is_old()) and self._may_look():
                self._look()
            if self._failed and (kid not in self._keys or self._age() > BELIEVED_SECONDS):
                raise IssuerUnavailable(
                    expected=f"the key set of {self._issuer.label}",
                    found="no answer when it was asked last",
                    remedy="Send the request again in a moment; if it persists, look at the server's log.",
                )
            return self._keys

    def _is_old(self) -> bool:
        return self._age() > FRESH_SECONDS

    def _age(self) -> float:
        return math.inf if self._loaded_at is None else self._clock() - self._loaded_at

    def _may_look(self) -> bool:
        return self._tried_at is None or self._clock() - self._tried_at >= self._refetch_seconds

    def _look(self) -> None:
        # The very first load is not counted: a rotation right after it is noticed at once as well.
        self._tried_at = self._clock() if self._loaded_at is not None or self._failed else None
        try:
            self._keys = public_keys(self._load(self._issuer))
        except AssayError as fault:
            # What is known stays: a host that is away for a moment does not lock its jobs out.
            log.warning("oidc.keys_unavailable", issuer=self._issuer.label, fault=fault.message)
            self._failed, self._tried_at = True, self._clock()
            return
        self._failed, self._loaded_at = False, self._clock()


@dataclass(frozen=True, slots=True)
class Issuers:
    """The CI hosts whose tokens are taken."""

    known: dict[str, tuple[IssuerSettings, KeySetCache]]
    leeway_seconds: int

    def principal(self, token: str, *, now: datetime, look: bool = True) -> Principal:
        """For whom a token speaks; without ``look`` only by keys that are kept, and nobody waits for a host.

        Raises:
            NotAuthenticated: it is not valid here and now. NotPermitted: no binding fits.
            IssuerUnavailable: its keys cannot be had.
        """
        header, claims = header_and_claims(token)
        # Which issuer is meant is the token's word; whether it is true the signature says.
        named = claims.get("iss")
        found = self.known.get(named) if isinstance(named, str) else None
        if found is None:
            raise refused("a token of an issuer that is not taken")
        issuer, cache = found
        keys = cache.keys_with(header["kid"], look=look)
        return principal_of(verified(token, issuer, keys, now=now, leeway=self.leeway_seconds), issuer)


def open_issuers(settings: OIDCSettings) -> Issuers:
    """The issuers of the settings; their keys are loaded when the first token comes."""
    return Issuers(dict(_caches(settings)), settings.leeway_seconds)


def _caches(settings: OIDCSettings) -> Iterable[tuple[str, tuple[IssuerSettings, KeySetCache]]]:
    for issuer in settings.issuers:
        yield issuer.issuer, (issuer, KeySetCache(issuer, refetch_seconds=settings.refetch_seconds))


def is_token(text: str) -> bool:
    """Whether a bearer's text has the form of an ID token, which no service key has."""
    return text.startswith("ey") and text.count(".") == 2
