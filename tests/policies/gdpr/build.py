"""Small lineages for the tests: nodes by short keys, edges as ``data > run`` and ``run > data``."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from governance.canonical import digest
from governance.types.ancestry import Ancestry, AncestryEdge, DatasetVersion, Precision, RunNode
from governance.types.provenance import ProvenanceFact, ProvenanceRecord
from governance.types.results import CheckResult, CheckStatus, Input, Measurement
from governance.types.subject import Subject
from policies.gdpr.judge import judge
from policies.gdpr.params import GDPRParams

MODEL_DIGEST = digest("model")
SUBJECT = Subject(namespace="models", name="credit", version="3", digest=MODEL_DIGEST)
EVALUATED = datetime(2026, 11, 2, tzinfo=UTC)
TRAINED = datetime(2026, 9, 1, tzinfo=UTC)


def day(text: str) -> datetime:
    """Midnight UTC of a date."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def record(**changes: Any) -> dict[str, Any]:
    """A full record of customers' data for a credit decision, on the wire's terms; ``changes`` replace fields."""
    full: dict[str, Any] = {
        "controller": {"name": "Bank"},
        "lawful_basis": "A6-1-b",
        "purposes": ["decision.credit", "train_ai_system"],
        "columns": [{"path": "income", "categories": ["user.financial"]}],
        "subjects": ["customer"],
        "retention": {"starts_at": "2026-01-01T00:00:00Z", "duration": "P5Y"},
        "source": {"kind": "subject"},
        "location": {"country": "DE"},
    }
    return {**full, **changes}


def fact(
    content: dict[str, Any],
    *,
    valid_from: str = "2026-01-01",
    valid_to: str | None = None,
    recorded_at: str | None = None,
) -> ProvenanceFact:
    """A record as it was recorded; by default on the day from which it holds."""
    parsed = ProvenanceRecord.model_validate(content)
    return ProvenanceFact(
        record=parsed,
        record_digest=parsed.value_digest(),
        valid_from=day(valid_from),
        valid_to=day(valid_to) if valid_to else None,
        recorded_at=day(recorded_at or valid_from),
    )


def data(key: str, *facts: ProvenanceFact, **changes: Any) -> DatasetVersion:
    """A data set version with a digest and 100 rows."""
    fields: dict[str, Any] = {"namespace": "files", "name": key, "digest": digest(key), "row_count": 100, **changes}
    return DatasetVersion(key=key, provenance=facts, **fields)


def model(**changes: Any) -> DatasetVersion:
    """The model version ``credit/3``."""
    fields: dict[str, Any] = {
        "namespace": "models",
        "name": "credit/3",
        "content_digest": MODEL_DIGEST,
        "purposes": ("decision.credit",),
        "risk_tier": "high",
        **changes,
    }
    return DatasetVersion(key="m", **fields)


def run(key: str, *, started_at: datetime | None = TRAINED, job_type: str | None = None) -> RunNode:
    """A completed run of the job with the same name."""
    return RunNode(
        key=key, run_id=f"id-{key}", job_namespace="jobs", job_name=key, job_type=job_type, state="COMPLETED",
        started_at=started_at,
    )  # fmt: skip


def edge(
    source: str,
    target: str,
    *,
    role: str,
    precision: Precision = "dataset",
    columns: Sequence[str] | None = None,
    **changes: Any,
) -> AncestryEdge:
    """One edge; ``columns`` makes it one of column precision."""
    return AncestryEdge.model_validate(
        {
            "source": source,
            "target": target,
            "role": role,
            "precision": "column" if columns is not None else precision,
            "columns": columns,
            **changes,
        }
    )


def step(
    inputs: dict[str, Sequence[str] | None] | Iterable[str], through: str, output: str, precision: Precision = "dataset"
) -> list[AncestryEdge]:
    """The edges of one run: its inputs (with the columns that flow, where given) and its output."""
    named = inputs if isinstance(inputs, dict) else dict.fromkeys(inputs)
    exact = all(columns is not None for columns in named.values())
    out: Precision = "column" if exact and precision != "over-approximate" else precision
    edges = [edge(name, through, role="input", precision=precision, columns=columns) for name, columns in named.items()]
    return [*edges, edge(through, output, role="output", precision=out)]


def ancestry(
    datasets: Iterable[DatasetVersion], runs: Iterable[RunNode], edges: Iterable[AncestryEdge], **changes: Any
) -> Ancestry:
    """The ancestry of ``m``."""
    return Ancestry(subject="m", datasets=tuple(datasets), runs=tuple(runs), edges=tuple(edges), **changes)


def measured(
    found: Ancestry, *, subject: Subject = SUBJECT, at: datetime = EVALUATED, facts_at: datetime | None = None
) -> Measurement:
    """The measurement of an ancestry."""
    return Measurement(
        check="gdpr",
        check_version="1",
        inputs=(Input(role="lineage", digest=found.value_digest()),),
        body={
            "subject": subject.document(),
            "evaluated_at": at.isoformat(),
            "facts_at": (facts_at or at).isoformat(),
            "ancestry": found.document(),
        },
    )


def judged(
    found: Ancestry,
    *rules: str,
    at: datetime = EVALUATED,
    facts_at: datetime | None = None,
    subject: Subject = SUBJECT,
    **params: Any,
) -> CheckResult:
    """The result of the named rules, or of all."""
    chosen = {"rules": rules} if rules else {}
    return judge(
        measured(found, at=at, facts_at=facts_at, subject=subject), GDPRParams.model_validate({**chosen, **params})
    )


def rule_status(result: CheckResult, rule: str) -> CheckStatus:
    """The verdict of one rule."""
    rules: Any = result.details["rules"]
    return CheckStatus(rules[rule]["status"])


def reasons(result: CheckResult, rule: str) -> list[str]:
    """The reason codes of a rule's findings, without its prefix."""
    prefix = f"gdpr.{rule}."
    return [finding.code.removeprefix(prefix) for finding in result.findings if finding.code.startswith(prefix)]


def simple(*facts: ProvenanceFact, columns: Sequence[str] | None = None, **changes: Any) -> Ancestry:
    """One data set ``d``, trained by run ``t`` into the model."""
    return ancestry([data("d", *facts, **changes), model()], [run("t")], step({"d": columns}, "t", "m"))
