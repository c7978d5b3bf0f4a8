"""The case that the rules judge: the graph, the facts that count at each instant, and what is personal. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from governance.types.provenance import ProvenanceFact, ProvenanceRecord
from governance.types.subject import Subject
from policies.gdpr.durations import aware, holds, instant_text
from policies.gdpr.outcome import FactUsed, Mark
from policies.gdpr.params import GDPRParams
from policies.gdpr.vocabulary import is_personal
from policies.gdpr.walk import COLUMN, Graph, Reach, ancestors, downstream, reach, roots, upstream


@dataclass(frozen=True, slots=True)
class Scope:
    """Whether a data set is personal: the best level at which it is (null: not), and whether that is unknown.

    Both can hold: a record that names people but not its columns is personal below column precision, and incomplete.
    ``why`` says what is missing.
    """

    level: int | None
    why: Literal["", "record_missing", "columns_not_stated", "category_unknown"] = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant with the facts that count then, what reaches the model, and which data sets are personal."""

    name: Literal["training", "evaluation"]
    at: datetime
    facts: Mapping[str, ProvenanceFact]
    reach: Reach
    scopes: Mapping[str, Scope]

    @property
    def label(self) -> str:
        """``training 2026-09-01T00:00:00Z``."""
        return f"{self.name} {instant_text(self.at)}"

    def record(self, key: str) -> ProvenanceRecord | None:
        """The record of a data set that counts at this instant."""
        fact = self.facts.get(key)
        return fact.record if fact else None


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the rules look at, for one model version."""

    subject: Subject
    graph: Graph
    params: GDPRParams
    evaluated_at: datetime
    facts_at: datetime
    training: tuple[Moment, ...]
    evaluation: Moment
    ancestors: tuple[str, ...]
    roots: frozenset[str]
    gaps: tuple[Mark, ...]

    @property
    def moments(self) -> tuple[Moment, ...]:
        """Every training start, then the evaluation."""
        return (*self.training, self.evaluation)

    @property
    def zone(self) -> tzinfo:
        """The controller's time zone."""
        return ZoneInfo(self.params.time_zone)

    @property
    def purposes(self) -> tuple[str, ...]:
        """The model's own purposes; empty where none is recorded."""
        return self.graph.datasets[self.graph.subject].purposes or ()

    def name(self, key: str) -> str:
        """A node's name for people."""
        node = self.graph.datasets.get(key)
        return node.name if node else self.graph.runs[key].job_name

    def upstream_data(self, moment: Moment, key: str) -> tuple[str, ...]:
        """The data sets above ``key``, without it, from which personal data may flow into it."""
        above = upstream(self.graph, [key], moment.reach.follows)
        return tuple(other for other in self.ancestors if other in above and other != key and other in moment.scopes)

    def nearest_records(
        self, moment: Moment, key: str, states: Callable[[ProvenanceRecord], bool]
    ) -> tuple[ProvenanceRecord, ...]:
        """The records nearest above a personal data set that state something, by node; beyond them nobody looks.

        What lies further up is held against those records in its turn.
        """

        def is_near(other: str) -> bool:
            record = moment.record(other)
            return record is not None and states(record)

        passed = upstream(
            self.graph, [key], lambda e: moment.reach.follows(e) and (e.target == key or not is_near(e.target))
        )
        found = (other for other in sorted(passed) if other != key and is_near(other) and other in moment.scopes)
        return tuple(moment.facts[other].record for other in found if moment.scopes[other].level is not None)

    def used(self, moment: Moment, key: str, *fields: str) -> tuple[FactUsed, ...]:
        """The named fields of the record that counts, as facts of a finding; nothing where there is no record."""
        fact = moment.facts.get(key)
        if fact is None:
            return ()
        document = fact.record.document()
        late = any(aware(fact.recorded_at, self.zone) > trained.at for trained in self.training)
        return tuple(FactUsed(name, _field(document, name), fact, late) for name in fields)


def _field(document: Mapping[str, JsonValue], name: str) -> JsonValue:
    head, *rest = name.split("_")
    return document.get(head + "".join(word.capitalize() for word in rest))


def build_case(
    graph: Graph, subject: Subject, params: GDPRParams, *, evaluated_at: datetime, facts_at: datetime
) -> Case:
    """The case of a model version.

    Where several runs output the model each of their starts is a training start, and a rule must hold at every one:
    the strictest reading, and none has to be called the true one.
    """
    zone = ZoneInfo(params.time_zone)
    runs = graph.training_runs()
    starts = sorted({aware(run.started_at, zone) for run in runs if run.started_at is not None})
    above, at_root = ancestors(graph), roots(graph)

    def moment(name: Literal["training", "evaluation"], at: datetime) -> Moment:
        facts = {key: fact for key in above if (fact := counting_fact(graph, key, at, facts_at, zone)) is not None}
        stopped = frozenset(key for key in facts if is_anonymised(graph, key, facts[key].record))
        reached = reach(graph, stopped)
        return Moment(name, at, facts, reached, _scopes(graph, facts, reached, at_root))

    return Case(
        subject=subject,
        graph=graph,
        params=params,
        evaluated_at=evaluated_at,
        facts_at=facts_at,
        training=tuple(moment("training", start) for start in starts),
        evaluation=moment("evaluation", evaluated_at),
        ancestors=above,
        roots=at_root,
        gaps=tuple(_gaps(graph, above)),
    )


def _gaps(graph: Graph, above: tuple[str, ...]) -> Iterable[Mark]:
    runs = graph.training_runs()
    if not runs:
        yield Mark(
            "unknown", "training_not_recorded", "No training run of this model version is recorded.", "record_model"
        )
    for run in runs:
        if run.started_at is None:
            message = f"The training run {run.run_id} has no recorded start."
            yield Mark("unknown", "training_start_unknown", message, "record_model", node=run.key)
    if runs and not above:
        yield Mark("unknown", "training_inputs_unknown", "The training run names no input.", "record_model")


def counting_fact(graph: Graph, key: str, at: datetime, facts_at: datetime, zone: tzinfo) -> ProvenanceFact | None:
    """The fact that counts: valid at ``at``, recorded by ``facts_at``, and of those the last recorded."""
    valid = [
        fact
        for fact in graph.datasets[key].provenance
        if aware(fact.recorded_at, zone) <= facts_at and holds(at, fact.valid_from, fact.valid_to, zone)
    ]
    return max(
        valid,
        key=lambda fact: (aware(fact.recorded_at, zone), aware(fact.valid_from, zone), fact.record_digest),
        default=None,
    )


def is_anonymised(graph: Graph, key: str, record: ProvenanceRecord) -> bool:
    """Whether a data set is anonymised with evidence bound to its digest; a mere claim does not count."""
    protection = record.protection
    claimed = protection is not None and protection.level == "anonymised" and protection.evidence_digest is not None
    return claimed and graph.datasets[key].digest is not None


def _scopes(
    graph: Graph, facts: Mapping[str, ProvenanceFact], reached: Reach, at_root: frozenset[str]
) -> dict[str, Scope]:
    keys = [key for key in graph.datasets if key in reached.levels]
    own = {
        key: Scope(None) if key in reached.stopped else _own_scope(key, facts.get(key), reached, key in at_root)
        for key in keys
    }
    level = {key: scope.level for key, scope in own.items()}
    for bound in range(3):
        seeds = [key for key in keys if (found := level[key]) is not None and found <= bound]
        for key in downstream(graph, seeds, reached.follows).intersection(keys).difference(reached.stopped):
            inherited = max(bound, reached.best(key) or COLUMN)
            now = level[key]
            level[key] = inherited if now is None else min(now, inherited)
    return {key: Scope(level[key], own[key].why) for key in keys}


def _own_scope(key: str, fact: ProvenanceFact | None, reached: Reach, is_root: bool) -> Scope:
    if fact is None:
        return Scope(None, "record_missing" if is_root else "")
    record = fact.record
    below = min((level for level in reached.levels[key] if level != COLUMN), default=None)
    by_people = below if record.subjects else None
    if record.columns is None:
        return Scope(by_people, "columns_not_stated" if is_root else "")
    levels = [by_people] if by_people is not None else []
    doubtful = False
    for column in record.columns:
        level = reached.column_level(key, column.path)
        if level is None:
            continue
        personal = [is_personal(category) for category in column.categories]
        levels += [level] if True in personal or column.direct_identifier else []
        doubtful = doubtful or None in personal
    return Scope(min(levels, default=None), "category_unknown" if doubtful else "")


def each_root_unknown(case: Case, key: str, *, remedy: str = "add_record") -> Mark | None:
    """The mark of a data set whose own record does not say whether it is personal, at any instant; else null."""
    found = [(moment, scope) for moment in case.moments if (scope := moment.scopes.get(key)) and scope.why]
    if not found:
        return None
    moment, scope = found[0]
    says = {
        "record_missing": "has no provenance record",
        "columns_not_stated": "has a record that does not state its columns",
        "category_unknown": "has a column of an unknown category",
    }[scope.why]
    return Mark(
        "unknown",
        scope.why,
        f"The data set {case.name(key)} {says}, so it is unknown whether it holds personal data.",
        remedy,
        node=key,
        level=moment.reach.best(key),
        when=tuple(each.label for each, _ in found),
        facts=case.used(moment, key, "columns", "subjects"),
    )


def worst_level(levels: Iterable[int | None]) -> int | None:
    """The best of the levels given, null where there is none."""
    return min((level for level in levels if level is not None), default=None)


MarkMaker = Callable[[Case, str], Iterable[Mark]]
"""A rule's judgement of one data set."""


def over_ancestors(case: Case, judge: MarkMaker) -> list[Mark]:
    """The gaps of the case and the marks of every data set, in the order of their keys."""
    return [*case.gaps, *(mark for key in case.ancestors for mark in judge(case, key))]
