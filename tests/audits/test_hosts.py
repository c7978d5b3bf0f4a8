"""What CI hosts send: any bytes are a question, nothing asked, or refused, and none without the secret."""

import contextlib
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from audits.hosts import GitHub, GitLab, Host, hosts_of
from governance.errors import InputRefused, MalformedBody, NotAuthenticated
from governance.settings import GitHubSettings, GitLabSettings

SECRET = SecretStr("a secret")
HOSTS: list[Host] = [GitHub(GitHubSettings(webhook_secret=SECRET)), GitLab(GitLabSettings(webhook_secret=SECRET))]

NAMES = ["action", "environment", "deployment", "deployment_callback_url", "sha", "repository", "id", "full_name",
         "installation", "object_kind", "project", "object_attributes", "iid", "last_commit",
         "external_approval_rule"]  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(
    ["requested", "merge_request", "a" * 40, "octo-org/hello", "https://api.github.com/repos/octo-org/hello/actions/runs/1"]
)  # fmt: skip
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner), max_leaves=20
)


def headers(body: bytes) -> dict[str, str]:
    """What both hosts send with a body that they signed."""
    signature = hmac.new(b"a secret", body, hashlib.sha256).hexdigest()
    return {
        "x-hub-signature-256": f"sha256={signature}", "x-gitlab-signature": signature,
        "x-github-event": "deployment_protection_rule",
    }  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(document=DOCUMENTS)
def test_any_document_is_a_question_or_refused(document: Any) -> None:
    body = json.dumps(document).encode()
    for host in HOSTS:
        with contextlib.suppress(InputRefused):
            question = host.question(body, headers(body))
            assert question is None or len(question.revision) in (40, 64)


@given(body=st.binary(max_size=40))
def test_any_bytes_are_refused_or_ask_nothing(body: bytes) -> None:
    for host in HOSTS:
        with contextlib.suppress(InputRefused, MalformedBody):
            assert host.question(body, headers(body)) is None


@given(body=st.binary(max_size=20), signature=st.text(max_size=70))
def test_without_the_secret_nothing_is_read(body: bytes, signature: str) -> None:
    for host in HOSTS:
        named = {"x-hub-signature-256": signature, "x-gitlab-signature": signature}
        with pytest.raises(NotAuthenticated):
            host.question(body, named)


def test_an_empty_secret_opens_nothing() -> None:
    open_door = GitLab(GitLabSettings(webhook_secret=SecretStr("")))
    signature = hmac.new(b"", b"{}", hashlib.sha256).hexdigest()
    with pytest.raises(NotAuthenticated):
        open_door.question(b"{}", {"x-gitlab-signature": signature})


def test_a_host_is_off_until_its_secret_is_set() -> None:
    assert hosts_of(GitHubSettings(), GitLabSettings()) == {}
    assert set(hosts_of(GitHubSettings(webhook_secret=SECRET), GitLabSettings())) == {"github"}
