"""Marks as findings: what a person reads and a machine can follow back to records and runs. Pure."""

from itertools import pairwise
from typing import Literal

from pydantic import JsonValue

from governance.types.results import CheckStatus, Finding
from governance.types.value import Severity
from policies.gdpr.case import Case
from policies.gdpr.durations import instant_text
from policies.gdpr.measure import VERSION
from policies.gdpr.outcome import REMEDIES, FactUsed, Mark, MarkKind, RuleOutcome
from policies.gdpr.walk import COLUMN, MAX_PATHS, OVER_APPROXIMATE, PRECISIONS, carries, level_of, paths

SHOWN_PATHS = 3
MAX_FINDINGS = 100
"""Findings a rule lists; the number of others stands in the rule's details."""

_SEVERITY: dict[MarkKind, Severity] = {
    "violation": Severity.HIGH,
    "unknown": Severity.HIGH,
    "review": Severity.REVIEW,
    "warning": Severity.WARNING,
    "info": Severity.INFO,
}
KINDS: tuple[MarkKind, ...] = ("violation", "unknown", "review", "warning", "info")
"""Kinds of marks, the gravest first."""
_VERDICT: dict[MarkKind, CheckStatus] = {
    "violation": CheckStatus.FAILED,
    "unknown": CheckStatus.INSUFFICIENT_EVIDENCE,
    "review": CheckStatus.WARNED,
    "warning": CheckStatus.PASSED,
    "info": CheckStatus.PASSED,
}


def sorted_marks(outcome: RuleOutcome) -> list[Mark]:
    """The marks of a rule, the gravest first, then by reason, node and instant."""
    return sorted(outcome.marks, key=lambda m: (KINDS.index(m.kind), m.reason, m.node or "", m.when, m.message))


def to_finding(case: Case, outcome: RuleOutcome, mark: Mark) -> Finding:
    """The finding of a mark, with up to three paths and the number of others."""
    data: dict[str, JsonValue] = {
        "rule": outcome.rule,
        "rule_version": VERSION,
        "subject": case.subject.digest,
        "verdict": _VERDICT[mark.kind],
        "reason": mark.reason,
        "articles": list(outcome.articles),
        "node": None if mark.node is None else _node(case, mark.node),
        "precision": None if mark.level is None else PRECISIONS[mark.level],
        "columns": list(mark.columns),
        "when": list(mark.when),
        "facts": [_fact(used) for used in mark.facts],
        "evaluated_at": instant_text(case.evaluated_at),
        "facts_at": instant_text(case.facts_at),
        "remediation": mark.remedy or None,
        **_paths(case, mark),
        **mark.data,
    }
    return Finding(
        code=f"gdpr.{outcome.rule}.{mark.reason}",
        severity=_SEVERITY[mark.kind],
        message=mark.message,
        remediation=REMEDIES[mark.remedy] if mark.remedy else "",
        data=data,
    )


def _node(case: Case, key: str) -> dict[str, JsonValue]:
    run = case.graph.runs.get(key)
    if run is not None:
        return {"kind": "run", "run_id": run.run_id, "job": run.job_name, "namespace": run.job_namespace}
    node = case.graph.datasets[key]
    return {"kind": "dataset", "namespace": node.namespace, "name": node.name, "version": node.version}


def _fact(used: FactUsed) -> dict[str, JsonValue]:
    fact = used.fact
    return {
        "field": used.field,
        "value": used.value,
        "record_digest": fact.record_digest if fact else None,
        "valid_from": instant_text(fact.valid_from) if fact else None,
        "recorded_at": instant_text(fact.recorded_at) if fact else None,
        "recorded_late": used.recorded_late,
    }


def _paths(case: Case, mark: Mark) -> dict[str, JsonValue]:
    """Up to three best paths from the node to the model, how many others were counted, and whether there are more."""
    if mark.node is None or mark.node == case.graph.subject:
        return {"paths": [], "other_paths": 0, "more_paths": False}
    level = OVER_APPROXIMATE if mark.level is None else mark.level
    goal = mark.goal or case.graph.subject
    found = paths(case.graph, mark.node, goal, level=level, follow=carries)
    # A reader is a reader even where column lineage says that nothing flowed on.
    found = found or paths(case.graph, mark.node, goal, level=OVER_APPROXIMATE, follow=lambda _: True)
    exact = [path for path in found if _path_level(case, path) == level]
    found = exact or found
    return {
        "paths": [
            {"precision": PRECISIONS[_path_level(case, path)], "nodes": [_node(case, key) for key in path]}
            for path in found[:SHOWN_PATHS]
        ],
        "other_paths": max(0, len(found) - SHOWN_PATHS),
        "more_paths": len(found) >= MAX_PATHS,
    }


def _path_level(case: Case, path: list[str]) -> int:
    """The weakest level on a path, where between two nodes the best edge counts."""
    weakest = COLUMN
    for source, target in pairwise(path):
        steps = [level_of(edge) for edge in case.graph.outgoing.get(source, ()) if edge.target == target]
        weakest = max(weakest, min(steps))
    return weakest


def rule_word(
    status: CheckStatus,
) -> Literal["failed", "could not be decided", "needs a look", "passed", "does not apply"]:
    """A rule's verdict in a sentence."""
    if status is CheckStatus.FAILED:
        return "failed"
    if status is CheckStatus.INSUFFICIENT_EVIDENCE:
        return "could not be decided"
    if status is CheckStatus.WARNED:
        return "needs a look"
    return "passed" if status is CheckStatus.PASSED else "does not apply"
