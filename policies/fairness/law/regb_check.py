"""The check of Regulation B's reasons as the gate loads it: its parameters, its judgement, its references."""

from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from governance.check import Check, Facts, Params, Reference
from governance.types.results import CheckResult, CheckStatus, Figure, Measurement
from governance.types.value import parse_value
from policies.fairness.law.outcomes import Control, control_findings, whole
from policies.fairness.law.regb_body import RegBBody
from policies.fairness.law.regb_controls import CONTROLS, controls_of

VERSION = "1.0.0"

NOT_CHECKED = (
    "whether the contributions are those of the deployed model; they are taken as given",
    "whether a reason's text is understood, and notices themselves",
    "disparate impact, which left the regulation on 2026-07-21, and state law",
)
"""What a pass of this check does not say."""


class RegBParams(Params):
    """The controls that must hold; empty takes all."""

    controls: tuple[str, ...] = Field(default=())

    @model_validator(mode="after")
    def _known(self) -> Self:
        strange = sorted(set(self.controls) - set(CONTROLS))
        if strange:
            raise ValueError(f"{', '.join(strange)} is none of the controls {', '.join(CONTROLS)}")
        return self


def judge(measurement: Measurement, params: RegBParams) -> CheckResult:
    """The outcome over the required controls.

    Raises:
        InputRefused: the body of the measurement is not of the form that the check writes.
    """
    body = parse_value(RegBBody, measurement.body, what="a measurement of adverse-action reasons")
    if not body.facts.is_in_scope and body.facts.scope_reason.strip():
        return CheckResult(
            check="regb", check_version=measurement.check_version, status=CheckStatus.NOT_APPLICABLE,
            reason="regb.no_credit_decision", message=f"No credit decision: {body.facts.scope_reason}.",
            not_checked=NOT_CHECKED,
        )  # fmt: skip
    controls = [one for one in controls_of(body) if not params.controls or one.id in params.controls]
    return _result(measurement, body, controls)


def _result(measurement: Measurement, body: RegBBody, controls: Sequence[Control]) -> CheckResult:
    deciding = whole(controls)
    return CheckResult(
        check="regb",
        check_version=measurement.check_version,
        status=deciding.status,
        reason=deciding.reason,
        message=f"{deciding.id}, {deciding.title}: {deciding.message}",
        n=str(body.decisions) if body.decisions else None,
        figures=tuple(
            Figure(name="decisions_with_reason", value=str(count), n=str(body.decisions), group={"feature": feature})
            for feature, count in body.reasons.items()
        ),
        findings=tuple(control_findings(controls)),
        not_checked=NOT_CHECKED,
        details={
            "decisions": body.decisions,
            "reasons": dict(body.reasons),
            "texts": {feature.name: feature.text for feature in body.facts.features},
            "decisions_by_number_of_reasons": list(body.places),
            "stable_under_other_background": {"same": body.stable, "of": body.compared},
            "background": body.facts.background.document(),
            "clock": body.facts.clock,
            "proxy_area": body.proxy_area,
            "breaches": {
                name: getattr(body, name).document() for name in ("inaccurate", "without_reason", "late", "undated")
            },
            "controls": [
                {"id": c.id, "title": c.title, "status": c.status.value, "reason": c.reason, "message": c.message}
                for c in controls
            ],
        },
    )


def _measure(facts: Facts, params: RegBParams) -> Measurement:  # noqa: ARG001 - the protocol of a check
    from policies.fairness.law.regb_measure import measure_reasons

    return measure_reasons(facts, check_version=VERSION)


CHECK = Check(
    id="regb",
    version=VERSION,
    title="Reasons of adverse action (ECOA, Regulation B)",
    params=RegBParams,
    measure=_measure,
    judge=judge,
    references=(
        Reference(
            title="Regulation B, 12 CFR 1002.6, 1002.9, 1002.12 and official comments",
            url="https://www.ecfr.gov/current/title-12/chapter-X/part-1002",
            date="effects test removed from 2026-07-21; adverse-action rules unchanged",
        ),
    ),
    not_checked=NOT_CHECKED,
)
