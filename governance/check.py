"""What the author of a check imports: facts in, a measurement out, a judgement of it, and nothing of the service.

The same check runs in the gate, in a notebook, in a CI job beside the data and offline on a file of events.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import JsonValue

from governance.types.ancestry import Ancestry
from governance.types.manifest import Manifest
from governance.types.results import CheckResult, Measurement
from governance.types.subject import Subject
from governance.types.value import Value


class Params(Value):
    """What a policy may set for a check; every field says its unit and range."""


P = TypeVar("P", bound=Params)


class LineageView(Protocol):
    """Read-only lineage of one subject."""

    def ancestry(self, subject: Subject, *, as_of: datetime | None = None) -> Ancestry:
        """Everything upstream of the subject, as of an instant or now."""
        ...


class ModelSession(Protocol):
    """An untrusted model behind a process boundary: features in, an untrusted answer out."""

    @property
    def sandbox_level(self) -> int:
        """The level of isolation the child ran at, 0 to 3."""
        ...

    def call(self, request: Mapping[str, JsonValue], features: Any) -> Mapping[str, Any]:
        """Run one request on a table of features (an Arrow table); labels and sensitive columns never go in.

        Raises:
            MeasurementRefused: the child crashed, ran out of a limit, or answered nonsense; the message names which.
        """
        ...

    def predict(self, request: Mapping[str, JsonValue], features: Any) -> Any:
        """Predictions alone (n_rows,), as doubles, of any number of rows; ``request`` names the positive class.

        Raises:
            MeasurementRefused: as ``call``.
        """
        ...


@dataclass(frozen=True, slots=True)
class Facts:
    """What a check may look at. Files are local, and their digests were verified before the check saw them."""

    subject: Subject
    environment: str
    evaluated_at: datetime
    manifest: Manifest | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    lineage: LineageView | None = None
    model: ModelSession | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """A law, standard or paper that a check rests on; ``date`` is that of the text that was read."""

    title: str
    url: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Check(Generic[P]):
    """A check: how it measures, how it judges, what it rests on and what it does not look at.

    ``measure`` may be slow and imports the scientific libraries inside; ``judge`` is pure and light. Fields of
    ``params`` listed in ``measured_with`` shape the measurement, so evidence is only reused where they are equal.
    ``place`` is ``process`` for measurements that run in a process of their own, ``inline`` for those that only need
    lineage.
    """

    id: str
    version: str
    title: str
    params: type[P]
    measure: Callable[[Facts, P], Measurement]
    judge: Callable[[Measurement, P], CheckResult]
    place: Literal["process", "inline"] = "process"
    measured_with: frozenset[str] = frozenset()
    references: tuple[Reference, ...] = ()
    not_checked: tuple[str, ...] = ()

    def measuring_params(self, params: P) -> dict[str, JsonValue]:
        """The parameters that shape the measurement, as JSON."""
        document = params.document()
        return {name: document[name] for name in sorted(self.measured_with)}
