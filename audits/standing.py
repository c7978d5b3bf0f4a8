"""What stands of a policy after its publications: which versions may decide, and which are tried beside them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from governance.errors import Conflict
from governance.types.policy import PolicyReference, Stage

ORDER = (Stage.SHADOW, Stage.WARN, Stage.ENFORCE, Stage.RETIRE)
"""A version goes through these in this order; it may leave out some, and never goes back."""


class Published(Protocol):
    """What is read of a publication."""

    @property
    def policy(self) -> PolicyReference:
        """The version."""
        ...

    @property
    def stage(self) -> Stage:
        """The stage it came to."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """``enforced``: versions that may decide, the last published first; the first whose law holds that day decides.

    ``tried``: versions in shadow or warning that are newer than the last enforced one, the newest of each stage.
    ``stages``: the stage of every version that was published.
    """

    enforced: tuple[PolicyReference, ...]
    tried: tuple[tuple[PolicyReference, Literal["shadow", "warn"]], ...]
    stages: dict[int, Stage]


def standing(published: Sequence[Published]) -> Standing:
    """What stands after the publications of one policy, given oldest first.

    Retiring the version that was enforced last takes back the policy as a whole: nothing older comes back by itself.
    """
    stages: dict[int, Stage] = {}
    enforced: list[PolicyReference] = []
    for publication in published:
        if publication.stage is Stage.RETIRE and stages.get(publication.policy.version) is Stage.ENFORCE:
            enforced = []
        if publication.stage is Stage.ENFORCE:
            enforced.insert(0, publication.policy)
        stages[publication.policy.version] = publication.stage
    last = max((reference.version for reference in enforced), default=0)
    newest: dict[Stage, PolicyReference] = {}
    for publication in published:
        version = publication.policy.version
        if version > last and stages[version] is publication.stage:
            kept = newest.get(publication.stage)
            newest[publication.stage] = max(kept or publication.policy, publication.policy, key=lambda one: one.version)
    tried: list[tuple[PolicyReference, Literal["shadow", "warn"]]] = []
    if Stage.WARN in newest:
        tried.append((newest[Stage.WARN], "warn"))
    if Stage.SHADOW in newest:
        tried.append((newest[Stage.SHADOW], "shadow"))
    return Standing(tuple(enforced), tuple(tried), stages)


def require_forward(found: Standing, version: int, stage: Stage) -> None:
    """Return when ``version`` may come to ``stage`` now.

    Raises:
        Conflict: that would be a step back, or it would retire what was never published or is superseded already.
    """
    current = found.stages.get(version)
    if stage is Stage.RETIRE and current is None:
        raise Conflict(
            expected="a version that was published",
            found=f"version {version}, which was not",
            remedy="Leave it as it is: what was never published does not apply.",
        )
    if stage is Stage.RETIRE and current is Stage.ENFORCE and found.enforced[:1] != _only(found, version):
        raise Conflict(
            expected="the version that was enforced last",
            found=f"version {version}, which another one has followed",
            remedy="Retire the newest one: that takes back the policy as a whole.",
        )
    if current is not None and ORDER.index(stage) <= ORDER.index(current):
        raise Conflict(
            expected=f"a stage after {current.value}",
            found=stage.value,
            remedy="To go back, store the earlier text as a new version and publish that.",
        )


def _only(found: Standing, version: int) -> tuple[PolicyReference, ...]:
    return tuple(reference for reference in found.enforced if reference.version == version)
