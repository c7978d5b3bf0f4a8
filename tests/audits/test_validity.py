"""What a decision is worth: every answer, its order, and that only one of them is a yes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.validity import Life, Validity, validity
from governance.types.results import Verdict

THEN = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
BYTES, OTHERS = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def life(
    verdict: Verdict = Verdict.ALLOW,
    mode: str = "enforce",
    valid_until: datetime | None = THEN + 90 * DAY,
    revoked_at: datetime | None = None,
    superseded_at: datetime | None = None,
) -> Life:
    return Life(verdict, mode, BYTES, "prod", THEN, valid_until, revoked_at, superseded_at)


@pytest.mark.parametrize(
    ("found", "days", "expected"),
    [
        (life(), 0, "valid"),
        (life(), 89, "valid"),
        (life(), 90, "expired"),  # half-open: at valid_until it holds no more
        (life(valid_until=None), 0, "expired"),
        (life(), -1, "not_allowed"),
        (life(verdict=Verdict.DENY, valid_until=None), 1, "not_allowed"),
        (life(verdict=Verdict.INDETERMINATE, valid_until=None), 1, "not_allowed"),
        (life(mode="dry_run"), 1, "not_allowed"),
        (life(revoked_at=THEN + 2 * DAY), 1, "valid"),
        (life(revoked_at=THEN + 2 * DAY), 2, "revoked"),
        (life(superseded_at=THEN + 2 * DAY), 1, "valid"),
        (life(superseded_at=THEN + 2 * DAY), 2, "superseded"),
        (life(revoked_at=THEN + 3 * DAY, superseded_at=THEN + 2 * DAY), 4, "revoked"),
        (life(revoked_at=THEN + 3 * DAY), 100, "revoked"),
    ],
)
def test_a_decision_is_worth_what_its_life_says_at_the_instant(found: Life, days: int, expected: str) -> None:
    assert validity(found, digest=BYTES, environment="prod", at=THEN + days * DAY) == expected


def test_other_bytes_and_another_environment_come_before_everything_else() -> None:
    revoked = life(revoked_at=THEN)
    assert validity(revoked, digest=OTHERS, environment="test", at=THEN + DAY) is Validity.WRONG_SUBJECT
    assert validity(revoked, digest=BYTES, environment="test", at=THEN + DAY) is Validity.WRONG_ENVIRONMENT
    assert validity(revoked, digest=BYTES, environment="Prod", at=THEN + DAY) is Validity.WRONG_ENVIRONMENT


instants = st.integers(-100, 200).map(lambda days: THEN + days * DAY)
any_life = st.builds(
    life,
    verdict=st.sampled_from(list(Verdict)),
    mode=st.sampled_from(["enforce", "dry_run"]),
    valid_until=st.none() | instants,
    revoked_at=st.none() | instants,
    superseded_at=st.none() | instants,
)


@given(found=any_life, digest=st.sampled_from([BYTES, OTHERS]), environment=st.sampled_from(["prod", "t"]), at=instants)
def test_valid_means_that_every_condition_holds(found: Life, digest: str, environment: str, at: datetime) -> None:
    holds = (
        digest == BYTES
        and environment == "prod"
        and found.verdict is Verdict.ALLOW
        and found.mode == "enforce"
        and found.valid_until is not None
        and THEN <= at < found.valid_until
        and not (found.revoked_at and found.revoked_at <= at)
        and not (found.superseded_at and found.superseded_at <= at)
    )
    assert (validity(found, digest=digest, environment=environment, at=at) is Validity.VALID) == holds
