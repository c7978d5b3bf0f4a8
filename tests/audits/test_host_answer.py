"""What a CI host is told: yes only when every model that the operator named has a decision that is valid."""

from hypothesis import given
from hypothesis import strategies as st

from audits.host_answer import MOST_COMMENT, Say, Standing, answer
from audits.validity import Validity

MODEL, OTHER = "mlflow://models/credit-line", "mlflow://models/limits"


def standing(validity: Validity | None, verdict: str = "allow") -> Standing:
    return Standing("e-1", None if validity is None else verdict, validity)


def test_a_valid_decision_of_each_model_is_a_yes() -> None:
    both = {MODEL: standing(Validity.VALID), OTHER: standing(Validity.VALID)}
    assert answer([MODEL, OTHER], both, late=False).say is Say.YES


def test_a_repository_without_models_is_a_no_whatever_was_evaluated() -> None:
    assert answer([], {MODEL: standing(Validity.VALID)}, late=False).say is Say.NO


def test_a_model_that_was_not_evaluated_is_waited_for_and_then_a_no() -> None:
    one = {MODEL: standing(Validity.VALID)}
    assert answer([MODEL, OTHER], one, late=False).say is Say.WAIT
    assert answer([MODEL, OTHER], one, late=True).say is Say.NO


def test_an_allow_of_another_model_does_not_stand_in() -> None:
    assert answer([MODEL], {OTHER: standing(Validity.VALID)}, late=True).say is Say.NO


def test_a_no_is_told_at_once_though_another_model_is_waited_for() -> None:
    mixed = {MODEL: standing(Validity.NOT_ALLOWED, "deny"), OTHER: standing(None)}
    said = answer([MODEL, OTHER], mixed, late=False)
    assert said.say is Say.NO
    assert "deny, not allowed" in said.comment


@given(
    found=st.dictionaries(
        st.sampled_from([MODEL, OTHER, "third"]),
        st.builds(standing, st.none() | st.sampled_from(list(Validity))),
    ),
    late=st.booleans(),
)
def test_nothing_but_valid_decisions_of_all_models_is_a_yes(found: dict[str, Standing], late: bool) -> None:
    said = answer([MODEL, OTHER], found, late=late)
    valid = all(model in found and found[model].validity is Validity.VALID for model in (MODEL, OTHER))
    assert (said.say is Say.YES) == valid
    assert not (late and said.say is Say.WAIT)


@given(names=st.lists(st.text(max_size=400), min_size=1, max_size=20))
def test_comments_are_short_and_names_in_them_are_text(names: list[str]) -> None:
    said = answer(names, {}, late=True)
    assert len(said.comment) <= MOST_COMMENT
    assert "](" not in said.comment.replace("\\](", "").replace("]\\(", "")
