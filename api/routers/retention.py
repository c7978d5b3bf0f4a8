"""Pruning stored events, and the record of it."""

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Path, Query
from pydantic import Field, model_validator

from api import examples
from api.body import read_body
from api.dependencies import PrincipalOf, ReadingUnit, WriteUnit, permit
from governance.canonical import read_json
from governance.types.value import Digest, Name, Value, parse_value
from lineage.prunings import Order, Target, prune, pruning, prunings, residues_of

router = APIRouter(prefix="/v1/lineage/prunings", tags=["lineage"])

Key = Annotated[str, Field(min_length=1, max_length=256)]
MOST = 2**63 - 1  # ids are 64-bit integers


class PruningEntity(Value):
    """A job or dataset by its names, or a run by its id."""

    kind: Literal["job", "dataset", "run"]
    namespace: Name | None = None
    name: Name | None = None
    run_id: Name | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        names = (self.namespace is not None, self.name is not None, self.run_id is not None)
        if names != ((False, False, True) if self.kind == "run" else (True, True, False)):
            raise ValueError("a job or dataset has namespace and name, a run has run_id")
        return self


class PruningRequest(Value):
    """What is to go, and why. Without ``facets`` everything goes that no graph is derived from."""

    event: Digest | None = None
    entity: PruningEntity | None = None
    facets: tuple[Key, ...] = Field(default=(), max_length=100)
    reason: str = Field(min_length=1, max_length=2000)

    def target(self) -> Target:
        """The request as lineage takes it."""
        of, facets = self.entity, frozenset(self.facets)
        if of is None or of.kind == "run":
            return Target(event=self.event, run=None if of is None else of.run_id, facets=facets)
        return Target(event=self.event, node=(of.kind, of.namespace or "", of.name or ""), facets=facets)


EXAMPLE = {
    "entity": {"kind": "dataset", "namespace": "s3://lake", "name": "customers"},
    "facets": ["ownership"],
    "reason": "erasure request 2026-118",
}


@router.post(
    "",
    summary="Prune stored events",
    status_code=201,
    dependencies=[permit("lineage.prune", scoped=True)],
    openapi_extra=examples.body(PruningRequest, EXAMPLE),
)
def add_pruning(
    unit: WriteUnit,
    principal: PrincipalOf,
    body: Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)],
) -> dict[str, Any]:
    """Take facets out of the events of one run, job or dataset, or of one event; a digest stays in place of each."""
    asked = parse_value(PruningRequest, read_json(body), what="a pruning")
    return prune(unit, asked.target(), Order("request", asked.reason, principal.id)).document()


@router.get("", summary="Prunings on record", dependencies=[permit("read", scoped=True)])
def list_prunings(
    unit: ReadingUnit,
    before: Annotated[
        int | None, Query(ge=1, le=MOST, description="Only those with a smaller id: `next` of a page.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """What was pruned, when, why, by whom and by which rule, newest first."""
    found = prunings(unit, before=before, limit=limit + 1)
    following = found[limit - 1].id if len(found) > limit else None
    return {"prunings": [item.document() for item in found[:limit]], "next": following}


@router.get("/{number}", summary="One pruning and the events it changed", dependencies=[permit("read", scoped=True)])
def one_pruning(
    unit: ReadingUnit,
    number: Annotated[int, Path(ge=1, le=MOST)],
    after: Annotated[int, Query(ge=0, le=MOST, description="`next` of a page.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> dict[str, Any]:
    """Each event by its digest, which is also its leaf in the log, and the digest of what was left of it."""
    found = pruning(unit, number)
    events, following = residues_of(unit, number, after=after, limit=limit)
    listed = [{"digest": item.digest, "residue_digest": item.residue_digest} for item in events]
    return {**found.document(), "events": listed, "next": following}
