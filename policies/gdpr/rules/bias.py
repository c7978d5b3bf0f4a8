"""Data sets that may be read for bias evaluation alone (AI Act Art. 10(5), moves to 4a: confirm). Part of R2. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from governance.types.ancestry import AncestryEdge
from governance.types.provenance import ProvenanceFact
from policies.gdpr.case import Case, Moment, counting_fact
from policies.gdpr.outcome import FactUsed, Mark, MarkKind, listed
from policies.gdpr.rules.conditions import condition_fault
from policies.gdpr.rules.retention import retention_end
from policies.gdpr.vocabulary import special_columns
from policies.gdpr.walk import downstream, level_of, upstream

BIAS_PURPOSE = "train_ai_system.bias_evaluation"
BIAS_JOB = "BIAS_EVALUATION"


def _every(_: AncestryEdge) -> bool:
    """Reading is what is restricted, so a run counts as a reader whichever columns it took."""
    return True


def bias_only_data(case: Case) -> Mapping[str, Mapping[str, ProvenanceFact]]:
    """The restricted data sets above the model or read by a run that reads it, with their fact at each instant."""
    seeds = [case.graph.subject, *case.graph.evaluation_runs()]
    near = upstream(case.graph, seeds, _every) - {case.graph.subject}
    found: dict[str, dict[str, ProvenanceFact]] = {}
    for key in (key for key in case.graph.datasets if key in near):
        facts = {
            moment.label: fact
            for moment in case.moments
            if (fact := counting_fact(case.graph, key, moment.at, case.facts_at, case.zone)) is not None
        }
        if any(fact.record.use_restriction == "bias_evaluation_only" for fact in facts.values()):
            found[key] = facts
    return found


def bias_only_marks(case: Case, restricted: Mapping[str, Mapping[str, ProvenanceFact]]) -> Iterable[Mark]:
    """What is wrong with restricted data sets: other readers, no retention end, no condition for bias evaluation."""
    for key, facts in restricted.items():
        yield from _readers(case, key, facts)
        for moment in case.moments:
            fact = facts.get(moment.label)
            if fact is None:
                message = f"No record of the restricted data set {case.name(key)} counts at {moment.label}."
                yield _mark(case, key, kind="unknown", reason="record_missing", message=message, moment=moment)
                continue
            yield from _terms(case, key, moment, fact)


def _readers(case: Case, key: str, facts: Mapping[str, ProvenanceFact]) -> Iterable[Mark]:
    reached = downstream(case.graph, [key], _every)
    other = [run for name, run in case.graph.runs.items() if name in reached and run.job_type != BIAS_JOB]
    if not other:
        return
    names = listed(run.job_name for run in other)
    message = f"The data set {case.name(key)} may be read for bias evaluation only, and it reaches: {names}."
    fact = next(iter(facts.values()))
    yield Mark(
        "violation", "bias_only_reaches_other_run", message, "retrain",
        node=key, level=_level(case, key), facts=(FactUsed("use_restriction", fact.record.use_restriction, fact),),
        goal=min(run.key for run in other),
    )  # fmt: skip


def _terms(case: Case, key: str, moment: Moment, fact: ProvenanceFact) -> Iterable[Mark]:
    record = fact.record
    end = retention_end(record, case)
    if end in {"not_stated", "unlimited", "excepted"}:
        message = f"The data set {case.name(key)} may be read for bias evaluation only and has no retention end."
        yield _mark(
            case, key, kind="violation", reason="bias_only_without_end", message=message, moment=moment, fact=fact
        )
    elif not isinstance(end, datetime):
        message = f"The retention end of the restricted data set {case.name(key)} cannot be reckoned."
        yield _mark(
            case, key, kind="unknown", reason="bias_only_end_unknown", message=message, moment=moment, fact=fact
        )
    if record.columns is None:
        message = f"The record of the restricted data set {case.name(key)} does not state its columns."
        yield _mark(case, key, kind="unknown", reason="columns_not_stated", message=message, moment=moment, fact=fact)
    kinds = {kind for column in record.columns or () for kind in special_columns(column).values()}
    for kind in sorted(kinds):
        if kind == "unknown":
            message = f"Whether a category of the restricted data set {case.name(key)} is special is not known."
            yield _mark(
                case, key, kind="unknown", reason="category_undecided", message=message, moment=moment, fact=fact
            )
            continue
        fault = condition_fault(record, kind, (BIAS_PURPOSE,), moment.at, case.zone)
        if fault is not None:
            message = f"The data set {case.name(key)} holds special categories for bias evaluation, and {fault[1]}."
            yield _mark(
                case, key, kind="violation", reason=f"bias_only_{fault[0]}", message=message, moment=moment, fact=fact
            )


def _level(case: Case, key: str) -> int | None:
    return min((level_of(edge) for edge in case.graph.outgoing.get(key, ())), default=None)


def _mark(
    case: Case,
    key: str,
    *,
    kind: MarkKind,
    reason: str,
    message: str,
    moment: Moment,
    fact: ProvenanceFact | None = None,
) -> Mark:
    document = fact.record.document() if fact else {}
    names = {"retention": "retention", "art9_conditions": "art9Conditions"}
    facts = tuple(FactUsed(name, document.get(wire), fact) for name, wire in names.items()) if fact else ()
    goal = min(case.graph.evaluation_runs(), default=None)
    return Mark(
        kind, reason, message, "add_safeguard" if kind == "violation" else "add_record",
        node=key, level=_level(case, key), when=(moment.label,), facts=facts, goal=goal,
    )  # fmt: skip
