"""A model of a stranger as a check sees it: one call, features in, checked numbers out."""

import hashlib
import io
import secrets
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from pydantic import JsonValue

from audits.sandbox import answers
from audits.sandbox.limits import Limits
from audits.sandbox.process import BOOTSTRAP, Child, printable
from governance.errors import MeasurementRefused

MAGIC = {"skops": b"PK\x03\x04"}
"""The first bytes of each format; a name or a declared format is never believed."""

LEAST_LEVEL = 1
"""Below this level of isolation no model is opened."""

REPEATED_ROWS = 50
"""Rows that are predicted a second time, chosen by the parent, to see whether the answer depends on its neighbours."""


class SandboxedModel:
    """A model file behind a process boundary; implements ``governance.check.ModelSession``.

    The file is read, measured and compared with its digest here, and its bytes are sent to the child once that has
    confined itself; the child never sees a path. The process starts with the first call, dies with ``close`` or with
    this object, and never sees more than the features it is asked about.
    """

    def __init__(
        self,
        path: Path,
        digest: str,
        format: Literal["skops"],  # noqa: A002 - the manifest's own word
        *,
        limits: Limits | None = None,
        bootstrap: str = BOOTSTRAP,
    ) -> None:
        """Nothing is opened yet. ``bootstrap`` is the child's program; tests observe what it receives with another."""
        self._path, self._digest, self._format = path, digest, format
        self._limits = limits or Limits()
        self._bootstrap = bootstrap
        self._child: Child | None = None
        self._level = 0
        self._warnings: tuple[str, ...] = ()

    @property
    def sandbox_level(self) -> int:
        """The level that the child reached; 0 before the first call."""
        return self._level

    def call(self, request: Mapping[str, JsonValue], features: Any) -> Mapping[str, Any]:
        """Predictions and attributions of the rows of ``features`` (an Arrow table) after the background rows.

        ``request``: ``positive`` and ``explain_class`` name the class, ``background_rows`` counts the leading rows
        that are background, ``seconds`` may shorten the wall clock. The answer is as ``answers.explanation`` says,
        with ``warnings``. Metadata of the table, where a producer may have put anything, stay here.

        Raises:
            MeasurementRefused: the file is not what its digest and format say, no sandbox can be had, the child was
                stopped by one of its layers, refused, or gave an answer that does not hold. The message names which.
        """
        seconds = min(self._limits.wall_seconds, _number(request.get("seconds"), self._limits.wall_seconds))
        background = int(_number(request.get("background_rows"), 0))
        named = {name: request.get(name) for name in ("positive", "explain_class")}
        table = features.replace_schema_metadata(None)
        if table.num_rows > self._limits.rows or background >= table.num_rows:
            raise MeasurementRefused(
                expected=f"background and further rows, at most {self._limits.rows} together",
                found=f"{table.num_rows} rows, {background} of them background",
                remedy="Explain a sample.",
            )
        child = self._started()
        header, payload = self._ask(
            child, {"task": "explain", "background_rows": background, **named}, _arrow(table, self._limits), seconds
        )
        rows = table.num_rows - background
        answer = answers.explanation(header, payload, rows=rows, columns=table.column_names)
        chosen = secrets.SystemRandom().sample(range(rows), min(rows, REPEATED_ROWS))
        repeated = table.take([background + row for row in chosen])
        _, payload = self._ask(child, {"task": "predict", **named}, _arrow(repeated, self._limits), seconds)
        answers.check_determinism(answer["predictions"][chosen], answers.predictions(payload, rows=len(chosen)))
        return {**answer, "warnings": self._warnings}

    def predict(self, request: Mapping[str, JsonValue], features: Any) -> np.ndarray:
        """The prediction of every row of ``features`` (an Arrow table), asked in parts of at most the limit of rows.

        ``request``: ``positive`` and ``explain_class`` name the class, as for ``call``. Some rows of every part are
        asked again, as there.

        Raises:
            MeasurementRefused: as ``call``.
        """
        named = {name: request.get(name) for name in ("positive", "explain_class")}
        table = features.replace_schema_metadata(None)
        child = self._started()
        found = [
            self._predicted(child, named, table.slice(start, self._limits.rows))
            for start in range(0, table.num_rows, self._limits.rows)
        ]
        return np.concatenate(found) if found else np.zeros(0)

    def _predicted(self, child: Child, named: Mapping[str, Any], part: Any) -> np.ndarray:
        """The predictions of one part, once asking some of its rows again gives the same."""
        header, seconds = {"task": "predict", **named}, self._limits.wall_seconds
        _, payload = self._ask(child, header, _arrow(part, self._limits), seconds)
        values = answers.predictions(payload, rows=part.num_rows)
        chosen = secrets.SystemRandom().sample(range(part.num_rows), min(part.num_rows, REPEATED_ROWS))
        _, payload = self._ask(child, header, _arrow(part.take(chosen), self._limits), seconds)
        answers.check_determinism(values[chosen], answers.predictions(payload, rows=len(chosen)))
        return values

    def close(self) -> None:
        """End the child and remove its directory."""
        if self._child is not None:
            self._child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _started(self) -> Child:
        if self._child is not None:
            return self._child
        content = self._read_verified()
        child = Child(self._limits, bootstrap=self._bootstrap)
        # A session that is dropped without close, or whose process ends, leaves no child and no directory.
        weakref.finalize(self, child.close)
        self._level = _level(child, *child.receive(self._limits.start_seconds))
        header, _ = self._ask(child, {"task": "load"}, content, self._limits.wall_seconds)
        warnings = header.get("warnings")
        if isinstance(warnings, list):
            self._warnings = tuple(printable(text) for text in warnings[:5])
        self._child = child
        return child

    def _read_verified(self) -> bytes:
        """The bytes of the model, once size, digest and magic bytes are as declared."""
        with self._path.open("rb") as stream:
            content = stream.read(self._limits.model_bytes + 1)
        found = None
        if len(content) > self._limits.model_bytes:
            found = f"a file of more than {self._limits.model_bytes} bytes"
        elif "sha256:" + hashlib.sha256(content).hexdigest() != self._digest:
            found = "a file with another digest"
        elif not content.startswith(MAGIC[self._format]):
            found = f"a file that begins with {content[:4]!r}"
        if found is not None:
            raise MeasurementRefused(
                expected=f"a {self._format} file with the digest {self._digest}",
                found=found,
                remedy="Save the model with skops.io.dump and send that file; pickle and joblib files are not opened.",
                pointer="model",
            )
        return content

    def _ask(
        self, child: Child, header: Mapping[str, Any], payload: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        answer, content = child.ask(header, payload, seconds)
        if answer.get("status") == "ok":
            return answer, content
        if answer.get("status") == "refused":
            raise MeasurementRefused(
                expected=printable(answer.get("expected")),
                found=printable(answer.get("found")),
                remedy=printable(answer.get("remedy")),
                pointer="model",
            )
        raise MeasurementRefused(
            expected="an answer of the model within its limits",
            found=f"{printable(answer.get('layer') or 'no status')}: {printable(answer.get('message'))}",
            remedy="Look at the model file and at the features it was sent.",
            pointer="model",
        )


def _number(value: JsonValue, default: float) -> float:
    return default if value is None else float(str(value))


def probe(limits: Limits | None = None) -> int:
    """The level of isolation that a child reaches on this machine, 0 where it reaches none. Takes about 50 ms."""
    child = Child(limits or Limits(), bootstrap=_PROBE)
    try:
        return _level(child, *child.receive(10))
    except MeasurementRefused:
        return 0
    finally:
        child.close()


_PROBE = """
import sys; sys.path.insert(0, sys.argv[1]); del sys.argv[1]
import json, os
from audits.sandbox.confinement import confine
from audits.sandbox.limits import Limits
from audits.sandbox.wire import encode
level = confine(Limits(**json.loads(sys.argv[4])), int(sys.argv[3]))
os.write(int(sys.argv[2]), encode({"status": "ready", "level": level}))
"""


def _level(child: Child, header: Mapping[str, Any], _: bytes) -> int:
    """The level in the child's first frame, which it sends before it has read anything untrusted."""
    level = header.get("level")
    if header.get("status") == "ready" and isinstance(level, int) and level >= LEAST_LEVEL:
        return level
    child.close()
    raise MeasurementRefused(
        expected=f"a sandbox of level {LEAST_LEVEL} or higher",
        found=printable(header.get("message") or header),
        remedy="Run on Linux on x86_64 or aarch64 with seccomp; no model is opened without it.",
        pointer="model",
    )


def _arrow(table: Any, limits: Limits) -> bytes:
    import pyarrow as pa

    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content = sink.getvalue()
    if len(content) > limits.request_bytes:
        raise MeasurementRefused(
            expected=f"features of at most {limits.request_bytes} bytes",
            found=f"{len(content)} bytes",
            remedy="Explain fewer rows.",
        )
    return content
