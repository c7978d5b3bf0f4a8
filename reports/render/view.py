"""What the HTML template needs from a dossier, arranged for reading. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from governance.types.ancestry import Ancestry, DatasetVersion
from governance.types.decision import CheckOutcome
from governance.types.provenance import ProvenanceFact, ProvenanceRecord
from governance.types.results import CheckStatus, Figure, Finding, Reason, Verdict
from governance.types.value import Severity
from policies.masks import masked, masks_in
from reports.charts import Scene, check_charts, lineage_chart
from reports.dossier import Dossier, EvidenceEntry, NotChecked
from reports.score_charts import score_charts

MAX_FIGURES = 200
MAX_FINDINGS = 50
MAX_NODES = 200
"""Rows that the page shows of one table; the JSON report holds all, and the page says how many are left out."""

SUMMARY_REASONS = 3
SUMMARY_LIMITS = 6
"""Items of the first page; it must fit one screen."""

_SEVERITIES = (Severity.HIGH, Severity.MEDIUM, Severity.WARNING, Severity.REVIEW, Severity.INFO)


@dataclass(frozen=True, slots=True)
class FindingView:
    """A finding with the paths and the examples of rows that it names, in words."""

    finding: Finding
    paths: tuple[str, ...]
    others: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckView:
    """A check with its numbers, pictures, findings and evidence."""

    number: int
    outcome: CheckOutcome
    evidence: EvidenceEntry
    charts: tuple[Scene, ...]
    figures: tuple[Figure, ...]
    figures_left_out: int
    findings: tuple[FindingView, ...]
    findings_left_out: int


@dataclass(frozen=True, slots=True)
class SourceView:
    """A data set version above the model and the record of it that counted."""

    node: DatasetVersion
    is_source: bool
    record: ProvenanceRecord | None
    fact: ProvenanceFact | None
    retention: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything the page shows."""

    dossier: Dossier
    reasons: tuple[Reason, ...]
    reasons_left_out: int
    to_do: tuple[str, ...]
    limits: tuple[NotChecked, ...]
    limits_left_out: int
    checks: tuple[CheckView, ...]
    lineage: Scene | None
    sources: tuple[SourceView, ...]
    sources_left_out: int
    steps: tuple[tuple[str, str, str, str], ...]
    steps_left_out: int


def arrange(dossier: Dossier) -> Page:
    """The page of a dossier."""
    ordered = sorted(dossier.decision.reasons, key=lambda reason: _SEVERITIES.index(reason.severity))
    lineage = dossier.lineage
    sources = _sources(dossier, lineage) if lineage else []
    steps = _steps(lineage) if lineage else []
    limits = _first_of_each_area(dossier.not_checked)
    return Page(
        dossier=dossier,
        reasons=tuple(ordered[:SUMMARY_REASONS]),
        reasons_left_out=max(0, len(ordered) - SUMMARY_REASONS),
        to_do=tuple(_to_do(dossier, ordered)),
        limits=tuple(limits[:SUMMARY_LIMITS]),
        limits_left_out=len(dossier.not_checked) - len(limits[:SUMMARY_LIMITS]),
        checks=tuple(
            _check(index, *pair, masks_in(lineage, {})) for index, pair in enumerate(_pairs(dossier), start=1)
        ),
        lineage=lineage_chart("lineage", lineage) if lineage else None,
        sources=tuple(sources[:MAX_NODES]),
        sources_left_out=max(0, len(sources) - MAX_NODES),
        steps=tuple(steps[:MAX_NODES]),
        steps_left_out=max(0, len(steps) - MAX_NODES),
    )


def _pairs(dossier: Dossier) -> Iterable[tuple[CheckOutcome, EvidenceEntry]]:
    return zip(dossier.decision.checks, dossier.evidence, strict=True)


def _to_do(dossier: Dossier, reasons: Iterable[Reason]) -> Iterable[str]:
    """What to do, each once; an allowed model still has a date to keep."""
    said = list(dict.fromkeys(reason.remediation for reason in reasons if reason.remediation))
    if dossier.decision.verdict is Verdict.ALLOW:
        said.append("Ask the gate again before the decision ends, or when the model, its data or the policy change.")
    return (
        said[:SUMMARY_REASONS] if said else ["Read the reasons below with the person who is responsible for the model."]
    )


def _first_of_each_area(entries: Iterable[NotChecked]) -> list[NotChecked]:
    """One entry an area, those of the report as a whole first, so that no area hides behind another."""
    areas: dict[str, NotChecked] = {}
    for entry in entries:
        areas.setdefault(entry.area, entry)
    general = ("laws", "lineage", "policy", "proof", "operation", "changes")
    return sorted(areas.values(), key=lambda entry: (entry.area not in general, entry.area != "laws"))


def _check(number: int, outcome: CheckOutcome, evidence: EvidenceEntry, masks: Mapping[str, str]) -> CheckView:
    result = masked(outcome.result, masks)
    found = tuple(_finding(finding) for finding in result.findings[:MAX_FINDINGS])
    return CheckView(
        number=number,
        outcome=outcome,
        evidence=evidence,
        charts=(
            *check_charts(f"check-{number}", result.figures),
            *(score_charts(f"check-{number}", result.details) if result.check == "fairness" else ()),
        ),
        figures=result.figures[:MAX_FIGURES],
        figures_left_out=max(0, len(result.figures) - MAX_FIGURES),
        findings=found,
        findings_left_out=max(0, len(result.findings) - MAX_FINDINGS),
    )


def _finding(finding: Finding) -> FindingView:
    """``data`` is a check's own form, so what looks like neither paths nor examples is left to the JSON report."""
    paths = finding.data.get("paths")
    others = finding.data.get("other_paths")
    texts = [_path(path) for path in paths] if isinstance(paths, list) else []
    return FindingView(
        finding,
        tuple(text for text in texts if text),
        others if isinstance(others, int) else 0,
        tuple(_examples(finding)),
    )


def _examples(finding: Finding) -> Iterator[str]:
    """The rows that a finding names, with their values."""
    examples = finding.data.get("examples")
    for example in examples if isinstance(examples, list) else []:
        if not isinstance(example, dict):
            continue
        value = str(example.get("value"))
        yield value if example.get("row") is None else f"row {example.get('row')}: {value}"


def _path(path: JsonValue) -> str:
    if not isinstance(path, dict):
        return ""
    nodes = path.get("nodes")
    names = [_node_name(node) for node in nodes] if isinstance(nodes, list) else []
    precision = path.get("precision")
    return " → ".join(names) + (f" ({precision} precision)" if isinstance(precision, str) else "")


def _node_name(node: JsonValue) -> str:
    if not isinstance(node, dict):
        return "?"
    if node.get("kind") == "run":
        return f"{node.get('job')} [run {node.get('run_id')}]"
    return str(node.get("name"))


def _sources(dossier: Dossier, lineage: Ancestry) -> list[SourceView]:
    """Data sets with a record or without a producing run, sources first."""
    produced = {edge.target for edge in lineage.edges if edge.role == "output"}
    views = []
    for node in sorted(lineage.datasets, key=lambda node: (node.key in produced, node.namespace, node.name, node.key)):
        if node.key == lineage.subject or (node.key in produced and not node.provenance):
            continue
        fact = _known_fact(dossier, node)
        record = fact.record if fact else None
        views.append(SourceView(node, node.key not in produced, record, fact, _retention(record)))
    return views


def _known_fact(dossier: Dossier, node: DatasetVersion) -> ProvenanceFact | None:
    """The record last recorded of those that hold at the decision; the same choice as the check's."""
    at, known = dossier.times.as_of, dossier.times.known_at
    held = [
        fact
        for fact in node.provenance
        if fact.recorded_at <= known and fact.valid_from <= at and (fact.valid_to is None or at < fact.valid_to)
    ]
    return max(held, key=lambda fact: (fact.recorded_at, fact.valid_from, fact.record_digest), default=None)


def _retention(record: ProvenanceRecord | None) -> str:
    if record is None or record.retention is None:
        return ""
    retention = record.retention
    start = f"from {retention.starts_at.date().isoformat()}" if retention.starts_at else ""
    trigger = f"after {retention.trigger}" if retention.trigger else ""
    exception = f"exception: {retention.exception_ref}" if retention.exception_ref else ""
    return " ".join(part for part in (retention.duration or "unlimited", start, trigger, exception) if part)


def _steps(lineage: Ancestry) -> list[tuple[str, str, str, str]]:
    """Every edge in words: from, to, what kind of flow, how precisely it is known."""
    names = {node.key: node.name for node in lineage.datasets} | {
        run.key: f"{run.job_name} [run {run.run_id}]" for run in lineage.runs
    }
    return [
        (
            names.get(edge.source, edge.source),
            names.get(edge.target, edge.target),
            "is read by" if edge.role == "input" else "writes",
            _precision(edge.precision, edge.columns, inferred=edge.version_inferred),
        )
        for edge in lineage.edges
    ]


def _precision(precision: str, columns: tuple[str, ...] | None, *, inferred: bool) -> str:
    named = "" if columns is None else f": {', '.join(columns) or 'no column'}"
    return f"{precision}{named}" + (", version inferred" if inferred else "")


def status_class(status: CheckStatus | None) -> str:
    """The style of a status; the word always stands beside it."""
    if status in {CheckStatus.PASSED, CheckStatus.NOT_APPLICABLE}:
        return "good"
    return "bad" if status is CheckStatus.FAILED else "open"


def groups_of(figures: Iterable[Figure]) -> dict[str, list[Figure]]:
    """Figures by name, in the order in which names first occur."""
    found: dict[str, list[Figure]] = defaultdict(list)
    for figure in figures:
        found[figure.name].append(figure)
    return dict(found)
