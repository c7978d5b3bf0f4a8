"""The manifests of integrations say what the service does."""

import re

import yaml

from api.routers.integrations import router
from audits.admission import DECISION
from tests.architecture.sources import ROOT

KUBERNETES = ROOT / "integrations" / "kubernetes"


def test_the_webhook_of_the_cluster_fails_closed_and_asks_the_route_that_there_is() -> None:
    manifest = yaml.safe_load((KUBERNETES / "webhook.yaml").read_text(encoding="utf-8"))
    (webhook,) = manifest["webhooks"]
    assert webhook["failurePolicy"] == "Fail"
    assert webhook["sideEffects"] == "None"
    assert webhook["admissionReviewVersions"] == ["v1"]
    path = re.sub(r"^https://[^/]+", "", webhook["clientConfig"]["url"])
    assert path in {getattr(route, "path", "") for route in router.routes}
    assert webhook["name"].count(".") >= 2, "the API server takes no shorter name"


def test_the_credentials_are_those_of_the_host_that_is_asked() -> None:
    manifest = yaml.safe_load((KUBERNETES / "webhook.yaml").read_text(encoding="utf-8"))
    kubeconfig = yaml.safe_load((KUBERNETES / "kubeconfig.yaml").read_text(encoding="utf-8"))
    host = manifest["webhooks"][0]["clientConfig"]["url"].split("/")[2]
    assert [user["name"] for user in kubeconfig["users"]] == [host]
    configured = yaml.safe_load((KUBERNETES / "admission-configuration.yaml").read_text(encoding="utf-8"))
    assert configured["plugins"][0]["configuration"]["kubeConfigFile"].endswith("kubeconfig.yaml")


def test_annotations_are_such_as_kubernetes_takes() -> None:
    prefix, _, name = DECISION.partition("/")
    assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", prefix)
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", name)
