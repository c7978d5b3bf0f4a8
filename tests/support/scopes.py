"""Lineage of which a narrowed key sees a part, and what it must not be told of the rest."""

from typing import Any

from tests.lineage.material import dataset
from tests.support.service import Service, key_for

MODELS = "mlflow://models.test"
SECRETS = ("payroll", "salaries", "hr-export", "s3://vault", "hr", "board")
SCOPES = ("s3://lake/*", f"{MODELS}/credit-*", "batch/train")


def secret_of(name: str, /, **facets: Any) -> dict[str, Any]:
    """A dataset of the vault, with a tag and an owner."""
    tags = {"tags": [{"key": "secret", "value": "true"}]}
    return dataset(name, "s3://vault", tags=tags, ownership={"owners": [{"name": "team:board"}]}, **facets)


def names_nothing(answer: Any) -> bool:
    """Whether no secret is the beginning of a text in the answer."""
    return not any(f'"{secret}' in answer.text for secret in SECRETS)


def refusals_seen(service: Service, *scopes: str) -> list[str]:
    """The acts of the refusals that a key with these scopes is shown, over pages of one row."""
    header = {"Authorization": f"Bearer {key_for(service.url, 'auditor', scopes=scopes, name='narrow')}"}
    acts: list[str] = []
    cursor = None
    while True:
        asked = {"limit": 1} | ({} if cursor is None else {"cursor": cursor})
        found = service.http.get("/v1/gate/refusals", params=asked, headers=header)
        assert found.status_code == 200, found.text
        acts += [refusal["act"] for refusal in found.json()["refusals"]]
        cursor = found.json()["next_cursor"]
        if cursor is None:
            return acts
