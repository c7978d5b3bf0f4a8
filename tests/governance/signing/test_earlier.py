"""What was signed before waivers and people were part of decisions is read as it was: the files are of that time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from governance.canonical import canonical, read_json
from governance.signing.statement import decision_statement, read_decision
from governance.types.decision import Decision, PersonsAct, WaiverUse
from governance.types.results import CheckStatus

EARLIER = Path(__file__).parent / "earlier"
DIGEST = "sha256:" + "4" * 64


def stored() -> Decision:
    """A decision as it was stored then."""
    return Decision.model_validate(read_json((EARLIER / "decision.json").read_bytes()))


def test_an_earlier_statement_is_read_and_gives_its_bytes_again() -> None:
    payload = (EARLIER / "statement.json").read_bytes()
    assert read_decision(payload).waivers_used == ()
    assert canonical(decision_statement(stored(), DIGEST)) == payload


def test_an_earlier_decision_keeps_its_digest() -> None:
    assert canonical(stored().document()) == (EARLIER / "decision.json").read_bytes()


def test_people_and_waivers_are_signed_where_there_are_any() -> None:
    now = datetime(2026, 11, 2, tzinfo=UTC)
    use = WaiverUse(
        id="w1",
        digest=DIGEST,
        checks={"fairness": CheckStatus.FAILED},
        reason="r",
        ticket="t",
        expires_at=now + timedelta(days=1),
        requested_by="ines",
        approved_by=("ana",),
    )
    act = PersonsAct(
        act="review", verdict="accept", by="bo", name="Bo", at=now, comment="c", approved_digest=DIGEST, digest=DIGEST
    )
    decision = stored().model_copy(update={"waivers_used": (use,), "people": (act,)})
    signed = read_decision(canonical(decision_statement(decision, DIGEST)))
    assert [(one.id, one.checks, one.approved_by) for one in signed.waivers_used] == [("w1", ("fairness",), ("ana",))]
    assert [(one.act, one.by, one.approved_digest) for one in signed.people] == [("review", "bo", DIGEST)]
