"""The dossier: everything a report says about one decision, frozen, with a schema and a digest.

A renderer is a function from a dossier to bytes; after a dossier is compiled nothing else is looked up.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from governance.types.ancestry import Ancestry
from governance.types.decision import Decision
from governance.types.policy import Policy
from governance.types.results import Input, Origin
from governance.types.subject import Subject
from governance.types.value import Digest, Value

DISCLAIMER: Literal["Evidence, not legal advice"] = "Evidence, not legal advice"
"""What every report says of itself."""


class Identity(Value):
    """What the report is about. ``origin`` names the instance that answered; the model's own words may be unknown."""

    report: Literal["model audit report"] = "model audit report"
    subject: Subject
    environment: str
    origin: str
    purposes: tuple[str, ...] | None = None
    risk_tier: str | None = None
    intended_use: str | None = None


class Times(Value):
    """``as_of``: which facts and law; ``known_at``: what was recorded by then; ``compiled_at``: when it was written."""

    as_of: datetime
    known_at: datetime
    compiled_at: datetime


class EvidenceEntry(Value):
    """The evidence under one check: its measurement, where it came from and what it was taken from."""

    check: str
    check_version: str
    measurement_digest: Digest | None = None
    origin: Origin | None = None
    collected_at: datetime | None = None
    signer: str | None = None
    inputs: tuple[Input, ...] = ()
    tools: dict[str, str] = Field(default_factory=dict)
    seed: int | None = None
    sandbox_level: int | None = None


class NotChecked(Value):
    """Something that was not examined, and why. ``area`` is a check's id, or a part of the report."""

    area: str
    what: str
    reason: str


class ProofSummary(Value):
    """Where the decision stands in the log, under which checkpoint, and which key signed it.

    ``root_hash`` is the Merkle root of ``tree_size`` leaves, as a digest; ``keyid`` is the SHA-256 of the signing key's
    SubjectPublicKeyInfo. The two files are the decision's bundle and the instance's trust file.
    """

    origin: str
    log_index: int = Field(ge=0)
    tree_size: int = Field(ge=1)
    root_hash: Digest
    keyid: str
    bundle_file: str = "decision.sigstore.json"
    trust_file: str = "trust.json"


class Proof(Value):
    """The proof and the commands that check it without the service."""

    summary: ProofSummary
    commands: tuple[str, ...]


class Reproduction(Value):
    """What it takes to come to the same numbers and the same verdict again."""

    engine: str
    input_digest: Digest
    policy_digest: str | None = None
    manifest_digest: Digest | None = None
    ancestry_digest: Digest | None = None
    seeds: dict[str, int] = Field(default_factory=dict)
    tools: dict[str, str] = Field(default_factory=dict)


class Dossier(Value):
    """The frozen content of a report. ``not_checked`` is never empty: no report examines everything.

    ``counts`` maps each outcome that occurs to its number of checks. ``lineage``, ``policy`` and ``proof`` are null
    where they were not at hand, and ``not_checked`` then says so.
    """

    kind: Literal["assay.dossier/v1"] = "assay.dossier/v1"
    disclaimer: Literal["Evidence, not legal advice"] = DISCLAIMER
    identity: Identity
    times: Times
    decision: Decision
    counts: dict[str, int]
    policy: Policy | None
    evidence: tuple[EvidenceEntry, ...]
    lineage: Ancestry | None
    not_checked: tuple[NotChecked, ...] = Field(min_length=1)
    proof: Proof | None
    reproduction: Reproduction
