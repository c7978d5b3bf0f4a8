"""ID tokens of CI jobs: which are taken, for whom they speak, and where their keys come from."""

import base64
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from governance.access.issuers import BELIEVED_SECONDS, FRESH_SECONDS, Issuers, KeySetCache, is_token, open_issuers
from governance.access.oidc import public_keys
from governance.access.principal import Principal
from governance.access.roles import Role
from governance.errors import IssuerUnavailable, NotAuthenticated, NotPermitted
from governance.types.ci_identity import IssuerSettings, OIDCSettings
from tests.support.issuer import (
    AUDIENCE,
    GITHUB,
    GITLAB,
    KeyServer,
    ec_key,
    github_claims,
    gitlab_claims,
    jwks,
    rsa_key,
    serving_keys,
    signed,
)

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
KEY, OTHER = rsa_key("first"), rsa_key("other")
BINDING = {"claims": {"repository_id": "74", "environment": "prod"}, "scopes": ["mlflow://*/credit-*"]}


def issuer(**changes: Any) -> dict[str, Any]:
    return {
        "host": "github",
        "issuer": GITHUB,
        "audience": AUDIENCE,
        "jwks_url": "https://token.actions.githubusercontent.com/.well-known/jwks",
        "bindings": [BINDING],
        **changes,
    }


def opened(*issuers: dict[str, Any], **fields: Any) -> Issuers:
    return open_issuers(OIDCSettings.model_validate({"issuers": issuers, **fields}))


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    """A host that publishes one key."""
    with serving_keys(jwks(KEY)) as served:
        yield served


@pytest.fixture
def github(keys: KeyServer) -> Issuers:
    """The host as an issuer on the premises."""
    return opened(issuer(jwks_url=keys.url, private=True))


def speaks_for(issuers: Issuers, token: str) -> Principal:
    return issuers.principal(token, now=NOW)


def test_a_job_of_github_speaks_for_its_repository_by_id(github: Issuers) -> None:
    found = speaks_for(github, signed(github_claims(NOW), KEY))
    assert (found.id, found.name) == ("oidc:github:repository_id/74", "bank/credit-line")
    assert (found.roles, found.scopes) == ((Role.CI,), ("mlflow://*/credit-*",))


def test_a_job_of_gitlab_speaks_for_its_project_by_id_with_an_elliptic_key(tmp_path: Path) -> None:
    key = ec_key("es")
    (tmp_path / "jwks.json").write_bytes(jwks(key))
    binding = {"claims": {"project_id": "20", "ref_protected": "true"}, "scopes": ["*"]}
    taken = opened(
        {
            **issuer(host="gitlab", name="gitlab-eu", issuer=GITLAB, jwks_url=None, bindings=[binding]),
            "jwks_file": tmp_path / "jwks.json",
            "algorithms": ["ES256"],
        }
    )
    assert speaks_for(taken, signed(gitlab_claims(NOW), key)).id == "oidc:gitlab-eu:project_id/20"
    with pytest.raises(NotPermitted):
        speaks_for(taken, signed(gitlab_claims(NOW, ref_protected="false"), key))


BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "another audience": {"aud": "https://other.example"},
    "several audiences": {"aud": [AUDIENCE, "https://other.example"]},
    "no audience": {"aud": None},
    "an empty list of audiences": {"aud": []},
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "an issuer that is a list": {"iss": [GITHUB]},
    "expired": {"iat": SECONDS - 1000, "nbf": SECONDS - 1000, "exp": SECONDS - 31},
    "of the future": {"iat": SECONDS + 31, "nbf": SECONDS, "exp": SECONDS + 900},
    "not yet valid": {"nbf": SECONDS + 31},
    "valid for longer than an hour": {"exp": SECONDS + 3601},
    "valid for centuries": {"exp": 99999999999999},
    "exp as text": {"exp": str(SECONDS + 900)},
    "iat as text": {"iat": str(SECONDS)},
    "nbf as text": {"nbf": str(SECONDS)},
    "exp as a truth value": {"exp": True},
    "no exp": {"exp": None},
    "no iat": {"iat": None},
    "ends before it begins": {"exp": SECONDS - 1, "iat": SECONDS},
    "no repository": {"repository_id": None},
    "an empty repository": {"repository_id": ""},
}


@pytest.mark.parametrize("changes", BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
def test_a_token_with_bad_claims_is_refused(github: Issuers, changes: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        speaks_for(github, signed(github_claims(NOW, **changes), KEY))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [AUDIENCE]},
        {"nbf": None},
        {"iat": SECONDS + 29, "nbf": SECONDS + 29},
        {"exp": SECONDS + 3600},
        {"iat": SECONDS - 900, "nbf": SECONDS - 900, "exp": SECONDS - 29},
    ],
)
def test_a_token_at_the_edge_is_taken(github: Issuers, changes: dict[str, Any]) -> None:
    assert speaks_for(github, signed(github_claims(NOW, **changes), KEY)).roles == (Role.CI,)


@pytest.mark.parametrize(
    "changes",
    [
        {"repository_id": "75"},
        {"environment": "test"},
        {"environment": None},
        {"repository_id": "75", "sub": "repo:74"},
    ],
)
def test_a_job_that_no_binding_fits_is_not_permitted(github: Issuers, changes: dict[str, Any]) -> None:
    with pytest.raises(NotPermitted):
        speaks_for(github, signed(github_claims(NOW, **changes), KEY))


def test_a_repository_that_took_over_the_name_does_not_get_in(github: Issuers) -> None:
    """The text of ``sub`` and ``repository`` is that of the bound repository; the id is another's."""
    with pytest.raises(NotPermitted):
        speaks_for(github, signed(github_claims(NOW, repository_id="9000"), KEY))


def test_bindings_that_fit_together_give_what_each_of_them_gives(keys: KeyServer) -> None:
    owner = {"claims": {"repository_owner_id": ["65", "66"], "ref": "refs/heads/main"}, "scopes": ["s3://risk/*"]}
    taken = opened(issuer(jwks_url=keys.url, private=True, bindings=[BINDING, owner]))
    assert speaks_for(taken, signed(github_claims(NOW), KEY)).scopes == ("mlflow://*/credit-*", "s3://risk/*")
    assert speaks_for(taken, signed(github_claims(NOW, environment=None), KEY)).scopes == ("s3://risk/*",)


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def tampered(token: str) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{encoded(github_claims(NOW, repository_id='75'))}.{signature}"


def unsigned() -> str:
    return f"{encoded({'alg': 'none', 'kid': 'first'})}.{encoded(github_claims(NOW))}."


def symmetric() -> str:
    """The old trick: HMAC with the public key as its secret."""
    body = f"{encoded({'alg': 'HS256', 'kid': 'first'})}.{encoded(github_claims(NOW))}"
    return f"{body}.{encoded(hmac.digest(KEY.as_pem(private=False), body.encode(), 'sha256'))}"


FORGED: dict[str, Callable[[], str]] = {
    "changed claims": lambda: tampered(signed(github_claims(NOW), KEY)),
    "another key under the same kid": lambda: signed(github_claims(NOW), OTHER, kid="first"),
    "no signature": unsigned,
    "HMAC with the public key": symmetric,
    "no kid": lambda: signed(github_claims(NOW), KEY, kid=None),
    "an algorithm that is not allowed": lambda: signed(github_claims(NOW), ec_key("first")),
    "keys of its own (jku)": lambda: signed(github_claims(NOW), KEY, jku="https://evil.example/jwks"),
    "keys of its own (x5u)": lambda: signed(github_claims(NOW), KEY, x5u="https://evil.example/cert"),
    "a key of its own (jwk)": lambda: signed(github_claims(NOW), KEY, jwk=OTHER.as_dict(private=False)),
    "a critical header": lambda: signed(github_claims(NOW), KEY, crit=["b64"], b64=True),
    "too long": lambda: signed(github_claims(NOW, actor="a" * 20_000), KEY),
    "no JSON": lambda: "eyJ.e30.AAAA",
    "no base64": lambda: "ey\u00fc.e30.AAAA",
    "numbers that are not finite": lambda: (
        "eyJraWQiOiJmaXJzdCJ9." + base64.urlsafe_b64encode(b'{"exp":1e999}').decode() + ".AA"
    ),
}


@pytest.mark.parametrize("make", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_is_refused(github: Issuers, make: Callable[[], str]) -> None:
    with pytest.raises(NotAuthenticated):
        speaks_for(github, make())


def test_a_refusal_repeats_nothing_of_the_token(github: Issuers) -> None:
    token = signed(github_claims(NOW, aud="https://other.example"), KEY)
    with pytest.raises(NotAuthenticated) as refused:
        speaks_for(github, token)
    assert not any(part in refused.value.message for part in token.split("."))


def test_a_rotated_key_works_at_once_after_one_refetch(github: Issuers, keys: KeyServer) -> None:
    """smithersai/smithers#745: 401 for minutes after a key rotation."""
    speaks_for(github, signed(github_claims(NOW), KEY))
    keys.body = jwks(KEY, OTHER)
    for _ in range(3):
        assert speaks_for(github, signed(github_claims(NOW), OTHER)).roles == (Role.CI,)
    assert keys.asked == 2
    speaks_for(github, signed(github_claims(NOW), KEY))
    assert keys.asked == 2


def test_many_unknown_keys_cause_one_refetch(github: Issuers, keys: KeyServer) -> None:
    speaks_for(github, signed(github_claims(NOW), KEY))
    tokens = [signed(github_claims(NOW), OTHER, kid=f"unknown-{number}") for number in range(20)]
    refusals: list[str] = []

    def ask(token: str) -> None:
        try:
            speaks_for(github, token)
        except NotAuthenticated as fault:
            refusals.append(fault.found)

    threads = [threading.Thread(target=ask, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(refusals), keys.asked) == (20, 2)


def test_a_host_that_is_away_does_not_lock_its_jobs_out(github: Issuers, keys: KeyServer) -> None:
    speaks_for(github, signed(github_claims(NOW), KEY))
    keys.status = 500
    with pytest.raises(IssuerUnavailable):
        speaks_for(github, signed(github_claims(NOW), OTHER))
    assert speaks_for(github, signed(github_claims(NOW), KEY)).roles == (Role.CI,)


def test_keys_that_cannot_be_had_let_nobody_in_and_are_not_asked_for_again_at_once(
    github: Issuers, keys: KeyServer
) -> None:
    keys.status = 500
    for _ in range(5):
        with pytest.raises(IssuerUnavailable):
            speaks_for(github, signed(github_claims(NOW), KEY))
    assert keys.asked == 1


def test_kept_keys_are_looked_at_again_and_not_believed_for_ever() -> None:
    clock, answers = [0.0], [jwks(KEY), jwks(OTHER)]

    def load(_: IssuerSettings) -> bytes:
        if not answers:
            raise IssuerUnavailable(expected="keys", found="none", remedy="Wait.")
        return answers.pop(0)

    settings = IssuerSettings.model_validate(issuer())
    cache = KeySetCache(settings, refetch_seconds=10, load=load, clock=lambda: clock[0])
    assert "first" in cache.keys_with("first")
    clock[0] += FRESH_SECONDS + 1
    assert "first" not in cache.keys_with("first"), "a key that the host withdrew is not believed"
    clock[0] += FRESH_SECONDS + 1
    assert "other" in cache.keys_with("other"), "a host that is away for a moment locks nobody out"
    clock[0] += BELIEVED_SECONDS
    with pytest.raises(IssuerUnavailable):
        cache.keys_with("other")
    assert cache.keys_with("other", look=False) == {}


def test_a_redirect_to_other_keys_is_not_followed(github: Issuers, keys: KeyServer) -> None:
    with serving_keys(jwks(OTHER)) as elsewhere:
        keys.status, keys.headers = 302, {"Location": elsewhere.url}
        with pytest.raises(IssuerUnavailable):
            speaks_for(github, signed(github_claims(NOW), OTHER))
        assert elsewhere.asked == 0


def test_keys_on_a_private_address_are_fetched_only_where_the_settings_allow_it(keys: KeyServer) -> None:
    port = keys.url.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "127.1", "2130706433", "[::1]"):
        with pytest.raises(IssuerUnavailable):
            speaks_for(opened(issuer(jwks_url=f"https://{host}:{port}")), signed(github_claims(NOW), KEY))
    assert keys.asked == 0


def test_weak_symmetric_private_and_nameless_keys_are_left_out() -> None:
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    weak = {"kty": "RSA", "kid": "weak", "n": encoded(numbers.n.to_bytes(128, "big")), "e": "AQAB"}
    nameless = {name: value for name, value in OTHER.as_dict(private=False).items() if name != "kid"}
    secret = {"kty": "oct", "kid": "secret", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}
    broken = {"kty": "EC", "kid": "broken", "crv": "P-256", "x": "AA", "y": "AA"}
    listed = [broken, KEY.as_dict(private=False), weak, OTHER.as_dict(private=True), nameless, secret]
    assert set(public_keys(json.dumps({"keys": listed}).encode())) == {"first"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": [1]}', b'{"keys": []}', b"<html>"])
def test_what_is_no_key_set_lets_nobody_in(github: Issuers, keys: KeyServer, body: bytes) -> None:
    keys.body = body
    with pytest.raises(IssuerUnavailable):
        speaks_for(github, signed(github_claims(NOW), KEY))


BAD_SETTINGS: dict[str, dict[str, Any]] = {
    "no audience": {"audience": ""},
    "no binding": {"bindings": []},
    "a binding without an id": {"bindings": [{"claims": {"ref": "refs/heads/main"}, "scopes": ["*"]}]},
    "a binding of sub": {"bindings": [{"claims": {"repository_id": "1", "sub": "repo:x"}, "scopes": ["*"]}]},
    "a binding without scopes": {"bindings": [{"claims": {"repository_id": "1"}, "scopes": []}]},
    "a binding that gives roles": {"bindings": [{**BINDING, "roles": ["approver"]}]},
    "keys by http": {"jwks_url": "http://keys.example/jwks"},
    "keys from two places": {"jwks_file": "/jwks.json"},
    "keys from nowhere": {"jwks_url": None},
    "a symmetric algorithm": {"algorithms": ["HS256"]},
    "no algorithm": {"algorithms": ["none"]},
}


@pytest.mark.parametrize("changes", BAD_SETTINGS.values(), ids=BAD_SETTINGS.keys())
def test_settings_that_would_let_in_too_many_are_refused(changes: dict[str, Any]) -> None:
    OIDCSettings.model_validate({"issuers": [issuer()]})
    with pytest.raises(ValidationError):
        OIDCSettings.model_validate({"issuers": [issuer(**changes)]})


def test_two_issuers_have_two_names() -> None:
    with pytest.raises(ValidationError):
        OIDCSettings.model_validate({"issuers": [issuer(), issuer(issuer="https://github.bank.example")]})


def test_service_keys_and_poll_tokens_are_not_taken_for_tokens() -> None:
    assert is_token(signed(github_claims(NOW), KEY))
    assert not is_token("assay_abcdefghij_" + "x" * 43)
    assert not is_token("assaypoll_" + "x" * 43)
