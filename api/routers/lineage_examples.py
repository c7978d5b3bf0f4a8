"""Examples of the lineage routes in the OpenAPI document; tests send them, so that they stay true."""

from typing import Any

PRODUCER = "https://ml.example.org/trainer/2.3.0"

EVENT: dict[str, Any] = {
    "eventType": "COMPLETE",
    "eventTime": "2026-03-02T09:41:07Z",
    "producer": PRODUCER,
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    "run": {"runId": "0195553c-9a10-7d41-8f6b-3c1de2a40b17"},
    "job": {"namespace": "airflow://batch.example.org", "name": "claims.fit_triage"},
    "inputs": [{"namespace": "s3://lake", "name": "claims/features"}],
    "outputs": [
        {
            "namespace": "mlflow://mlflow.example.org:5000",
            "name": "claims_triage/12",
            "facets": {
                "assay_model": {
                    "_producer": PRODUCER,
                    "_schemaURL": "https://assay.example.org/spec/facets/1-0-0/AssayModelDatasetFacet.json",
                    "contentDigest": "sha256:5b1f0c6e2d4a97837e1c0b9fa3d26845c7e8f9102b3d4c5a69788796a5b4c3d2",
                    "framework": "onnx",
                    "intendedUse": "order claims for review",
                    "riskTier": "high",
                }
            },
        }
    ],
}

BATCH_ANSWER: dict[str, Any] = {
    "status": "partial_success",
    "summary": {"received": 3, "successful": 2, "failed": 1, "retriable": 0, "non_retriable": 1},
    "failed_events": [
        {"index": 1, "reason": "/run/runId: expected a non-empty string, found nothing", "retriable": False}
    ],
}

EVENT_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}, "example": EVENT}}}
}
BATCH_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}, "example": [EVENT]}},
    }
}
TAKEN: dict[int | str, dict[str, Any]] = {
    201: {
        "description": "The event is stored, with everything derived from it and its leaf in the log",
        "headers": {
            "Assay-Event-Digest": {"description": "SHA-256 of the stored bytes", "schema": {"type": "string"}},
            "Assay-Findings": {"description": "How many findings it has", "schema": {"type": "integer"}},
        },
    }
}
BATCH_TAKEN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What became of each event",
        "content": {"application/json": {"schema": {"type": "object"}, "example": BATCH_ANSWER}},
    }
}

IMPACT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The nodes that were reached",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/csv": {
                "schema": {"type": "string"},
                "example": "distance,kind,type,namespace,name,owners,tags,latest_run_state,first_seen,last_seen\r\n"
                "0,dataset,,s3://lake,claims/features,team:claims,pii,,2026-03-02T09:41:07Z,2026-03-02T09:41:07Z\r\n",
            },
        },
    }
}
