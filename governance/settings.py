"""Settings, read once by the entry point from the environment (prefix ``ASSAY_``) and handed down by section."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

from governance.types.ci_identity import OIDCSettings


class Section(BaseModel):
    """A part of the settings that one area of the product is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LineageSettings(Section):
    """Limits and strictness of event intake."""

    conformance: Literal["lenient", "strict"] = Field(
        "lenient", description="`strict` also refuses events that the OpenLineage core schema does not accept."
    )
    max_event_bytes: int = Field(32 * 2**20, gt=0, description="Largest event, unpacked, in bytes.")
    max_batch_events: int = Field(10_000, gt=0, description="Most events in one batch.")
    max_batch_bytes: int = Field(64 * 2**20, gt=0, description="Largest batch, unpacked, in bytes.")
    queue_events: int = Field(2_000, gt=0, description="Events that may wait for the writer before 429 is answered.")
    forward_to: str | None = Field(
        None,
        description="Where Assay's own events are sent as well: the path of a configuration file of openlineage-python "
        "(`openlineage.yml`), or `environment` for its environment variables and usual places; default: nowhere.",
    )
    retention_days: int | None = Field(
        None, gt=0, description="After so many days facets that nothing rests on are pruned; default: they are kept."
    )


class GateSettings(Section):
    """Waiting and time limits of evaluations."""

    wait_seconds: float = Field(25, ge=0, le=120, description="Longest wait a request may ask for.")
    deadline_seconds: float = Field(
        900, gt=0, description="After this an evaluation that is not measured is indeterminate."
    )
    people_seconds: float = Field(259200, gt=0, description="How long people have for approvals and reviews.")
    measure_seconds: float = Field(600, gt=0, description="Longest run of one measuring process.")
    measure_bytes: int = Field(8 * 2**30, gt=0, description="Address space of a measuring process, in bytes.")


class WorkSettings(Section):
    """How queued work is carried out."""

    engine: Literal["embedded", "procrastinate", "none"] = Field(
        "embedded",
        description="`embedded`: threads of the server; `procrastinate`: workers on PostgreSQL; `none`: rows wait.",
    )
    threads: int = Field(2, ge=1, le=64, description="Evaluations measured at once by one process.")
    lease_seconds: float = Field(30, gt=0, description="A worker that does not renew within this has lost its row.")
    sweep_seconds: float = Field(3, gt=0, description="How often rows that nobody was told about are looked for.")
    max_waiting: int = Field(
        1_000, gt=0, le=2**31 - 1, description="Evaluations that may wait to be measured before 429 is answered."
    )
    max_waiting_share: float = Field(
        0.5, gt=0, le=1, description="The part of these that one principal may hold, so that one never shuts out all."
    )


class DatabaseSettings(Section):
    """How the service uses its database."""

    statement_seconds: float = Field(
        60,
        ge=0,
        le=86_400,
        description="Longest run of one statement on PostgreSQL, waiting for locks included; then it is cancelled, its "
        "transaction stores nothing, and the answer is 503. 0 sets no limit. SQLite has none: it runs within the "
        "process, and its writers wait 30 seconds for one another at most.",
    )


class LimitSettings(Section):
    """Budgets of uploads, documents and requests."""

    requests_per_minute: int = Field(
        60_000,
        ge=0,
        le=10_000_000,
        description="Requests of one principal in a minute, of all its keys together, by each server process; one more "
        "is answered by 429 with `Retry-After`. A batch of events is one request. 0 sets no limit.",
    )

    artifact_bytes: int = Field(2 * 2**30, gt=0, description="Largest artifact, in bytes.")
    document_bytes: int = Field(2**20, gt=0, description="Largest manifest, policy or request body, in bytes.")


class LogSettings(Section):
    """The transparency log."""

    witnesses: tuple[str, ...] = Field(
        (),
        max_length=50,
        description="Verifier keys of the witnesses whose cosignatures are taken and published, as a JSON array of the "
        "lines that `assay witness init` prints.",
    )


class KeySettings(Section):
    """Where the signing keys come from."""

    store: Literal["file", "env"] = Field(
        "file",
        description="`file`: the folder `keys` in the home folder; `env`: the variables below, each of them or its "
        "`_FILE` variant.",
    )
    decision: SecretStr | None = Field(
        None, description="The key that signs decisions: PEM, or base64 of PEM, DER (PKCS #8) or 32 raw bytes."
    )
    decision_file: Path | None = Field(None, description="The file that holds `ASSAY_KEYS__DECISION`.")
    checkpoint: SecretStr | None = Field(
        None, description="The key that signs the log's checkpoints, spelled like the one for decisions."
    )
    checkpoint_file: Path | None = Field(None, description="The file that holds `ASSAY_KEYS__CHECKPOINT`.")
    ring: str | None = Field(
        None, description="The public facts of all keys since the first: the content of `ring.json`."
    )
    ring_file: Path | None = Field(None, description="The file that holds `ASSAY_KEYS__RING`.")


class WebhookSettings(Section):
    """Events that are sent to addresses outside."""

    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Hosts, addresses and blocks of addresses that may be private and without TLS: receivers of your "
        "own, such as `hooks.bank.example` or `10.20.0.0/16`. All others are public and https.",
    )
    timeout_seconds: float = Field(10, gt=0, le=60, description="Longest try to deliver one event.")
    give_up_days: float = Field(3, gt=0, le=90, description="After so many days an event that nobody took is given up.")


class HostedModels(Section):
    """What a repository of a CI host deploys: each of these models must have a valid decision."""

    models: tuple[str, ...] = Field((), description="The models, each as namespace/name.")
    environments: dict[str, str] = Field({}, description="Our environment for the host's, where they differ.")


HttpsAddress = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._-]+)*$")]


class GitHubSettings(Section):
    """GitHub's deployment protection rules; off until a secret is set."""

    webhook_secret: SecretStr | None = Field(None, description="Secret of the GitHub App's webhook.")
    app_id: str | None = Field(None, description="Id of the GitHub App that answers.")
    private_key: SecretStr | None = Field(None, description="Private key of the App (PEM).")
    private_key_file: Path | None = Field(None, description="The file that holds `ASSAY_GITHUB__PRIVATE_KEY`.")
    api_url: HttpsAddress = Field("https://api.github.com", description="GitHub's API; no other host gets the token.")
    wait_seconds: float = Field(900, gt=0, description="Without a verdict for so long, the deployment is rejected.")
    repositories: dict[str, HostedModels] = Field(
        {},
        description="By the id of the repository, what it deploys: "
        '`{"1296269": {"models": ["mlflow://models/credit-line"], "environments": {"production": "prod"}}}`.',
    )

    def app_key(self) -> str:
        """The App's private key; OSError where its file cannot be read."""
        if self.private_key_file is not None:
            return self.private_key_file.read_text(encoding="utf-8")
        return self.private_key.get_secret_value() if self.private_key else ""


class GitLabSettings(Section):
    """GitLab's external status checks; off until a secret is set."""

    webhook_secret: SecretStr | None = Field(None, description="Shared secret (HMAC) of the status check.")
    token: SecretStr | None = Field(None, description="Access token with the scope `api`, to set the check's status.")
    api_url: HttpsAddress = Field("https://gitlab.com/api/v4", description="GitLab's API.")
    environment: str = Field("prod", description="The environment that merge requests are for.")
    wait_seconds: float = Field(
        100, gt=0, description="Without a verdict for so long, the check fails; GitLab itself waits two minutes."
    )
    projects: dict[str, HostedModels] = Field(
        {},
        description='By the id of the project, what it deploys: `{"6": {"models": ["mlflow://models/credit-line"]}}`.',
    )


class KubernetesSettings(Section):
    """The validating admission webhook; off until a namespace is named."""

    environments: dict[str, str] = Field(
        {}, description='Our environment for each namespace of the cluster: `{"scoring": "prod"}`; others are denied.'
    )
    digest: Literal["image", "annotation"] = Field(
        "image",
        description="What must be the bytes of the decision: an `image` that the pod names by digest, or what the "
        "`annotation` assay.governance/digest says, which binds nothing to what runs.",
    )


class Settings(BaseSettings):
    """Everything an operator may set; each field is documented in ``docs/settings.md``."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", env_nested_delimiter="__", frozen=True, extra="forbid")

    home: Path = Field(Path("assay-home"), description="Folder of the embedded database, artifacts and keys.")
    database_url: str | None = Field(
        None, description="SQLAlchemy URL; the default is SQLite in the home folder. PostgreSQL: postgresql+psycopg://."
    )
    artifacts_url: str | None = Field(
        None, description="fsspec URL of the artifact store; default: in the home folder."
    )
    origin: str = Field(
        "assay.local/log",
        pattern=r"^[A-Za-z0-9.-]+(/[A-Za-z0-9._-]+)*$",
        description="Name of this instance's log; it is signed into every checkpoint and must stay the same.",
    )
    instance: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._-]+)*$",
        description="Name of this instance in lineage, after `assay://`; default: the host in `ASSAY_ORIGIN`.",
    )
    public_url: str = Field(
        "http://127.0.0.1:8377",
        pattern=r"^https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._-]+)*$",
        description="Address by which others reach this instance, without a slash at the end; in the events that it "
        "writes, the schemas of its own facets are named by it.",
    )
    host: str = Field("127.0.0.1", description="Address the server listens on.")
    port: int = Field(8377, ge=0, le=65535, description="Port the server listens on; 0 takes a free one.")
    allowed_hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost", "[::1]"), description="Host names that requests may carry; `*` takes any."
    )
    database: DatabaseSettings = DatabaseSettings()
    lineage: LineageSettings = LineageSettings()
    gate: GateSettings = GateSettings()
    work: WorkSettings = WorkSettings()
    limits: LimitSettings = LimitSettings()
    webhooks: WebhookSettings = WebhookSettings()
    github: GitHubSettings = GitHubSettings()
    gitlab: GitLabSettings = GitLabSettings()
    kubernetes: KubernetesSettings = KubernetesSettings()
    oidc: OIDCSettings = OIDCSettings()
    keys: KeySettings = KeySettings()
    log: LogSettings = LogSettings()

    @property
    def resolved_database_url(self) -> str:
        """The database URL, with the default filled in."""
        return self.database_url or f"sqlite:///{(self.home / 'assay.db').resolve()}"

    @property
    def lineage_namespace(self) -> str:
        """The namespace of this instance's own jobs and reports in lineage."""
        return f"assay://{self.instance or self.origin.partition('/')[0]}"

    @property
    def resolved_artifacts_url(self) -> str:
        """The artifact store's URL, with the default filled in."""
        return self.artifacts_url or f"file://{(self.home / 'artifacts').resolve()}"
