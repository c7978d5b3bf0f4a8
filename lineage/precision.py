"""How precisely an edge of an ancestry is known: by column, by dataset, or only that both belong to one run. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from governance.types.ancestry import Precision

Wanted = frozenset[str] | None
"""Fields of a dataset that go on to the subject; None where all of them may."""

_ORDER: tuple[Precision, ...] = ("column", "dataset", "over-approximate")


def weakest(precisions: Iterable[Precision]) -> Precision:
    """The least precise of the values; ``over-approximate`` of none."""
    return max(precisions, key=_ORDER.index, default="over-approximate")


@dataclass
class Flows:
    """What the facets of one run say about which dataset feeds which; nodes are row ids."""

    _pairs: dict[tuple[int, int], set[tuple[str, str]] | None] = field(default_factory=dict)
    _explicit: set[int] = field(default_factory=set)

    def add(self, source: int, target: int, pairs: Iterable[tuple[str, str]] | None, *, is_explicit: bool) -> None:
        """Note a flow; without pairs of columns it is known as one of datasets."""
        held = self._pairs.get((source, target), set())
        self._pairs[(source, target)] = None if held is None or pairs is None else held | set(pairs)
        if is_explicit:
            self._explicit.add(target)

    def sources(self, target: int) -> set[int]:
        """The datasets that a facet names as sources of the target."""
        return {source for source, end in self._pairs if end == target}

    def is_explicit_for(self, target: int) -> bool:
        """Whether a ``lineage`` facet describes the target, so that what it does not name does not feed it."""
        return target in self._explicit

    def columns(self, source: int, target: int, wanted: Wanted = None) -> frozenset[str] | None:
        """The columns of the source that reach the ``wanted`` fields of the target; None where no facet names them."""
        pairs = self._pairs.get((source, target))
        return None if pairs is None else frozenset(column for column, end in pairs if _is_wanted(end, wanted))


def _is_wanted(end: str, wanted: Wanted) -> bool:
    """Whether a field, or one around or inside it, is wanted; an empty ``end`` stands for every row of the target."""
    return (
        wanted is None
        or not end
        or any(f"{one}.".startswith(f"{end}.") or f"{end}.".startswith(f"{one}.") for one in wanted)
    )


@dataclass(frozen=True, slots=True)
class InputPrecision:
    """How precisely an input's way to one output is known; ``columns`` counts at column precision only."""

    precision: Precision
    columns: frozenset[str] = frozenset()


def input_precision(
    columns: frozenset[str] | None, *, has_flow: bool, is_single: bool, signature: frozenset[str] | None
) -> InputPrecision:
    """The precision of one input's way to one output.

    By column where a facet names them, or where the output is a model whose signature does; else by dataset where a
    facet names the input, or the run has one input or one output; else over-approximate.
    """
    if columns is not None:
        return InputPrecision("column", columns)
    if signature is not None:
        return InputPrecision("column", signature)
    return InputPrecision("dataset" if has_flow or is_single else "over-approximate")


def output_precision(flows: Flows, target: int, *, is_single: bool) -> Precision:
    """That of the most precise way through the run to the target; a path is as weak as its input edge anyway."""
    sources = flows.sources(target)
    if any(flows.columns(source, target) is not None for source in sources):
        return "column"
    return "dataset" if sources or is_single else "over-approximate"


def signature_columns(
    model_fields: Sequence[str], source_fields: Sequence[str], every_input: Sequence[Sequence[str]]
) -> frozenset[str] | None:
    """The columns of a training input that a model takes, from the struct ``inputs`` of its signature.

    ``every_input`` holds the columns of each input of the run, ``source_fields`` among them. None where the model has
    no signature, or where it cannot be told which input a named column comes from: a column that no input has was made
    in the run, from columns that nobody named. An only input whose columns are not known has those of the signature.
    """
    named = {path.removeprefix("inputs.") for path in model_fields if path.startswith("inputs.")}
    if not named:
        return None
    if len(every_input) == 1 and not source_fields:
        return frozenset(named)
    is_covered = all(every_input) and named <= {path for fields in every_input for path in fields}
    return frozenset(named & set(source_fields)) if is_covered else None
