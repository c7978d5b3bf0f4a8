"""Evidence comes in and decisions go out: manifests, signed test results, sealed decisions."""

from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from audits import store
from audits.acts import AnyUnit
from audits.context import GateContext
from audits.lineage_events import gate_events
from audits.tables import DecisionRow, EvaluationRow
from governance.access.signers import trusted_signers
from governance.bundle import decision_leaf
from governance.canonical import canonical, read_json, sha256
from governance.database import Unit
from governance.errors import InputRefused, NotFound
from governance.log.journal import Leaf, append
from governance.notices.outbox import announce
from governance.signing import dsse
from governance.signing.keys import PublicKey
from governance.signing.statement import decision_statement, read_test_result
from governance.types.ancestry import Ancestry
from governance.types.decision import Decision
from governance.types.manifest import FeatureDictionary, Manifest
from governance.types.results import Origin
from governance.types.value import Value, parse_value
from lineage.outbox import store_own_events


def submit(unit: Unit, context: GateContext, body: bytes, *, by: str) -> tuple[str, bool]:
    """Keep a manifest or a signed test result; gives its digest and whether it is new.

    Raises:
        MalformedBody: not JSON. InputRefused: neither a manifest nor a test result, or one of a signer nobody trusts.
        NotFound: a manifest names bytes that were not uploaded.
    """
    raw = read_json(body)
    if not isinstance(raw, dict):
        raise InputRefused(expected="a JSON object", found=type(raw).__name__, remedy="Send a manifest or an envelope.")
    if "payloadType" in raw:
        return _submit_test_result(unit, body, by=by)
    return _submit_manifest(unit, context, raw, by=by)


def _submit_manifest(unit: Unit, context: GateContext, raw: dict[str, Any], *, by: str) -> tuple[str, bool]:
    manifest = parse_value(Manifest, raw, what="a manifest of kind assay.evidence/v1")
    store.require_seen(unit, manifest.subject)
    for uri in artifact_uris(manifest):
        if not context.artifacts.holds(uri.removeprefix("artifact:")):
            raise NotFound(
                expected=f"uploaded bytes under {uri}",
                found="none",
                remedy="Upload them first: PUT /v1/artifacts/{sha256}.",
            )
    name = manifest.value_digest()
    new = store.add_evidence(unit, name=name, kind="manifest", manifest=manifest, by=by)
    if new:
        _record(unit, name, "manifest")
    return name, new


def _submit_test_result(unit: Unit, body: bytes, *, by: str) -> tuple[str, bool]:
    signers = trusted_signers(unit)
    attested = read_test_result(body, {keyid: PublicKey.from_der(der) for keyid, (_, der) in signers.items()})
    manifest = parse_value(Manifest, attested.manifest, what="the manifest in the test result")
    store.require_seen(unit, manifest.subject)
    name, signer = sha256(body), signers[attested.signer][0]
    new = store.add_evidence(unit, name=name, kind="test_result", manifest=manifest, by=by, signer=signer)
    if new:
        for measurement in attested.measurements:
            store.add_measurement(
                unit,
                measurement,
                manifest_digest=manifest.value_digest(),
                collected_at=min(manifest.collected_at or unit.now, unit.now),
                origin=Origin.ATTESTED,
                evidence_digest=name,
                signer=signer,
            )
        _record(unit, name, "test_result")
    return name, new


def _record(unit: Unit, name: str, kind: str) -> None:
    append(unit, [Leaf(kind="evidence", body=canonical({"kind": f"evidence.{kind}/v1", "digest": name}))])


def require_artifact_seen(unit: AnyUnit, artifact: str) -> None:
    """Return when evidence of a model that the unit sees names the artifact ``sha256:...``.

    Raises:
        NotFound: none does; whether there are such bytes is not told.
    """
    if unit.sight.is_whole:
        return
    uri = f"artifact:{artifact}"
    manifests = [manifest for manifest in store.manifests_naming(unit, artifact) if uri in artifact_uris(manifest)]
    if not any(unit.sight.sees(manifest.subject.namespace, manifest.subject.name) for manifest in manifests):
        raise no_artifact(artifact)


def no_artifact(artifact: str) -> NotFound:
    """The answer to whoever asks for bytes that are not there, or not his to see."""
    return NotFound(expected="uploaded bytes", found=f"nothing under {artifact}", remedy="Check the digest.")


def artifact_uris(manifest: Manifest) -> list[str]:
    """Every artifact URI the manifest names."""
    dataset = manifest.dataset.file if manifest.dataset else None
    files = [manifest.predictions, manifest.counts, manifest.model, dataset, *manifest.tables.values()]
    dictionary = [manifest.features.dictionary] if isinstance(manifest.features, FeatureDictionary) else []
    return [file.uri for file in files if file is not None] + dictionary


@dataclass(frozen=True, slots=True)
class Sealed:
    """A decision that was sealed, and its row."""

    row: DecisionRow
    decision: Decision


def seal(
    unit: Unit,
    context: GateContext,
    decision: Decision,
    *,
    evaluation: EvaluationRow,
    manifest: Manifest | None,
    ancestry: Ancestry | None,
) -> Sealed:
    """Keep a decision and its ancestry, tell lineage, sign its statement and log it, all in one transaction."""
    documents: list[tuple[str, Value]] = [("decision", decision)]
    documents += [("ancestry", ancestry)] if ancestry is not None else []
    name = store.keep_all(unit, documents)[0]
    events = gate_events(context.speaker, decision, name, manifest, requested_at=evaluation.requested_at)
    # Rows of lineage come before the log with every writer, so that no two wait for one another.
    told = store_own_events(unit, events, context.settings.lineage)
    if decision.mode == "enforce":
        announce(unit, "assay.decision.taken", subject=f"decisions/{decision.decision_id}", data=_told(decision, name))
    key = context.ring.decision
    envelope = dsse.sign(canonical(decision_statement(decision, name)), key)
    places = append(unit, [*told, Leaf(kind="decision", body=decision_leaf(envelope, key.public))])
    values = {
        "id": decision.decision_id,
        "evaluation_id": evaluation.id,
        "digest": name,
        "subject_digest": decision.subject.digest,
        "environment": decision.environment,
        "verdict": decision.verdict.value,
        "mode": decision.mode,
        "evaluated_at": decision.evaluated_at,
        "valid_until": decision.valid_until,
        "envelope": envelope.content(),
        "log_index": places[-1],
    }
    return Sealed(store.add_decision(unit, values), decision)


def _told(decision: Decision, name: str) -> dict[str, JsonValue]:
    """What an announcement says of a decision; who wants the figures asks for the decision."""
    said = {"decision_id", "verdict", "subject", "environment", "policy", "evaluated_at", "valid_until", "context"}
    told: dict[str, JsonValue] = decision.model_dump(mode="json", by_alias=True, include=said)
    return told | {"decision_digest": name}
