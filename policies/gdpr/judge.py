"""The judgement of the lineage rules: each rule's verdict, and the worst of them for the check. Pure."""

from collections.abc import Callable
from datetime import datetime

from pydantic import JsonValue, TypeAdapter, ValidationError

from governance.errors import InputRefused
from governance.types.ancestry import Ancestry
from governance.types.results import CheckResult, CheckStatus, Figure, Finding, Measurement
from governance.types.subject import Subject
from governance.types.value import Severity, parse_value
from policies.gdpr.case import Case, build_case
from policies.gdpr.durations import instant_text
from policies.gdpr.findings import KINDS, MAX_FINDINGS, rule_word, sorted_marks, to_finding
from policies.gdpr.measure import VERSION
from policies.gdpr.outcome import REMEDIES, Mark, RuleOutcome
from policies.gdpr.params import GDPRParams, RuleName
from policies.gdpr.rules import purpose, retention, source, special
from policies.gdpr.walk import build_graph

NOT_CHECKED = (
    "GDPR rules R4 erasure, R5 transfers, R7 notice and consent, R8 drift, R9 synthetic data and R10 licence",
    "whether a recorded fact is true, and whether the evidence of an anonymisation holds",
    "readers of restricted data sets that lineage does not relate to this model",
    "proxies of special categories among the columns that are used",
)
"""What these rules do not look at."""

_RULES: dict[RuleName, Callable[[Case], RuleOutcome]] = {
    "R1": purpose.judge,
    "R2": special.judge,
    "R3": retention.judge,
    "R6": source.judge,
}
_WORST = (
    CheckStatus.FAILED,
    CheckStatus.INSUFFICIENT_EVIDENCE,
    CheckStatus.WARNED,
    CheckStatus.PASSED,
    CheckStatus.NOT_APPLICABLE,
)
_INSTANT: TypeAdapter[datetime] = TypeAdapter(datetime)


def judge(measurement: Measurement, params: GDPRParams) -> CheckResult:
    """The result of the rules in ``params.rules`` on the ancestry that was measured.

    The status is the worst of the rules': failed, insufficient_evidence, warned, passed, and not_applicable only where
    no rule has anything in scope. A model that lineage does not know, a training run that is not recorded, and an
    ancestry that was cut are ``insufficient_evidence``.

    Raises:
        InputRefused: the measurement's body is not one of this check.
    """
    subject, ancestry, evaluated_at, facts_at = _read(measurement)
    graph = build_graph(ancestry)
    if graph is None:
        return _unknown_subject(subject, params)
    case = build_case(graph, subject, params, evaluated_at=evaluated_at, facts_at=facts_at)
    outcomes = [_with_truncation(_RULES[rule](case), ancestry) for rule in params.rules]
    status = min((outcome.counted for outcome in outcomes), key=_WORST.index)
    worst = next(outcome for outcome in outcomes if outcome.counted is status)
    return CheckResult(
        check="gdpr",
        check_version=VERSION,
        status=status,
        reason=_reason(worst),
        message=_message(outcomes, worst),
        figures=tuple(figure for outcome in outcomes for figure in _figures(outcome)),
        findings=tuple(_findings(case, outcomes)),
        not_checked=_not_checked(params),
        details={
            "rules": {outcome.rule: _document(outcome) for outcome in outcomes},
            "evaluated_at": instant_text(evaluated_at),
            "facts_at": instant_text(facts_at),
            "training_starts": [instant_text(moment.at) for moment in case.training],
            "attribution": "Keys: Fideslang, Ethyca Inc., CC BY 4.0, https://github.com/ethyca/fideslang",
        },
    )


def _read(measurement: Measurement) -> tuple[Subject, Ancestry, datetime, datetime]:
    body = measurement.body
    subject = parse_value(Subject, body.get("subject"), what="the subject of the measurement")
    ancestry = parse_value(Ancestry, body.get("ancestry"), what="the ancestry of the measurement")
    return subject, ancestry, _instant(body, "evaluated_at"), _instant(body, "facts_at")


def _instant(body: dict[str, JsonValue], name: str) -> datetime:
    try:
        found = _INSTANT.validate_python(body.get(name))
    except ValidationError as fault:
        raise _no_instant(name, body) from fault
    if found.tzinfo is None:
        raise _no_instant(name, body)
    return found


def _no_instant(name: str, body: dict[str, JsonValue]) -> InputRefused:
    return InputRefused(
        expected="an instant with its zone",
        found=repr(body.get(name))[:80],
        remedy="Measure again.",
        pointer=f"/body/{name}",
    )


def _unknown_subject(subject: Subject, params: GDPRParams) -> CheckResult:
    message = f"Lineage does not know the model {subject.label}, so none of the rules can be decided."
    finding = Finding(
        code="gdpr.unknown_subject",
        severity=Severity.HIGH,
        message=message,
        remediation=REMEDIES["record_model"],
        data={"subject": subject.digest, "reason": "unknown_subject", "remediation": "record_model"},
    )
    status = CheckStatus.INSUFFICIENT_EVIDENCE
    return CheckResult(
        check="gdpr",
        check_version=VERSION,
        status=status,
        reason="gdpr.unknown_subject",
        message=message,
        figures=tuple(Figure(name=rule, value=None, status=status, note="no lineage") for rule in params.rules),
        findings=(finding,),
        not_checked=_not_checked(params),
    )


def _with_truncation(outcome: RuleOutcome, ancestry: Ancestry) -> RuleOutcome:
    """An ancestry that was cut leaves every rule undecided, unless what was seen already fails it."""
    if not ancestry.truncated:
        return outcome
    mark = Mark("unknown", "lineage_truncated", "The ancestry was cut, so it was not seen whole.", "attest")
    failed = outcome.status is CheckStatus.FAILED
    return RuleOutcome(
        rule=outcome.rule,
        title=outcome.title,
        articles=outcome.articles,
        controls=outcome.controls,
        in_scope=outcome.in_scope,
        marks=(*outcome.marks, mark),
        status=outcome.status if failed else CheckStatus.INSUFFICIENT_EVIDENCE,
        summary=outcome.summary,
        effect=outcome.effect,
        figures=outcome.figures,
    )


def _reason(worst: RuleOutcome) -> str:
    if worst.counted is CheckStatus.PASSED:
        return "gdpr.passed"
    if worst.counted is CheckStatus.NOT_APPLICABLE:
        return "gdpr.nothing_in_scope"
    return f"gdpr.{worst.rule}.{sorted_marks(worst)[0].reason}"


def _message(outcomes: list[RuleOutcome], worst: RuleOutcome) -> str:
    words = "; ".join(f"{each.rule} {each.title.lower()} {rule_word(each.status)}" for each in outcomes)
    if worst.counted in {CheckStatus.PASSED, CheckStatus.NOT_APPLICABLE}:
        return f"{words}."
    return f"{sorted_marks(worst)[0].message} ({words})"


def _figures(outcome: RuleOutcome) -> tuple[Figure, ...]:
    """The number of violating or undecided nodes of a rule, and the rule's own numbers."""
    blocking = {mark.node for mark in outcome.marks if mark.kind in {"violation", "unknown"}}
    count = Figure(
        name=outcome.rule,
        value=str(len(blocking)),
        n=str(outcome.in_scope),
        limit="0",
        status=outcome.status,
        flags=() if outcome.effect == "block" else ("warns_only",),
        note=f"{outcome.title}: nodes that violate the rule or are undecided. {outcome.summary}",
    )
    return (count, *outcome.figures)


def _findings(case: Case, outcomes: list[RuleOutcome]) -> list[Finding]:
    """The findings of all rules, the gravest first; of equally grave ones those of the earlier rule."""
    shown = [(mark, outcome) for outcome in outcomes for mark in sorted_marks(outcome)[:MAX_FINDINGS]]
    shown.sort(key=lambda pair: KINDS.index(pair[0].kind))
    return [to_finding(case, outcome, mark) for mark, outcome in shown]


def _document(outcome: RuleOutcome) -> dict[str, JsonValue]:
    return {
        "title": outcome.title,
        "status": outcome.status.value,
        "effect": outcome.effect,
        "articles": list(outcome.articles),
        "controls": list(outcome.controls),
        "in_scope": outcome.in_scope,
        "summary": outcome.summary,
        "findings_left_out": max(0, len(outcome.marks) - MAX_FINDINGS),
    }


def _not_checked(params: GDPRParams) -> tuple[str, ...]:
    left_out = [rule for rule in _RULES if rule not in params.rules]
    return (*(f"GDPR rule {rule}, which the policy does not ask for" for rule in left_out), *NOT_CHECKED)
