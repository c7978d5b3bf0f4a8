"""ID tokens of CI jobs: whether one was made by its issuer for this service just now, and for whom it speaks.

No time, key or address is taken from the token: keys are those of the issuer that the settings name, and the headers
that point elsewhere (``jku``, ``x5u``, ``jwk``, ``x5c``) refuse the token.

Source: OpenID Connect Core 1.0, sections 2 and 3.1.3.7; RFC 7519, section 4.1; RFC 8725 (best practices for JWT).
"""

import binascii
import math
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from governance.access.principal import Principal
from governance.access.roles import Role
from governance.canonical import read_json
from governance.errors import AssayError, NotAuthenticated, NotPermitted
from governance.types.ci_identity import HOLDER, Binding, IssuerSettings

LONGEST_TOKEN = 16 * 1024
"""Characters. Tokens of GitHub and GitLab are about 2,000 long."""
LONGEST_LIFE_SECONDS = 3600
SMALLEST_RSA_BITS = 2048
REFUSED_HEADERS = frozenset({"jku", "x5u", "jwk", "x5c", "crit"})
"""Headers that point to keys elsewhere, or that demand an extension; no CI host uses one."""

PublicKeys = Mapping[str, RSAKey | ECKey]
"""The public keys of an issuer, by their ``kid``."""


def refused(found: str) -> NotAuthenticated:
    """The refusal of a token; ``found`` names no part of it."""
    return NotAuthenticated(
        expected="an ID token of a CI host that this service takes, made for it and valid now",
        found=found,
        remedy="Compare the job's token with ASSAY_OIDC__ISSUERS: issuer, audience, keys and times.",
    )


def public_keys(document: bytes) -> dict[str, RSAKey | ECKey]:
    """The signing keys of a JWKS, by ``kid``; symmetric, private, weak, broken and nameless ones are left out.

    Raises:
        NotAuthenticated: it is not a JWKS, or holds no usable key.
    """
    try:
        read = read_json(document)
    except AssayError as fault:
        raise refused("a key set of the issuer that cannot be read") from fault
    listed = read.get("keys") if isinstance(read, dict) else None
    found = [_public_key(entry) for entry in listed] if isinstance(listed, list) else []
    usable = {key.kid: key for key in found if key is not None and key.kid}
    if not usable:
        raise refused("a key set of the issuer without a usable key")
    return usable


def _public_key(entry: Any) -> RSAKey | ECKey | None:
    if not isinstance(entry, dict) or "d" in entry or entry.get("use", "sig") != "sig":
        return None
    kinds: dict[Any, type[RSAKey] | type[ECKey]] = {"RSA": RSAKey, "EC": ECKey}
    kind = kinds.get(entry.get("kty")) if isinstance(entry.get("kty"), str) else None
    if kind is None or (kind is RSAKey and len(str(entry.get("n"))) * 6 < SMALLEST_RSA_BITS):
        return None
    try:
        return kind.import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError):
        # A key of a kind that is not known here does not make the others useless.
        return None


def header_and_claims(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a token says of itself, before anything of it is believed.

    Raises:
        NotAuthenticated: it is no JWT, too long, without a ``kid``, or its header points to keys elsewhere.
    """
    if len(token) > LONGEST_TOKEN or token.count(".") != 2:
        raise refused("something else than a token")
    try:
        header, claims = (read_json(_unbase64(part)) for part in token.split(".")[:2])
    except (AssayError, ValueError) as fault:
        raise refused("a token that cannot be read") from fault
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise refused("a token that cannot be read")
    if REFUSED_HEADERS & set(header):
        raise refused("a token whose header points to keys elsewhere or demands an extension")
    if not isinstance(header.get("kid"), str) or not header["kid"]:
        raise refused("a token that does not say which key it was signed with")
    return header, claims


def _unbase64(part: str) -> bytes:
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, UnicodeEncodeError) as fault:
        raise ValueError("not base64url") from fault


def verified(token: str, issuer: IssuerSettings, keys: PublicKeys, *, now: datetime, leeway: int) -> dict[str, Any]:
    """The claims of a token that ``issuer`` signed for this service and that is valid at ``now``.

    Raises:
        NotAuthenticated: the signature, the audience or a time does not hold.
    """
    header, _ = header_and_claims(token)
    key = keys.get(header["kid"])
    if key is None:
        raise refused("a token signed with a key that the issuer does not list")
    try:
        claims = jwt.decode(token, key, algorithms=list(issuer.algorithms)).claims
    except (JoseError, ValueError, TypeError) as fault:
        raise refused("a signature that does not hold") from fault
    if claims.get("iss") != issuer.issuer:
        raise refused("a token of another issuer")
    _require_audience(claims.get("aud"), issuer.audience)
    _require_times(claims, now.timestamp(), leeway)
    return claims


def _require_audience(found: Any, audience: str) -> None:
    # A token for several is one that each of them can use with the others.
    alone = found[0] if isinstance(found, list) and len(found) == 1 else found
    if alone != audience:
        raise refused("a token that was not made for this service alone")


def _require_times(claims: Mapping[str, Any], now: float, leeway: int) -> None:
    issued, expires = _number(claims, "iat"), _number(claims, "exp")
    begins = _number(claims, "nbf") if "nbf" in claims else issued
    if not 0 < expires - issued <= LONGEST_LIFE_SECONDS:
        raise refused(f"a token that is valid for longer than {LONGEST_LIFE_SECONDS} seconds, or for none")
    if now >= expires + leeway:
        raise refused("a token that has expired")
    if max(issued, begins) > now + leeway:
        raise refused("a token of the future")


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise refused(f"a token whose {name} is not a number")
    return value


def principal_of(claims: Mapping[str, Any], issuer: IssuerSettings) -> Principal:
    """For whom a verified token speaks: the job's project, with what the bindings that fit it give.

    Raises:
        NotPermitted: no binding fits. NotAuthenticated: the id of the project is missing.
    """
    holder = HOLDER[issuer.host]
    identifier = _text(claims.get(holder))
    if not identifier:
        raise refused(f"a token without {holder}")
    fitting = [binding for binding in issuer.bindings if _fits(binding, claims)]
    if not fitting:
        raise NotPermitted(
            expected="a job that a binding of ASSAY_OIDC__ISSUERS fits",
            found=f"{holder} {identifier[:80]!r} with claims that none fits",
            remedy="Bind the project by its id, with the branch, workflow or environment it deploys from.",
        )
    scopes = sorted({scope for binding in fitting for scope in binding.scopes})
    return Principal(
        id=f"oidc:{issuer.label}:{holder}/{identifier}",
        name=_name(claims, f"{issuer.label} {identifier}"),
        roles=(Role.CI,),
        scopes=tuple(scopes),
    )


def _fits(binding: Binding, claims: Mapping[str, Any]) -> bool:
    return all(_text(claims.get(claim)) in _values(wanted) for claim, wanted in binding.claims.items())


def _values(wanted: str | Sequence[str]) -> Sequence[str]:
    return (wanted,) if isinstance(wanted, str) else wanted


def _text(value: Any) -> str | None:
    """A claim as text: hosts write ids as text or as numbers, and yes and no as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


def _name(claims: Mapping[str, Any], fallback: str) -> str:
    """The project's name as people know it, for display alone."""
    shown = claims.get("repository") or claims.get("project_path")
    return shown[:200] if isinstance(shown, str) and shown.isprintable() else fallback
