"""The dossier: its schema, its digest, and what it must never leave out."""

import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from governance.canonical import read_json
from reports.dossier import DISCLAIMER, Dossier
from reports.render.json import render_json
from tests.reports.build import allowed, compiled, decision

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "dossier-v1.json"


def test_the_committed_schema_is_current() -> None:
    assert json.loads(SCHEMA.read_text("utf-8")) == Dossier.model_json_schema(mode="serialization")


@pytest.mark.parametrize("kind", ["full", "minimal"])
def test_the_schema_accepts_a_full_and_a_minimal_dossier(kind: str) -> None:
    bare = decision(policy=None, ancestry_digest=None, checks=(), reasons=())
    dossier = compiled() if kind == "full" else compiled(bare, ancestry=None, measurements={}, policy=None, proof=None)
    checker = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))
    checker.validate(read_json(render_json(dossier)))


def test_the_schema_refuses_a_broken_dossier() -> None:
    checker = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))
    document = read_json(render_json(compiled()))
    for broken in (
        {**document, "not_checked": []},
        {**document, "verdict": "allow"},
        {key: value for key, value in document.items() if key != "decision"},
        {**document, "disclaimer": "Legal advice"},
    ):
        assert not checker.is_valid(broken)


def test_a_dossier_without_anything_unchecked_is_a_contradiction() -> None:
    with pytest.raises(ValidationError):
        Dossier.model_validate({**compiled().document(), "not_checked": []})


def test_equal_content_has_one_digest_and_other_content_another() -> None:
    assert compiled().value_digest() == compiled().value_digest()
    assert compiled().value_digest() != compiled(allowed(), measurements={}).value_digest()
    assert compiled().disclaimer == DISCLAIMER
