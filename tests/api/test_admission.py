"""Admission to a cluster: AdmissionReviews as Kubernetes documents them, answered by what the decision is worth."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.admission import review
from governance.access.principal import Principal
from governance.access.roles import Role
from governance.errors import InputRefused
from tests.support.life import allowed, denied, revoke
from tests.support.service import Service, key_for, running
from tests.support.story import DIGEST

READER = Principal(id="cluster", name="cluster", roles=(Role.AUDITOR,))
UID = "705ab4f5-6393-11e8-b7cc-42010a800002"
IMAGE = f"registry.bank.example/credit-line@{DIGEST}"


@pytest.fixture
def cluster(sqlite_template: Path, tmp_path: Path) -> Iterator[Service]:
    """A service whose cluster runs prod in the namespace scoring."""
    shutil.copy(sqlite_template, tmp_path / "assay.db")
    kubernetes = {"environments": {"scoring": "prod", "trial": "test"}}
    with running(tmp_path / "home", f"sqlite:///{tmp_path / 'assay.db'}", kubernetes=kubernetes) as started:
        yield started


def pod(decision: str | None, *images: str, **annotations: str) -> dict[str, Any]:
    """A pod that names a decision and runs images."""
    named = {} if decision is None else {"assay.governance/decision": decision}
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "scorer", "annotations": named | annotations},
        "spec": {"containers": [{"name": str(place), "image": image} for place, image in enumerate(images)]},
    }  # fmt: skip


def asked(thing: Any, *, namespace: str = "scoring", operation: str = "CREATE", old: Any = None) -> dict[str, Any]:
    """The AdmissionReview of Kubernetes' documentation, around ``thing``."""
    return {
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": UID, "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"}, "name": "scorer", "namespace": namespace,
            "operation": operation, "userInfo": {"username": "admin", "groups": ["system:authenticated"]},
            "object": thing, "oldObject": old, "dryRun": False,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        },
    }  # fmt: skip


def answer(service: Service, thing: Any, **changes: Any) -> dict[str, Any]:
    """What the cluster is told; in the shape that an API server takes."""
    response = service.post_json("/v1/integrations/kubernetes/admission", asked(thing, **changes))
    assert response.status_code == 200, response.text
    body = response.json()
    assert (body["apiVersion"], body["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert body["response"]["uid"] == UID
    said: dict[str, Any] = body["response"]
    return said


def why(service: Service, thing: Any, **changes: Any) -> str:
    """The reason of a denial."""
    said = answer(service, thing, **changes)
    assert said["allowed"] is False
    assert said["status"]["code"] == 403
    return str(said["status"]["message"])


def test_what_a_valid_decision_allows_starts_in_every_form_of_a_pod(cluster: Service) -> None:
    decision = allowed(cluster)["decision_id"]
    plain = pod(decision, "sidecar:latest", IMAGE)
    deployment = {"kind": "Deployment", "metadata": {"name": "x"}, "spec": {"template": plain}}
    cron = {"kind": "CronJob", "metadata": {}, "spec": {"jobTemplate": {"spec": {"template": plain}}}}
    volume = pod(decision, "server:1")
    volume["spec"]["volumes"] = [{"name": "model", "image": {"reference": IMAGE}}]
    for thing in (plain, deployment, cron, volume, pod(decision, IMAGE, **{"assay.governance/digest": DIGEST})):
        assert answer(cluster, thing) == {"uid": UID, "allowed": True}


def test_whatever_is_missing_denies(cluster: Service) -> None:
    decision = allowed(cluster)["decision_id"]
    other = "registry.bank.example/x@sha256:" + "00" * 32
    assert "assay.governance/decision is missing" in why(cluster, pod(None, IMAGE))
    assert "pinned by @sha256:" in why(cluster, pod(decision, "credit-line:7"))
    assert "wrong subject" in why(cluster, pod(decision, other))
    assert "pinned by @sha256:" in why(cluster, pod(decision, other, **{"assay.governance/digest": DIGEST}))
    assert "wrong environment" in why(cluster, pod(decision, IMAGE), namespace="trial")
    assert "no environment" in why(cluster, pod(decision, IMAGE), namespace="elsewhere")
    assert "the id of a decision" in why(cluster, pod("none", IMAGE))
    assert "the id of a decision" in why(cluster, pod("\x00", IMAGE))
    nothing: list[Any] = [None, {}, [], "x", {"spec": [], "metadata": 1}]
    assert all(why(cluster, thing) for thing in nothing)


def test_a_decision_that_was_taken_back_or_said_no_denies(cluster: Service) -> None:
    decision = allowed(cluster)["decision_id"]
    assert revoke(cluster, decision).status_code == 201
    assert "revoked" in why(cluster, pod(decision, IMAGE))
    assert "not allowed" in why(cluster, pod(denied(cluster)["decision_id"], IMAGE))


def test_deleting_needs_no_decision(cluster: Service) -> None:
    assert answer(cluster, None, operation="DELETE")["allowed"] is True


def test_a_change_is_judged_when_it_changes_what_runs(cluster: Service) -> None:
    decision = allowed(cluster)["decision_id"]
    old, labelled = pod(decision, IMAGE), pod(decision, IMAGE)
    labelled["metadata"] |= {"labels": {"a": "b"}, "finalizers": []}
    assert revoke(cluster, decision).status_code == 201
    assert answer(cluster, labelled, operation="UPDATE", old=old)["allowed"] is True
    assert "revoked" in why(cluster, pod(decision, IMAGE, "other:1"), operation="UPDATE", old=old)
    assert "the id of a decision" in why(cluster, pod("another", IMAGE), operation="UPDATE", old=old)
    assert "revoked" in why(cluster, pod(decision, IMAGE), operation="UPDATE")


def test_a_decision_out_of_sight_denies_like_one_that_is_not_there(cluster: Service) -> None:
    decision = allowed(cluster)["decision_id"]
    narrow = {"Authorization": f"Bearer {key_for(cluster.url, 'auditor', scopes=('other/*',))}"}
    body = asked(pod(decision, IMAGE))
    said = cluster.post_json("/v1/integrations/kubernetes/admission", body, **narrow).json()["response"]
    assert said["allowed"] is False
    assert "the id of a decision" in said["status"]["message"]


def test_what_is_no_review_gets_no_answer_that_a_cluster_could_take_for_a_yes(cluster: Service) -> None:
    bad: list[Any] = [{}, [], {**asked({}), "apiVersion": "admission.k8s.io/v1beta1"}, {**asked({}), "request": {}}]
    for body in bad:
        refused = cluster.post_json("/v1/integrations/kubernetes/admission", body)
        assert (refused.status_code, "response" in refused.json()) == (422, False)
    no_key = cluster.post_json("/v1/integrations/kubernetes/admission", asked({}), Authorization="")
    assert no_key.status_code == 401


def test_it_is_off_until_a_namespace_is_named(service: Service) -> None:
    assert service.post_json("/v1/integrations/kubernetes/admission", asked({})).status_code == 404


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.just(IMAGE),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["spec", "template", "metadata", "annotations", "containers", "image", "volumes", "jobTemplate",
                         "assay.governance/decision", "assay.governance/digest"]),
        inner, max_size=4,
    ),
    max_leaves=25,
)  # fmt: skip


def test_no_object_whatever_its_shape_is_let_in_without_a_decision(cluster: Service) -> None:
    @settings(max_examples=100, deadline=None)
    @given(thing=JSON)
    def judged(thing: Any) -> None:
        with cluster.state.database.read_unit() as unit:
            said = review(asked(thing), unit, cluster.settings.kubernetes, READER)
        response = said["response"]
        assert isinstance(response, dict)
        assert response["allowed"] is False

    judged()
    with cluster.state.database.read_unit() as unit, pytest.raises(InputRefused):
        review(None, unit, cluster.settings.kubernetes, READER)
