"""Outcomes of a law's controls, and what they make of the whole. Pure. The four outcomes are closed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from governance.types.bias_audit import Attestation
from governance.types.results import CheckStatus, Finding
from governance.types.value import Severity

_ORDER = (
    CheckStatus.NOT_APPLICABLE,
    CheckStatus.PASSED,
    CheckStatus.INSUFFICIENT_EVIDENCE,
    CheckStatus.FAILED,
)


@dataclass(frozen=True, slots=True)
class Control:
    """The outcome of one control: what was found, and what to do where it did not hold."""

    id: str
    title: str
    status: CheckStatus
    reason: str
    message: str
    remedy: str = ""


def whole(controls: Sequence[Control]) -> Control:
    """The control that decides: failed, then insufficient evidence, then passed, then not applicable; first of each.

    Raises:
        ValueError: there is none.
    """
    return max(controls, key=lambda control: _ORDER.index(control.status))


def attested(control: Control, human: str, attestations: Collection[str]) -> Control:
    """A passed control with a human part stays insufficient evidence until somebody stands for that part."""
    if control.status is not CheckStatus.PASSED or control.id in attestations:
        return control
    return Control(
        control.id,
        control.title,
        CheckStatus.INSUFFICIENT_EVIDENCE,
        "law.attestation_needed",
        f"{control.message} The human part is not attested: {human}.",
        f"State under audit.attestations.{control.id} who stands for it: {human}.",
    )


def control_findings(controls: Sequence[Control]) -> list[Finding]:
    """One finding for each control that did not hold."""
    severities = {CheckStatus.FAILED: Severity.HIGH, CheckStatus.INSUFFICIENT_EVIDENCE: Severity.WARNING}
    return [
        Finding(
            code=control.reason,
            severity=severities[control.status],
            message=f"{control.id} {control.title}: {control.message}",
            remediation=control.remedy,
            data={"control": control.id},
        )
        for control in controls
        if control.status in severities
    ]


def attestation_text(attestation: Attestation | None) -> str | None:
    """Who attested and when, for the record."""
    return None if attestation is None else f"{attestation.by}, {attestation.on.isoformat()}"
