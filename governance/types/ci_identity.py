"""Which jobs of a CI host may speak to the service, and as whom: issuers of ID tokens and their bindings."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from governance.types.sight import Scope

Host = Literal["github", "gitlab"]

HOLDER: dict[Host, str] = {"github": "repository_id", "gitlab": "project_id"}
"""The claim that is the stable id of who asks: numbers of the host, which are never given to another."""

IDS: dict[Host, frozenset[str]] = {
    "github": frozenset({"repository_id", "repository_owner_id"}),
    "gitlab": frozenset({"project_id", "namespace_id"}),
}
"""Claims of which a binding names at least one. Names can be given up and taken by somebody else; ids cannot."""

BINDABLE: dict[Host, frozenset[str]] = {
    "github": IDS["github"]
    | {"environment", "job_workflow_ref", "workflow_ref", "ref", "ref_protected", "ref_type", "event_name"},
    "gitlab": IDS["gitlab"]
    | {"ref", "ref_protected", "ref_type", "environment", "environment_protected", "ci_config_ref_uri"}
    | {"pipeline_source"},
}
"""Claims that a binding may name. ``sub`` is not among them: its text is made of names and changes with settings."""


class CISection(BaseModel):
    """A part of the settings; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Binding(CISection):
    """Jobs whose claims are these may do what the role ``ci`` may, with what lies in ``scopes``.

    A claim with several values takes any of them. A job that fits several bindings sees what each of them lets it see.
    """

    claims: dict[str, str | tuple[str, ...]] = Field(min_length=1)
    scopes: tuple[Scope, ...] = Field(min_length=1, max_length=50)


class IssuerSettings(CISection):
    """A CI host whose ID tokens are taken, where its keys are, and for whom.

    ``name`` is part of the stable ids of its jobs (``oidc:github:repository_id/123``). ``private`` allows the keys to
    lie on an address that is not of the public network, also under http: for a host on the premises.
    """

    host: Host
    name: str = Field("", pattern=r"^[a-z0-9-]{0,32}$", validate_default=True)
    issuer: str = Field(pattern=r"^https?://[!-~]{1,500}$")
    audience: str = Field(min_length=1, max_length=500)
    jwks_url: str | None = None
    jwks_file: Path | None = None
    algorithms: tuple[Literal["RS256", "ES256"], ...] = Field(("RS256",), min_length=1)
    private: bool = False
    bindings: tuple[Binding, ...] = Field(min_length=1)

    @property
    def label(self) -> str:
        """What stands for the issuer in stable ids."""
        return self.name or self.host

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.jwks_url is None) == (self.jwks_file is None):
            raise ValueError("an issuer has either jwks_url or jwks_file")
        if self.jwks_url is not None and not self.private and urlsplit(self.jwks_url).scheme != "https":
            raise ValueError("jwks_url is an https address, unless the issuer is private")
        for binding in self.bindings:
            named = set(binding.claims)
            if not named & IDS[self.host]:
                raise ValueError(f"a binding names {' or '.join(sorted(IDS[self.host]))}")
            if named - BINDABLE[self.host]:
                raise ValueError(f"a binding may name {', '.join(sorted(BINDABLE[self.host]))}")
        return self


class OIDCSettings(CISection):
    """ID tokens of CI jobs, taken in place of service keys."""

    issuers: tuple[IssuerSettings, ...] = Field(
        (),
        description="CI hosts whose ID tokens are taken, with the jobs that may ask: JSON as in docs/access.md; "
        "default: none.",
    )
    leeway_seconds: int = Field(30, ge=0, le=300, description="How far the clocks of a CI host may differ from ours.")
    refetch_seconds: float = Field(
        10, ge=1, description="Keys that are not known are looked for at the issuer at most this often."
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for named in ("label", "issuer"):
            if len({getattr(issuer, named) for issuer in self.issuers}) < len(self.issuers):
                raise ValueError("every issuer has a name and an address of its own")
        return self
