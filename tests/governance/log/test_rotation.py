"""Keys follow one another: what earlier ones signed stays proved, and nothing that they may not sign is."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from governance.bundle import trust_of
from governance.database import Database
from governance.errors import InputRefused, NotFound, ProofRejected
from governance.log import journal
from governance.log.checkpoint import open_checkpoint, sign_checkpoint, signer_of
from governance.log.publish import latest, publish
from governance.log.rotation import Place, compromise, rotate
from governance.log.tables import LogKeyRow
from governance.signing.keys import KeyRing, KeyTimes
from governance.signing.rings import Purpose
from governance.types.results import Verdict
from governance.verify import read_trust, verify_bundle
from tests.governance.log.test_journal import fill, tamper
from tests.support.proof import NOW, ORIGIN, Instance, build_instance, decision

HOUR = timedelta(hours=1)


@pytest.fixture
def instance(database: Database, tmp_path: Path) -> Instance:
    database.clock = lambda: NOW
    return build_instance(database, tmp_path / "home")


def place(instance: Instance) -> Place:
    return Place(instance.database, instance.keys, ORIGIN, instance.home / "checkpoint")


class Held:
    """Keys that somebody holds, whatever the folder says by now."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def ring(self) -> KeyRing:
        return self._ring

    def replace(self, ring: KeyRing) -> None:
        raise AssertionError(f"nobody asked to replace {ring}")


def holding(instance: Instance, ring: KeyRing) -> Instance:
    """The same database and folder, in the hands of whoever holds these keys."""
    return replace(instance, keys=Held(ring))


def at(instance: Instance, hours: float) -> None:
    instance.database.clock = lambda: NOW + hours * HOUR


def sealed(instance: Instance, hours: float = 0) -> bytes:
    """The bundle of a decision that is taken so many hours after noon, by the key in use."""
    at(instance, hours)
    return instance.bundle(decision(evaluated_at=NOW + hours * HOUR, valid_until=None, verdict=Verdict.DENY))


def refused_at(instance: Instance, bundle: bytes) -> str | None:
    with pytest.raises(ProofRejected) as caught:
        verify_bundle(bundle, read_trust(instance.trust()))
    return caught.value.pointer


@pytest.mark.parametrize("purpose", ["decision", "checkpoint"])
def test_bundles_from_before_and_after_each_rotation_verify(instance: Instance, purpose: Purpose) -> None:
    bundles = [sealed(instance)]
    for hours in (2, 4, 6):
        at(instance, hours)
        rotate(place(instance), purpose, actor="operator")
        bundles.append(sealed(instance, hours + 1))
    trust = read_trust(instance.trust())
    results = [verify_bundle(each, trust) for each in bundles]
    assert len({each.keyid for each in results}) == (4 if purpose == "decision" else 1)
    signers = {signer_of(each.checkpoint, trust.log_keys()).keyid for each in results}
    assert len(signers) == (4 if purpose == "checkpoint" else 1)


@pytest.mark.parametrize("purpose", ["decision", "checkpoint"])
def test_a_rotation_is_a_leaf_and_a_row_that_names_who_did_it(instance: Instance, purpose: Purpose) -> None:
    fill(instance.database, 3)
    ring = rotate(place(instance), purpose, actor="user:4711")
    key = ring.decision if purpose == "decision" else ring.checkpoint
    with instance.database.read_unit() as unit:
        row = unit.session.scalars(sa.select(LogKeyRow)).one()
        leaf = journal.leaf(unit, row.log_index)
        stored = (row.purpose, row.act, row.keyid, row.actor)
    assert stored == (purpose, "rotated", key.keyid, "user:4711")
    told = json.loads(leaf.body)
    assert (leaf.kind, told["kind"], told["purpose"]) == ("key", "key.rotated/v1", purpose)
    assert (told["key"]["keyid"], told["key"]["public"]) == (key.keyid, key.public.pem)


@pytest.mark.parametrize("hours", [-0.5, 3, 24])
def test_a_signature_outside_of_the_time_of_its_key_is_refused(instance: Instance, hours: float) -> None:
    """The earlier key held from eleven until two hours after noon, and five minutes more for what was under way."""
    earlier = instance.ring.decision
    at(instance, 2)
    ring = rotate(place(instance), "decision", actor="operator")
    key = earlier if hours > 0 else ring.decision
    assert refused_at(instance, sealed(holding(instance, replace(ring, decision=key)), hours)) == "origin"


@pytest.mark.parametrize(("minutes", "holds"), [(0, True), (4.99, True), (5, False), (5.01, False)])
def test_the_time_of_an_earlier_key_is_half_open(instance: Instance, minutes: float, holds: bool) -> None:
    earlier = instance.ring.decision_keys[0]
    rotate(place(instance), "decision", actor="operator")
    times = instance.ring.decision_keys[0]
    assert times.key.keyid == earlier.key.keyid
    assert times.holds_at(NOW + timedelta(minutes=minutes)) is holds


def test_both_keys_sign_the_checkpoint_of_a_rotation(instance: Instance) -> None:
    fill(instance.database, 2)
    first = publish(instance.database, instance.keys, origin=ORIGIN, kept=instance.home / "checkpoint")
    before = instance.ring.checkpoint_keys
    rotate(place(instance), "checkpoint", actor="operator")
    both = publish(instance.database, instance.keys, origin=ORIGIN, kept=instance.home / "checkpoint")
    assert both.size == first.size + 1
    assert both.note.count("\u2014") == 2
    earlier, following = instance.ring.checkpoint_keys
    assert open_checkpoint(both.note, ORIGIN, [earlier, following]) == both
    assert (instance.home / "checkpoint").read_text() == both.note
    # Who knows the earlier key alone sees its line, and that the other is by somebody unknown.
    with pytest.raises(ProofRejected, match="another key"):
        open_checkpoint(both.note, ORIGIN, before)
    fill(instance.database, 1)
    after = publish(instance.database, instance.keys, origin=ORIGIN, kept=instance.home / "checkpoint")
    assert open_checkpoint(after.note, ORIGIN, [following]) == after


def test_an_earlier_checkpoint_key_signs_no_larger_tree(instance: Instance) -> None:
    fill(instance.database, 4)
    stolen = instance.ring.checkpoint
    rotate(place(instance), "checkpoint", actor="operator")
    keys = instance.ring.checkpoint_keys
    assert keys[0].leaves == 5
    for size, holds in ((4, True), (5, True), (6, False)):
        note = sign_checkpoint(ORIGIN, size, b"\1" * 32, stolen).note
        if holds:
            assert open_checkpoint(note, ORIGIN, keys).size == size
        else:
            with pytest.raises(ProofRejected, match="at most 5 leaves"):
                open_checkpoint(note, ORIGIN, keys)


def test_a_process_with_the_earlier_key_in_its_environment_signs_nothing(instance: Instance) -> None:
    fill(instance.database, 1)
    stale = holding(instance, instance.ring)
    rotate(place(instance), "checkpoint", actor="operator")
    with pytest.raises(ProofRejected, match="the last one that was made"):
        publish(stale.database, stale.keys, origin=ORIGIN, kept=instance.home / "checkpoint")


def test_decisions_signed_since_a_compromise_are_refused_and_earlier_ones_hold(instance: Instance) -> None:
    before, stolen = sealed(instance), instance.ring.decision
    since = sealed(instance, 2)
    at(instance, 5)
    compromise(place(instance), stolen.keyid, since=NOW + HOUR, actor="operator")
    trust = read_trust(instance.trust())
    assert verify_bundle(before, trust).keyid == stolen.keyid
    assert refused_at(instance, since) == "origin"
    assert instance.ring.decision.keyid != stolen.keyid
    assert verify_bundle(sealed(instance, 5), trust).keyid == instance.ring.decision.keyid


def test_a_stolen_key_cannot_date_its_signature_back(instance: Instance) -> None:
    """The thief chooses the time in the statement, and not the place in the log."""
    sealed(instance)
    stolen = instance.ring
    at(instance, 3)
    compromise(place(instance), stolen.decision.keyid, since=NOW + 2 * HOUR, actor="operator")
    thief = holding(instance, replace(instance.ring, decision=stolen.decision))
    dated_back = thief.bundle(decision(evaluated_at=NOW, valid_until=None, verdict=Verdict.DENY))
    assert refused_at(instance, dated_back) == "place"


def test_a_compromised_checkpoint_key_proves_nothing_that_was_signed_since(instance: Instance) -> None:
    before = sealed(instance)
    since = sealed(instance, 2)
    keyid = instance.ring.checkpoint.keyid
    at(instance, 5)
    compromise(place(instance), keyid, since=NOW + HOUR, actor="operator")
    trust = read_trust(instance.trust())
    assert verify_bundle(before, trust).checkpoint.note.count("\u2014") == 1
    assert refused_at(instance, since) == "checkpoint"
    # The same decision is proved again by the new key: its leaf never left the log.
    note = publish(instance.database, instance.keys, origin=ORIGIN, kept=instance.home / "checkpoint")
    assert signer_of(note, trust.log_keys()).keyid == instance.ring.checkpoint.keyid != keyid


def test_proofs_go_on_after_an_earlier_checkpoint_key_is_compromised(instance: Instance) -> None:
    """The checkpoint of the rotation bears that key's line too, and is the newest one until another is signed."""
    sealed(instance)
    earlier = instance.ring.checkpoint.keyid
    at(instance, 1)
    rotate(place(instance), "checkpoint", actor="operator")
    at(instance, 2)
    compromise(place(instance), earlier, since=NOW - HOUR, actor="operator")
    trust = read_trust(instance.trust())
    with instance.database.read_unit() as unit:
        newest = latest(unit, trust.log_keys(), origin=ORIGIN)
    assert newest is not None
    assert newest.note.count("\u2014") == 1
    assert verify_bundle(sealed(instance, 2), trust).checkpoint.size > newest.size


def test_an_earlier_key_is_compromised_without_a_new_one(instance: Instance) -> None:
    earlier = instance.ring.decision.keyid
    at(instance, 1)
    rotate(place(instance), "decision", actor="operator")
    at(instance, 2)
    ring = compromise(place(instance), earlier, since=NOW, actor="operator")
    assert len(ring.decision_keys) == 2
    assert ring.decision_keys[0].compromised_since == NOW


@pytest.mark.parametrize(
    ("error", "act"),
    [
        (NotFound, lambda where: compromise(where, "0" * 64, since=NOW, actor="operator")),
        (
            InputRefused,
            lambda where: compromise(
                where, where.keys.ring().decision.keyid, since=NOW + timedelta(seconds=1), actor="operator"
            ),
        ),
    ],
)
def test_a_compromise_that_makes_no_sense_changes_nothing(
    instance: Instance, error: type[Exception], act: Callable[[Place], object]
) -> None:
    content = (instance.home / "keys" / "ring.json").read_bytes()
    with pytest.raises(error):
        act(place(instance))
    assert (instance.home / "keys" / "ring.json").read_bytes() == content
    with instance.database.read_unit() as unit:
        assert journal.size(unit) == 0


def test_no_key_is_rotated_over_a_log_that_was_changed(instance: Instance) -> None:
    fill(instance.database, 4)
    publish(instance.database, instance.keys, origin=ORIGIN, kept=instance.home / "checkpoint")
    fill(instance.database, 1)
    tamper(instance.database, "UPDATE log_node SET hash = :zero WHERE level = 2", zero=b"\0" * 32)
    content = (instance.home / "keys" / "ring.json").read_bytes()
    with pytest.raises(ProofRejected, match="other leaves"):
        rotate(place(instance), "checkpoint", actor="operator")
    assert (instance.home / "keys" / "ring.json").read_bytes() == content


def test_the_trusted_root_lists_every_key_of_the_log_with_its_time(instance: Instance) -> None:
    rotate(place(instance), "checkpoint", actor="operator")
    root = trust_of(instance.ring, ORIGIN).sigstore_trusted_root
    logs = root["tlogs"]
    assert isinstance(logs, list)
    spans = [log["publicKey"]["validFor"] for log in logs]  # type: ignore[index,call-overload]  # a JSON document
    assert spans == [
        {"start": "2026-03-01T11:00:00Z", "end": "2026-03-01T12:05:00Z"},
        {"start": "2026-03-01T11:55:00Z"},
    ]


def test_a_trust_file_from_before_a_rotation_still_opens_what_it_knows(instance: Instance) -> None:
    pinned, bundle = read_trust(instance.trust()), sealed(instance)
    at(instance, 1)
    rotate(place(instance), "decision", actor="operator")
    rotate(place(instance), "checkpoint", actor="operator")
    assert verify_bundle(bundle, pinned).keyid == pinned.decision_keys[0].keyid
    with pytest.raises(ProofRejected):
        verify_bundle(sealed(instance, 2), pinned)


def test_a_note_with_the_lines_of_both_keys_is_refused_in_another_order(instance: Instance) -> None:
    rotate(place(instance), "checkpoint", actor="operator")
    note = publish(instance.database, instance.keys, origin=ORIGIN, kept=instance.home / "checkpoint").note
    *head, first, second, _ = note.split("\n")
    keys: tuple[KeyTimes, ...] = instance.ring.checkpoint_keys
    with pytest.raises(ProofRejected, match="another shape"):
        open_checkpoint("\n".join([*head, second, first, ""]), ORIGIN, keys)
