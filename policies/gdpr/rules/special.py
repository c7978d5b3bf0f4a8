"""R2: special categories that reach the model have a condition for its purpose. Art. 9 and 10. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from governance.types.provenance import ProvenanceRecord
from policies.gdpr.case import Case, Moment, each_root_unknown, over_ancestors, worst_level
from policies.gdpr.outcome import Mark, MarkKind, RuleOutcome, settle, verdict
from policies.gdpr.rules.bias import bias_only_data, bias_only_marks
from policies.gdpr.rules.conditions import condition_fault
from policies.gdpr.vocabulary import category_by_name, special_columns


@dataclass(frozen=True, slots=True)
class SpecialColumn:
    """A column that reaches the model with a category that is special, or may be."""

    path: str
    category: str
    kind: str
    level: int


def judge(case: Case) -> RuleOutcome:
    """The verdict of R2.

    Each column of the Art. 9 or 10 set that reaches the model needs a condition that is valid for every purpose of the
    model, at each training start and at the evaluation. Data sets for bias evaluation alone may only reach runs of
    job type ``BIAS_EVALUATION``. Column lineage that leaves a column out takes it out of scope.
    """
    restricted = bias_only_data(case)
    marks = settle([*over_ancestors(case, _data_set_marks), *bias_only_marks(case, restricted)])
    reached = [key for key in case.ancestors if any(_reaching(moment, key) for moment in case.moments)]
    in_scope = len(set(reached) | set(restricted))
    return RuleOutcome(
        rule="R2",
        title="Special categories",
        articles=("GDPR Art. 9", "GDPR Art. 10"),
        controls=("GDPR-9", "GDPR-10", "AIA-10.5"),
        in_scope=in_scope,
        marks=marks,
        status=verdict(marks, in_scope=in_scope),
        summary=f"{in_scope} data set(s) with special categories that reach the model or its evaluation.",
    )


def _reaching(moment: Moment, key: str) -> list[SpecialColumn]:
    """The special columns of a data set, by its own record, that reach the model."""
    record = moment.record(key)
    if record is None or record.columns is None or key in moment.reach.stopped:
        return []
    return [
        SpecialColumn(column.path, category, kind, level)
        for column in record.columns
        if (level := moment.reach.column_level(key, column.path)) is not None
        for category, kind in sorted(special_columns(column).items())
    ]


def _data_set_marks(case: Case, key: str) -> Iterable[Mark]:
    unknown = each_root_unknown(case, key)
    if unknown is not None:
        yield unknown
    faults: dict[tuple[MarkKind, str, str], list[tuple[Moment, SpecialColumn]]] = {}
    for moment in case.moments:
        record = moment.record(key)
        for column in _reaching(moment, key):
            fault = _fault(case, moment, key, record or ProvenanceRecord(), column)
            if fault is not None:
                faults.setdefault(fault, []).append((moment, column))
    for (kind, reason, says), found in sorted(faults.items()):
        yield _mark(case, key, (kind, reason, says), found)
    yield from _undeclared(case, key)
    yield from _excluded(case, key)


def _fault(
    case: Case, moment: Moment, key: str, record: ProvenanceRecord, column: SpecialColumn
) -> tuple[MarkKind, str, str] | None:
    if column.kind == "unknown":
        says = f"holds {column.category}, of which it is not known whether it is special (biometric use or key)"
        return "unknown", "category_undecided", says
    if not case.purposes:
        says = f"holds {column.category}, and no purpose of the model is recorded for which a condition could hold"
        return "unknown", "model_purposes_missing", says
    stated = record.art9_conditions or record.art10_authority_ref
    if not stated and key not in case.roots and _inherits(case, moment, key, column.category):
        return None  # The condition of the data that it was made from is judged there.
    found = condition_fault(record, column.kind, case.purposes, moment.at, case.zone)
    if found is None:
        return None
    reason, says = found
    return "violation", reason, f"holds {column.category}, which reaches the model, and {says}"


def _inherits(case: Case, moment: Moment, key: str, category: str) -> bool:
    return any(
        category in column.categories
        for other in case.upstream_data(moment, key)
        for column in ((moment.record(other) or ProvenanceRecord()).columns or ())
    )


def _mark(case: Case, key: str, fault: tuple[MarkKind, str, str], found: list[tuple[Moment, SpecialColumn]]) -> Mark:
    kind, reason, says = fault
    once = [moment for moment in case.moments if any(moment is each for each, _ in found)]
    columns = tuple(sorted({column.path for _, column in found}))
    fields = ("columns", "art9_conditions", "art10_authority_ref")
    return Mark(
        kind,
        reason,
        f"The data set {case.name(key)} {says} (column {', '.join(columns)}).",
        "add_record" if kind == "unknown" else "remove_columns",
        node=key,
        level=worst_level(column.level for _, column in found),
        columns=columns,
        when=tuple(moment.label for moment in once),
        facts=case.used(once[0], key, *fields),
    )


def _undeclared(case: Case, key: str) -> Iterable[Mark]:
    """Columns whose name betrays a special category and that the record neither declares nor rejects."""
    moment = case.evaluation
    record = moment.record(key)
    if record is None or record.columns is None or key in moment.reach.stopped:
        return
    stated = {column.path for column in record.columns}
    for field in case.graph.datasets[key].fields:
        category, level = category_by_name(field), moment.reach.column_level(key, field)
        if category is None or level is None or field in stated:
            continue
        if key not in case.roots and _inherits(case, moment, key, category):
            continue
        message = (
            f"The column {field} of the data set {case.name(key)} looks like {category}, and the record neither "
            "declares nor rejects it."
        )
        yield Mark(
            "unknown", "special_category_undeclared", message, "add_record",
            node=key, level=level, columns=(field,), when=(moment.label,), facts=case.used(moment, key, "columns"),
        )  # fmt: skip


def _excluded(case: Case, key: str) -> Iterable[Mark]:
    """What column lineage keeps away from the model; said, so that the reader sees why it is out of scope."""
    moment = case.evaluation
    record = moment.record(key)
    if record is None or key in moment.reach.stopped:
        return
    away = [
        (column.path, category)
        for column in record.columns or ()
        if moment.reach.column_level(key, column.path) is None
        for category in special_columns(column)
    ]
    if away:
        names = ", ".join(f"{path} ({category})" for path, category in sorted(away))
        message = (
            f"Not reached, column precision: {names} of the data set {case.name(key)} does not flow into the model."
        )
        yield Mark(
            "info", "not_reached", message, "", node=key, level=moment.reach.best(key),
            columns=tuple(sorted({path for path, _ in away})), when=(moment.label,),
            facts=case.used(moment, key, "columns"),
        )  # fmt: skip
