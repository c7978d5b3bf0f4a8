"""R1: the recorded purposes of personal data cover what the model is for. Art. 5(1)(b) and 6(4). Pure."""

from collections.abc import Iterable

from governance.types.provenance import Compatibility, ProvenanceRecord
from policies.gdpr.case import Case, Moment, each_root_unknown, over_ancestors, worst_level
from policies.gdpr.durations import holds
from policies.gdpr.outcome import Mark, RuleOutcome, settle, verdict
from policies.gdpr.vocabulary import covered, covers, is_unspecific, uses

TRAINING_PURPOSE = "train_ai_system"


def judge(case: Case) -> RuleOutcome:
    """The verdict of R1.

    ``allowed(d)`` is the purposes of ``d`` and those assessed as compatible. At each training start it must cover
    ``train_ai_system`` and every purpose of the model, at the evaluation every purpose of the model. A derived data
    set without purposes of its own inherits; one with purposes can only narrow what it inherits.
    """
    marks = settle([*_model_marks(case), *over_ancestors(case, _data_set_marks)])
    in_scope = sum(_personal_level(case, key) is not None for key in case.ancestors)
    status = verdict(marks, in_scope=in_scope)
    wanted = ", ".join(case.purposes) or "no recorded purpose"
    return RuleOutcome(
        rule="R1",
        title="Purpose limitation",
        articles=("GDPR Art. 5(1)(b)", "GDPR Art. 6(4)"),
        controls=("GDPR-5.1b",),
        in_scope=in_scope,
        marks=marks,
        status=status,
        summary=f"{in_scope} personal data set(s) upstream; the model is for: {wanted}.",
    )


def _personal_level(case: Case, key: str) -> int | None:
    return worst_level(moment.scopes[key].level for moment in case.moments if key in moment.scopes)


def _model_marks(case: Case) -> Iterable[Mark]:
    subject = case.graph.subject
    if not case.purposes:
        message = "No purpose of the model is recorded, so nothing can be compared with the purposes of its data."
        yield Mark("unknown", "model_purposes_missing", message, "record_model", node=subject)
    for purpose in case.purposes:
        if purpose not in uses():
            message = f"The model's purpose {purpose} is not a key of the taxonomy."
            yield Mark("unknown", "model_purpose_unknown", message, "record_model", node=subject)


def _data_set_marks(case: Case, key: str) -> Iterable[Mark]:
    unknown = each_root_unknown(case, key)
    if unknown is not None:
        yield unknown
    missing: dict[str, list[Moment]] = {}
    pending: dict[str, list[Moment]] = {}
    unstated: list[Moment] = []
    for moment in case.moments:
        record, scope = moment.record(key), moment.scopes.get(key)
        if record is None or scope is None or scope.level is None:
            continue
        if record.purposes is None and not _any_compatibility(record):
            unstated += [moment] if key in case.roots else []
            continue
        for purpose in _needed(case, moment):
            found = _cover(case, moment, record, purpose)
            if found != "covered":
                (pending if found == "pending" else missing).setdefault(purpose, []).append(moment)
    yield from _key_marks(case, key)
    yield from _widened_marks(case, key)
    if unstated:
        message = f"The record of the data set {case.name(key)} states no purposes."
        yield _mark(case, key, "purposes_not_stated", message, unstated)
    if missing:
        yield _uncovered(case, key, missing)
    if pending:
        names = ", ".join(sorted(pending))
        message = f"Whether {names} is compatible with the purposes of {case.name(key)} is still being assessed."
        yield _mark(case, key, "assessment_pending", message, [m for each in pending.values() for m in each])


def _any_compatibility(record: ProvenanceRecord) -> bool:
    return any(entry.outcome == "compatible" for entry in record.compatibility)


def _needed(case: Case, moment: Moment) -> tuple[str, ...]:
    known = tuple(purpose for purpose in case.purposes if purpose in uses())
    return (TRAINING_PURPOSE, *known) if moment.name == "training" else known


def _cover(case: Case, moment: Moment, record: ProvenanceRecord, purpose: str) -> str:
    """``covered``, ``pending`` or ``missing``. Of contradicting assessments the strictest holds."""
    if covered(record.purposes or (), purpose):
        return "covered"
    valid = [
        entry
        for entry in record.compatibility
        if entry.purpose in uses()
        and covers(entry.purpose, purpose)
        and holds(moment.at, entry.valid_from, entry.valid_to, case.zone)
    ]
    outcomes = {entry.outcome for entry in valid}
    if "incompatible" in outcomes or not outcomes:
        return "missing"
    return "pending" if "pending" in outcomes and "compatible" not in outcomes else "covered"


def _uncovered(case: Case, key: str, missing: dict[str, list[Moment]]) -> Mark:
    moments = [moment for each in missing.values() for moment in each]
    stated = ", ".join((moments[0].record(key) or ProvenanceRecord()).purposes or ()) or "none"
    names = ", ".join(sorted(missing))
    message = (
        f"The recorded purposes of the data set {case.name(key)} ({stated}) do not cover {names}, "
        f"which the model {case.subject.label} needs."
    )
    return _mark(case, key, "purpose_not_covered", message, moments)


def _mark(case: Case, key: str, reason: str, message: str, moments: list[Moment]) -> Mark:
    once = [moment for moment in case.moments if any(moment is each for each in moments)]
    return Mark(
        "violation" if reason == "purpose_not_covered" else "unknown",
        reason,
        message,
        "assess_compatibility" if reason != "purposes_not_stated" else "add_record",
        node=key,
        level=worst_level(moment.scopes[key].level for moment in once),
        when=tuple(moment.label for moment in once),
        facts=case.used(once[0], key, "purposes", "compatibility"),
    )


def _key_marks(case: Case, key: str) -> Iterable[Mark]:
    record = case.evaluation.record(key)
    stated = record.purposes or () if record else ()
    facts = case.used(case.evaluation, key, "purposes")
    compatible: tuple[Compatibility, ...] = record.compatibility if record else ()
    for purpose in sorted({*stated, *(entry.purpose for entry in compatible)}):
        if purpose not in uses():
            message = f"The purpose {purpose} of {case.name(key)} is no key of the taxonomy; it covers nothing."
            yield Mark("info", "purpose_unknown", message, "add_record", node=key, facts=facts)
        elif is_unspecific(purpose):
            message = f"The purpose {purpose} of the data set {case.name(key)} is broad; purposes must be specified."
            yield Mark("info", "purpose_unspecific", message, "add_record", node=key, facts=facts)


def _widened_marks(case: Case, key: str) -> Iterable[Mark]:
    """What a derived data set claims beyond what it inherits; it is ignored, since each ancestor is judged itself."""
    moment = case.evaluation
    record = moment.record(key)
    if record is None or record.purposes is None or key in case.roots or key not in moment.scopes:
        return
    inherited = case.nearest_records(moment, key, lambda above: above.purposes is not None)
    wider = sorted(
        purpose
        for purpose in record.purposes
        if any(_cover(case, moment, above, purpose) != "covered" for above in inherited)
    )
    if wider:
        message = (
            f"The data set {case.name(key)} claims {', '.join(wider)} beyond what it was made from; "
            "the claim is ignored."
        )
        yield Mark("info", "widened", message, "add_record", node=key, facts=case.used(moment, key, "purposes"))
