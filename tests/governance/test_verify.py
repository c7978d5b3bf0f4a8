"""What a bundle must prove, step by step; and that nothing in it can be changed unseen."""

import copy
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.bundle import Trust, decision_bundle, decision_leaf
from governance.canonical import canonical, sha256
from governance.database import Database
from governance.errors import InputRefused, ProofRejected
from governance.log.checkpoint import sign_checkpoint
from governance.log.merkle import leaf_hash
from governance.signing.dsse import decode, encode, sign
from governance.signing.keys import KeyRing, SigningKey
from governance.signing.rings import create_ring
from governance.signing.statement import decision_statement
from governance.types.decision import Decision
from governance.types.results import Verdict
from governance.verify import STEPS, read_trust, verify_bundle
from tests.support.proof import MODEL, NOW, ORIGIN, Instance, build_instance, decision

Document = dict[str, Any]


@pytest.fixture(scope="module")
def bundle(instance: Instance) -> bytes:
    return instance.bundle(decision())


def refused_at(content: bytes, trust: Trust, **asked: Any) -> str | None:
    """The step that refuses the bundle."""
    with pytest.raises(ProofRejected) as caught:
        verify_bundle(content, trust, **asked)
    assert caught.value.exit_code == 7
    return caught.value.pointer


def changed(bundle: bytes, change: Callable[[Document], object]) -> bytes:
    """The bundle with a change, in canonical spelling again."""
    document: Document = json.loads(bundle)
    change(document)
    return canonical(document)


def entry_of(document: Document) -> Document:
    entry: Document = document["verificationMaterial"]["tlogEntries"][0]
    return entry


def single(taken: Decision, ring: KeyRing, statement: Document | None = None) -> bytes:
    """A bundle in a log of one leaf; ``statement`` replaces the decision's own."""
    statement = statement or decision_statement(taken, taken.value_digest())
    envelope = sign(canonical(statement), ring.decision)
    root = leaf_hash(decision_leaf(envelope, ring.decision.public))
    return decision_bundle(
        envelope,
        ring.decision.public,
        index=0,
        inclusion=[],
        checkpoint=sign_checkpoint(ORIGIN, 1, root, ring.checkpoint),
        checkpoint_key=ring.checkpoint.public,
    )


def test_a_bundle_of_either_database_proves_its_decision(database: Database, tmp_path: Path) -> None:
    instance = build_instance(database, tmp_path / "home")
    taken = decision()
    result = verify_bundle(
        instance.bundle(taken),
        read_trust(instance.trust()),
        subject_digest=MODEL.digest,
        environment="prod",
        at=NOW + timedelta(days=1),
    )
    assert result.steps == tuple(step for step in STEPS if step != "witnesses")
    assert result.decision.allows
    assert result.decision.decision_digest == taken.value_digest()
    assert (result.index, result.checkpoint.size) == (3, 6)
    assert result.keyid == instance.ring.decision.keyid


def test_steps_that_nothing_was_asked_for_are_not_listed(bundle: bytes, trust: Trust) -> None:
    steps = verify_bundle(bundle, trust).steps
    assert set(STEPS) - set(steps) == {"witnesses", "subject", "environment", "validity"}


@pytest.mark.parametrize("verdict", [Verdict.DENY, Verdict.INDETERMINATE])
def test_the_proof_of_a_refusal_holds_and_does_not_allow(instance: Instance, trust: Trust, verdict: Verdict) -> None:
    content = instance.bundle(decision(verdict=verdict, valid_until=None))
    result = verify_bundle(content, trust, at=NOW + timedelta(days=1000))
    assert result.decision.verdict is verdict
    assert not result.decision.allows


def test_every_flipped_bit_of_the_file_is_refused(bundle: bytes, trust: Trust) -> None:
    for place in range(len(bundle)):
        for bit in (0x01, 0x20):
            flipped = bytearray(bundle)
            flipped[place] ^= bit
            with pytest.raises(ProofRejected):
                verify_bundle(bytes(flipped), trust)


@pytest.mark.parametrize("spelling", ["indent", "newline", "space", "reordered", "escaped", "bom", "cut", "doubled"])
def test_other_spellings_of_the_same_bundle_are_refused(bundle: bytes, trust: Trust, spelling: str) -> None:
    document = json.loads(bundle)
    spelt = {
        "indent": json.dumps(document, indent=1).encode(),
        "newline": bundle + b"\n",
        "space": bundle.replace(b'":', b'": ', 1),
        "reordered": json.dumps(dict(reversed(document.items())), separators=(",", ":"), ensure_ascii=False).encode(),
        "escaped": bundle.replace(b"application", b"\\u0061pplication", 1),
        "bom": b"\xef\xbb\xbf" + bundle,
        "cut": bundle[:-1],
        "doubled": bundle.replace(b'{"', b'{"mediaType":"","', 1),
    }[spelling]
    assert spelt != bundle
    assert refused_at(spelt, trust) in {"json", "canonical"}


def in_payload(document: Document, content: bytes) -> None:
    document["dsseEnvelope"]["payload"] = encode(content)


def in_signature(document: Document, content: bytes) -> None:
    document["dsseEnvelope"]["signatures"][0]["sig"] = encode(content)


def in_leaf(document: Document, content: bytes) -> None:
    entry_of(document)["canonicalizedBody"] = encode(content)


def in_hash(document: Document, content: bytes) -> None:
    entry_of(document)["inclusionProof"]["hashes"][0] = encode(content)


def in_checkpoint(document: Document, content: bytes) -> None:
    entry_of(document)["inclusionProof"]["checkpoint"]["envelope"] = content.decode("utf-8", "replace")


PARTS: dict[str, tuple[Callable[[Document], bytes], Callable[[Document, bytes], None]]] = {
    "payload": (lambda found: decode(found["dsseEnvelope"]["payload"], what=""), in_payload),
    "signature": (lambda found: decode(found["dsseEnvelope"]["signatures"][0]["sig"], what=""), in_signature),
    "leaf": (lambda found: decode(entry_of(found)["canonicalizedBody"], what=""), in_leaf),
    "hash": (lambda found: decode(entry_of(found)["inclusionProof"]["hashes"][0], what=""), in_hash),
    "checkpoint": (lambda found: entry_of(found)["inclusionProof"]["checkpoint"]["envelope"].encode(), in_checkpoint),
}


@pytest.mark.parametrize("part", PARTS)
def test_every_changed_byte_of_a_decoded_part_is_refused(bundle: bytes, trust: Trust, part: str) -> None:
    read, write = PARTS[part]
    content = read(json.loads(bundle))
    for place in range(len(content)):
        altered = bytearray(content)
        altered[place] ^= 0x01
        document = json.loads(bundle)
        write(document, bytes(altered))
        with pytest.raises(ProofRejected):
            verify_bundle(canonical(document), trust)


def paths(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a JSON document."""
    if place:
        yield place
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths(child, (*place, key))


@settings(max_examples=400)
@given(data=st.data())
def test_every_replaced_or_removed_value_is_refused(bundle: bytes, trust: Trust, data: st.DataObject) -> None:
    document = json.loads(bundle)
    *way, last = data.draw(st.sampled_from(list(paths(document))))
    holder = document
    for key in way:
        holder = holder[key]
    kept = copy.deepcopy(holder[last])
    other: object = data.draw(
        st.none()
        | st.booleans()
        | st.integers(-5, 5)
        | st.text(max_size=5)
        | st.just([])
        | st.just({})
        | st.just([kept])
    )
    if data.draw(st.booleans()):
        del holder[last]
    elif other != kept:
        holder[last] = other
    else:
        return
    with pytest.raises(ProofRejected):
        verify_bundle(canonical(document), trust)


@given(st.binary(max_size=60) | st.sampled_from([b"{}", b"[]", b"null", b"1", b'"x"', b"[" * 5000]))
def test_noise_is_refused_and_nothing_else_is_raised(trust: Trust, noise: bytes) -> None:
    with pytest.raises(ProofRejected):
        verify_bundle(noise, trust)


def twice(holder: str) -> Callable[[Document], object]:
    def change(document: Document) -> object:
        if holder == "signature":
            return document["dsseEnvelope"]["signatures"].append(document["dsseEnvelope"]["signatures"][0])
        return document["verificationMaterial"]["tlogEntries"].append(entry_of(document))

    return change


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("media_type", lambda found: found.update(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.2")),
        ("shape", lambda found: found.update(extra=1)),
        ("shape", twice("signature")),
        ("shape", twice("entry")),
        ("shape", lambda found: entry_of(found)["inclusionProof"].update(logIndex="03")),
        ("shape", lambda found: found["dsseEnvelope"].update(payloadType="application/json")),
        ("key", lambda found: found["dsseEnvelope"]["signatures"][0].update(keyid="0" * 64)),
        ("inclusion", lambda found: entry_of(found)["inclusionProof"].update(logIndex="2")),
        ("inclusion", lambda found: entry_of(found)["inclusionProof"].update(logIndex="9999999999")),
        ("inclusion", lambda found: entry_of(found)["inclusionProof"]["hashes"].pop()),
        ("inclusion", lambda found: entry_of(found)["inclusionProof"]["hashes"].reverse()),
        ("fields", lambda found: entry_of(found)["inclusionProof"].update(treeSize="7")),
        ("fields", lambda found: entry_of(found)["inclusionProof"].update(rootHash=encode(b"\0" * 32))),
        ("fields", lambda found: entry_of(found).update(logIndex="2")),
        ("fields", lambda found: entry_of(found)["logId"].update(keyId=encode(b"\0" * 32))),
        ("fields", lambda found: entry_of(found)["kindVersion"].update(version="0.0.1")),
        ("fields", lambda found: found["verificationMaterial"]["publicKey"].update(hint="0" * 64)),
    ],
)
def test_the_step_that_does_not_hold_is_named(
    bundle: bytes, trust: Trust, step: str, change: Callable[[Document], object]
) -> None:
    assert refused_at(changed(bundle, change), trust) == step


def test_a_proof_of_another_decision_is_refused(instance: Instance, trust: Trust) -> None:
    first, second = instance.bundle(decision()), instance.bundle(decision(environment="staging"))
    mixed = {**json.loads(first), "verificationMaterial": json.loads(second)["verificationMaterial"]}
    assert refused_at(canonical(mixed), trust) == "leaf"


def test_a_checkpoint_of_another_instance_is_refused(bundle: bytes, trust: Trust, tmp_path: Path) -> None:
    content = single(decision(), KeyRing.of(create_ring(tmp_path).decision, SigningKey.generate(), NOW))
    assert refused_at(content, trust) == "key"


def test_a_checkpoint_by_the_decision_key_is_refused(instance: Instance, trust: Trust) -> None:
    ring = instance.ring
    content = single(decision(), KeyRing.of(ring.decision, ring.decision, ring.valid_from))
    assert refused_at(content, trust) == "checkpoint"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("verificationResult", "PASSED"),
        ("timeVerified", "2026-03-02T12:00:00Z"),
        ("resourceUri", "urn:assay:model:other"),
        ("verifiedLevels", ["SLSA_BUILD_LEVEL_3"]),
        ("policy", {"uri": "urn:assay:policy:other"}),
        ("inputAttestations", []),
        ("dependencyLevels", {}),
    ],
)
def test_standard_fields_that_contradict_the_decision_are_refused_although_signed(
    instance: Instance, trust: Trust, place: str, value: object
) -> None:
    taken = decision(verdict=Verdict.DENY, valid_until=None)
    statement = decision_statement(taken, taken.value_digest())
    statement["predicate"][place] = value
    assert refused_at(single(taken, instance.ring, statement), trust) == "statement"


def test_a_subject_that_contradicts_the_decision_is_refused_although_signed(instance: Instance, trust: Trust) -> None:
    statement = decision_statement(decision(), decision().value_digest())
    statement["subject"][0]["digest"]["sha256"] = "0" * 64
    assert refused_at(single(decision(), instance.ring, statement), trust) == "statement"


def test_a_dry_run_is_proved_and_does_not_allow(instance: Instance, trust: Trust) -> None:
    result = verify_bundle(single(decision(mode="dry_run"), instance.ring), trust)
    assert result.decision.verdict is Verdict.ALLOW
    assert not result.decision.allows


def test_a_decision_of_another_origin_is_refused(instance: Instance, trust: Trust) -> None:
    assert refused_at(single(decision(origin="other.example/log"), instance.ring), trust) == "origin"


def test_a_decision_older_than_its_key_is_refused(instance: Instance, trust: Trust) -> None:
    taken = decision(evaluated_at=NOW - timedelta(days=1))
    assert refused_at(single(taken, instance.ring), trust) == "origin"


def test_another_model_is_refused(bundle: bytes, trust: Trust) -> None:
    assert refused_at(bundle, trust, subject_digest=sha256(b"another model")) == "subject"


def test_another_environment_is_refused(bundle: bytes, trust: Trust) -> None:
    assert refused_at(bundle, trust, environment="staging") == "environment"


def test_validity_is_half_open(bundle: bytes, trust: Trust) -> None:
    ends = NOW + timedelta(days=90)
    assert "validity" in verify_bundle(bundle, trust, at=ends - timedelta(microseconds=1)).steps
    assert refused_at(bundle, trust, at=ends) == "validity"


def test_a_decision_from_the_future_is_refused_beyond_the_skew_of_clocks(bundle: bytes, trust: Trust) -> None:
    assert "validity" in verify_bundle(bundle, trust, at=NOW - timedelta(minutes=5)).steps
    assert refused_at(bundle, trust, at=NOW - timedelta(minutes=6)) == "validity"


def test_an_allow_without_an_end_is_refused(instance: Instance, trust: Trust) -> None:
    assert refused_at(single(decision(valid_until=None), instance.ring), trust, at=NOW) == "validity"


def test_a_file_beyond_the_limit_is_not_read(trust: Trust) -> None:
    assert refused_at(b" " * (8 * 2**20 + 1), trust) == "json"


def test_a_bundle_needs_a_checkpoint_that_covers_its_leaf(instance: Instance) -> None:
    ring, envelope = instance.ring, instance.envelope(decision())
    checkpoint = sign_checkpoint(ORIGIN, 3, b"\0" * 32, ring.checkpoint)
    with pytest.raises(InputRefused, match="more than 3 leaves"):
        decision_bundle(
            envelope,
            ring.decision.public,
            index=3,
            inclusion=[],
            checkpoint=checkpoint,
            checkpoint_key=ring.checkpoint.public,
        )
