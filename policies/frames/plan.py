"""What a reduction groups and sums, read off the manifest: the columns, the threshold, the bins. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from governance.errors import MeasurementRefused
from governance.types.manifest import Manifest

MOMENTS = ("error", "absolute", "error_2", "error_4", "label_1", "label_2", "label_3", "label_4", "cross_1", "cross_2")
"""Sums of a regression beside rows and weights.

With e the prediction less the label and d the label less the shift: of e, of its absolute value, of e**2 and e**4, of
d to d**4, of e**2 * d and of e**2 * d**2.
"""

POWERS = ("score_1", "score_2", "score_3", "score_4")
"""Sums of a score's first four powers."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The columns of a reduction by role, null where it has none; ``bins`` are edges by attribute.

    ``threshold`` is set where the score makes the decision, and ``cut`` wherever a manifest has both.
    """

    attributes: tuple[str, ...]
    bins: dict[str, tuple[float, ...]]
    label: str | None = None
    decision: str | None = None
    score: str | None = None
    prediction: str | None = None
    weight: str | None = None
    threshold: str | None = None
    cut: str | None = None
    bins_scores: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read, each once."""
        roles = (self.label, self.decision, self.score, self.prediction, self.weight)
        return tuple(dict.fromkeys([*self.attributes, *(name for name in roles if name is not None)]))

    @property
    def decides(self) -> bool:
        """Whether each row has a decision."""
        return self.decision is not None or self.threshold is not None

    @property
    def label_is_class(self) -> bool:
        """Whether labels are classes, and so a key of the cells; those of a regression are summed."""
        return self.label is not None and self.prediction is None

    @property
    def sums(self) -> tuple[str, ...]:
        """The sums beside rows and weights."""
        return MOMENTS if self.prediction is not None else POWERS if self.bins_scores else ()


def plan_cells(manifest: Manifest, attributes: Sequence[str], *, wants_scores: bool) -> Plan:
    """The plan over ``attributes``. With ``wants_scores`` the scores are binned, and decisions may be missing.

    Raises:
        MeasurementRefused: there must be decisions and there are none, or a predicted number has no label.
    """
    columns = manifest.columns
    if columns.prediction is not None and columns.label is None:
        raise MeasurementRefused(
            expected="a label column of numbers, which the predictions are compared with",
            found="none in the manifest",
            remedy="Declare columns.label.",
            pointer="/columns/label",
        )
    if not wants_scores:
        _refuse_undecided(manifest)
    decides_by_score = columns.decision is None and columns.score is not None and manifest.threshold is not None
    reads_score = wants_scores or decides_by_score
    return Plan(
        attributes=tuple(attributes),
        bins={name: bins for name in attributes if (bins := manifest.sensitive[name].bins) is not None},
        label=columns.label,
        decision=columns.decision,
        score=columns.score if reads_score else None,
        prediction=columns.prediction if wants_scores else None,
        weight=columns.weight,
        threshold=manifest.threshold if decides_by_score else None,
        cut=manifest.threshold,
        bins_scores=wants_scores and columns.score is not None,
    )


def _refuse_undecided(manifest: Manifest) -> None:
    columns = manifest.columns
    if columns.decision is None and columns.score is None:
        raise MeasurementRefused(
            expected="a column of decisions, or of scores with a threshold",
            found="neither in columns",
            remedy="Name columns.decision, or columns.score and the threshold.",
            pointer="/columns",
        )
    if columns.decision is None and manifest.threshold is None:
        raise MeasurementRefused(
            expected="the threshold from which a score is a positive decision",
            found=f"the score {columns.score!r} without one",
            remedy="Declare the threshold; a score is positive from there on (>=).",
            pointer="/threshold",
        )
