"""Witnesses look at the log over HTTP, hand their cosignatures back, and verifiers can demand them."""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from governance.cli import witness as commands
from governance.client import Client
from governance.errors import AssayError, ProofRejected, UsageError
from governance.log import journal
from governance.log.checkpoint import open_checkpoint, sign_checkpoint, witnesses_of
from governance.log.cosignature import Witness, cosign, read_witness
from governance.log.journal import Leaf
from governance.log.rotation import Place, rotate
from governance.pack import verify_pack
from governance.signing.keys import SigningKey, store_key
from governance.tlog import verify_tlog_proof
from governance.verify import read_trust, verify_bundle
from tests.support.service import Service, key_for, running
from tests.support.story import ask, policy, publish

SECRETS = {name: SigningKey.generate() for name in ("auditor.example/a", "auditor.example/b")}
FIRST = next(iter(SECRETS.items()))
KNOWN = tuple(Witness(name, key.public) for name, key in SECRETS.items())


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    texts = [each.text for each in KNOWN]
    with running(tmp_path / "home", database_url, log={"witnesses": texts}) as started:
        auditor(started)
        yield started


def grow(service: Service, count: int = 3) -> None:
    with service.state.database.unit() as unit:
        journal.append(unit, [Leaf("event", b"leaf %d" % number) for number in range(count)])


def newest(service: Service, cosignatures: int = 0) -> Any:
    return service.http.get("/v1/log/checkpoint", params={"cosignatures": cosignatures}, headers={"Authorization": ""})


def opened(service: Service, note: str) -> Any:
    trust = read_trust(service.http.get("/v1/trust").content)
    return open_checkpoint(note, trust.origin, trust.log_keys(), KNOWN)


@cache
def auditor_key(url: str) -> str:
    """The key of somebody who may cosign; making it is a leaf of the log, so it is made once."""
    return key_for(url, "auditor", subject="the auditor")


def auditor(service: Service) -> dict[str, str]:
    """The headers of somebody who may cosign."""
    return {"Authorization": f"Bearer {auditor_key(service.url)}"}


def hand_back(service: Service, note: str, *names: str, moment: int | None = None) -> Any:
    body = note.partition("\n\n")[0] + "\n"
    lines = [cosign(body, name, SECRETS[name], moment=moment or int(time.time())) for name in names]
    return service.post_json("/v1/log/cosignatures", {"note": note + "".join(lines)}, **auditor(service))


def test_cosignatures_are_published_with_the_checkpoint(service: Service) -> None:
    grow(service)
    note = newest(service).text
    assert hand_back(service, note, "auditor.example/a", "auditor.example/b").json() == {"taken": 2}
    shown = newest(service).text
    assert [each.name for each in witnesses_of(opened(service, shown), KNOWN)] == list(SECRETS)
    assert shown.startswith(note)


def test_a_cosignature_that_is_handed_back_again_changes_nothing(service: Service) -> None:
    grow(service)
    note = newest(service).text
    assert hand_back(service, note, "auditor.example/a", moment=1).json() == {"taken": 1}
    kept = newest(service).text
    assert hand_back(service, note, "auditor.example/a", moment=2).json() == {"taken": 0}
    assert newest(service).text == kept


def test_the_newest_checkpoint_with_so_many_cosignatures_is_found(service: Service) -> None:
    assert newest(service, 1).status_code == 404
    grow(service)
    first = newest(service).text
    hand_back(service, first, "auditor.example/a", "auditor.example/b")
    grow(service)
    second = newest(service).text
    hand_back(service, second, "auditor.example/a")
    grow(service)
    assert newest(service).text.count("\u2014") == 1
    assert newest(service, 2).text.startswith(first)
    assert newest(service, 1).text.startswith(second)
    assert newest(service, 3).status_code == 404


def test_what_is_no_cosigned_checkpoint_of_this_log_is_refused(service: Service) -> None:
    grow(service)
    note = newest(service).text
    stranger = SigningKey.generate()
    body = note.partition("\n\n")[0] + "\n"
    elsewhere = sign_checkpoint("assay.test/log", 3, b"\1" * 32, stranger)
    never = sign_checkpoint("assay.test/log", 2, b"\1" * 32, service.state.gate.ring.checkpoint)
    refused = {
        "by a stranger": note + cosign(body, "x.example", stranger, moment=1),
        "a known name": note + cosign(body, "auditor.example/a", stranger, moment=1),
        "by nobody": note,
        "of another log": elsewhere.note + cosign(elsewhere.body, *FIRST, moment=1),
        "never signed": never.note + cosign(never.body, *FIRST, moment=1),
        "from the future": note + cosign(body, *FIRST, moment=int(time.time()) + 3600),
        "noise": "noise",
    }
    for what, content in refused.items():
        answer = service.post_json("/v1/log/cosignatures", {"note": content}, **auditor(service))
        assert answer.status_code in {404, 422}, (what, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
    assert newest(service, 1).status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"note": 1}', b'{"note": ""}', b'{"note": "x", "more": 1}'])
def test_bodies_that_are_off_are_refused_by_name(service: Service, body: bytes) -> None:
    answer = service.http.post("/v1/log/cosignatures", content=body, headers=auditor(service))
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


def test_verifiers_can_demand_witnesses(service: Service) -> None:
    publish(service, policy())
    decision = ask(service).json()["decision_id"]
    trust = read_trust(service.http.get("/v1/trust").content)
    base = f"/v1/decisions/{decision}"
    assert service.http.get(f"{base}/bundle", params={"cosignatures": 2}).status_code == 404
    hand_back(service, newest(service).text, *SECRETS)
    fetched = {
        name: service.http.get(f"{base}/{name}", params={"cosignatures": 2})
        for name in ("bundle", "tlog-proof", "pack")
    }
    assert {answer.status_code for answer in fetched.values()} == {200}
    bundle = fetched["bundle"].content
    assert "witnesses" in verify_bundle(bundle, trust, witnesses=KNOWN, cosignatures=2).steps
    with pytest.raises(ProofRejected) as caught:
        verify_bundle(bundle, trust)
    assert caught.value.pointer == "checkpoint"
    plain = service.http.get(f"{base}/bundle").content
    with pytest.raises(ProofRejected) as caught:
        verify_bundle(plain, trust, witnesses=KNOWN, cosignatures=1)
    assert caught.value.pointer == "witnesses"
    assert verify_pack(fetched["pack"].content, trust=trust, witnesses=KNOWN, cosignatures=2).pinned
    leaf = json.loads(bundle)["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"]
    proof, body = fetched["tlog-proof"].content, base64.b64decode(leaf)
    assert verify_tlog_proof(proof, body, trust, witnesses=KNOWN, cosignatures=2).checkpoint.size > 0
    with pytest.raises(ProofRejected):
        verify_tlog_proof(proof, body, trust, witnesses=KNOWN, cosignatures=3)


app = typer.Typer()
app.add_typer(commands.app, name="witness")


@pytest.fixture
def witness(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs ``assay witness check`` of the first witness; its answer as JSON, or the fault."""
    (tmp_path / "trust.json").write_bytes(service.http.get("/v1/trust").content)
    store_key(tmp_path / "w.pem", SECRETS["auditor.example/a"])
    service.http.headers.update(auditor(service))
    monkeypatch.setattr(Client, "__init__", lambda self, *_args, **_more: setattr(self, "_http", service.http))
    monkeypatch.setattr(Client, "close", lambda _self: None)

    def run(*more: str) -> Any:
        arguments = ["witness", "check", "--state", str(tmp_path / "seen"), "--trust", str(tmp_path / "trust.json")]
        answer = CliRunner().invoke(app, [*arguments, "--json", *more])
        if isinstance(answer.exception, AssayError):
            raise answer.exception
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.stdout)

    return run


def signer(tmp_path: Path) -> list[str]:
    return ["--signing-key", str(tmp_path / "w.pem"), "--name", "auditor.example/a"]


def test_a_witness_follows_a_log_that_grows_and_hands_its_lines_back(
    service: Service, witness: Any, tmp_path: Path
) -> None:
    for _ in range(3):
        grow(service)
        said = witness(*signer(tmp_path), "--submit")
        assert newest(service, 1).text == said["note"]
    assert (tmp_path / "seen").read_text() == newest(service).text.rpartition("\u2014")[0]


def test_a_witness_refuses_a_fork_and_keeps_both_stories(service: Service, witness: Any, tmp_path: Path) -> None:
    grow(service)
    ring = service.state.gate.ring
    other = sign_checkpoint("assay.test/log", 2, b"\1" * 32, ring.checkpoint)
    (tmp_path / "seen").write_text(other.note)
    with pytest.raises(ProofRejected, match="other leaves") as caught:
        witness(*signer(tmp_path), "--submit")
    assert caught.value.exit_code == 7
    assert (tmp_path / "seen").read_text() == other.note
    (kept,) = tmp_path.glob("seen.fork-*")
    assert set(json.loads(kept.read_text())) == {"seen_before", "seen_now"}
    assert newest(service, 1).status_code == 404


def test_a_witness_refuses_a_log_that_was_cut(service: Service, witness: Any, tmp_path: Path) -> None:
    grow(service)
    longer = sign_checkpoint("assay.test/log", 50, b"\1" * 32, service.state.gate.ring.checkpoint)
    (tmp_path / "seen").write_text(longer.note)
    with pytest.raises(ProofRejected, match="shorter"):
        witness()


def test_a_witness_follows_over_a_rotation_of_the_log_key_by_either_key(
    service: Service, witness: Any, tmp_path: Path
) -> None:
    grow(service)
    first = witness()
    gate = service.state.gate
    rotate(
        Place(service.state.database, gate.keys, gate.origin, gate.settings.home / "checkpoint"),
        "checkpoint",
        actor="operator",
    )
    # Pinned to the earlier key: the checkpoint of the rotation carries its line as well.
    assert witness()["size"] == first["size"] + 1
    grow(service)
    with pytest.raises(ProofRejected):
        witness()
    (tmp_path / "trust.json").write_bytes(service.http.get("/v1/trust").content)
    assert witness()["size"] == first["size"] + 4


@pytest.mark.parametrize("options", [["--submit"], ["--name", "x"], ["--signing-key", "w.pem"]])
def test_options_that_make_no_sense_are_usage_faults(witness: Any, options: list[str]) -> None:
    with pytest.raises(UsageError):
        witness(*options)


def test_a_new_witness_prints_the_key_that_settings_take(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "governance", "witness", "init", "w.pem", "--name", "auditor.example/w1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert read_witness(done.stdout.strip()).name == "auditor.example/w1"
    assert (tmp_path / "w.pem").stat().st_mode & 0o077 == 0
