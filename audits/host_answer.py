"""What a CI host is told about a revision: yes, no, or that it must wait. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from audits.validity import Validity
from governance.formats.markdown import escaped


class Say(StrEnum):
    """The three answers; only the first lets anything go on."""

    YES = "yes"
    NO = "no"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Standing:
    """The newest evaluation of a model at a revision; ``validity`` is null while it has no verdict."""

    evaluation_id: str
    verdict: str | None
    validity: Validity | None


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """What is said, and why, as Markdown for people."""

    say: Say
    comment: str


MOST_COMMENT = 1_000


def answer(models: Sequence[str], standings: Mapping[str, Standing], *, late: bool) -> HostAnswer:
    """Yes when each of ``models`` has a decision that is valid now; no when one of them has another.

    Which models count comes from the operator and never from what happened to be evaluated: no models, no yes. A model
    without evaluation or verdict is waited for, and counts as a no once it is ``late``.
    """
    if not models:
        return HostAnswer(Say.NO, "Assay knows no models of this repository; its operator names them in the settings.")
    lines = [_line(model, standings.get(model)) for model in models]
    comment = "\n".join(f"- {words}" for _, words in lines)
    comment = comment if len(comment) <= MOST_COMMENT else comment[: MOST_COMMENT - 1] + "…"
    said = {say for say, _ in lines}
    if Say.NO in said:
        return HostAnswer(Say.NO, comment)
    if Say.WAIT in said:
        return HostAnswer(Say.NO if late else Say.WAIT, comment)
    return HostAnswer(Say.YES, comment)


def _line(model: str, standing: Standing | None) -> tuple[Say, str]:
    name = escaped(model)
    if standing is None:
        return Say.WAIT, f"{name}: the gate was not asked about this revision."
    if standing.validity is None:
        return Say.WAIT, f"{name}: there is no verdict yet (evaluation {standing.evaluation_id})."
    if standing.validity is Validity.VALID:
        return Say.YES, f"{name}: allowed (evaluation {standing.evaluation_id})."
    worth = standing.validity.value.replace("_", " ")
    return Say.NO, f"{name}: {standing.verdict}, {worth} (evaluation {standing.evaluation_id})."
