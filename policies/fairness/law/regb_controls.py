"""The controls of Regulation B one by one. Pure."""

from fractions import Fraction

from governance.types.results import CheckStatus
from policies.fairness.law.outcomes import Control, attested
from policies.fairness.law.regb import PROXY_AREA, RETENTION_MONTHS, is_retained
from policies.fairness.law.regb_body import Breach, RegBBody

_PASSED, _FAILED = CheckStatus.PASSED, CheckStatus.FAILED
_INSUFFICIENT, _NONE = CheckStatus.INSUFFICIENT_EVIDENCE, CheckStatus.NOT_APPLICABLE

TITLES = {
    "REGB-9A": "Notice within 30 days",
    "REGB-9B": "Specific principal reasons",
    "REGB-9BASE": "Accepted background and local accuracy",
    "REGB-9SCORED": "Only factors that were scored, none of them prohibited",
    "REGB-12": "Records kept for 25 months, or 12 for business credit",
    "REGB-6": "No prohibited basis among the features",
}
CONTROLS = tuple(TITLES)
"""The controls of the pack."""

HUMAN = {
    "REGB-9B": "texts are specific",
    "REGB-9BASE": "the choice of the background",
    "REGB-9SCORED": "the review of proxies",
    "REGB-6": "the business need of the features",
}
"""The part of each control that a person must stand for."""

VAGUE = ("internal policy", "internal standards", "credit score", "insufficient score", "did not qualify")
"""Texts that name no specific reason (comment 9(b)(2)-4 and 1002.9(b)(2))."""


def controls_of(body: RegBBody) -> tuple[Control, ...]:
    """The outcome of every control; where nothing was denied there are no reasons to give."""
    found = (_notice(body), _reasons(body), _background(body), _scored(body), _retention(body), _prohibited(body))
    return tuple(
        attested(control, HUMAN[control.id], body.facts.attestations) if control.id in HUMAN else control
        for control in found
    )


def _control(name: str, status: CheckStatus, reason: str, message: str, remedy: str = "") -> Control:
    return Control(name, TITLES[name], status, f"regb.{reason}", message, remedy)


def _named(breach: Breach) -> str:
    return f"{breach.count} decisions ({', '.join(breach.examples)}{', ...' if breach.count > 10 else ''})"


def _notice(body: RegBBody) -> Control:
    if not body.decisions:
        return _control("REGB-9A", _NONE, "nothing_denied", "Nothing was denied.")
    if body.late.count:
        return _control("REGB-9A", _FAILED, "notice_late", f"The notice was late for {_named(body.late)}.")
    if body.undated.count or body.facts.clock == "unknown":
        return _control(
            "REGB-9A", _INSUFFICIENT, "dates_missing",
            f"Dates are missing for {_named(body.undated)}." if body.undated.count else "What starts the clock is not "
            "said.",
            "State credit.clock, clock_start and notice.",
        )  # fmt: skip
    start = body.facts.clock.replace("_", " ")
    return _control("REGB-9A", _PASSED, "notice_in_time", f"Every notice came within 30 days of the {start}.")


def _reasons(body: RegBBody) -> Control:
    if not body.decisions:
        return _control("REGB-9B", _NONE, "nothing_denied", "Nothing was denied.")
    texts = {feature.name: feature.text.strip() for feature in body.facts.features if feature.text.strip()}
    untold = sorted(name for name in body.reasons if name not in texts)
    vague = sorted(name for name in body.reasons if texts.get(name, "").casefold() in VAGUE)
    if untold or vague:
        return _control(
            "REGB-9B", _FAILED, "reason_without_text",
            f"Reasons without a specific text: {', '.join(untold or vague)}.", "Give each input a specific text.",
        )  # fmt: skip
    if body.without_reason.count:
        return _control(
            "REGB-9B", _INSUFFICIENT, "no_contribution_towards_denial",
            f"No contribution pushes towards denial in {_named(body.without_reason)}.",
            "Check the direction of the output and the background.",
        )  # fmt: skip
    return _control("REGB-9B", _PASSED, "reasons_given", f"Every one of {body.decisions} denials has its reasons.")


def _background(body: RegBBody) -> Control:
    if not body.decisions:
        return _control("REGB-9BASE", _NONE, "nothing_denied", "Nothing was denied.")
    if body.inaccurate.count:
        return _control(
            "REGB-9BASE", _FAILED, "not_locally_accurate",
            f"Base and contributions miss the output by 0.0001 or more in {_named(body.inaccurate)}.",
            "Explain the output on the scale that the contributions add up to.",
        )  # fmt: skip
    background = body.facts.background
    if background.kind == "unknown" or not background.id or background.digest is None:
        return _control(
            "REGB-9BASE", _INSUFFICIENT, "background_unknown", "The background, its id or its digest is not stated.",
            "State credit.background.",
        )  # fmt: skip
    if background.kind == "at_or_just_above_cutoff" and background.band is None:
        return _control(
            "REGB-9BASE", _INSUFFICIENT, "background_unknown", "How far above the cut-off it reaches is not stated."
        )
    same = f" Reasons are the same under the other background in {body.stable} of {body.compared} decisions."
    message = f"Contributions add up against {background.kind.replace('_', ' ')}.{same if body.compared else ''}"
    return _control("REGB-9BASE", _PASSED, "background_accepted", message)


def _scored(body: RegBBody) -> Control:
    if not body.decisions:
        return _control("REGB-9SCORED", _NONE, "nothing_denied", "Nothing was denied.")
    inputs, prohibited = set(body.facts.model_inputs), set(body.facts.prohibited)
    if not inputs:
        return _control(
            "REGB-9SCORED", _INSUFFICIENT, "inputs_unknown", "The model's inputs are not stated.",
            "State credit.model_inputs.",
        )  # fmt: skip
    unscored = sorted(name for name in body.reasons if name not in inputs)
    barred = sorted(name for name in body.reasons if name in prohibited)
    if unscored or barred:
        what = f"not scored: {', '.join(unscored)}" if unscored else f"prohibited: {', '.join(barred)}"
        return _control("REGB-9SCORED", _FAILED, "reason_not_scored", f"Reasons {what}.", "Correct the model or texts.")
    return _control("REGB-9SCORED", _PASSED, "reasons_scored", "Every reason is an input, and none is prohibited.")


def _retention(body: RegBBody) -> Control:
    months, needed = body.facts.retention_months, RETENTION_MONTHS[body.facts.credit]
    if months is None:
        return _control(
            "REGB-12", _INSUFFICIENT, "retention_unknown", "How long records are kept is not stated.",
            "State credit.retention_months.",
        )  # fmt: skip
    status = _PASSED if is_retained(months, body.facts.credit) else _FAILED
    reason = "retention_long_enough" if status is _PASSED else "retention_too_short"
    return _control("REGB-12", status, reason, f"Kept for {months} months; {needed} are required.")


def _prohibited(body: RegBBody) -> Control:
    facts = body.facts
    named = {*facts.model_inputs, *(feature.name for feature in facts.features), *(f.column for f in facts.features)}
    barred = sorted(named & set(facts.prohibited))
    if barred:
        return _control(
            "REGB-6", _FAILED, "prohibited_feature", f"Prohibited bases among the features: {', '.join(barred)}.",
            "Train without them.",
        )  # fmt: skip
    if not facts.prohibited:
        return _control(
            "REGB-6", _INSUFFICIENT, "bases_unknown", "Which inputs are prohibited bases is not stated.",
            "State credit.prohibited.",
        )  # fmt: skip
    if body.proxy_area is not None and Fraction(body.proxy_area) >= PROXY_AREA:
        message = (
            f"A feature predicts {facts.basis} with an area of {float(Fraction(body.proxy_area)):.3f}, for review."
        )
        if "REGB-6" not in facts.attestations:
            return _control(
                "REGB-6",
                _INSUFFICIENT,
                "proxy_for_review",
                message,
                "Let a person judge the business need, and attest.",
            )
        return _control("REGB-6", _PASSED, "proxy_reviewed", message)
    return _control("REGB-6", _PASSED, "no_prohibited_feature", "No prohibited basis is among the features.")
