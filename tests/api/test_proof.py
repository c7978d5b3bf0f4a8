"""A monitor without a key follows the log over HTTP, and a decision's place in it is given as text."""

import base64
from typing import Any

import pytest

from governance.log import journal
from governance.log.checkpoint import Checkpoint, open_checkpoint
from governance.log.journal import Leaf
from governance.log.merkle import leaf_hash, verify_consistency, verify_inclusion
from governance.verify import read_trust
from tests.support.service import Service
from tests.support.story import ask, policy, publish

OPEN = {"Authorization": ""}


def grow(service: Service, count: int) -> None:
    with service.state.database.unit() as unit:
        journal.append(unit, [Leaf("event", b"leaf %d" % number) for number in range(count)])


def checkpoint(service: Service) -> Checkpoint:
    trust = read_trust(service.http.get("/v1/trust", headers=OPEN).content)
    note = service.http.get("/v1/log/checkpoint", headers=OPEN).text
    return open_checkpoint(note, trust.origin, trust.log_keys())


def fetched(service: Service, path: str, **query: int) -> Any:
    answer = service.http.get(path, params=query, headers=OPEN)
    assert answer.status_code == 200, answer.text
    return answer.json()


def hashes(document: Any) -> list[bytes]:
    return [base64.b64decode(each, validate=True) for each in document["hashes"]]


def test_two_checkpoints_are_proved_to_tell_one_story(service: Service) -> None:
    grow(service, 5)
    old = checkpoint(service)
    grow(service, 6)
    new = checkpoint(service)
    proof = hashes(fetched(service, "/v1/log/consistency", old=old.size, new=new.size))
    assert proof
    assert verify_consistency(old.size, new.size, proof, old.root, new.root)


def test_each_leaf_comes_with_its_proof_in_the_signed_tree(service: Service) -> None:
    grow(service, 11)
    signed = checkpoint(service)
    for index in range(signed.size):
        found = fetched(service, f"/v1/log/entries/{index}", size=signed.size)
        leaf = base64.b64decode(found["leaf"], validate=True)
        assert verify_inclusion(leaf_hash(leaf), index, signed.size, hashes(found), signed.root)
    assert (found["kind"], leaf) == ("event", b"leaf 10")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/log/consistency?old=5&new=4",
        "/v1/log/consistency?old=1&new=100000",
        "/v1/log/consistency?old=1&new=9223372036854775807",
        "/v1/log/consistency?old=-1&new=2",
        "/v1/log/consistency?old=0&new=9223372036854775808",
        "/v1/log/consistency?new=2",
        "/v1/log/entries/3?size=3",
        "/v1/log/entries/0?size=100000",
        "/v1/log/entries/9223372036854775806?size=9223372036854775807",
        "/v1/log/entries/9223372036854775808?size=1",
        "/v1/log/entries/-1?size=1",
        "/v1/log/entries/x?size=1",
        "/v1/log/entries/0",
    ],
)
def test_what_the_log_does_not_hold_is_refused_by_name(service: Service, path: str) -> None:
    grow(service, 4)
    answer = service.http.get(path, headers=OPEN)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_place_of_a_decision_in_the_log_is_that_of_the_leaf_in_its_bundle(service: Service) -> None:
    publish(service, policy())
    answer = ask(service).json()
    base = f"/v1/decisions/{answer['decision_id']}"
    header, place, *rest = service.http.get(f"{base}/tlog-proof").text.split("\n")
    assert (header, place) == ("c2sp.org/tlog-proof@v1", f"index {answer['log']['index']}")
    path, note = rest[: rest.index("")], "\n".join(rest[rest.index("") + 1 :])
    trust = read_trust(service.http.get("/v1/trust").content)
    signed = open_checkpoint(note, trust.origin, trust.log_keys())
    bundled = service.http.get(f"{base}/bundle").json()["verificationMaterial"]["tlogEntries"][0]
    leaf = leaf_hash(base64.b64decode(bundled["canonicalizedBody"]))
    proof = [base64.b64decode(each, validate=True) for each in path]
    assert verify_inclusion(leaf, answer["log"]["index"], signed.size, proof, signed.root)


def test_an_unknown_decision_has_no_place_in_the_log(service: Service) -> None:
    assert service.http.get("/v1/decisions/none/tlog-proof").status_code == 404
