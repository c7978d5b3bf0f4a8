"""The evidence manifest: what is measured and what its columns mean. Nothing in it is guessed."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from governance.types.bias_audit import BiasAudit
from governance.types.credit_audit import CreditAudit
from governance.types.schema import SchemaReference
from governance.types.subject import Subject
from governance.types.value import DecimalText, Digest, Name, Value

Scalar = bool | int | float | str
ArtifactURI = Annotated[str, StringConstraints(pattern=r"^artifact:sha256:[0-9a-f]{64}$")]
"""``artifact:`` and the digest of bytes that were uploaded; no other location is ever fetched."""


TableName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""The name of a further table in a manifest; those of the manifest's own files are taken."""


class DataFile(Value):
    """A table in the artifact store. ``join_on`` is the key that joins it to the other file, where there are two.

    ``jsonl`` is one JSON object a line, ``arrow`` the Arrow IPC file format (Feather 2).
    """

    uri: ArtifactURI
    format: Literal["parquet", "csv", "jsonl", "arrow"]
    join_on: str | None = None

    @property
    def digest(self) -> str:
        """The digest in the URI."""
        return self.uri.removeprefix("artifact:")


class DatasetFile(Value):
    """The evaluation data: its node in lineage, its digest there and, where it was uploaded, its bytes.

    ``schema`` names the registered schema that the data are delivered under; a policy's own schema goes before it.
    """

    namespace: Name
    name: Name
    digest: Digest | None = None
    file: DataFile | None = None
    # Pydantic has a method of the plain name.
    registered_schema: SchemaReference | None = Field(None, alias="schema")


class ModelFile(Value):
    """The model itself, needed only for explanations. Only formats that name their types are opened."""

    uri: ArtifactURI
    format: Literal["skops"]

    @property
    def digest(self) -> str:
        """The digest in the URI."""
        return self.uri.removeprefix("artifact:")


class Columns(Value):
    """Which column is what. A decision is a class; a score needs the manifest's ``threshold`` to become one.

    ``prediction`` is a number that was predicted for the label, which is then a number too (regression).
    """

    row_id: str | None = None
    label: str | None = None
    decision: str | None = None
    score: str | None = None
    prediction: str | None = None
    weight: str | None = None
    features: tuple[str, ...] = ()


class Coding(Value):
    """The values that count as positive, and those that count as negative.

    ``label`` and ``decision`` take one value or several. Where no negatives are named a column may hold one further
    value only; a third is refused as multi-class.
    """

    label: Scalar | tuple[Scalar, ...] | None = None
    decision: Scalar | tuple[Scalar, ...] | None = None


class Attribute(Value):
    """A sensitive attribute: the groups expected, or the bin edges of a numeric column, or neither (as found).

    Bins are half-open ``[edge, next)``; the last includes its upper edge.
    """

    groups: tuple[Scalar, ...] | None = None
    bins: tuple[float, ...] | None = None
    reference: Scalar | None = None

    @model_validator(mode="after")
    def _groups_or_bins(self) -> Self:
        if self.groups is not None and self.bins is not None:
            raise ValueError("an attribute has groups or bins, not both")
        if self.bins is not None and (len(self.bins) < 2 or list(self.bins) != sorted(set(self.bins))):
            raise ValueError("bins are at least two rising edges")
        return self


class FeatureEntry(Value):
    """What a feature means: its source column (``namespace/dataset#column``) and why it may be used."""

    meaning: str
    source: str | None = None
    lawful_basis: str | None = None
    justification: str | None = None


class FeatureDictionary(Value):
    """The feature dictionary as a document of its own: a YAML or JSON mapping of feature to entry, uploaded."""

    dictionary: ArtifactURI


class Manifest(Value):
    """What is measured, for one subject. ``seed`` fixes every sample and bootstrap drawn from it.

    ``counts`` is a published table instead of rows: a column for each sensitive attribute, ``n`` and ``selected``.
    ``tables`` are further files that checks of data preparation look at, by the name that the policy gives them:
    ``training``, ``reference``, a table that is referred to.
    ``classes`` lists all values of labels and decisions where there are more than two: each is measured one against
    the rest, or only those that ``positive.decision`` names.
    """

    kind: Literal["assay.evidence/v1"]
    subject: Subject
    dataset: DatasetFile | None = None
    predictions: DataFile | None = None
    counts: DataFile | None = None
    model: ModelFile | None = None
    tables: dict[TableName, DataFile] = Field(default_factory=dict, max_length=50)
    columns: Columns = Columns()
    positive: Coding = Coding()
    negative: Coding = Coding()
    classes: tuple[Scalar, ...] = ()
    threshold: DecimalText | None = None
    sensitive: dict[str, Attribute] = Field(default_factory=dict)
    intersections: tuple[tuple[str, ...], ...] = ()
    features: FeatureDictionary | dict[str, FeatureEntry] = Field(default_factory=dict)
    audit: BiasAudit | None = None
    credit: CreditAudit | None = None
    collected_at: datetime | None = None
    seed: int = Field(default=0, ge=0, le=2**53 - 1)

    @property
    def is_predicted_by_model(self) -> bool:
        """Whether the model itself is to predict: it is there with its features, and no column holds what it said."""
        columns = self.columns
        said = (columns.decision, columns.score, columns.prediction)
        return self.model is not None and bool(columns.features) and self.counts is None and not any(said)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for names in self.intersections:
            unknown = [name for name in names if name not in self.sensitive]
            if unknown or len(names) < 2:
                raise ValueError(f"an intersection names two or more declared sensitive attributes, not {list(names)}")
        two_files = self.predictions is not None and self.dataset is not None and self.dataset.file is not None
        if two_files and not (self.predictions and self.predictions.join_on):
            raise ValueError("two files are joined by a declared key: set predictions.join_on")
        self._refuse_rows_beside_counts()
        self._refuse_two_meanings()
        return self

    def _refuse_two_meanings(self) -> None:
        """A label is a number or a class; a class of several has no threshold and no negative values of its own."""
        columns, negative = self.columns, self.negative
        if columns.prediction is not None and any((columns.decision, columns.score, self.threshold, self.classes)):
            raise ValueError("a predicted number has no decision, score, threshold or classes beside it")
        if not self.classes:
            return
        if len({str(one) for one in self.classes}) != len(self.classes) or len(self.classes) < 2:
            raise ValueError("classes are two or more, each named once")
        if columns.decision is None or columns.score is not None:
            raise ValueError("classes are values of columns.decision, without a score beside it")
        if negative.label is not None or negative.decision is not None or self.positive.label is not None:
            raise ValueError("with classes name at most positive.decision: the rest of the classes is negative")

    def _refuse_rows_beside_counts(self) -> None:
        """Counts and rows of one measurement could contradict each other, and counts have no columns to name."""
        if self.counts is None:
            return
        if self.predictions is not None or (self.dataset is not None and self.dataset.file is not None):
            raise ValueError("a measurement is of rows or of counts: leave out counts, or predictions and dataset.file")
        columns = self.columns.model_dump(exclude={"features"}).values()
        if any((*columns, self.threshold, self.classes)):
            raise ValueError("counts hold no columns of rows and no threshold: leave columns and threshold out")
