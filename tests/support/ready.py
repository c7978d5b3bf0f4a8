"""Evidence that is measured already, so that a gate decides in the request: one measurement a distribution, kept."""

import tempfile
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from audits import store
from governance.canonical import canonical, sha256
from governance.check import Facts
from governance.log.journal import Leaf, append
from governance.plugins import load_check
from governance.types.manifest import Manifest
from governance.types.results import Measurement
from governance.types.subject import Subject
from tests.support.people import SUBJECT
from tests.support.service import Service
from tests.support.story import decisions_csv, manifest

Groups = tuple[tuple[str, tuple[int, int]], ...]

FAILING = {"f": (30, 170), "m": (110, 90)}
"""0.27 of the other rate: shown to be below four fifths."""

WARNING = {"f": (760, 1240), "m": (1000, 1000)}
"""0.76 of the other rate: significantly different, not shown to be below 0.8, so that a person must look."""

PASSING = {"f": (100, 100), "m": (102, 98)}


@lru_cache
def _measured(groups: Groups, digest: str) -> tuple[Manifest, Measurement]:
    content = decisions_csv(dict(groups))
    uri = f"artifact:{sha256(content)}"
    subject = {**SUBJECT, "digest": digest}
    found = Manifest.model_validate(manifest(uri, subject=subject))
    check = load_check("fairness")
    params = check.params.model_validate({"metrics": [{"name": "selection_rate_ratio", "limit": "0.8"}]})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "decisions.csv"
        path.write_bytes(content)
        facts = Facts(
            subject=Subject.model_validate(subject),
            environment="prod",
            evaluated_at=datetime(2026, 11, 1, tzinfo=UTC),
            manifest=found,
            files={uri: path},
        )
        return found, check.measure(facts, params)


def measured(service: Service, groups: dict[str, tuple[int, int]], *, digest: str = str(SUBJECT["digest"])) -> str:
    """Evidence about the subject with its measurement, as if a worker had made it; its digest."""
    found, measurement = _measured(tuple(groups.items()), digest)
    name = found.value_digest()
    with service.state.database.unit() as unit:
        if store.add_evidence(unit, name=name, kind="manifest", manifest=found, by="tests"):
            append(unit, [Leaf("evidence", canonical({"kind": "evidence.manifest/v1", "digest": name}))])
        store.add_measurement(unit, measurement, manifest_digest=name, collected_at=unit.now)
    return name
