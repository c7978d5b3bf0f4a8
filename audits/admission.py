"""Admission to a Kubernetes cluster: a pod starts when the decision that it names is valid for what it runs.

Source: Kubernetes documentation, "Dynamic Admission Control", ``admission.k8s.io/v1`` (AdmissionReview).
"""

import re
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import ConfigDict, Field, JsonValue

from audits.lives import VerifyRequest, verified
from governance.access.principal import Principal
from governance.database import ReadUnit
from governance.errors import AssayError
from governance.settings import KubernetesSettings
from governance.types.value import Value, parse_value

DECISION = "assay.governance/decision"
DIGEST = "assay.governance/digest"
"""The annotations that a pod (or the template of its pods) carries."""

PINNED = re.compile(r"@(sha256:[0-9a-f]{64})$")
WHOLE_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

MOST_IMAGES = 64
"""Images of one pod that are looked at; more than that is not a pod that anybody runs."""


class _Request(Value):
    model_config = ConfigDict(extra="ignore")

    uid: str = Field(min_length=1, max_length=256)
    operation: Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
    namespace: str = Field("", max_length=256)
    object: JsonValue = None
    oldObject: JsonValue = None  # noqa: N815 - the name in the document


class Review(Value):
    """An AdmissionReview as an API server sends it; what we do not read may be there."""

    model_config = ConfigDict(extra="ignore")

    apiVersion: Literal["admission.k8s.io/v1"]  # noqa: N815 - the name in the document
    kind: Literal["AdmissionReview"]
    request: _Request


def review(raw: Any, unit: ReadUnit, settings: KubernetesSettings, principal: Principal) -> dict[str, JsonValue]:
    """The AdmissionReview that answers ``raw``: allowed, or denied with the reason.

    Only a decision that is valid now lets anything in, for the environment that the settings give to the namespace and
    for the bytes that the pod names; a grant of break-glass does so with a warning. Whatever is missing or not known
    denies.

    Raises:
        InputRefused: it is no AdmissionReview, so that there is nobody to answer; the API server then denies.
    """
    asked = parse_value(Review, raw, what="an AdmissionReview").request
    unchanged = asked.operation == "UPDATE" and _what_runs(asked.object) == _what_runs(asked.oldObject)
    if asked.operation == "DELETE" or unchanged:
        return _answer(asked.uid, allowed=True)
    environment = settings.environments.get(asked.namespace)
    if environment is None:
        return _denied(asked.uid, f"the namespace {asked.namespace!r} has no environment in Assay's settings")
    pod, annotations = _pod(asked.object)
    decision = annotations.get(DECISION, "")
    if not decision:
        return _denied(asked.uid, f"the annotation {DECISION} is missing: name the decision that allows this model")
    digests = _digests(pod, annotations, settings)
    if not digests:
        wanted = f"the annotation {DIGEST}" if settings.digest == "annotation" else "an image pinned by @sha256:"
        return _denied(asked.uid, f"{wanted} is missing: nothing says which bytes run")
    return _judged(asked.uid, unit, decision, [VerifyRequest(digest=each, environment=environment) for each in digests],
                   principal=principal)  # fmt: skip


def _judged(
    uid: str, unit: ReadUnit, decision: str, asked: list[VerifyRequest], *, principal: Principal
) -> dict[str, JsonValue]:
    try:
        found = [verified(unit, decision, each, principal) for each in asked]
    except AssayError as fault:
        return _denied(uid, fault.message)
    if any(each["status"] == "valid" for each in found):
        return _answer(uid, allowed=True)
    granted = next((each["break_glass"] for each in found if each["break_glass"]), None)
    if granted is not None:
        return _answer(uid, allowed=True, warning="Assay denied this model; a grant of break-glass lets it start.")
    # What is said of the right bytes tells more than that other images are other bytes.
    status = next((each["status"] for each in found if each["status"] != "wrong_subject"), "wrong_subject")
    return _denied(uid, f"the decision {decision} is {status.replace('_', ' ')}")


def _pod(thing: JsonValue) -> tuple[dict[str, Any], dict[str, str]]:
    """The pod's specification and annotations: those of the template where the object is a workload."""
    whole = _object(thing)
    spec = _object(whole.get("spec"))
    job = _object(_object(spec.get("jobTemplate")).get("spec"))
    template = _object((job or spec).get("template"))
    holder = template or whole
    annotations = _object(_object(holder.get("metadata")).get("annotations"))
    return _object(holder.get("spec")), {key: str(value) for key, value in annotations.items()}


def _what_runs(thing: JsonValue) -> tuple[dict[str, Any], str | None, str | None]:
    pod, annotations = _pod(thing)
    return pod, annotations.get(DECISION), annotations.get(DIGEST)


def _digests(pod: dict[str, Any], annotations: dict[str, str], settings: KubernetesSettings) -> list[str]:
    said = annotations.get(DIGEST, "")
    if settings.digest == "annotation":
        return [said] if WHOLE_DIGEST.fullmatch(said) else []
    pinned = sorted({match.group(1) for image in _images(pod) if (match := PINNED.search(image))})[:MOST_IMAGES]
    return [said] if said in pinned else [] if said else pinned


def _images(pod: dict[str, Any]) -> Iterator[str]:
    for kind in ("initContainers", "containers"):
        for container in _list(pod.get(kind)):
            yield str(_object(container).get("image") or "")
    for volume in _list(pod.get("volumes")):
        yield str(_object(_object(volume).get("image")).get("reference") or "")


def _denied(uid: str, why: str) -> dict[str, JsonValue]:
    return _answer(uid, allowed=False, message=f"Assay: {why}"[:1024])


def _answer(uid: str, *, allowed: bool, message: str = "", warning: str = "") -> dict[str, JsonValue]:
    response: dict[str, JsonValue] = {"uid": uid, "allowed": allowed}
    if message:
        response["status"] = {"code": 403, "message": message}
    if warning:
        response["warnings"] = [warning]
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
