"""What a policy may set for the quality check: rules of data preparation, each with its limit.

Shares are decimals in [0, 1] as text and compared exactly. What a rule looks at shapes the measurement; its limits only
shape the judgement, so that stored evidence can be judged under other ones.
"""

import re
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from governance.check import Params
from governance.types.manifest import Scalar, TableName
from governance.types.value import DecimalText, DurationText, Value


def _is_share(text: str) -> str:
    if "e" in text.lower() or not 0 <= Fraction(text) <= 1:
        raise ValueError("a share is a plain decimal from 0 to 1")
    return text


def _is_positive(text: str) -> str:
    if "e" in text.lower() or Fraction(text) <= 0:
        raise ValueError("a plain decimal above 0 is needed")
    return text


Share = Annotated[DecimalText, Field(max_length=30), AfterValidator(_is_share)]
Positive = Annotated[DecimalText, Field(max_length=30), AfterValidator(_is_positive)]
Column = Annotated[str, Field(min_length=1, max_length=1000)]
Columns = Annotated[tuple[Column, ...], Field(min_length=1, max_length=5000)]

FormatName = Literal["email", "uri", "uuid", "ipv4", "e164", "iso_date", "iso_datetime", "integer", "decimal"]


class Rule(Value):
    """A rule. ``LIMITS`` names the fields that only shape the judgement."""

    LIMITS: ClassVar[frozenset[str]] = frozenset()

    def shape(self) -> dict[str, JsonValue]:
        """What shapes the measurement, as JSON."""
        return {name: value for name, value in self.document().items() if name not in self.LIMITS}


class FormatRule(Rule):
    """Text of one form: a named one, or a regular expression that the whole text must match."""

    LIMITS = frozenset({"max_share"})
    column: Column
    format: FormatName | None = None
    pattern: str | None = Field(None, max_length=1000)
    max_share: Share = Field("0", description="The largest share of present values of another form.")

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.format is None) == (self.pattern is None):
            raise ValueError("a format rule has a format or a pattern")
        try:
            re.compile(self.pattern or "")
        except re.error as fault:
            raise ValueError(f"{self.pattern!r} is no regular expression: {fault}") from fault
        return self


class MissingRule(Rule):
    """Missing values: null, NaN, and the words that stand for nothing; ``by`` compares groups of another column."""

    LIMITS = frozenset({"max_share", "max_difference"})
    column: Column
    words: tuple[str, ...] = Field((), max_length=50, description="Text that means missing: NA, -999, unknown.")
    by: Column | None = None
    max_share: Share = "0"
    max_difference: Share | None = Field(None, description="The largest gap between the shares of two groups.")

    @model_validator(mode="after")
    def _difference_of_groups(self) -> Self:
        if self.max_difference is not None and self.by is None:
            raise ValueError("max_difference needs by: the column of the groups")
        return self


class CompletenessRule(Rule):
    """Rows in which all of the columns are present, or the values of a column that must all occur."""

    LIMITS = frozenset({"min_share"})
    columns: Columns
    values: tuple[Scalar, ...] | None = Field(
        None, max_length=1000, description="Values that must occur in the column."
    )
    min_share: Share = Field("1", description="The least share of complete rows, or of the values that occur.")

    @model_validator(mode="after")
    def _values_of_one_column(self) -> Self:
        if self.values is not None and (len(self.columns) != 1 or not self.values):
            raise ValueError("values are those of one column, and at least one")
        return self


class OutlierRule(Rule):
    """Values far from the others of their column.

    ``iqr``: beyond the quartiles by ``factor`` times their distance (Tukey). ``z``: more than ``factor`` standard
    deviations from the mean. ``mad``: more than ``factor`` scaled median absolute deviations from the median (Iglewicz
    and Hoaglin). Infinite values are outliers by every method.
    """

    LIMITS = frozenset({"max_share"})
    column: Column
    method: Literal["iqr", "z", "mad"] = "iqr"
    factor: Positive | None = Field(None, description="By default 3 for iqr and z, 3.5 for mad.")
    max_share: Share = "0.01"

    @property
    def width(self) -> float:
        """The factor, with the default filled in."""
        return float(self.factor or ("3.5" if self.method == "mad" else "3"))


class BalanceRule(Rule):
    """How the rows are spread over the values of a column: classes of a label, groups of people."""

    LIMITS = frozenset({"min_share", "max_ratio", "min_rows"})
    column: Column
    values: tuple[Scalar, ...] | None = Field(
        None, max_length=500, description="Values expected; one without rows fails."
    )
    min_share: Share = Field("0", description="The least share of any value.")
    max_ratio: Positive | None = Field(None, description="The most rows of one value for each row of another.")
    min_rows: int = Field(1, ge=1, description="The least rows of any value.")


class FreshnessRule(Rule):
    """Instants of a column, against when the check runs: dates, instants, or text in ISO 8601 (UTC without a zone)."""

    LIMITS = frozenset({"max_age", "max_future_share"})
    column: Column
    in_order: bool = Field(False, description="Whether no row may be earlier than the one before.")
    max_age: DurationText | None = Field(None, description="The greatest age of the newest instant.")
    max_future_share: Share = Field("0", description="The largest share of instants after the check.")


class ReferentialRule(Rule):
    """Keys that must occur in another table of the manifest."""

    LIMITS = frozenset({"max_share"})
    columns: Columns
    table: TableName
    to: Columns
    max_share: Share = Field("0", description="The largest share of keys that are not found.")

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if len(self.columns) != len(self.to):
            raise ValueError("columns and to are pairs")
        return self


class TargetRule(Rule):
    """A feature that alone tells the label: that is how the label's own consequence looks in training data."""

    LIMITS = frozenset({"max_auc", "margin", "min_rows"})
    features: tuple[Column, ...] | None = Field(None, description="By default the manifest's features.")
    max_auc: Share = Field(
        "0.95", description="The largest area under the ROC curve of one feature, in either direction."
    )
    margin: Share = Field("0.01", description="A feature this close to the whole model's area warns.")
    min_rows: int = Field(30, ge=2, description="The least rows of either class.")


class LeakageRule(Rule):
    """Test data that the model has seen: rows of the training table, and keys (people) that are in both."""

    LIMITS = frozenset({"max_row_share", "max_key_share"})
    training: TableName = "training"
    columns: Columns | None = Field(None, description="Columns that make a row; by default all that both tables have.")
    key: Columns | None = Field(None, description="Columns that name a person or thing, which must not be in both.")
    target: TargetRule | None = None
    rows: bool = Field(True, description="Whether equal rows are looked for.")
    max_row_share: Share = "0"
    max_key_share: Share = "0"

    def shape(self) -> dict[str, JsonValue]:
        """What shapes the measurement, without the limits of the target either."""
        return {**super().shape(), "target": None if self.target is None else self.target.shape()}


class DriftRule(Rule):
    """The columns' distributions against the reference version's.

    The population stability index of both kinds of columns; Kolmogorov-Smirnov's distance of numbers; chi-square with
    Cramer's V of categories. Limits are limits of effects: a test alone finds any difference where rows are many.
    """

    LIMITS = frozenset({"max_psi", "max_ks", "max_v", "alpha", "min_rows"})
    reference: TableName = "reference"
    columns: Columns | None = Field(None, description="By default all that both tables have.")
    bins: int = Field(10, ge=2, le=100, description="Bins of numbers, of equal share in the reference.")
    replicates: int = Field(1000, ge=100, le=100_000)
    max_psi: Positive = "0.2"
    max_ks: Positive = "0.1"
    max_v: Positive = "0.1"
    alpha: Share = Field("0.01", description="Below this p-value a difference is called significant, after Holm.")
    min_rows: int = Field(100, ge=2, description="Fewer present values on either side decide nothing.")


Kind = Literal[
    "formats", "missing", "completeness", "outliers", "balance", "freshness", "referential", "leakage", "drift"
]
KINDS: tuple[Kind, ...] = (
    "formats", "missing", "completeness", "outliers", "balance", "freshness", "referential", "leakage", "drift",
)  # fmt: skip


class QualityParams(Params):
    """The rules of data preparation, by kind; at least one, or the least number of rows.

    They look at the manifest's dataset, or at the predictions where it has no dataset file, and at further tables that
    the manifest names.
    """

    formats: tuple[FormatRule, ...] = ()
    missing: tuple[MissingRule, ...] = ()
    completeness: tuple[CompletenessRule, ...] = ()
    outliers: tuple[OutlierRule, ...] = ()
    balance: tuple[BalanceRule, ...] = ()
    freshness: tuple[FreshnessRule, ...] = ()
    referential: tuple[ReferentialRule, ...] = ()
    leakage: tuple[LeakageRule, ...] = Field((), max_length=10)
    drift: tuple[DriftRule, ...] = Field((), max_length=10)
    min_rows: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _something_is_asked(self) -> Self:
        if not any(self.rules(kind) for kind in KINDS) and self.min_rows == 1:
            raise ValueError(f"name at least one rule of {', '.join(KINDS)}, or min_rows")
        return self

    def rules(self, kind: Kind) -> tuple[Any, ...]:
        """The rules of one kind, in their order."""
        found: tuple[Any, ...] = getattr(self, kind)
        return found

    def shape(self) -> dict[str, JsonValue]:
        """What shapes the measurement, as JSON: the rules without their limits."""
        return {kind: [rule.shape() for rule in self.rules(kind)] for kind in KINDS}
