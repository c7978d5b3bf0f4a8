"""What is known of the model that a request names: the registry and lineage held against one another."""

from collections.abc import Callable

from audits.decision import Combined
from governance.database import Unit
from governance.errors import Conflict
from governance.registry.models import RegisteredModel, known_as
from governance.types.ancestry import Ancestry, DatasetVersion
from governance.types.results import Reason, Verdict
from governance.types.subject import Subject

CONTRADICTION = "model.contradiction"


def require_same_model(unit: Unit, subject: Subject) -> RegisteredModel | None:
    """The subject as it is registered; None where the registry knows neither its bytes nor its name and version.

    Raises:
        Conflict: the bytes are registered under another name, or the version with other bytes. Names that the caller
            did not send are not told.
    """
    found = known_as(unit, subject)
    known, named = found.by_bytes, found.by_name
    if known is not None and known.registration.subject != subject:
        raise Conflict(
            expected="the name and version with which these bytes are registered",
            found=f"{subject.namespace} {subject.label}"[:300],
            remedy="Bytes have one name: use it, or build the other model anew.",
            pointer="/subject/name",
        )
    if known is not None:
        return known
    if named is not None:
        raise Conflict(
            expected=f"the bytes with which {subject.label} is registered"[:300],
            found=subject.digest,
            remedy="A version is immutable: ask about the bytes that were registered, or register a new version.",
            pointer="/subject/digest",
        )
    return None


def contradictions(unit: Unit, subject: Subject, ancestry: Callable[[], Ancestry | None]) -> tuple[Reason, ...]:
    """Where the registry and the producer of the model say different things of it; empty where they agree.

    ``ancestry`` is asked for only where the model is registered. Neither of the two is taken silently: which policy
    and which rules apply rests on what they say.
    """
    known = known_as(unit, subject).by_bytes
    traced = ancestry() if known is not None else None
    if known is None or traced is None:
        return ()
    told = next((node for node in traced.datasets if node.key == traced.subject), None)
    return () if told is None else tuple(_differences(known, told))


def _differences(known: RegisteredModel, told: DatasetVersion) -> list[Reason]:
    registration = known.registration
    differing = []
    if told.risk_tier is not None and told.risk_tier != registration.risk_tier:
        differing.append(_reason("risk tier", registration.risk_tier, told.risk_tier))
    if told.purposes is not None and registration.purposes and set(told.purposes) != set(registration.purposes):
        differing.append(_reason("purposes", ", ".join(registration.purposes), ", ".join(told.purposes)))
    return differing


def _reason(what: str, registered_as: str, told: str) -> Reason:
    return Reason(
        code=CONTRADICTION,
        message=f"The model is registered with the {what} {registered_as!r}, and lineage says {told!r}."[:2000],
        remediation="Correct the assay_model facet of whoever produced the model, or register a new version.",
    )


def blocked_by(combined: Combined, reasons: tuple[Reason, ...]) -> Combined:
    """The verdict where something besides the checks stands in the way: it can no longer be an allow."""
    if not reasons:
        return combined
    verdict = Verdict.DENY if combined.verdict is Verdict.DENY else Verdict.INDETERMINATE
    return Combined(verdict, (*combined.reasons, *reasons))
