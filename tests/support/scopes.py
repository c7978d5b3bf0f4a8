"""Lineage of which a narrowed key sees a part, and what it must not be told of the rest."""

from typing import Any

from tests.lineage.material import dataset

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
