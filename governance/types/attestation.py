"""What a named person states about a model: that an impact assessment was made, what it is for, who was asked."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, StringConstraints

from governance.types.subject import Subject
from governance.types.value import Digest, DurationText, Prose, Remark, Value

AttestationKind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""What is stated, in the operator's words: ``dpia``, ``documentation``, ``intended_use``."""


class AttestationRequest(Value):
    """A statement about a model version, as evidence of origin ``declared``: worth as much as the person's word.

    ``reference`` is text for people, such as the address of a document; it is never fetched. ``expires_at`` is
    required and half-open. The newest statement of a kind counts: one that does not hold takes the earlier back.
    """

    subject: Subject
    kind: AttestationKind
    text: Prose
    reference: Remark = ""
    holds: bool = True
    expires_at: AwareDatetime


class AttestationRule(Value):
    """A statement that a policy asks for, no older than ``max_age``."""

    kind: AttestationKind
    max_age: DurationText = "P365D"


class AttestationUse(Value):
    """A statement that a decision rests on; ``digest`` is that of its document, which is in the log."""

    kind: AttestationKind
    digest: Digest
    by: str
    name: str
    stated_at: datetime
    expires_at: datetime
    text: str
    reference: str = ""
