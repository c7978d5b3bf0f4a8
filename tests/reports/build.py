"""A decision with everything a report shows: checks of several outcomes, lineage, policy, measurements and proof."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from governance.canonical import digest
from governance.types.ancestry import Ancestry
from governance.types.decision import CheckOutcome, Decision
from governance.types.policy import Policy, PolicyReference
from governance.types.results import (
    CheckResult,
    CheckStatus,
    Figure,
    Finding,
    Input,
    Interval,
    Measurement,
    Origin,
    Reason,
    Verdict,
)
from governance.types.subject import Subject
from governance.types.value import Severity, decimal_text
from policies.gdpr.judge import judge
from policies.gdpr.params import GDPRParams
from reports.compile import dossier
from reports.dossier import Dossier, ProofSummary
from tests.policies.gdpr.build import SUBJECT, measured
from tests.policies.gdpr.test_examples import credit_lineage

DECIDED = datetime(2026, 11, 2, tzinfo=UTC)
COMPILED = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
PROOF = ProofSummary(origin="assay.example/log", log_index=41, tree_size=50, root_hash=digest("root"), keyid="ab" * 32)


def policy() -> Policy:
    return Policy.model_validate(
        {
            "kind": "assay.policy/v1",
            "name": "credit-line",
            "checks": [{"id": "fairness"}, {"id": "explainability"}, {"id": "performance"}, {"id": "gdpr"}],
        }
    )


def rate(level: str, selected: int, total: int, *flags: str) -> Figure:
    share = selected / total
    return Figure(
        name="selection_rate",
        value=decimal_text(share),
        n=str(total),
        numerator=str(selected),
        denominator=str(total),
        interval=Interval(lower=decimal_text(share * 0.94), upper=decimal_text(share * 1.06), method="Wilson"),
        group={"sex": level},
        flags=flags,
    )


def fairness() -> CheckResult:
    ratio = Figure(
        name="selection_rate_ratio",
        value="0.30351",
        interval=Interval(lower="0.2814", upper="0.3273", method="log scale"),
        limit="0.8",
        group={"sex": "Female"},
        status=CheckStatus.FAILED,
        note="selection rate against Male",
    )
    reference = ratio.model_copy(
        update={
            "value": "1",
            "interval": None,
            "group": {"sex": "Male"},
            "status": CheckStatus.PASSED,
            "flags": ("reference",),
        }
    )
    return CheckResult(
        check="fairness",
        check_version="1",
        status=CheckStatus.FAILED,
        reason="fairness.below_limit",
        message="The selection rate of Female is 0.3035 times that of Male, below the limit 0.8 beyond doubt.",
        observed="0.30351",
        interval=ratio.interval,
        limit="0.8",
        n="5400",
        figures=(rate("Female", 413, 5400), rate("Male", 2742, 10881, "reference"), ratio, reference),
        findings=(
            Finding(
                code="fairness.shortfall",
                severity=Severity.HIGH,
                message="676 more people of Female would have to be selected.",
                remediation="Train again with a constraint on the ratio, and look at what causes the gap.",
            ),
        ),
        not_checked=("whether a gap is justified",),
    )


def explainability() -> CheckResult:
    shares = {"marital_status": "0.31", "age": "0.2", "education": "0.19", "hours": "0.1", "capital_gain": "0.2"}
    gaps = {"marital_status": "0.92", "age": "0.11", "education": "-0.05", "hours": "0.18", "capital_gain": "0.02"}
    figures = [Figure(name="attribution_share", value=value, group={"feature": name}) for name, value in shares.items()]
    figures += [
        Figure(name="gap_contribution", value=value, group={"feature": name, "sex": "Male against Female"})
        for name, value in gaps.items()
    ]
    return CheckResult(
        check="explainability",
        check_version="1",
        status=CheckStatus.WARNED,
        reason="explainability.gap_concentrated",
        message="marital_status carries 78 % of the gap between Male and Female, without a justification.",
        figures=tuple(figures),
    )


def performance() -> CheckResult:
    return CheckResult(
        check="performance",
        check_version="1",
        status=CheckStatus.INSUFFICIENT_EVIDENCE,
        reason="performance.too_few_rows",
        message="Accuracy cannot be told from chance on 12 rows.",
        figures=(Figure(name="accuracy", value=None, n="12", note="too few rows"),),
    )


def measurement(check: str) -> Measurement:
    if check == "gdpr":
        return measured(credit_lineage())
    return Measurement(
        check=check,
        check_version="1",
        inputs=(Input(role="predictions", digest=digest(check), rows=16281),),
        tools={"fairlearn": "0.15.0"},
        seed=7,
        body={"check": check},
    )


def outcome(result: CheckResult, title: str, **changes: Any) -> CheckOutcome:
    fields: dict[str, Any] = {
        "id": result.check,
        "title": title,
        "severity": Severity.HIGH,
        "reason_planned": "the policy credit-line requires it",
        "result": result,
        "measurement_digest": measurement(result.check).value_digest(),
        "origin": Origin.MEASURED,
        "collected_at": DECIDED,
        "params": {"limit": "0.8"},
        **changes,
    }
    return CheckOutcome(**fields)


def checks() -> tuple[CheckOutcome, ...]:
    return (
        outcome(fairness(), "Fairness across groups"),
        outcome(explainability(), "What the model rests on"),
        outcome(performance(), "Performance on held-out data"),
        outcome(judge(measurement("gdpr"), GDPRParams()), "Data protection along the lineage"),
    )


def decision(**changes: Any) -> Decision:
    reference = PolicyReference(name="credit-line", version=2, digest=policy().value_digest())
    outcomes = checks()
    fields: dict[str, Any] = {
        "decision_id": "0193e0aa-0000-7000-8000-000000000001",
        "origin": PROOF.origin,
        "verdict": Verdict.DENY,
        "reasons": tuple(
            Reason(
                code=each.result.reason,
                check=each.id,
                message=each.result.message,
                remediation=next((finding.remediation for finding in each.result.findings), ""),
            )
            for each in outcomes
            if each.result.status is not CheckStatus.WARNED
        ),
        "checks": outcomes,
        "subject": SUBJECT,
        "environment": "prod",
        "policy": reference,
        "engine": "assay 0.1.0",
        "evaluated_at": DECIDED,
        "input_digest": digest("input"),
        "manifest_digest": digest("manifest"),
        "ancestry_digest": credit_lineage().value_digest(),
        "nonce": "0" * 32,
        **changes,
    }
    return Decision(**fields)


def measurements(made: Decision) -> Mapping[str, Measurement]:
    return {found.value_digest(): found for found in (measurement(each.id) for each in made.checks)}


def compiled(made: Decision | None = None, **changes: Any) -> Dossier:
    """The dossier of a denied credit model, or of ``made``."""
    made = made or decision()
    parts: dict[str, Any] = {
        "ancestry": credit_lineage(),
        "measurements": measurements(made),
        "policy": policy(),
        "proof": PROOF,
        "compiled_at": COMPILED,
        **changes,
    }
    return dossier(made, **parts)


def allowed() -> Decision:
    """A decision that allows, with one passed check."""
    passed = fairness().model_copy(update={"status": CheckStatus.PASSED, "findings": (), "reason": "fairness.passed"})
    return decision(
        verdict=Verdict.ALLOW,
        reasons=(),
        checks=(outcome(passed, "Fairness across groups"),),
        valid_until=datetime(2027, 1, 31, tzinfo=UTC),
    )


def with_names(name: str) -> Dossier:
    """A dossier in which every name that somebody outside chooses is ``name``."""
    subject = Subject(namespace=name, name=name, version=name, digest=SUBJECT.digest)
    lineage = _renamed(credit_lineage(), name)
    finding = Finding(
        code=name,
        severity=Severity.HIGH,
        message=name,
        remediation=name,
        data={
            "paths": [{"precision": name, "nodes": [{"kind": "dataset", "name": name}, {"kind": "run", "job": name}]}]
        },
    )
    figures = tuple(
        Figure(name=name, value=value, n="4", group={name: name + value, "feature": name}, note=name, flags=(name,))
        for value in ("0.1", "0.2")
    )
    hostile = fairness().model_copy(
        update={"message": name, "reason": name, "findings": (finding,), "figures": figures}
    )
    hostile = hostile.model_copy(update={"not_checked": (name,)})
    made = decision(
        subject=subject,
        environment=name,
        origin=name,
        engine=name,
        reasons=(Reason(code=name, check=name, message=name, remediation=name),),
        checks=(outcome(hostile, name, reason_planned=name, params={name: name}, signer=name),),
        ancestry_digest=lineage.value_digest(),
        decision_id=name,
        context={name: name},
    )
    found = {key: each for key, each in measurements(decision()).items() if each.check == "fairness"}
    return compiled(made, ancestry=lineage, measurements=found, proof=PROOF.model_copy(update={"origin": name}))


def _renamed(lineage: Ancestry, name: str) -> Ancestry:
    datasets = []
    for node in lineage.datasets:
        changes: dict[str, Any] = {"name": name, "namespace": name, "intended_use": name, "version": name}
        facts = tuple(
            fact.model_copy(
                update={
                    "record": fact.record.model_copy(
                        update={"purposes": (name,), "lawful_basis": name, "law_ref": name}
                    )
                }
            )
            for fact in node.provenance
        )
        datasets.append(node.model_copy(update={**changes, "provenance": facts}))
    runs = tuple(run.model_copy(update={"job_name": name, "run_id": name, "state": name}) for run in lineage.runs)
    return lineage.model_copy(update={"datasets": tuple(datasets), "runs": runs})
