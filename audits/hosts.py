"""The contracts of CI hosts: what they send, how it is proved to be theirs, and how they are told.

Source: GitHub Docs, "Creating custom deployment protection rules", "Validating webhook deliveries", "Generating a JSON
Web Token for a GitHub App"; GitLab Docs, "External status checks" and "External status checks API".
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol
from urllib.parse import quote, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from pydantic import ConfigDict, Field, JsonValue, SecretStr, StringConstraints

from audits.host_answer import HostAnswer, Say
from governance import __version__
from governance.canonical import read_json
from governance.egress import Answer, Guard, exchange
from governance.errors import AssayError, InputRefused, NotAuthenticated, UsageError
from governance.settings import GitHubSettings, GitLabSettings, HostedModels
from governance.types.value import Name, Value, parse_value

Revision = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
Count = Annotated[int, Field(ge=0, lt=2**63)]

MOST_BYTES = 64 * 1024
"""Of a host's answer: a token is a few hundred bytes."""


@dataclass(frozen=True, slots=True)
class Question:
    """May this revision of this repository go on? ``target`` is what is needed to tell the host."""

    host: Literal["github", "gitlab"]
    repository: str
    environment: str
    revision: str
    models: tuple[str, ...]
    target: dict[str, JsonValue]


class Host(Protocol):
    """A host that asks and is told."""

    @property
    def wait_seconds(self) -> float:
        """How long a verdict is waited for before it counts as a no."""
        ...

    def question(self, body: bytes, headers: Mapping[str, str]) -> Question | None:
        """What a delivery asks; None when it asks nothing."""
        ...

    def tell(self, target: Mapping[str, Any], said: HostAnswer, now: datetime) -> int:
        """Tell the host; the status that it answered."""
        ...


class _Foreign(Value):
    """A part of a host's payload; what we do not read may be there."""

    model_config = ConfigDict(extra="ignore")


class _Commit(_Foreign):
    id: Revision


class _Repository(_Foreign):
    id: Count
    full_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}$")]


class _Installation(_Foreign):
    id: Count


class _Deployment(_Foreign):
    sha: Revision


class _ProtectionRule(_Foreign):
    environment: Name
    deployment_callback_url: str
    deployment: _Deployment
    repository: _Repository
    installation: _Installation


class GitHub:
    """GitHub's custom deployment protection rules, answered as a GitHub App."""

    def __init__(self, settings: GitHubSettings) -> None:
        """Know the settings, which hold the webhook's secret."""
        self._settings = settings
        self._guard = Guard((urlsplit(settings.api_url).hostname or "",))

    @property
    def wait_seconds(self) -> float:
        """How long a verdict is waited for before it counts as a no."""
        return self._settings.wait_seconds

    def question(self, body: bytes, headers: Mapping[str, str]) -> Question | None:
        """What a delivery asks; None for events that ask nothing.

        Raises:
            NotAuthenticated: the signature is not that of the secret. InputRefused: it is no such payload, or it wants
                to be answered elsewhere than at GitHub's API.
        """
        signature = headers.get("x-hub-signature-256", "")
        _require_signed(body, self._settings.webhook_secret, signature.removeprefix("sha256="), "X-Hub-Signature-256")
        raw = read_json(body)
        asks = isinstance(raw, dict) and raw.get("action") == "requested"
        if headers.get("x-github-event") != "deployment_protection_rule" or not asks:
            return None
        rule = parse_value(_ProtectionRule, raw, what="a deployment_protection_rule payload")
        self._require_callback(rule)
        hosted = self._settings.repositories.get(str(rule.repository.id), HostedModels())
        return Question(
            host="github",
            repository=str(rule.repository.id),
            environment=hosted.environments.get(rule.environment, rule.environment),
            revision=rule.deployment.sha,
            models=hosted.models,
            target={
                "url": rule.deployment_callback_url,
                "environment": rule.environment,
                "installation": rule.installation.id,
            },
        )

    def _require_callback(self, rule: _ProtectionRule) -> None:
        """The token goes to this address, so it is one of the repository's own at GitHub's API and no other."""
        base = f"{self._settings.api_url}/repos/{rule.repository.full_name}/actions/runs/"
        wanted = re.escape(base) + r"[0-9]{1,20}/deployment_protection_rule"
        if re.fullmatch(wanted, rule.deployment_callback_url) is None:
            raise InputRefused(
                expected=f"an address below {base}",
                found=repr(rule.deployment_callback_url[:120]),
                remedy="Set ASSAY_GITHUB__API_URL to the API that sends the webhook.",
                pointer="/deployment_callback_url",
            )

    def tell(self, target: Mapping[str, Any], said: HostAnswer, now: datetime) -> int:
        """Approve or reject the deployment; the status that GitHub answered.

        Raises:
            AssayError: GitHub is away, or gives no token.
        """
        token = self._token(int(target["installation"]), now)
        state = "approved" if said.say is Say.YES else "rejected"
        body = {"environment_name": target["environment"], "state": state, "comment": said.comment}
        return self._post(str(target["url"]), token, body).status

    def _token(self, installation: int, now: datetime) -> str:
        claims = {"iat": int(now.timestamp()) - 60, "exp": int(now.timestamp()) + 540, "iss": self._settings.app_id}
        try:
            key = RSAKey.import_key(self._settings.app_key())
            assertion = jwt.encode({"alg": "RS256"}, claims, key)
        except (JoseError, ValueError, OSError) as fault:
            raise UsageError(
                expected="the private key of the GitHub App (PEM)",
                found=type(fault).__name__,
                remedy="Set ASSAY_GITHUB__PRIVATE_KEY_FILE.",
            ) from fault
        answer = self._post(f"{self._settings.api_url}/app/installations/{installation}/access_tokens", assertion, {})
        token = _object(answer.body).get("token") if answer.status == 201 else None
        if not isinstance(token, str):
            raise HostRefused(
                expected="an installation's token from GitHub",
                found=f"HTTP {answer.status}",
                remedy="Check the App's id, its key, and that it is installed.",
            )
        return token

    def _post(self, url: str, token: str, body: dict[str, Any]) -> Answer:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        return _post(url, self._guard, headers, body)


class _Attributes(_Foreign):
    iid: Count
    last_commit: _Commit


class _Project(_Foreign):
    id: Count


class _Check(_Foreign):
    id: Count


class _StatusCheck(_Foreign):
    object_kind: Literal["merge_request"]
    project: _Project
    object_attributes: _Attributes
    external_approval_rule: _Check


class GitLab:
    """GitLab's external status checks of merge requests."""

    def __init__(self, settings: GitLabSettings) -> None:
        """Know the settings, which hold the check's shared secret."""
        self._settings = settings
        self._guard = Guard((urlsplit(settings.api_url).hostname or "",))

    @property
    def wait_seconds(self) -> float:
        """How long a verdict is waited for before it counts as a no."""
        return self._settings.wait_seconds

    def question(self, body: bytes, headers: Mapping[str, str]) -> Question | None:
        """What a delivery asks.

        Raises:
            NotAuthenticated: the signature is not that of the secret. InputRefused: it is no status check's payload.
        """
        _require_signed(
            body, self._settings.webhook_secret, headers.get("x-gitlab-signature", ""), "X-Gitlab-Signature"
        )
        check = parse_value(_StatusCheck, read_json(body), what="an external status check's payload")
        project = str(check.project.id)
        hosted = self._settings.projects.get(project, HostedModels())
        environment = self._settings.environment
        return Question(
            host="gitlab",
            repository=project,
            environment=hosted.environments.get(environment, environment),
            revision=check.object_attributes.last_commit.id,
            models=hosted.models,
            target={
                "project": check.project.id,
                "merge_request": check.object_attributes.iid,
                "check": check.external_approval_rule.id,
                "sha": check.object_attributes.last_commit.id,
            },
        )

    def tell(self, target: Mapping[str, Any], said: HostAnswer, now: datetime) -> int:  # noqa: ARG002 - as GitHub's
        """Set the check's status; the HTTP status that GitLab answered.

        Raises:
            AssayError: GitLab is away.
        """
        project, request = quote(str(target["project"])), quote(str(target["merge_request"]))
        url = f"{self._settings.api_url}/projects/{project}/merge_requests/{request}/status_check_responses"
        body = {
            "sha": target["sha"],
            "external_status_check_id": target["check"],
            "status": "passed" if said.say is Say.YES else "failed",
        }
        token = self._settings.token.get_secret_value() if self._settings.token else ""
        return _post(url, self._guard, {"PRIVATE-TOKEN": token}, body).status


def hosts_of(github: GitHubSettings, gitlab: GitLabSettings) -> dict[str, Host]:
    """The hosts that the settings switch on, by name: those whose secret is set."""
    hosts: dict[str, Host] = {}
    if github.webhook_secret is not None:
        hosts["github"] = GitHub(github)
    if gitlab.webhook_secret is not None:
        hosts["gitlab"] = GitLab(gitlab)
    return hosts


class HostRefused(AssayError):
    """A CI host did not take what it was told."""

    code = "host.refused"
    status = 502
    exit_code = 6
    title = "The CI host refused what it was told"


def _require_signed(body: bytes, secret: SecretStr | None, signature: str, header: str) -> None:
    """Return when ``signature`` is the HMAC-SHA256 of the body, in hexadecimal."""
    key = secret.get_secret_value().encode() if secret else b""
    expected = hmac.new(key, body, hashlib.sha256).hexdigest()
    if not key or not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise NotAuthenticated(
            expected=f"a body signed in {header} with the secret of the settings",
            found="none" if not signature else "another signature",
            remedy="Give the host the same secret as the service.",
        )


def _post(url: str, guard: Guard, headers: Mapping[str, str], body: dict[str, Any]) -> Answer:
    sent = {**headers, "Content-Type": "application/json", "User-Agent": f"assay/{__version__}"}
    return exchange("POST", url, guard, headers=sent, content=json.dumps(body).encode(), most_bytes=MOST_BYTES)


def _object(body: bytes) -> dict[str, Any]:
    try:
        read = read_json(body)
    except AssayError:
        return {}
    return read if isinstance(read, dict) else {}
