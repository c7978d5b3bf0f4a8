"""Several people who call one service, each with a key of their own."""

from typing import Any

from tests.support.service import Service, key_for
from tests.support.story import ask


def headers(service: Service, name: str, *roles: str, **limits: Any) -> dict[str, str]:
    """The header of a key that is held by ``name``."""
    return {"Authorization": f"Bearer {key_for(service.url, *roles, subject=name, **limits)}"}


def ended(service: Service, answer: Any) -> dict[str, Any]:
    """The verdict on an evaluation, waited for."""
    body: dict[str, Any] = service.http.get(answer.headers["Location"], params={"wait": 20}).json()
    return body


def asked(service: Service, *, key: str = "k1", wait: int = 0, **changes: Any) -> Any:
    """The gate's answer to CI, which does not wait."""
    return ask(service, key=key, wait=wait, **changes)
