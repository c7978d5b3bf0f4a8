"""What stands of a policy after its publications."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.standing import ORDER, require_forward, standing
from governance.canonical import sha256
from governance.errors import Conflict
from governance.types.policy import PolicyReference, Stage


@dataclass(frozen=True)
class Made:
    """A publication as this test writes it."""

    policy: PolicyReference
    stage: Stage


def made(*steps: tuple[int, str]) -> list[Made]:
    return [
        Made(PolicyReference(name="fair", version=version, digest=sha256(b"%d" % version)), Stage(stage))
        for version, stage in steps
    ]


def told(*steps: tuple[int, str]) -> tuple[list[int], list[tuple[int, str]]]:
    found = standing(made(*steps))
    return [one.version for one in found.enforced], [(one.version, stage) for one, stage in found.tried]


@pytest.mark.parametrize(
    ("steps", "enforced", "tried"),
    [
        ([], [], []),
        ([(1, "shadow")], [], [(1, "shadow")]),
        ([(1, "shadow"), (1, "warn")], [], [(1, "warn")]),
        ([(1, "enforce")], [1], []),
        ([(1, "enforce"), (2, "shadow")], [1], [(2, "shadow")]),
        ([(1, "enforce"), (2, "warn"), (3, "shadow")], [1], [(2, "warn"), (3, "shadow")]),
        ([(1, "enforce"), (2, "shadow"), (3, "shadow")], [1], [(3, "shadow")]),
        ([(1, "enforce"), (2, "enforce")], [2, 1], []),
        ([(2, "enforce"), (1, "shadow")], [2], []),
        ([(1, "enforce"), (2, "shadow"), (2, "retire")], [1], []),
        ([(1, "enforce"), (1, "retire")], [], []),
        ([(1, "enforce"), (2, "enforce"), (2, "retire")], [], []),
        ([(1, "enforce"), (1, "retire"), (2, "enforce")], [2], []),
        ([(1, "enforce"), (2, "warn"), (1, "retire")], [], [(2, "warn")]),
    ],
)
def test_the_last_enforced_decides_and_newer_ones_are_tried(
    steps: list[tuple[int, str]], enforced: list[int], tried: list[tuple[int, str]]
) -> None:
    assert told(*steps) == (enforced, tried)


@pytest.mark.parametrize(
    ("steps", "version", "stage"),
    [
        ([(1, "warn")], 1, "shadow"),
        ([(1, "enforce")], 1, "warn"),
        ([(1, "enforce"), (1, "retire")], 1, "enforce"),
        ([(1, "enforce"), (2, "enforce")], 1, "enforce"),
        ([(1, "enforce"), (2, "enforce")], 1, "retire"),
        ([], 1, "retire"),
    ],
)
def test_no_version_goes_back(steps: list[tuple[int, str]], version: int, stage: str) -> None:
    with pytest.raises(Conflict):
        require_forward(standing(made(*steps)), version, Stage(stage))


@pytest.mark.parametrize(
    ("steps", "stage"), [([], "enforce"), ([], "warn"), ([(1, "shadow")], "enforce"), ([(1, "warn")], "retire")]
)
def test_steps_may_be_left_out(steps: list[tuple[int, str]], stage: str) -> None:
    require_forward(standing(made(*steps)), 1, Stage(stage))


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(ORDER)), max_size=12))
def test_whatever_is_published_in_order_each_version_stands_at_its_furthest_stage(
    wanted: list[tuple[int, Stage]],
) -> None:
    done: list[Made] = []
    for version, stage in wanted:
        step = made((version, stage.value))[0]
        try:
            require_forward(standing(done), version, stage)
        except Conflict:
            continue
        done.append(step)
    found = standing(done)
    for version, stage in found.stages.items():
        furthest = max((one.stage for one in done if one.policy.version == version), key=ORDER.index)
        assert stage is furthest
    last = max((one.version for one in found.enforced), default=0)
    assert all(found.stages[one.version] is Stage.ENFORCE for one in found.enforced)
    assert all(one.version > last and found.stages[one.version].value == stage for one, stage in found.tried)
