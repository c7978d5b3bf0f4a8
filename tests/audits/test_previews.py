"""What is tried is part of a decision where there is something, and leaves no trace where there is nothing."""

from governance.canonical import canonical, read_json
from governance.types.decision import Decision, Preview
from governance.types.policy import PolicyReference
from governance.types.results import Verdict
from tests.support.proof import decision

TRIED = Preview(
    policy=PolicyReference(name="fair", version=2, digest="sha256:" + "ab" * 32), stage="warn", verdict=Verdict.DENY
)


def test_a_decision_that_tried_nothing_has_the_bytes_it_had_before() -> None:
    assert "previews" not in decision().document()


def test_what_was_tried_is_read_again_from_a_decisions_bytes() -> None:
    made = decision().model_copy(update={"previews": (TRIED,)})
    assert Decision.model_validate(read_json(canonical(made.document()))) == made
    assert made.value_digest() != decision().value_digest()
