"""What is registered about a model version: its bytes, what it is for, how much rests on it, and whose it is."""

from typing import Annotated

from pydantic import Field, StringConstraints

from governance.types.subject import Subject
from governance.types.value import Digest, Name, Remark, Value

Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,254}$")]
"""A short word of the operator's own: a risk tier, a jurisdiction, a kind, a person's stable id."""


class ModelRegistration(Value):
    """A model version as it is registered, once and for good.

    ``objective`` says what the model is to predict or decide: alternatives are compared where it is the same.
    ``owners`` are stable ids of people and teams, as keys name their holders; whoever is named may not approve for
    this model. ``risk_tier`` and ``jurisdictions`` choose the policy that the gate judges by.
    """

    namespace: Name
    name: Name
    version: Name
    digest: Digest
    objective: Name
    risk_tier: Label
    owners: tuple[Label, ...] = Field(min_length=1, max_length=64)
    jurisdictions: tuple[Label, ...] = Field((), max_length=64)
    kind: Label | None = None
    framework: Name | None = None
    purposes: tuple[Label, ...] = Field((), max_length=64)
    description: Remark = ""

    @property
    def subject(self) -> Subject:
        """The model version as the gate is asked about it."""
        return Subject(namespace=self.namespace, name=self.name, version=self.version, digest=self.digest)
