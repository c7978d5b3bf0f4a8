"""The ID token of the CI job that runs this: asked for at GitHub's runner, or as GitLab laid it down.

Source: GitHub, "OpenID Connect reference" (requesting the JWT with environment variables); GitLab, "OpenID Connect ID
tokens" (``id_tokens``).
"""

from collections.abc import Mapping

import httpx

from governance.canonical import read_json
from governance.errors import AssayError, Unreachable, UsageError

VARIABLE = "ASSAY_ID_TOKEN"
"""Where a GitLab job's ``id_tokens`` puts the token."""
REQUEST_URL, REQUEST_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"


def identity_token(environment: Mapping[str, str], *, audience: str, timeout_seconds: float = 30) -> str:
    """The ID token of this job for ``audience``: that of ``ASSAY_ID_TOKEN``, else a new one of GitHub's runner.

    Raises:
        UsageError: this is no job that may have one. Unreachable: the runner did not give it.
    """
    laid_down = environment.get(VARIABLE)
    if laid_down:
        return laid_down.strip()
    url, secret = environment.get(REQUEST_URL), environment.get(REQUEST_TOKEN)
    if not url or not secret:
        raise UsageError(
            expected=f"{VARIABLE}, or {REQUEST_URL} with {REQUEST_TOKEN}",
            found="neither",
            remedy="GitLab: `id_tokens: {ASSAY_ID_TOKEN: {aud: ...}}`. GitHub: `permissions: {id-token: write}`.",
        )
    headers = {"Authorization": f"Bearer {secret}", "Accept": "application/json; api-version=2.0"}
    try:
        answer = httpx.get(
            httpx.URL(url).copy_merge_params({"audience": audience}), headers=headers, timeout=timeout_seconds
        )
        document = read_json(answer.content) if answer.is_success else None
    except (httpx.HTTPError, httpx.InvalidURL, AssayError) as fault:
        raise _not_given(type(fault).__name__) from fault
    token = document.get("value") if isinstance(document, dict) else None
    if not isinstance(token, str) or not token:
        raise _not_given(f"status {answer.status_code}")
    return token


def _not_given(found: str) -> Unreachable:
    return Unreachable(
        expected="an ID token from GitHub's runner",
        found=found,
        remedy="Give the job `permissions: {id-token: write}` and run it again.",
    )
