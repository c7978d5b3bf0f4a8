"""What a creditor states about reasons of adverse action, beside the data: features, texts, background, dates."""

from typing import Literal

from pydantic import Field

from governance.types.bias_audit import Attestation, ControlId
from governance.types.value import DecimalText, Digest, Value


class ReasonFeature(Value):
    """A column of contributions. ``parent`` is the input that a one-hot column belongs to, the column itself if empty.

    ``text`` is the specific reason that an applicant is told; ``other`` the column of the same feature's contribution
    under the other background.
    """

    column: str = Field(min_length=1)
    parent: str = ""
    text: str = ""
    other: str = ""

    @property
    def name(self) -> str:
        """The input that the contribution counts for."""
        return self.parent or self.column


class Background(Value):
    """The applicants that contributions are taken against; ``band`` is how far above the cut-off they may score."""

    kind: Literal["all_applicants", "at_or_just_above_cutoff", "unknown"] = "unknown"
    id: str = ""
    digest: Digest | None = None
    band: DecimalText | None = None


class CreditAudit(Value):
    """The facts of adverse-action reasons. The file holds one row for each denied decision.

    ``features`` are in the declared order, which breaks ties. ``base`` and ``output`` name the columns of the expected
    and the explained output. ``higher_is`` says which way the output points. ``clock_start`` and ``notice`` name the
    columns of the dates, and ``clock`` what starts it. ``basis`` names a column with the prohibited basis that
    ``proxy_score`` is held against, ``basis_value`` the value that counts.
    """

    is_in_scope: bool = True
    scope_reason: str = ""
    row_id: str = "id"
    base: str = "base"
    output: str = "output"
    higher_is: Literal["better", "worse"] = "better"
    features: tuple[ReasonFeature, ...] = ()
    model_inputs: tuple[str, ...] = ()
    prohibited: tuple[str, ...] = ()
    background: Background = Background()
    clock: Literal["completed_application", "adverse_action", "unknown"] = "unknown"
    clock_start: str = ""
    notice: str = ""
    credit: Literal["consumer", "business"] = "consumer"
    retention_months: int | None = Field(default=None, ge=0, le=1200)
    basis: str = ""
    basis_value: str = ""
    proxy_score: str = ""
    attestations: dict[ControlId, Attestation] = Field(default_factory=dict)
