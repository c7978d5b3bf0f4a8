"""Writes of Marquez's API become events that conform."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lineage.conformance import findings, strict_fault
from lineage.marquez_forms import (
    DatasetForm,
    FieldForm,
    JobForm,
    RunForm,
    RunOf,
    dataset_put,
    job_put,
    run_changed,
    run_made,
)
from lineage.receiving import parse_event
from tests.lineage.material import body, run_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BASE = "https://assay.example.org/"
RUN = RunOf(run_id(1), ("batch", "job"))

FULL_DATASET = DatasetForm(
    is_stream=False,
    physical_name="public.claims",
    source_name="warehouse",
    fields=(FieldForm("id", "INTEGER", ("key",), "the claim"), FieldForm("note")),
    tags=("pii",),
    description="claims of the year",
    schema_location="https://schemas.example.org/claims",
)
FULL_JOB = JobForm(
    type="STREAM",
    inputs=(("db", "a"),),
    outputs=(("db", "b"),),
    location="https://git.example.org/jobs/fit",
    description="fits the model",
    context={"sql": "select 1"},
)

WRITTEN = {
    "dataset": dataset_put(("db", "claims"), FULL_DATASET, NOW, BASE),
    "bare dataset": dataset_put(("db", "claims"), DatasetForm(True, "t", "s"), NOW, BASE),
    "dataset of a run": dataset_put(("db", "claims"), DatasetForm(False, "t", "s", run=RUN), NOW, BASE),
    "job": job_put(("batch", "job"), FULL_JOB, NOW, BASE),
    "service": job_put(("batch", "job"), JobForm("SERVICE"), NOW, BASE),
    "job of a run": job_put(("batch", "job"), JobForm("BATCH", run=RUN), NOW, BASE),
    "run": run_made(RUN, RunForm("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", {"seed": "17"}), NOW),
    "bare run": run_made(RUN, RunForm(), NOW),
    "started": run_changed(RUN, "start", NOW),
    "aborted": run_changed(RUN, "abort", NOW),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_is_an_event_that_conforms(name: str) -> None:
    event = parse_event(body(WRITTEN[name]))
    assert findings(event) == ()
    assert strict_fault(event) is None


def test_a_dataset_of_a_run_is_its_output() -> None:
    document: Any = WRITTEN["dataset of a run"]
    assert document["run"]["runId"] == RUN.run_id
    assert [output["name"] for output in document["outputs"]] == ["claims"]


@pytest.mark.parametrize(
    ("change", "event_type"), [("start", "START"), ("complete", "COMPLETE"), ("fail", "FAIL"), ("abort", "ABORT")]
)
def test_a_change_of_state_is_an_event_at_its_time(change: Any, event_type: str) -> None:
    document = run_changed(RUN, change, NOW)
    assert (document["eventType"], document["eventTime"]) == (event_type, "2026-03-01T12:00:00Z")
