"""R6: every root is recorded in full, and what was read is what was produced. Art. 5(2) and 14. Pure."""

from collections.abc import Iterable
from fractions import Fraction

from governance.types.provenance import ProvenanceRecord
from governance.types.results import CheckStatus, Figure
from governance.types.value import decimal_text
from policies.gdpr.case import Case
from policies.gdpr.outcome import FactUsed, Mark, MarkKind, RuleOutcome, listed, verdict
from policies.gdpr.vocabulary import is_personal
from policies.gdpr.walk import level_of

NOT_HIGH = frozenset({"limited", "minimal", "low"})
"""Risk tiers that are not high; every other word, and none, counts as high."""


def judge(case: Case) -> RuleOutcome:
    """The verdict of R6, judged at the evaluation.

    The score is the rows of roots with a full record over the rows of all roots, in [0, 1]; it does not exist where a
    root's rows are not recorded or no root has rows. A root without rows weighs 0 in it and still needs its record.
    Where the model is not high-risk the rule warns instead of blocking.
    """
    marks = (*case.gaps, *_root_marks(case), *_digest_marks(case))
    full = [key for key in case.roots if not missing_fields(case, key)]
    return RuleOutcome(
        rule="R6",
        title="Known sources",
        articles=("GDPR Art. 5(2)", "GDPR Art. 14"),
        controls=("AIA-10.2", "ISO42001-A.7.5"),
        in_scope=len(case.roots),
        marks=marks,
        status=verdict(marks, in_scope=len(case.roots), can_be_empty=False),
        summary=f"{len(full)} of {len(case.roots)} source(s) have a full record.",
        effect="block" if is_high_risk(case) else "warn",
        figures=(_score(case, full),),
    )


def is_high_risk(case: Case) -> bool:
    """Whether the model counts as high-risk: as the policy says, else by the recorded tier, where unknown is high."""
    if case.params.high_risk is not None:
        return case.params.high_risk
    return (case.graph.datasets[case.graph.subject].risk_tier or "").strip().lower() not in NOT_HIGH


def missing_fields(case: Case, key: str) -> tuple[str, ...]:
    """The fields that a full record has and this one lacks; all of them where there is no record."""
    record = case.evaluation.record(key)
    if record is None:
        return ("record",)
    personal = _holds_personal_data(record)
    present = {
        "controller": record.controller is not None,
        "purposes": bool(record.purposes),
        "columns": record.columns is not None,
        "subjects": record.subjects is not None,
        "retention": record.retention is not None,
        "location": record.location is not None,
        "source": record.source is not None,
        "lawful_basis": bool(record.lawful_basis) or not personal,
    }
    return tuple(name for name, there in present.items() if not there)


def _holds_personal_data(record: ProvenanceRecord) -> bool:
    """Whether any column or named kind of person makes it personal, whatever reaches the model."""
    columns = record.columns or ()
    return bool(record.subjects) or any(
        column.direct_identifier or is_personal(category) is not False
        for column in columns
        for category in (column.categories or ("system",))
    )


def _root_marks(case: Case) -> Iterable[Mark]:
    for key in (key for key in case.ancestors if key in case.roots):
        missing = missing_fields(case, key)
        record = case.evaluation.record(key)
        if missing == ("record",):
            yield _mark(case, key, "record_missing", f"The source {case.name(key)} has no provenance record.")
        elif missing:
            message = f"The record of the source {case.name(key)} is not full; it lacks {', '.join(missing)}."
            yield _mark(case, key, "record_incomplete", message, missing)
        if record is not None and record.source is not None and record.source.kind == "unknown":
            message = f"The record of {case.name(key)} declares its source unknown."
            yield _mark(case, key, "source_unknown", message, ("source",))


def _digest_marks(case: Case) -> Iterable[Mark]:
    """Digests along the edges, and the model's own against the one that was asked about."""
    subject = case.graph.datasets[case.graph.subject]
    own = subject.content_digest or subject.digest
    if own is not None and own != case.subject.digest:
        message = f"Lineage knows the model under the digest {own}, not {case.subject.digest}."
        yield Mark("violation", "model_digest_differs", message, "restore_digest", node=subject.key)
    for key in case.ancestors:
        node = case.graph.datasets[key]
        if node.digest is None:
            message = f"The version of the data set {case.name(key)} is not named by a content digest."
            yield _mark(case, key, "digest_unknown", message)
        for edge in case.graph.outgoing.get(key, ()):
            run = case.graph.runs[edge.target]
            if edge.read_digest is not None and node.digest is not None and edge.read_digest != node.digest:
                message = f"The run of {run.job_name} read other bytes of {case.name(key)} than were recorded."
                data = {"read": edge.read_digest, "recorded": node.digest, "run_id": run.run_id}
                yield Mark(
                    "violation", "digest_differs", message, "restore_digest",
                    node=key, level=level_of(edge), data=data,
                )  # fmt: skip
            elif edge.version_inferred:
                message = (
                    f"The run of {run.job_name} did not say which version of {case.name(key)} it read; "
                    "the newest before its start is taken."
                )
                yield Mark("review", "version_inferred", message, "attest", node=key, data={"run_id": run.run_id})


def _mark(case: Case, key: str, reason: str, message: str, fields: tuple[str, ...] = ()) -> Mark:
    kind: MarkKind = "violation" if reason == "source_unknown" else "unknown"
    level = case.evaluation.reach.best(key)
    stated = case.used(case.evaluation, key, *(name for name in fields if name != "record"))
    facts = stated or tuple(FactUsed(name, None) for name in fields)
    return Mark(
        kind, reason, message, "add_record", node=key, level=level, when=(case.evaluation.label,), facts=facts,
        data={"missing": list(fields)} if reason == "record_incomplete" else {},
    )  # fmt: skip


def _score(case: Case, full: list[str]) -> Figure:
    rows = {key: _rows(case, key) for key in sorted(case.roots)}
    unknown = [case.name(key) for key, count in rows.items() if count is None]
    total = sum(count or 0 for count in rows.values())
    covered = sum(rows[key] or 0 for key in full)
    exists = not unknown and total > 0
    why = f"rows not recorded: {listed(unknown)}" if unknown else "no source has rows"
    return Figure(
        name="R6.score",
        value=decimal_text(Fraction(covered, total)) if exists else None,
        numerator=str(covered) if exists else None,
        denominator=str(total) if exists else None,
        status=CheckStatus.PASSED if exists and covered == total else None,
        note="rows of sources with a full record / rows of all sources" if exists else why,
    )


def _rows(case: Case, key: str) -> int | None:
    node = case.graph.datasets[key]
    if node.row_count is not None:
        return node.row_count
    record = case.evaluation.record(key)
    return record.row_count if record else None
