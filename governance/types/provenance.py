"""The provenance record of a dataset version, as the facet ``assay_provenance``, a YAML file or the API carries it.

Field meanings, the articles they answer and the vocabularies: ``docs/provenance.md``. Wire names are camelCase.
"""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from governance.types.value import Digest, Value


class RecordPart(Value):
    """A part of the record: snake_case in code, camelCase on the wire; both are read."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Party(RecordPart):
    """A person or organisation and how to reach it."""

    name: str
    contact: str | None = None


class Processor(RecordPart):
    """A processor and its contract (Art. 28)."""

    name: str
    dpa_ref: str | None = None
    valid_to: datetime | None = None


class Compatibility(RecordPart):
    """An assessment whether a further purpose is compatible (Art. 6(4)); half-open validity."""

    purpose: str
    outcome: Literal["compatible", "incompatible", "pending"]
    ref: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None


class ColumnRecord(RecordPart):
    """The categories of personal data in one column (a path); an empty list says there are none."""

    path: str
    categories: tuple[str, ...] = ()
    biometric_use: Literal["identification", "other"] | None = None
    direct_identifier: bool = False


class ConditionRecord(RecordPart):
    """A condition of Art. 9(2) for stated purposes; (b), (g), (h), (i), (j) also need a law."""

    condition: str
    purposes: tuple[str, ...] = ()
    law_ref: str | None = None
    ref: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None


class Retention(RecordPart):
    """When the data must go: ``starts_at`` plus an ISO 8601 ``duration`` (``P3Y``), a trigger, or unlimited."""

    starts_at: datetime | None = None
    duration: str | None = None
    trigger: str | None = None
    exception_ref: str | None = None


class Source(RecordPart):
    """Where the data was obtained."""

    kind: Literal["subject", "third_party", "public", "derived", "synthetic", "unknown"]
    name: str | None = None
    url: str | None = None
    obtained_at: datetime | None = None
    generator_run: str | None = None


class Licence(RecordPart):
    """Limits by licence or contract, as purpose keys."""

    id: str | None = None
    permits: tuple[str, ...] | None = None
    forbids: tuple[str, ...] | None = None
    contract_ref: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None


class Protection(RecordPart):
    """Whether people can be told apart, and the evidence for it."""

    level: Literal["raw", "pseudonymised", "anonymised"]
    method: str | None = None
    evidence_digest: Digest | None = None


class Location(RecordPart):
    """The country (ISO 3166-1 alpha-2) the bytes are kept in."""

    country: str


class ProvenanceRecord(RecordPart):
    """Facts about one dataset version. ``columns`` null means not stated, an empty tuple means none."""

    controller: Party | None = None
    joint_controllers: tuple[Party, ...] = ()
    role: Literal["controller", "processor"] | None = None
    dpo: Party | None = None
    processors: tuple[Processor, ...] = ()
    lawful_basis: str | None = None
    basis_ref: str | None = None
    law_ref: str | None = None
    purposes: tuple[str, ...] | None = None
    compatibility: tuple[Compatibility, ...] = ()
    use_restriction: Literal["none", "bias_evaluation_only"] = "none"
    columns: tuple[ColumnRecord, ...] | None = None
    subjects: tuple[str, ...] | None = None
    art9_conditions: tuple[ConditionRecord, ...] = ()
    art10_authority_ref: str | None = None
    retention: Retention | None = None
    source: Source | None = None
    licence: Licence | None = None
    protection: Protection | None = None
    row_count: int | None = None
    schema_digest: Digest | None = None
    location: Location | None = None
    valid_from: datetime | None = None


class ProvenanceFact(Value):
    """A record as it was recorded: when it holds (half-open) and when it became known."""

    record: ProvenanceRecord
    record_digest: Digest
    valid_from: datetime
    valid_to: datetime | None = None
    recorded_at: datetime
    event_digest: Digest | None = None
