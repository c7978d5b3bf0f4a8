"""What an auditor states about a bias audit of an employment tool, beside the data: dates, scope, exclusions."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from governance.types.value import DecimalText, Value

ControlId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]+-[A-Z0-9]+$")]
"""The id of a control of a law pack, such as ``LL144-05``."""


class Exclusion(Value):
    """A category that is left out of the ratios of one table, and why (6 RCNY 5-301(d))."""

    table: Literal["sex", "race_ethnicity", "sex*race_ethnicity"]
    category: tuple[str, ...] = Field(min_length=1, max_length=2)
    justification: str = ""


class Attestation(Value):
    """Who stands for the human part of a control, and since when."""

    by: str = Field(min_length=1)
    on: date
    statement: str = ""


class BiasAudit(Value):
    """The facts of a bias audit that no data hold.

    ``sex`` and ``race_ethnicity`` name the columns of the data. ``tool`` says what the tool does; ``assigned_group``
    names the column of the group that it assigns people to, where it does. ``excluded`` are asked for by the auditor.
    ``attestations`` maps controls with a human part to who attests it. ``labour_force`` maps categories to their share,
    ``practical_significance`` categories to what a person judged of a significant gap above four fifths.
    """

    sex: str = "sex"
    race_ethnicity: str = "race_ethnicity"
    is_in_scope: bool = True
    scope_reason: str = ""
    tool: tuple[Literal["selects", "scores"], ...] = Field(default=("selects",), min_length=1)
    assigned_group: str | None = None
    category_source: Literal["self_reported", "observed", "imputed", "unknown"] = "unknown"
    data_kind: Literal["historical", "test"] = "historical"
    data_explanation: str = ""
    auditor: str = ""
    audit_date: date | None = None
    distribution_date: date | None = None
    use_date: date | None = None
    notice_date: date | None = None
    summary_url: str = ""
    excluded: tuple[Exclusion, ...] = ()
    labour_force: dict[str, DecimalText] = Field(default_factory=dict)
    practical_significance: dict[str, bool] = Field(default_factory=dict)
    validity_study: str = ""
    attestations: dict[ControlId, Attestation] = Field(default_factory=dict)
