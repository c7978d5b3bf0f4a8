"""The program inside the sandbox: imports first, then confinement, and only then the first byte of a model.

Started by ``audits.sandbox.process`` with a clean environment. It speaks over two pipes and knows nothing but a model
file and feature tables.
"""

import errno
import io
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from audits.sandbox.confinement import confine
from audits.sandbox.limits import Limits
from audits.sandbox.wire import encode, read_frame
from governance.errors import AssayError


def main() -> None:
    """Serve frames until the parent closes its end. ``argv``: root, two descriptors, the parent's id, the limits."""
    _, requests_at, answers_at, parent, limits_text = sys.argv
    limits = Limits(**json.loads(limits_text))
    requests = os.fdopen(int(requests_at), "rb")
    answers = os.fdopen(int(answers_at), "wb", buffering=0)
    try:
        _import_all()
        level = confine(limits, int(parent))
    except Exception as fault:  # The parent refuses a child that did not reach its level, and says why.
        _send(answers, {"status": "unconfined", "message": _text(fault)})
        return
    _send(answers, {"status": "ready", "level": level})
    job = _Job()
    while (frame := read_frame(requests)) is not None:
        try:
            header, payload = job.answer(*frame)
        except AssayError as fault:
            header = {
                "status": "refused",
                "expected": fault.expected,
                "found": fault.found,
                "remedy": fault.remedy,
                "pointer": fault.pointer,
            }
            payload = b""
        except Exception as fault:  # Whatever a hostile model raises becomes an answer that the parent can name.
            header, payload = {"status": "fault", "layer": _layer(fault), "message": _text(fault)}, b""
        _send(answers, header, payload)


class _Job:
    """One model and the questions to it."""

    def __init__(self) -> None:
        self._model: Any = None

    def answer(self, header: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """The header and the payload of the answer to one frame."""
        import numpy as np

        from audits.sandbox.skops_file import load_model
        from policies.explainability.attribute import attribute, predict

        if header["task"] == "load":
            self._model, warnings = load_model(payload)
            _run_on_one_thread(self._model)
            return {"status": "ok", "warnings": [text[:300] for text in warnings[:5]]}, b""
        frame = _frame(payload)
        if header["task"] == "predict":
            predictions = predict(self._model, frame, header)
            return {"status": "ok"}, np.ascontiguousarray(predictions, dtype="<f8").tobytes()
        result = attribute(self._model, frame, header)
        blocks = (result.predictions, result.output, np.array([result.base]), result.values)
        answer = {
            "status": "ok",
            "kind": result.kind,
            "explainer": result.explainer,
            "scale": result.scale,
            "classes": result.classes,
            "explained_class": result.explained_class,
            "features": result.features,
        }
        return answer, b"".join(np.ascontiguousarray(block, dtype="<f8").tobytes() for block in blocks)


def _frame(payload: bytes) -> Any:
    import pyarrow as pa

    return pa.ipc.open_stream(io.BytesIO(payload)).read_all().to_pandas()


def _run_on_one_thread(model: Any) -> None:
    """Set ``n_jobs`` of every part to one; a pool of threads in a confined child only adds ways to hang."""
    if hasattr(model, "get_params"):
        parts = [name for name in model.get_params() if name.rpartition("__")[2] == "n_jobs"]
        model.set_params(**dict.fromkeys(parts, 1))


def _import_all() -> None:
    """Import, and use once, all that a job needs: after confinement a library may no longer be readable."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import skops.io
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = pd.DataFrame({"a": np.linspace(0, 1, 24), "b": ["x", "y"] * 12})
    label = np.array(["n", "p"] * 12)
    columns = ColumnTransformer([("b", OneHotEncoder(sparse_output=False), ["b"])], remainder="passthrough")
    estimators = (
        LogisticRegression(),
        RandomForestClassifier(2, random_state=0),
        HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=2, early_stopping=False, random_state=0),
    )
    sink = io.BytesIO()
    table = pa.Table.from_pandas(frame)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    for estimator in estimators:
        rehearsal = _Job()
        model = make_pipeline(columns, estimator).fit(frame, label)
        rehearsal.answer({"task": "load"}, skops.io.dumps(model))
        rehearsal.answer({"task": "explain", "positive": ["p"], "background_rows": 4}, sink.getvalue())


def _layer(fault: Exception) -> str:
    """The layer that a fault points to, as far as its kind tells."""
    if isinstance(fault, MemoryError):
        return "address space limit"
    number = fault.errno if isinstance(fault, OSError) else None
    known = {
        errno.EPERM: "seccomp",
        errno.ENOSYS: "seccomp",
        errno.EFBIG: "file size limit",
        errno.ENOMEM: "address space limit",
        errno.EMFILE: "open files limit",
    }
    return known.get(number or 0, "model")


def _text(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}"[:300]


def _send(stream: Any, header: Mapping[str, Any], payload: bytes = b"") -> None:
    content = memoryview(encode(header, payload))
    # A closed pipe means that nobody listens any more; the loop then meets the end of its requests.
    with suppress(BrokenPipeError):
        while content:
            content = content[stream.write(content) :]
