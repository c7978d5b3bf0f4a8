"""The work of evaluations: take a row, measure what is missing, conclude. Any number of workers may do this at once."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime

import structlog

from audits import store
from audits.context import GateContext
from audits.evidence import artifact_uris
from audits.gate import abandon, conclude, known_ancestry, missing, renew_evidence
from audits.judging import collected_at_of
from audits.measuring import Job
from audits.previews import tried_of, unmeasured
from audits.runner import Fault, fault_of, measure
from audits.tables import EvaluationRow
from governance.database import Database, Unit
from governance.errors import AssayError
from governance.jobs.lease import Claim, LeaseLost, claim, held, renew
from governance.types.evaluation import EvaluationRequest
from governance.types.manifest import Manifest
from governance.types.results import Measurement

log = structlog.get_logger("assay.work")

MAX_ATTEMPTS = 5
"""A row that took five workers down with it is concluded without the measurement that did it."""

MAX_SWEPT = 200
"""Rows one sweep rings for; the next sweep finds the rest."""


class EvaluationTask:
    """Evaluations as work that an engine carries out."""

    name = "evaluation"

    def __init__(self, database: Database, context: GateContext) -> None:
        """Work on the evaluations in ``database``."""
        self._database = database
        self._context = context
        self._worker = f"{socket.gethostname()}:{os.getpid()}"

    def due(self) -> list[str]:
        """Evaluations that nobody works on, or that waited for a person past their deadline."""
        with self._database.read_unit() as unit:
            return store.waiting_evaluations(unit, unit.now, MAX_SWEPT)

    def run(self, key: str) -> None:
        """Bring one evaluation to its decision, unless another worker is at it or it is done."""
        lease = self._context.settings.work.lease_seconds
        with self._database.unit() as unit:
            claims = claim(unit, EvaluationRow, worker=self._worker, lease_seconds=lease, keys=[key])
        if not claims:
            self._close_review(key)
            return
        try:
            with _renewed(self._database, claims[0], lease) as alive:
                self._measure(claims[0], alive)
                self._conclude(claims[0])
        except LeaseLost as lost:
            log.warning("evaluation.lease_lost", evaluation=key, found=lost.found)

    def _close_review(self, key: str) -> None:
        with self._database.unit() as unit:
            row = store.evaluation(unit, key)
            unit.session.refresh(row, with_for_update=True)
            if row.state in store.AWAITING and row.deadline is not None and row.deadline <= unit.now:
                conclude(unit, self._context, row)

    def _conclude(self, taken: Claim) -> None:
        with self._database.unit() as unit:
            row = held(unit, EvaluationRow, taken.key, taken.token)
            sealed = (abandon if _is_hopeless(row) else conclude)(unit, self._context, row)
            verdict = sealed.verdict if sealed else "pending"
        log.info("evaluation.concluded", evaluation=taken.key, verdict=verdict)

    def _measure(self, taken: Claim, alive: Callable[[], bool]) -> None:
        """Measure what is missing for the policy in force, and then for versions that are tried beside it."""
        with self._database.read_unit() as unit:
            tried = [one.policy.digest for one in tried_of(store.evaluation(unit, taken.key))]
        for policy_digest in (None, *tried):
            self._measure_for(taken, alive, policy_digest)

    def _measure_for(self, taken: Claim, alive: Callable[[], bool], tried: str | None) -> None:
        """Measure what is missing, keeping each measurement as it arrives, so that a takeover repeats little."""
        with self._database.unit() as unit:
            row = held(unit, EvaluationRow, taken.key, taken.token)
            renew_evidence(unit, row)
            job = None if _is_hopeless(row) else self._job(unit, row, tried)
            if job is None:
                return
            manifest_digest = row.manifest_digest or ""
            collected = collected_at_of(unit, row)
            seconds = self._seconds_left(row, unit.now)
            if tried is not None:  # the other half is left to people who may have to be asked
                seconds /= 2
            gave_up = row.attempts > MAX_ATTEMPTS or seconds <= 0
        if gave_up:
            self._keep_faults(taken, [_given_up(check.id) for check in job.checks], tried)
            return

        def keep(measurement: Measurement) -> None:
            with self._database.unit() as unit:
                held(unit, EvaluationRow, taken.key, taken.token)
                store.add_measurement(unit, measurement, manifest_digest=manifest_digest, collected_at=collected)

        self._keep_faults(taken, self._run_job(job, seconds, keep, alive), tried)

    def _run_job(
        self, job: Job, seconds: float, keep: Callable[[Measurement], None], alive: Callable[[], bool]
    ) -> list[Fault]:
        uris = artifact_uris(job.manifest)
        try:
            with self._context.artifacts.local_copies(uri.removeprefix("artifact:") for uri in uris) as copies:
                files = {uri: str(copies[uri.removeprefix("artifact:")]) for uri in uris}
                return measure(job.model_copy(update={"files": files}), seconds=seconds, keep=keep, alive=alive)
        except LeaseLost:
            raise
        except AssayError as fault:
            return [fault_of(check.id, fault) for check in job.checks]

    def _job(self, unit: Unit, row: EvaluationRow, tried: str | None) -> Job | None:
        planned = missing(unit, row) if tried is None else unmeasured(unit, row, tried)
        if not planned or row.manifest_digest is None:
            return None
        body = EvaluationRequest.model_validate(row.request)
        return Job(
            subject=body.subject,
            environment=body.environment,
            evaluated_at=unit.now,
            manifest=store.fetch(unit, row.manifest_digest, Manifest),
            files={},
            ancestry=known_ancestry(unit, body.subject),
            checks=tuple(item.line for item in planned),
            memory_bytes=self._context.settings.gate.measure_bytes,
        )

    def _seconds_left(self, row: EvaluationRow, now: datetime) -> float:
        limit = self._context.settings.gate.measure_seconds
        return limit if row.deadline is None else min(limit, (row.deadline - now).total_seconds())

    def _keep_faults(self, taken: Claim, faults: Sequence[Fault], tried: str | None) -> None:
        if not faults:
            return
        with self._database.unit() as unit:
            row = held(unit, EvaluationRow, taken.key, taken.token)
            whose = {} if tried is None else {"tried": tried}
            row.faults = [*row.faults, *(asdict(fault) | whose for fault in faults)]


def _is_hopeless(row: EvaluationRow) -> bool:
    """Whether even concluding without the missing measurements faulted, so that the row would be taken for ever."""
    return row.attempts > 2 * MAX_ATTEMPTS


def _given_up(check: str) -> Fault:
    return Fault(
        check,
        "measurement.gave_up",
        f"{check} could not be measured before the deadline, or its workers ended {MAX_ATTEMPTS} times in the middle",
        "Measure less data, give workers more memory, or raise ASSAY_GATE__DEADLINE_SECONDS.",
    )


@contextmanager
def _renewed(database: Database, taken: Claim, lease_seconds: float) -> Iterator[Callable[[], bool]]:
    """Keep the lease while the block runs; gives a question whether it is still ours."""
    stop, lost = threading.Event(), threading.Event()

    def keep_renewing() -> None:
        while not stop.wait(lease_seconds / 3):
            try:
                with database.unit() as unit:
                    renew(unit, EvaluationRow, taken.key, taken.token, lease_seconds=lease_seconds)
            except AssayError as fault:
                # A database that is away is tried again; a lease that is another's ends the work.
                log.warning("evaluation.renewal_failed", evaluation=taken.key, fault=fault.message)
                if isinstance(fault, LeaseLost):
                    lost.set()
                    return

    thread = threading.Thread(target=keep_renewing, name=f"lease-{taken.key}", daemon=True)
    thread.start()
    try:
        yield lambda: not lost.is_set()
    finally:
        stop.set()
        thread.join()
