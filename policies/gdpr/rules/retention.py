"""R3: personal data is not used or kept beyond its retention end. Art. 5(1)(e). Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from governance.types.provenance import ProvenanceRecord, Retention
from policies.gdpr.case import Case, Moment, each_root_unknown, over_ancestors, worst_level
from policies.gdpr.durations import add_duration, aware, instant_text
from policies.gdpr.outcome import Mark, MarkKind, RuleOutcome, listed, settle, verdict
from policies.gdpr.walk import downstream

_KINDS: dict[str, tuple[MarkKind, str]] = {
    "retention_ended_before_training": ("violation", "retrain"),
    "copy_still_stored": ("violation", "delete_copy"),
    "retention_ends_soon": ("warning", "delete_copy"),
    "retention_not_stated": ("unknown", "add_record"),
    "retention_malformed": ("unknown", "add_record"),
    "retention_trigger_unknown": ("unknown", "add_record"),
    "retention_unlimited": ("unknown", "add_record"),
    "widened": ("info", "add_record"),
}
"""The kind and the remedy of each reason."""

Unending = Literal["not_stated", "malformed", "trigger_unknown", "unlimited", "excepted"]


def judge(case: Case) -> RuleOutcome:
    """The verdict of R3.

    ``end(d)`` is ``starts_at`` plus ``duration`` by the calendar. A training start at or after the end fails; so does
    an evaluation at or after it while ``d``, or anything made from it on the way to the model, is still stored.
    """
    marks = settle(over_ancestors(case, _data_set_marks))
    in_scope = sum(any(_in_scope(moment, key) for moment in case.moments) for key in case.ancestors)
    return RuleOutcome(
        rule="R3",
        title="Storage limitation",
        articles=("GDPR Art. 5(1)(e)",),
        controls=("GDPR-5.1e",),
        in_scope=in_scope,
        marks=marks,
        status=verdict(marks, in_scope=in_scope),
        summary=f"{in_scope} personal data set(s) upstream.",
    )


def retention_end(record: ProvenanceRecord, case: Case) -> datetime | Unending:
    """When the data must go, or why there is no such instant.

    ``excepted``: unlimited with a recorded exception, or a trigger that has one; ``unlimited``: no period and no
    exception; ``trigger_unknown``: whether the trigger has occurred is not recorded (``starts_at`` records it).
    """
    retention = record.retention
    if retention is None:
        return "not_stated"
    if retention.duration is None:
        return _without_duration(retention)
    if retention.starts_at is None:
        return "trigger_unknown" if retention.trigger else "malformed"
    end = add_duration(aware(retention.starts_at, case.zone), retention.duration, case.zone)
    return "malformed" if end is None else end


def _without_duration(retention: Retention) -> Unending:
    if retention.trigger:
        return "trigger_unknown"
    return "excepted" if retention.exception_ref else "unlimited"


def _in_scope(moment: Moment, key: str) -> bool:
    scope = moment.scopes.get(key)
    return scope is not None and scope.level is not None


def _data_set_marks(case: Case, key: str) -> Iterable[Mark]:
    unknown = each_root_unknown(case, key)
    if unknown is not None:
        yield unknown
    undecided: dict[str, list[Moment]] = {}
    for moment in case.moments:
        record = moment.record(key)
        if record is None or not _in_scope(moment, key):
            continue
        end = retention_end(record, case)
        if isinstance(end, datetime):
            yield from _ended(case, key, moment, end)
        elif end != "excepted" and not (end == "not_stated" and key not in case.roots):
            undecided.setdefault(end, []).append(moment)
    for why, moments in sorted(undecided.items()):
        says = {
            "not_stated": "states no retention",
            "malformed": "states a retention that cannot be reckoned (a start and an ISO 8601 duration are needed)",
            "trigger_unknown": "ends at a trigger of which it is not recorded whether it occurred",
            "unlimited": "is kept without limit and without a recorded exception",
        }[why]
        message = f"The record of the data set {case.name(key)} {says}."
        yield _mark(case, key, f"retention_{why}", message, moments)
    yield from _widened_marks(case, key)


def _mark(case: Case, key: str, reason: str, message: str, moments: list[Moment]) -> Mark:
    kind, remedy = _KINDS[reason]
    return Mark(
        kind,
        reason,
        message,
        remedy,
        node=key,
        level=worst_level(moment.scopes[key].level for moment in moments),
        when=tuple(moment.label for moment in moments),
        facts=case.used(moments[0], key, "retention"),
    )


def _ended(case: Case, key: str, moment: Moment, end: datetime) -> Iterable[Mark]:
    name, ended = case.name(key), instant_text(end)
    if moment.name == "training":
        if moment.at >= end:
            trained = instant_text(moment.at)
            message = f"The retention of the data set {name} ended on {ended}, before the training on {trained}."
            yield _mark(case, key, "retention_ended_before_training", message, [moment])
        return
    if moment.at < end:
        if end - moment.at <= timedelta(days=case.params.retention_warning_days):
            message = f"The retention of the data set {name} ends on {ended}."
            yield _mark(case, key, "retention_ends_soon", message, [moment])
        return
    copies = _stored_copies(case, key, moment)
    if copies:
        names = listed(case.name(copy) for copy in copies)
        message = f"The retention of the data set {name} ended on {ended}, and no deletion is recorded of: {names}."
        yield _mark(case, key, "copy_still_stored", message, [moment])


def _stored_copies(case: Case, key: str, moment: Moment) -> list[str]:
    """The data set and what was made from it on the way to the model, as far as no deletion is recorded."""
    made = downstream(case.graph, [key], moment.reach.follows)
    nodes = case.graph.datasets
    return [
        copy
        for copy in case.ancestors
        if copy in made
        and _in_scope(moment, copy)
        and ((erased := nodes[copy].erased_at) is None or aware(erased, case.zone) > moment.at)
    ]


def _widened_marks(case: Case, key: str) -> Iterable[Mark]:
    moment = case.evaluation
    record = moment.record(key)
    if record is None or key in case.roots or not _in_scope(moment, key):
        return
    own = retention_end(record, case)
    above = case.nearest_records(moment, key, lambda record: record.retention is not None)
    ends = [end for record in above if isinstance(end := retention_end(record, case), datetime)]
    if ends and own != "not_stated" and (not isinstance(own, datetime) or own > min(ends)):
        message = (
            f"The data set {case.name(key)} claims a later retention end than the data it was made from; "
            "the claim is ignored."
        )
        yield _mark(case, key, "widened", message, [moment])
