"""What is wrong with a policy, or will surprise its author, said before it is stored. It reads text and no database."""

from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Literal

from pydantic import ValidationError

from audits.catalog import check_of
from audits.policy_text import Places, load, places
from governance.check import Params
from governance.errors import AssayError
from governance.types.policy import Policy, PolicyCheck
from governance.types.value import Value, duration
from policies.fairness.metrics import METRICS
from policies.fairness.params import FairnessParams


class LintFinding(Value):
    """One thing that an error refuses and a warning names: a stable code, its place in the text, and what to do."""

    level: Literal["error", "warning"]
    code: str
    message: str
    pointer: str
    line: int | None = None


def lint(text: bytes, *, today: date) -> tuple[LintFinding, ...]:
    """Every finding about the document in the order of its lines; an empty answer says that it can be stored.

    ``today`` (UTC) is the day that dates of laws are held against. Schemas that are named by version are looked up
    when the policy is stored.
    """
    try:
        where, raw = places(text), load(text)
    except AssayError as fault:
        line = (fault.pointer or "").removeprefix("line ")
        number = int(line) if line.isdecimal() else None
        return (LintFinding(level="error", code="policy.syntax", message=fault.found, pointer="", line=number),)
    found = [
        _error("policy.doubled_key", pointer, "This key stands twice; the first one would be ignored.")
        for pointer in where.doubled
    ]
    try:
        policy = Policy.model_validate(raw)
    except ValidationError as fault:
        found += _refusals(fault, "", "policy.form")
    else:
        found += [*_checks(policy), *_applicability(policy), *_times(policy, today)]
    return tuple(sorted((_placed(one, where) for one in found), key=lambda one: (one.line or 0, one.pointer)))


def _checks(policy: Policy) -> Iterator[LintFinding]:
    if not policy.checks:
        yield _error("policy.no_checks", "/checks", "A policy without checks examines nothing; name those that count.")
    for number, line in enumerate(policy.checks):
        pointer = f"/checks/{number}"
        try:
            model = check_of(line.id).params
        except AssayError as fault:
            yield _error("policy.unknown_check", f"{pointer}/id", f"Expected {fault.expected}, found {fault.found}.")
            continue
        try:
            params: Params = model.model_validate(line.params)
        except ValidationError as refused:
            yield from _refusals(refused, f"{pointer}/params", "policy.params")
        else:
            yield from _limits(line, params, f"{pointer}/params")


def _limits(line: PolicyCheck, params: Params, pointer: str) -> Iterator[LintFinding]:
    """Limits that every model keeps, or none."""
    if isinstance(params, FairnessParams):
        for number, metric in enumerate(params.metrics):
            yield from _fairness_limit(metric.name, metric.exact_limit, f"{pointer}/metrics/{number}/limit")
    document: dict[str, Any] = params.document()
    if line.id == "performance" and document["at_least"] is not None and Fraction(document["at_least"]) == 1:
        yield _warning("policy.never_passes", f"{pointer}/at_least", "No model reaches 1 on real data.")
    if line.id == "explainability":
        shares = ("sensitive_share", "gap_share", "undocumented_share", "proxy_share")
        for name in shares:
            if document[name] is not None and Fraction(document[name]) == 1:
                yield _warning("policy.never_fails", f"{pointer}/{name}", "A share of 1 is never exceeded.")
        if not document["forbidden"] and all(document[name] is None for name in shares):
            yield _warning("policy.never_fails", pointer, "Every limit is null: no attribution is judged.")


def _fairness_limit(name: str, limit: Fraction, pointer: str) -> Iterator[LintFinding]:
    metric = METRICS[name]
    if metric.is_ratio and limit == 1:
        yield _warning("policy.never_passes", pointer, f"{name} is 1 only where groups are exactly equal.")
    if not metric.is_ratio and metric.is_bounded and limit == 1:
        yield _warning("policy.never_fails", pointer, f"{name} is at most 1, so this limit is never exceeded.")
    if not metric.is_ratio and limit == 0:
        yield _warning("policy.never_passes", pointer, f"{name} is 0 only where groups are exactly equal.")


def _applicability(policy: Policy) -> Iterator[LintFinding]:
    for name, values in policy.applies.document().items():
        listed = [str(value) for value in values] if isinstance(values, list) else []
        pointer = f"/applies/{name}"
        for value in sorted({value for value in listed if listed.count(value) > 1}):
            yield _warning("policy.doubled_place", pointer, f"{value!r} is listed twice.")
        for value in listed:
            if value != value.strip():
                message = f"{value!r} begins or ends with a space, and no request or model will say it so."
                yield _error("policy.unreachable", pointer, message)
        for value in listed if name == "jurisdictions" else ():
            wider = next((other for other in listed if value.startswith(f"{other}-")), None)
            if wider is not None:
                message = f"{value!r} lies within {wider!r}, which is listed too."
                yield _warning("policy.doubled_place", pointer, message)


def _times(policy: Policy, today: date) -> Iterator[LintFinding]:
    if not duration(policy.validity):
        yield _error("policy.never_passes", "/validity", "An allow would end at the moment it is given.")
    if not duration(policy.evidence.max_age):
        yield _error("policy.never_passes", "/evidence/max_age", "Evidence would be too old the moment it arrives.")
    elif duration(policy.evidence.max_age) > timedelta(days=731):
        yield _warning("policy.old_evidence", "/evidence/max_age", "Evidence of more than two years would count.")
    effective = policy.effective
    if effective is None:
        if policy.applies.jurisdictions:
            message = "It names jurisdictions and not the days on which their law reads so (`effective`)."
            yield _warning("policy.undated_law", "/applies/jurisdictions", message)
        return
    if effective.until is not None and effective.until <= today:
        message = f"The text ended before {effective.until.isoformat()}: nothing is judged by it any more."
        yield _warning("policy.past_law", "/effective/until", message)
    if effective.from_ is not None and effective.from_ > today:
        message = f"The text begins on {effective.from_.isoformat()}: until then it judges nothing."
        yield _warning("policy.future_law", "/effective/from", message)
    if not effective.confirmed:
        message = "Nobody has confirmed text and dates; a person of the operator sets `confirmed: true`."
        yield _warning("policy.unconfirmed_law", "/effective", message)
    if not effective.law:
        yield _warning("policy.unnamed_law", "/effective", "It has dates and names no law.")


def _refusals(fault: ValidationError, base: str, code: str) -> list[LintFinding]:
    """Every place that the form refuses, not only the first."""
    return [
        _error(code, base + "".join(f"/{_escaped(part)}" for part in one["loc"]), f"{one['msg']}.")
        for one in fault.errors(include_url=False)
    ]


def _escaped(part: int | str) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _error(code: str, pointer: str, message: str) -> LintFinding:
    return LintFinding(level="error", code=code, message=message, pointer=pointer)


def _warning(code: str, pointer: str, message: str) -> LintFinding:
    return LintFinding(level="warning", code=code, message=message, pointer=pointer)


def _placed(finding: LintFinding, where: Places) -> LintFinding:
    if finding.line is not None:
        return finding
    return finding.model_copy(update={"line": where.line(finding.pointer)})
