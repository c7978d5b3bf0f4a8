"""What was found is remembered, within bounds."""

from lineage.memory import Memory


def test_the_most_recent_findings_are_remembered_and_older_ones_forgotten() -> None:
    memory: Memory[int] = Memory(3)
    for number in range(100):
        memory.keep(number, number)
        assert [memory.get(recent) for recent in range(max(0, number - 2), number + 1)] == list(
            range(max(0, number - 2), number + 1)
        )
    assert sum(memory.get(number) is not None for number in range(100)) <= 6


def test_what_was_never_kept_is_none() -> None:
    assert Memory[int](1).get("key") is None
