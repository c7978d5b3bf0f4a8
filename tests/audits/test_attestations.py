"""Whether the statements that a policy asks for count: the newest alone, in its time, while it holds."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.attestations import Stated, counted
from governance.types.attestation import AttestationRule, AttestationUse

NOW = datetime(2026, 11, 25, tzinfo=UTC)
DAY = timedelta(days=1)
DPIA = AttestationRule(kind="dpia", max_age="P30D")


def stated(days_ago: int = 1, *, ends: int = 10, holds: bool = True, kind: str = "dpia") -> Stated:
    use = AttestationUse(
        kind=kind,
        digest="sha256:" + "1" * 64,
        by="user:ines",
        name="Ines",
        stated_at=NOW - days_ago * DAY,
        expires_at=NOW + ends * DAY,
        text="It was made.",
    )
    return Stated(use, holds)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ([stated()], None),
        ([stated(30)], None),
        ([], "nobody stated it"),
        ([stated(kind="documentation")], "nobody stated it"),
        ([stated(31)], "older than P30D"),
        ([stated(ends=0)], "has expired"),
        ([stated(2), stated(1, holds=False)], "took it back"),
        ([stated(2, holds=False), stated(1)], None),
        ([stated(2), stated(1, ends=-1)], "has expired"),
        ([stated(-1)], "nobody stated it"),
    ],
)
def test_the_newest_statement_of_a_kind_counts_while_it_holds(found: list[Stated], why: str | None) -> None:
    result = counted([DPIA], found, at=NOW)
    assert [reason.code for reason in result.missing] == ([] if why is None else ["attestation.missing"])
    assert all(why is not None and why in reason.message for reason in result.missing)
    assert len(result.used) + len(result.missing) == 1


any_statement = st.builds(
    stated, st.integers(-5, 60), ends=st.integers(-60, 60), holds=st.booleans(), kind=st.sampled_from(["dpia", "b"])
)


@given(found=st.lists(any_statement, max_size=6))
def test_every_line_is_either_met_or_missing_and_no_line_asks_nothing(found: list[Stated]) -> None:
    in_order = sorted(found, key=lambda each: each.use.stated_at)
    rules = [DPIA, AttestationRule(kind="b")]
    result = counted(rules, in_order, at=NOW)
    assert len(result.used) + len(result.missing) == len(rules)
    assert counted([], in_order, at=NOW).missing == ()
    for use in result.used:
        assert use.stated_at <= NOW < use.expires_at
