"""Keys over time: what each is trusted for, where they are kept, and rings of earlier versions."""

import base64
import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from pydantic import SecretStr

from governance.canonical import canonical
from governance.errors import NotFound, UsageError
from governance.settings import KeySettings, Settings
from governance.signing.keys import KeyRing, KeyTimes, SigningKey, store_key
from governance.signing.rings import (
    OVERLAP,
    Purpose,
    compromised,
    create_ring,
    open_ring,
    purpose_of,
    ring_facts,
    rotated,
    store_ring,
)
from governance.signing.stores import EnvironmentKeys, FolderKeys, WrittenElsewhere, open_keys
from tests.support.proof import NOW

LATER = NOW + timedelta(days=30)
PURPOSES: list[Purpose] = ["decision", "checkpoint"]


def fresh() -> KeyRing:
    return KeyRing.of(SigningKey.generate(), SigningKey.generate(), NOW)


def same(one: KeyRing, other: KeyRing) -> bool:
    pairs = (one.decision.keyid, one.checkpoint.keyid) == (other.decision.keyid, other.checkpoint.keyid)
    return pairs and ring_facts(one) == ring_facts(other)


def test_times_are_half_open() -> None:
    times = KeyTimes(SigningKey.generate().public, NOW, LATER)
    tick = timedelta(microseconds=1)
    assert [times.holds_at(each) for each in (NOW - tick, NOW, LATER - tick, LATER)] == [False, True, True, False]


def test_a_compromise_ends_a_key_earlier_and_never_later() -> None:
    key = SigningKey.generate().public
    assert KeyTimes(key, NOW, LATER, NOW + timedelta(days=1)).ends == NOW + timedelta(days=1)
    assert KeyTimes(key, NOW, LATER, LATER + timedelta(days=1)).ends == LATER
    assert KeyTimes(key, NOW).ends is None


def test_a_key_covers_the_leaves_it_is_trusted_for() -> None:
    key = SigningKey.generate().public
    assert KeyTimes(key, NOW).covers(2**62)
    assert [KeyTimes(key, NOW, leaves=5).covers(each) for each in (0, 5, 6)] == [True, True, False]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_rotation_ends_the_earlier_key_and_keeps_the_other(purpose: Purpose) -> None:
    before, key = fresh(), SigningKey.generate()
    after = rotated(before, purpose, key, now=LATER, leaves=9)
    changed, kept = (after.decision_keys, after.checkpoint_keys)[:: 1 if purpose == "decision" else -1]
    assert [each.key.keyid for each in changed][-1] == key.keyid
    assert (changed[0].valid_from, changed[0].valid_until, changed[0].leaves) == (NOW, LATER + OVERLAP, 9)
    assert (changed[1].valid_from, changed[1].ends, changed[1].leaves) == (LATER - OVERLAP, None, None)
    assert [each.ends for each in kept] == [None]


def test_no_moment_is_without_a_key_for_decisions() -> None:
    ring = fresh()
    for days in (10, 20, 30):
        ring = rotated(ring, "decision", SigningKey.generate(), now=NOW + timedelta(days=days, microseconds=7))
    for hours in range(0, 24 * 40, 7):
        assert any(each.holds_at(NOW + timedelta(hours=hours)) for each in ring.decision_keys)


def test_what_is_said_of_a_compromised_key_is_never_made_milder() -> None:
    ring = fresh()
    keyid = ring.decision.keyid
    for days, leaves in ((5, 50), (9, 90), (5, 80), (7, 20)):
        ring = compromised(ring, keyid, since=NOW + timedelta(days=days), leaves=leaves)
    assert ring.decision_keys[0].compromised_since == NOW + timedelta(days=5)
    assert ring.decision_keys[0].leaves == 20
    assert ring.checkpoint_keys[0].ends is None


def test_a_key_of_nobody_cannot_be_compromised() -> None:
    ring = fresh()
    assert (purpose_of(ring, ring.decision.keyid), purpose_of(ring, ring.checkpoint.keyid)) == (
        "decision",
        "checkpoint",
    )
    with pytest.raises(NotFound, match="signs or signed"):
        compromised(ring, "0" * 64, since=NOW, leaves=0)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_folder_opens_as_it_was_rotated(tmp_path: Path, purpose: Purpose) -> None:
    create_ring(tmp_path / "keys", clock=lambda: NOW)
    store = FolderKeys(tmp_path / "keys")
    for days in (1, 2):
        now = NOW + timedelta(days=days)
        store.replace(rotated(store.ring(), purpose, SigningKey.generate(), now=now, leaves=days))
    again = open_ring(tmp_path / "keys")
    assert same(again, store.ring())
    assert len(again.decision_keys if purpose == "decision" else again.checkpoint_keys) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}


def test_a_running_process_takes_up_a_ring_that_was_replaced(tmp_path: Path) -> None:
    create_ring(tmp_path / "keys", clock=lambda: NOW)
    running, operator = FolderKeys(tmp_path / "keys"), FolderKeys(tmp_path / "keys")
    first = running.ring()
    assert running.ring() is first
    operator.replace(rotated(first, "decision", SigningKey.generate(), now=LATER))
    assert running.ring().decision.keyid == operator.ring().decision.keyid != first.decision.keyid


def test_a_ring_written_before_keys_could_be_rotated_opens(tmp_path: Path) -> None:
    ring = fresh()
    for name, key in (("decision", ring.decision), ("checkpoint", ring.checkpoint)):
        store_key(tmp_path / f"{name}.pem", key)
    facts = {
        "kind": "assay.keys/v1",
        "decision": ring.decision.keyid,
        "checkpoint": ring.checkpoint.keyid,
        "valid_from": "2026-03-01T12:00:00Z",
    }
    (tmp_path / "ring.json").write_bytes(canonical(facts))
    (tmp_path / "ring.json").chmod(0o600)
    assert same(open_ring(tmp_path), ring)
    store = FolderKeys(tmp_path)
    store.replace(rotated(store.ring(), "decision", SigningKey.generate(), now=LATER))
    assert open_ring(tmp_path).decision_keys[0].key.keyid == ring.decision.keyid


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts["decision"].reverse(),
        lambda facts: facts["decision"].pop(),
        lambda facts: facts["decision"].append(facts["decision"][0]),
        lambda facts: facts["decision"][0].update(keyid="0" * 64),
        lambda facts: facts["decision"][0].update(public="no key"),
        lambda facts: facts["decision"][0].update(leaves=-1),
        lambda facts: facts["checkpoint"].clear(),
        lambda facts: facts.update(checkpoint=facts["decision"]),
        lambda facts: facts.update(kind="assay.keys/v3"),
        lambda facts: facts.update(more=1),
    ],
)
def test_facts_that_contradict_the_keys_are_refused(tmp_path: Path, change: object) -> None:
    create_ring(tmp_path, clock=lambda: NOW)
    store = FolderKeys(tmp_path)
    store.replace(rotated(store.ring(), "decision", SigningKey.generate(), now=LATER))
    facts = json.loads((tmp_path / "ring.json").read_bytes())
    assert callable(change)
    change(facts)
    (tmp_path / "ring.json").write_bytes(canonical(facts))
    with pytest.raises(UsageError, match="Restore the folder of keys"):
        open_ring(tmp_path)


def spelled(key: SigningKey, spelling: str) -> str:
    pem = key.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    der = key.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    raw = key.key.private_bytes_raw()
    return {
        "pem": pem.decode(),
        "base64 of pem": base64.b64encode(pem).decode(),
        "base64 of der": base64.b64encode(der).decode(),
        "base64 of raw": base64.b64encode(raw).decode() + "\n",
    }[spelling]


@pytest.mark.parametrize("spelling", ["pem", "base64 of pem", "base64 of der", "base64 of raw"])
def test_keys_come_from_the_environment_in_each_spelling(spelling: str) -> None:
    ring = fresh()
    given = KeySettings(
        store="env",
        decision=SecretStr(spelled(ring.decision, spelling)),
        checkpoint=SecretStr(spelled(ring.checkpoint, spelling)),
        ring=canonical(ring_facts(ring)).decode(),
    )
    assert same(EnvironmentKeys(given).ring(), ring)


def test_variables_may_name_files_of_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = create_ring(tmp_path / "keys", clock=lambda: NOW)
    monkeypatch.setenv("ASSAY_KEYS__STORE", "env")
    for name, file in (("DECISION", "decision.pem"), ("CHECKPOINT", "checkpoint.pem"), ("RING", "ring.json")):
        monkeypatch.setenv(f"ASSAY_KEYS__{name}_FILE", str(tmp_path / "keys" / file))
    settings = Settings()
    assert same(open_keys(tmp_path / "elsewhere", settings.keys).ring(), ring)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"decision": None}, "either ASSAY_KEYS__DECISION or ASSAY_KEYS__DECISION_FILE"),
        ({"decision_file": Path("/x")}, "either ASSAY_KEYS__DECISION or"),
        ({"decision": SecretStr("no key")}, "signing key in ASSAY_KEYS__DECISION"),
        ({"decision": SecretStr("AAAA")}, "signing key in ASSAY_KEYS__DECISION"),
        ({"ring": "{}"}, "signing key in ASSAY_KEYS__RING"),
        ({"ring": None, "ring_file": Path("/nowhere/ring.json")}, "a file that ASSAY_KEYS__RING_FILE names"),
    ],
)
def test_an_environment_without_whole_keys_is_a_clear_fault(changes: dict[str, object], expected: str) -> None:
    ring = fresh()
    whole: dict[str, object] = {
        "store": "env",
        "decision": SecretStr(spelled(ring.decision, "pem")),
        "checkpoint": SecretStr(spelled(ring.checkpoint, "pem")),
        "ring": canonical(ring_facts(ring)).decode(),
    }
    with pytest.raises(UsageError, match=expected):
        EnvironmentKeys(KeySettings.model_validate(whole | changes)).ring()


def test_keys_in_settings_do_not_show_in_text() -> None:
    secret = spelled(SigningKey.generate(), "base64 of raw").strip()
    settings = Settings(keys=KeySettings(store="env", decision=SecretStr(secret)))
    assert secret not in repr(settings)
    assert secret not in str(settings.model_dump())
    assert secret not in settings.model_dump_json()


def test_an_environment_is_never_written_and_its_followers_go_into_a_new_folder(tmp_path: Path) -> None:
    ring = fresh()
    store = EnvironmentKeys(
        KeySettings(
            store="env",
            decision=SecretStr(spelled(ring.decision, "pem")),
            checkpoint=SecretStr(spelled(ring.checkpoint, "pem")),
            ring=canonical(ring_facts(ring)).decode(),
        )
    )
    following = rotated(store.ring(), "decision", SigningKey.generate(), now=LATER)
    with pytest.raises(UsageError, match="--output"):
        store.replace(following)
    WrittenElsewhere(store, tmp_path / "new").replace(following)
    assert same(open_ring(tmp_path / "new"), following)
    with pytest.raises(UsageError, match="no keys in"):
        store_ring(tmp_path / "new", following)
