"""The measuring process: reads one job, measures check by check, and writes each measurement as soon as it is there.

It runs apart from the service, so that scientific libraries, their memory and their crashes stay out of it. It holds
no database, no keys and no network client. Run as ``python -m audits.measuring`` by ``audits.runner`` alone.
"""

import json
import os
import resource
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from audits.catalog import params_of
from governance.canonical import canonical
from governance.check import Facts, ModelSession
from governance.errors import AssayError
from governance.plugins import load_check
from governance.types.ancestry import Ancestry
from governance.types.manifest import Manifest
from governance.types.policy import PolicyCheck
from governance.types.subject import Subject
from governance.types.value import Value


class Job(Value):
    """What is to be measured. ``files`` maps artifact URIs to local paths whose digests were verified."""

    subject: Subject
    environment: str
    evaluated_at: datetime
    manifest: Manifest
    files: dict[str, str]
    ancestry: Ancestry | None = None
    checks: tuple[PolicyCheck, ...]
    memory_bytes: int


class KnownAncestry:
    """Lineage that was read beforehand, for a process that has no database."""

    def __init__(self, ancestry: Ancestry) -> None:
        """Hold the ancestry that every question is answered with."""
        self._ancestry = ancestry

    def ancestry(self, subject: Subject, *, as_of: datetime | None = None) -> Ancestry:  # noqa: ARG002 - protocol
        """The ancestry this process was given."""
        return self._ancestry


def _model(manifest: Manifest, files: Mapping[str, Path], checks: tuple[PolicyCheck, ...]) -> ModelSession | None:
    asking = {"explainability", *(("fairness", "ugesp") if manifest.is_predicted_by_model else ())}
    if manifest.model is None or not any(check.id in asking for check in checks):
        return None
    from audits.sandbox.session import SandboxedModel

    return SandboxedModel(files[manifest.model.uri], manifest.model.digest, manifest.model.format)


def _measure(check: PolicyCheck, facts: Facts) -> dict[str, Any]:
    try:
        measurement = load_check(check.id).measure(facts, params_of(check))
        return {"check": check.id, "measurement": measurement.document()}
    except AssayError as fault:
        return {"check": check.id, "code": fault.code, "message": fault.message, "remedy": fault.remedy}


def main() -> None:
    """Read the job from standard input and write one JSON line a check to the descriptor in ``ASSAY_RESULTS``."""
    job = Job.model_validate_json(sys.stdin.buffer.read())
    resource.setrlimit(resource.RLIMIT_AS, (job.memory_bytes, job.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    files = {uri: Path(path) for uri, path in job.files.items()}
    facts = Facts(
        subject=job.subject,
        environment=job.environment,
        evaluated_at=job.evaluated_at,
        manifest=job.manifest,
        files=files,
        lineage=KnownAncestry(job.ancestry) if job.ancestry else None,
        model=_model(job.manifest, files, job.checks),
    )
    with os.fdopen(int(os.environ["ASSAY_RESULTS"]), "wb", buffering=0) as results:
        for check in job.checks:
            answer = _measure(check, facts)
            # A measurement must have canonical bytes; finding out here names the check.
            line = canonical(answer) if "measurement" in answer else json.dumps(answer).encode()
            results.write(line + b"\n")


if __name__ == "__main__":
    main()
