"""The naive way to take events: as one writes it first, with pydantic models, ORM objects and a commit an event.

It keeps what the service keeps of a run event: the event with its secrets taken out, where it breaks the standard's
schemas, namespaces, jobs, runs, datasets with their versions, fields and other names, which run read and wrote which
version, edges with how many runs use them, which columns feed which, every facet by its key, the words a dataset or job
is found by, and a leaf in a Merkle tree. Each row is looked up, then added or changed; nothing is remembered between
events. Rules that are not about storing (what is a secret, which schema a facet has, how a tree grows) are the
service's own, called plainly.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from governance.database import Database, UTCDateTime
from governance.log.merkle import append_nodes, frontier, leaf_hash
from lineage.facets import CORE, SPEC, openlineage_schemas
from lineage.redaction import redact
from lineage.schemas import Place, facet_reference


class _Base(DeclarativeBase):
    type_annotation_map = {datetime: UTCDateTime, dict[str, Any]: sa.JSON}  # noqa: RUF012 - read by SQLAlchemy


class _EventRow(_Base):
    __tablename__ = "naive_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    event_time: Mapped[datetime] = mapped_column(index=True)
    content: Mapped[dict[str, Any]]


class _FindingRow(_Base):
    __tablename__ = "naive_finding"
    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_event.id"), index=True)
    pointer: Mapped[str]
    message: Mapped[str]


class _NamespaceRow(_Base):
    __tablename__ = "naive_namespace"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class _NodeRow(_Base):
    __tablename__ = "naive_node"
    __table_args__ = (sa.UniqueConstraint("kind", "namespace_id", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    namespace_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_namespace.id"))
    name: Mapped[str]
    last_seen: Mapped[datetime | None]


class _RunRow(_Base):
    __tablename__ = "naive_run"
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(unique=True)
    job_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_node.id"), index=True)
    state: Mapped[str | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class _VersionRow(_Base):
    __tablename__ = "naive_version"
    __table_args__ = (sa.UniqueConstraint("dataset_id", "digest"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_node.id"))
    digest: Mapped[str]
    last_seen: Mapped[datetime | None]
    fields: Mapped[list["_FieldRow"]] = relationship()


class _FieldRow(_Base):
    __tablename__ = "naive_field"
    __table_args__ = (sa.UniqueConstraint("version_id", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_version.id"))
    name: Mapped[str]
    type: Mapped[str | None]
    description: Mapped[str | None]


class _UseRow(_Base):
    __tablename__ = "naive_use"
    __table_args__ = (sa.UniqueConstraint("run_id", "dataset_id", "role"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_run.id"))
    dataset_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_node.id"), index=True)
    role: Mapped[str]
    version_id: Mapped[int | None] = mapped_column(sa.ForeignKey("naive_version.id"))


class _EdgeRow(_Base):
    __tablename__ = "naive_edge"
    __table_args__ = (sa.UniqueConstraint("job_id", "dataset_id", "role"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_node.id"))
    dataset_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_node.id"), index=True)
    role: Mapped[str]
    run_count: Mapped[int] = mapped_column(default=0)
    latest_run_id: Mapped[int | None]


class _SymlinkRow(_Base):
    __tablename__ = "naive_symlink"
    __table_args__ = (sa.UniqueConstraint("dataset_id", "alias_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_node.id"))
    alias_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_node.id"))


class _ColumnRow(_Base):
    __tablename__ = "naive_column"
    __table_args__ = (sa.UniqueConstraint("source_id", "source_field", "target_id", "target_field"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_node.id"))
    source_field: Mapped[str]
    target_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_node.id"), index=True)
    target_field: Mapped[str]
    transformations: Mapped[str | None]


class _FacetRow(_Base):
    __tablename__ = "naive_facet"
    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_event.id"), index=True)
    entity: Mapped[str] = mapped_column(index=True)
    key: Mapped[str]
    content: Mapped[dict[str, Any]]


class _SearchRow(_Base):
    __tablename__ = "naive_search"
    node_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_node.id"), primary_key=True)
    words: Mapped[str]


class _LeafRow(_Base):
    __tablename__ = "naive_leaf"
    index: Mapped[int] = mapped_column("leaf_index", primary_key=True, autoincrement=False)
    leaf: Mapped[str]


class _TreeRow(_Base):
    __tablename__ = "naive_tree"
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[bytes]


Facets = dict[str, dict[str, Any]]


class _Named(BaseModel):
    namespace: str
    name: str
    facets: Facets = {}


class _Dataset(_Named):
    inputFacets: Facets = {}  # noqa: N815 - the name that OpenLineage gives it
    outputFacets: Facets = {}  # noqa: N815 - as above


class _Run(BaseModel):
    runId: str  # noqa: N815 - the name that OpenLineage gives it
    facets: Facets = {}


class _Event(BaseModel):
    eventType: str  # noqa: N815 - the name that OpenLineage gives it
    eventTime: datetime  # noqa: N815 - as above
    producer: str
    schemaURL: str  # noqa: N815 - as above
    run: _Run
    job: _Named
    inputs: list[_Dataset] = []
    outputs: list[_Dataset] = []


def naive(database: Database) -> FastAPI:
    """The application as one would write it first."""
    _Base.metadata.create_all(database.engine)
    app = FastAPI()

    @app.post("/", status_code=201)
    def take(event: _Event) -> None:
        while True:
            # Two requests may make the same row at once; the one that loses begins again.
            with contextlib.suppress(IntegrityError, OperationalError), Session(database.engine) as session:
                _write(session, event)
                session.commit()
                return

    return app


def _write(session: Session, event: _Event) -> None:
    document, _ = redact(event.model_dump(mode="json", exclude_unset=True))
    event = _Event.model_validate(document)
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    if session.scalars(sa.select(_EventRow).filter_by(digest=digest)).one_or_none() is not None:
        return
    row = _EventRow(digest=digest, event_time=event.eventTime, content=document)
    session.add(row)
    session.flush()
    for pointer, message in _faults(event, document):
        session.add(_FindingRow(event_id=row.id, pointer=pointer, message=message))
    job = _node(session, event, "job", event.job)
    run = _run(session, event, job)
    _facets(session, row, f"job:{job.id}", event.job.facets)
    _facets(session, row, f"run:{run.id}", event.run.facets)
    _index(session, job, event.job)
    for role, mentions in (("input", event.inputs), ("output", event.outputs)):
        for mention in mentions:
            _dataset(session, event, mention, row=row, job=job, run=run, role=role)
    _append(session, digest)


def _run(session: Session, event: _Event, job: _NodeRow) -> _RunRow:
    run: _RunRow = _found(session, _RunRow, {"run_id": event.run.runId}, job_id=job.id)
    time = event.eventTime.astimezone(UTC)
    if event.eventType == "START":
        run.started_at = min(run.started_at or time, time)
        run.state = run.state or event.eventType
    elif event.eventType in ("COMPLETE", "FAIL", "ABORT"):
        run.ended_at = max(run.ended_at or time, time)
        run.state = event.eventType
    return run


def _dataset(
    session: Session, event: _Event, mention: _Dataset, *, row: _EventRow, job: _NodeRow, run: _RunRow, role: str
) -> None:
    dataset = _node(session, event, "dataset", mention)
    _facets(session, row, f"dataset:{dataset.id}", mention.facets | mention.inputFacets | mention.outputFacets)
    version = _version(session, event, dataset, mention)
    edge = _found(session, _EdgeRow, {"job_id": job.id, "dataset_id": dataset.id, "role": role})
    key = {"run_id": run.id, "dataset_id": dataset.id, "role": role}
    if session.scalars(sa.select(_UseRow).filter_by(**key)).one_or_none() is None:
        edge.run_count = (edge.run_count or 0) + 1
    use = _found(session, _UseRow, key)
    use.version_id = version.id if version is not None else use.version_id
    edge.latest_run_id = run.id
    for other in mention.facets.get("symlinks", {}).get("identifiers", []):
        alias = _node(session, event, "dataset", _Named(namespace=other["namespace"], name=other["name"]))
        _found(session, _SymlinkRow, {"dataset_id": dataset.id, "alias_id": alias.id})
    for field, entry in mention.facets.get("columnLineage", {}).get("fields", {}).items():
        for source in entry["inputFields"]:
            named = _Named(namespace=source["namespace"], name=source["name"])
            ends = {"source_id": _node(session, event, "dataset", named).id, "source_field": source["field"]}
            pair = _found(session, _ColumnRow, ends | {"target_id": dataset.id, "target_field": field})
            pair.transformations = json.dumps(source.get("transformations"))
    _index(session, dataset, mention)


def _version(session: Session, event: _Event, dataset: _NodeRow, mention: _Dataset) -> _VersionRow | None:
    fields = mention.facets.get("schema", {}).get("fields")
    named = mention.facets.get("version", {}).get("datasetVersion")
    if fields is None and named is None:
        return None
    told = [[field["name"], field.get("type")] for field in fields or []]
    digest = hashlib.sha256(json.dumps([told, named]).encode()).hexdigest()
    key = {"dataset_id": dataset.id, "digest": digest}
    version = session.scalars(sa.select(_VersionRow).filter_by(**key)).one_or_none()
    if version is None:
        version = _VersionRow(**key)
        version.fields = [
            _FieldRow(name=field["name"], type=field.get("type"), description=field.get("description"))
            for field in fields or []
        ]
        session.add(version)
        session.flush()
    version.last_seen = event.eventTime
    return version


def _node(session: Session, event: _Event, kind: str, named: _Named) -> _NodeRow:
    namespace = _found(session, _NamespaceRow, {"name": named.namespace})
    node: _NodeRow = _found(session, _NodeRow, {"kind": kind, "namespace_id": namespace.id, "name": named.name})
    node.last_seen = event.eventTime
    return node


def _facets(session: Session, row: _EventRow, entity: str, facets: Facets) -> None:
    for key, content in facets.items():
        session.add(_FacetRow(event_id=row.id, entity=entity, key=key, content=content))


def _index(session: Session, node: _NodeRow, named: _Named) -> None:
    fields = named.facets.get("schema", {}).get("fields", [])
    texts = [named.namespace, named.name, named.facets.get("documentation", {}).get("description", "")]
    texts += [f"{field['name']} {field.get('description', '')}" for field in fields]
    texts += [tag["key"] for tag in named.facets.get("tags", {}).get("tags", [])]
    texts += [owner["name"] for owner in named.facets.get("ownership", {}).get("owners", [])]
    words = " ".join(sorted({word for text in texts for word in text.lower().split()}))
    _found(session, _SearchRow, {"node_id": node.id}, words=words).words = words


def _append(session: Session, digest: str) -> None:
    last = session.scalar(sa.select(sa.func.max(_LeafRow.index)))
    size = 0 if last is None else last + 1
    known = {place: session.get_one(_TreeRow, place).hash for place in frontier(size)}
    session.add(_LeafRow(index=size, leaf=digest))
    for (level, position), value in append_nodes(size, known, [leaf_hash(digest.encode())]):
        session.add(_TreeRow(level=level, position=position, hash=value))


def _faults(event: _Event, document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _broken(f"{CORE}#/$defs/RunEvent", document, "")
    maps: list[tuple[Place, str, Facets]] = [
        ("Run", "/run/facets", event.run.facets),
        ("Job", "/job/facets", event.job.facets),
    ]
    for index, mention in enumerate(event.inputs):
        maps.append(("Dataset", f"/inputs/{index}/facets", mention.facets))
        maps.append(("InputDataset", f"/inputs/{index}/inputFacets", mention.inputFacets))
    for index, mention in enumerate(event.outputs):
        maps.append(("Dataset", f"/outputs/{index}/facets", mention.facets))
        maps.append(("OutputDataset", f"/outputs/{index}/outputFacets", mention.outputFacets))
    for place, pointer, facets in maps:
        for key, facet in facets.items():
            yield from _broken(facet_reference(place, key, facet.get("_schemaURL")), facet, f"{pointer}/{key}")


def _broken(reference: str, value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    for error in _validator(reference).iter_errors(value):
        yield pointer + "".join(f"/{part}" for part in error.absolute_path), error.message[:500]


@cache
def _validator(reference: str) -> Draft202012Validator:
    resources = (
        (SPEC + path, Resource.from_contents(schema, default_specification=DRAFT202012))
        for path, schema in openlineage_schemas().items()
    )
    registry: Registry[Any] = Registry().with_resources(resources)
    return Draft202012Validator({"$ref": reference}, registry=registry)


def _found(session: Session, table: Any, key: dict[str, Any], **first: Any) -> Any:
    """The row with the key; a new one, which begins as ``first`` says, where there is none."""
    row = session.scalars(sa.select(table).filter_by(**key)).one_or_none()
    if row is None:
        row = table(**key, **first)
        session.add(row)
        session.flush()
    return row
