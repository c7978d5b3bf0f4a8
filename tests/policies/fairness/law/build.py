"""Manifests of audits under named laws, for tests of their checks."""

from pathlib import Path
from typing import Any

from governance.plugins import load_check
from governance.types.results import CheckResult
from tests.policies.fairness.law.test_ll144 import FOURTEEN
from tests.support.evidence import artifact, facts, write

ATTESTED = {"by": "A. Auditor", "on": "2026-11-01"}

DATES = {
    "audit_date": "2026-06-01",
    "use_date": "2026-12-15",
    "notice_date": "2026-11-13",
    "distribution_date": "2026-01-05",
    "summary_url": "https://example.com/jobs/aedt",
}

LL144 = {"holidays": ["2026-11-26", "2026-11-11"], "holiday_years": [2026]}


def audit(*controls: str, **fields: Any) -> dict[str, Any]:
    """The facts of an audit in which nothing is missing; ``controls`` are those that nobody attested."""
    human = ("01", "02", "03", "05", "08", "09", "10", "11")
    attestations = {f"LL144-{number}": ATTESTED for number in human if f"LL144-{number}" not in controls}
    return {"category_source": "self_reported", "attestations": attestations, **DATES, **fields}


def fourteen_rows() -> dict[str, list[Any]]:
    """The people of the golden vector V14."""
    rows: dict[str, list[Any]] = {"id": [], "sex": [], "race_ethnicity": [], "selected": []}
    for race, both in FOURTEEN.items():
        for sex, (n, selected) in zip(("Male", "Female"), both, strict=True):
            rows["sex"] += [sex] * n
            rows["race_ethnicity"] += [race] * n
            rows["selected"] += [1] * selected + [0] * (n - selected)
    rows["id"] = list(range(len(rows["sex"])))
    return rows


def asked(check: str, path: Path, params: dict[str, Any] | None = None, **fields: Any) -> CheckResult:
    """What a check says to a file; a file called ``counts`` is counts."""
    loaded = load_check(check)
    if path.stem == "counts":
        fields |= {"columns": {}, "positive": {}, "predictions": None, "counts": artifact(path)}
    known = facts(path, **fields)
    parsed = loaded.params.model_validate(params or {})
    return loaded.judge(loaded.measure(known, parsed), parsed)


def ll144(path: Path, params: dict[str, Any] | None = None, **fields: Any) -> CheckResult:
    """What the check of Local Law 144 says to people with a column ``selected``."""
    base: dict[str, Any] = {
        "columns": {"decision": "selected"},
        "positive": {"decision": 1},
        "sensitive": {},
        "audit": audit(),
    }
    return asked("ll144", path, {**LL144, **(params or {})}, **{**base, **fields})


def people(tmp_path: Path, rows: dict[str, list[Any]] | None = None, suffix: str = "parquet") -> Path:
    """A file of people; by default those of V14."""
    return write(tmp_path / f"people.{suffix}", rows or fourteen_rows())
