"""Examples and schemas of the OpenAPI document; tests send them, so that they stay true."""

from typing import Any

from pydantic import BaseModel

SUBJECT: dict[str, Any] = {
    "namespace": "assay://bank.example",
    "name": "credit-line",
    "version": "7",
    "digest": "sha256:" + "9f" * 32,
}
EVALUATION: dict[str, Any] = {
    "subject": SUBJECT,
    "environment": "prod",
    "evidence": "latest",
    "context": {"commit": "4f0c2e1", "run_url": "https://ci.example/runs/17"},
    "mode": "enforce",
}
MODEL: dict[str, Any] = {
    **SUBJECT,
    "objective": "repays the credit line within 24 months",
    "risk_tier": "high",
    "owners": ["user:ines", "team:credit"],
    "jurisdictions": ["EU"],
    "kind": "classifier",
    "framework": "scikit-learn",
}
COSIGNED: dict[str, Any] = {
    "note": "assay.bank.example/log\n145\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 assay.bank.example/log dGVzdA==\n\u2014 witness.example/w1 dGVzdA==\n"
}
ATTESTATION: dict[str, Any] = {
    "subject": SUBJECT,
    "kind": "dpia",
    "text": "The impact assessment of October 2026 covers this version; its measures are in place.",
    "reference": "https://records.bank.example/dpia/41",
    "holds": True,
    "expires_at": "2027-10-31T00:00:00Z",
}
VERIFY: dict[str, Any] = {"digest": SUBJECT["digest"], "environment": "prod"}
REVOCATION: dict[str, Any] = {
    "cause": "data_recalled",
    "reason": "The bureau withdrew the scores of March; the model was trained on them.",
}
DEPLOYMENT: dict[str, Any] = {
    "decision_id": "01957a38-77c2-7e0f-a1d4-0b9c8d7e6f50",
    "digest": SUBJECT["digest"],
    "environment": "prod",
    "platform_namespace": "k8s://cluster-b/claims",
    "endpoint": "triage",
    "revision": "7",
    "kind": "online",
    "traffic_percent": 100,
}
MANIFEST: dict[str, Any] = {
    "kind": "assay.evidence/v1",
    "subject": SUBJECT,
    "dataset": {"namespace": "s3://risk", "name": "holdout/2026-10", "digest": "sha256:" + "1c" * 32},
    "predictions": {"uri": "artifact:sha256:" + "77" * 32, "format": "parquet"},
    "columns": {"row_id": "row_id", "label": "repaid", "decision": "approved"},
    "positive": {"label": "yes", "decision": "yes"},
    "negative": {"label": "no", "decision": "no"},
    "sensitive": {"sex": {"groups": ["Female", "Male"]}},
    "seed": 20261124,
}
POLICY: dict[str, Any] = {
    "kind": "assay.policy/v1",
    "name": "prod-default",
    "applies": {"environments": ["prod"]},
    "validity": "P90D",
    "evidence": {"max_age": "P30D", "least_origin": "measured"},
    "checks": [
        {
            "id": "fairness",
            "severity": "high",
            "params": {"metrics": [{"name": "selection_rate_ratio", "limit": "0.8"}], "mode": "statistical"},
        }
    ],
    "on_warn": "review",
}
PUBLICATION: dict[str, Any] = {"stage": "enforce", "note": "Agreed by the model risk committee."}
SCHEMA: dict[str, Any] = {
    "strict": True,
    "min_rows": 1000,
    "columns": {
        "row_id": {"dtype": "str", "unique": True},
        "age": {"dtype": "int64", "checks": {"in_range": [18, 120]}},
        "sex": {"dtype": "str", "checks": {"isin": ["Female", "Male"]}},
        "approved": {"dtype": "str", "checks": {"isin": ["yes", "no"]}},
    },
}
WEBHOOK: dict[str, Any] = {
    "url": "https://hooks.bank.example/assay",
    "types": ["assay.decision.taken", "assay.decision.revoked"],
}
ADMISSION: dict[str, Any] = {
    "apiVersion": "admission.k8s.io/v1",
    "kind": "AdmissionReview",
    "request": {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "operation": "CREATE",
        "namespace": "scoring",
        "object": {
            "metadata": {"annotations": {"assay.governance/decision": "0198c0de-0000-7000-8000-000000000001"}},
            "spec": {"containers": [{"image": "registry.bank.example/credit-line@sha256:" + "9f" * 32}]},
        },
    },
}

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "A problem document (RFC 9457)",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "expected": {"type": "string"},
        "found": {"type": "string"},
        "remedy": {"type": "string"},
        "pointer": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail", "code"],
}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/problem+json": {"schema": PROBLEM}}}
    for status, text in {
        400: "The body cannot be parsed",
        401: "A valid service key is needed",
        403: "The key's roles do not allow this",
        404: "Nothing is stored under this name",
        409: "The request contradicts what is stored",
        413: "The body is larger than allowed",
        422: "The request is refused",
        503: "Storage is away; nothing was stored",
    }.items()
}

EVALUATION_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The verdict, with its reasons"},
    202: {"description": "Measuring takes longer than the wait; ask again at Location"},
}


def body(model: type[BaseModel], example: dict[str, Any], *, media: str = "application/json") -> dict[str, Any]:
    """The OpenAPI description of a route that reads its body itself, to be strict about duplicate keys and size."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.pop("$defs", {})
    content = {media: {"schema": _inlined(schema, definitions), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema with its definitions put in their places: a route's extra text cannot add components."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _inlined(definitions[reference.rpartition("/")[2]], definitions)
    return {key: _inlined(value, definitions) for key, value in schema.items()}
