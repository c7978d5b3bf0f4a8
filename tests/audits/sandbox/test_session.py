"""A session with a real model in a real child: what goes in, what comes out, and what is refused before."""

import gc
import io
import os
import pickle
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pyarrow as pa
import pytest
import sklearn
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer

from audits.sandbox.limits import Limits
from audits.sandbox.process import BOOTSTRAP
from audits.sandbox.session import SandboxedModel, probe
from governance.errors import MeasurementRefused
from tests.audits.sandbox.models import features, fitted, saved, table, written
from tests.audits.sandbox.programs import program

REQUEST: dict[str, Any] = {"positive": ["yes"], "background_rows": 40}

RECORDING = """
import sys; sys.path.insert(0, sys.argv[1]); del sys.argv[1]
import audits.sandbox.child as child
seen, read = open({path!r}, "wb", buffering=0), child.read_frame
def recording(stream):
    frame = read(stream)
    seen.write(repr(frame).encode())
    return frame
child.read_frame = recording
child.main()
"""
"""The child's own program, which also writes down every byte that it receives."""


@pytest.fixture(scope="module")
def model() -> Any:
    return fitted(LogisticRegression())


@pytest.fixture(scope="module")
def session(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxedModel]:
    path, digest = saved(model, tmp_path_factory.mktemp("model") / "m.skops")
    with SandboxedModel(path, digest, "skops") as opened:
        yield opened


def test_the_answer_is_that_of_the_model_itself(session: SandboxedModel, model: Any) -> None:
    frame = table()
    answer = session.call(REQUEST, features(frame))
    yes = list(model.classes_).index("yes")
    np.testing.assert_allclose(answer["predictions"], model.predict_proba(frame)[40:, yes], rtol=1e-12)
    assert (answer["explained_class"], answer["scale"], answer["warnings"]) == ("yes", "log-odds", ())
    assert session.sandbox_level == 1


def test_a_session_answers_again_and_for_another_class(session: SandboxedModel) -> None:
    frame = features(table())
    yes = session.call(REQUEST, frame)
    no = session.call({**REQUEST, "positive": ["no"]}, frame)
    np.testing.assert_allclose(yes["predictions"], 1 - no["predictions"])
    np.testing.assert_allclose(yes["attributions"], -no["attributions"], atol=1e-12)


def test_a_refusal_of_the_child_leaves_the_session_usable(session: SandboxedModel) -> None:
    with pytest.raises(MeasurementRefused, match="no b"):
        session.call(REQUEST, features(table()[["a", "c"]]))
    assert len(session.call(REQUEST, features(table()))["predictions"]) == 200


def test_values_that_the_model_cannot_take_are_named(session: SandboxedModel) -> None:
    frame = table()
    frame["b"] = np.inf
    with pytest.raises(MeasurementRefused, match="infinity"):
        session.call(REQUEST, features(frame))


@pytest.mark.parametrize("background", [240, 1000])
def test_nothing_but_background_is_refused(session: SandboxedModel, background: int) -> None:
    with pytest.raises(MeasurementRefused, match="background"):
        session.call({**REQUEST, "background_rows": background}, features(table()))


def test_too_many_rows_are_refused(session: SandboxedModel, model: Any, tmp_path: Path) -> None:
    small = SandboxedModel(*saved(model, tmp_path / "m"), "skops", limits=replace(Limits(), rows=100))
    with pytest.raises(MeasurementRefused, match="at most 100"):
        small.call(REQUEST, features(table()))


def test_the_child_receives_the_model_and_the_features_and_nothing_else(model: Any, tmp_path: Path) -> None:
    frame = table()
    frame["d"] = "feature-marker"
    sent = features(frame).replace_schema_metadata({"note": "metadata-marker"})
    path, digest = saved(model, tmp_path / "path-marker.skops")
    with SandboxedModel(path, digest, "skops", bootstrap=RECORDING.format(path=str(tmp_path / "seen"))) as recorded:
        recorded.call(REQUEST, sent)
    received = (tmp_path / "seen").read_bytes()
    assert b"feature-marker" in received
    assert b"metadata-marker" not in received
    assert b"path-marker" not in received


class Hostile:
    """Leaves a marker wherever it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.marker),))


def zipped(content: bytes, name: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(name, content)
    return sink.getvalue()


def joblibbed(value: Any) -> bytes:
    sink = io.BytesIO()
    joblib.dump(value, sink, compress=3)
    return sink.getvalue()


@pytest.mark.parametrize("disguise", ["pickle", "joblib", "zipped pickle", "pickle as schema"])
def test_a_pickle_that_is_named_skops_never_runs(disguise: str, tmp_path: Path) -> None:
    hostile = Hostile(tmp_path / "marker")
    content = {
        "pickle": lambda: pickle.dumps(hostile),
        "joblib": lambda: joblibbed(hostile),
        "zipped pickle": lambda: zipped(pickle.dumps(hostile), "model.pkl"),
        "pickle as schema": lambda: zipped(pickle.dumps(hostile), "schema.json"),
    }[disguise]()
    path, digest = written(tmp_path / "m.skops", content)
    with SandboxedModel(path, digest, "skops") as opened, pytest.raises(MeasurementRefused, match="skops"):
        opened.call(REQUEST, features(table()))
    assert not hostile.marker.exists()
    pickle.loads(pickle.dumps(hostile))
    assert hostile.marker.exists()


@pytest.mark.parametrize(
    ("untrusted", "named"),
    [
        (KNeighborsClassifier(1), "KNeighborsClassifier"),
        (FunctionTransformer(np.exp), "numpy.exp"),
        (FunctionTransformer(os.path.join), "posixpath.join"),
    ],
)
def test_a_type_that_is_not_trusted_is_refused_by_its_name(untrusted: Any, named: str, tmp_path: Path) -> None:
    path, digest = saved(untrusted, tmp_path / "m.skops")
    with SandboxedModel(path, digest, "skops") as opened, pytest.raises(MeasurementRefused, match=named):
        opened.call(REQUEST, features(table()))


def test_a_file_with_another_digest_is_refused_without_a_child(model: Any, tmp_path: Path) -> None:
    path, _ = saved(model, tmp_path / "m.skops")
    opened = SandboxedModel(path, "sha256:" + "0" * 64, "skops")
    with pytest.raises(MeasurementRefused, match="another digest"):
        opened.call(REQUEST, features(table()))
    assert opened._child is None


def test_a_file_that_is_too_large_is_refused_without_a_child(model: Any, tmp_path: Path) -> None:
    opened = SandboxedModel(*saved(model, tmp_path / "m"), "skops", limits=replace(Limits(), model_bytes=1000))
    with pytest.raises(MeasurementRefused, match="more than 1000 bytes"):
        opened.call(REQUEST, features(table()))
    assert opened._child is None


UNSUPPORTED = BOOTSTRAP.replace("from audits", "import platform; platform.machine = lambda: 'riscv64'; from audits")


def test_below_level_one_no_model_is_sent(model: Any, tmp_path: Path) -> None:
    opened = SandboxedModel(*saved(model, tmp_path / "m.skops"), "skops", bootstrap=UNSUPPORTED)
    with pytest.raises(MeasurementRefused, match="no system call table for riscv64"):
        opened.call(REQUEST, features(table()))
    assert opened.sandbox_level == 0


@pytest.mark.parametrize(
    "claim", ["{'status': 'ready', 'level': 0}", "{'status': 'ready', 'level': '3'}", "{'level': 3}"]
)
def test_a_level_that_is_not_reached_is_refused(model: Any, tmp_path: Path, claim: str) -> None:
    bootstrap = program(f"os.write(answers, encode({claim}))\ntime.sleep(60)")
    opened = SandboxedModel(*saved(model, tmp_path / "m.skops"), "skops", bootstrap=bootstrap)
    with pytest.raises(MeasurementRefused, match="level 1"):
        opened.call(REQUEST, features(table()))


UNSTEADY = program("""
from audits.sandbox.wire import read_frame
import array
stream = os.fdopen(requests, 'rb')
os.write(answers, encode({'status': 'ready', 'level': 1}))
read_frame(stream)
os.write(answers, encode({'status': 'ok', 'warnings': ['old\\nversion']}))
read_frame(stream)
header = {'status': 'ok', 'kind': 'k', 'explainer': 'e', 'scale': 'value', 'classes': None, 'explained_class': None,
          'features': ['a']}
os.write(answers, encode(header, array.array('d', [0, 1, 0, 1, 0, 0, 1]).tobytes()))
read_frame(stream)
os.write(answers, encode({'status': 'ok'}, array.array('d', SECOND).tobytes()))
time.sleep(60)
""")


def test_a_model_that_answers_otherwise_the_second_time_is_refused(model: Any, tmp_path: Path) -> None:
    sent = pa.table({"a": [0.0, 0.0, 1.0]})
    path, digest = saved(model, tmp_path / "m.skops")
    request = {"background_rows": 1}
    steady = UNSTEADY.replace("SECOND", "[0, 0]")
    with (
        SandboxedModel(path, digest, "skops", bootstrap=steady) as opened,
        pytest.raises(MeasurementRefused, match="the same prediction"),
    ):
        opened.call(request, sent)


def test_the_wall_clock_of_a_request_can_be_shortened(model: Any, tmp_path: Path) -> None:
    sleepy = program("os.write(answers, encode({'status': 'ready', 'level': 1}))\ntime.sleep(60)")
    limits = replace(Limits(), wall_seconds=1)
    opened = SandboxedModel(*saved(model, tmp_path / "m.skops"), "skops", bootstrap=sleepy, limits=limits)
    with pytest.raises(MeasurementRefused, match="wall clock: no answer within 1 s"):
        opened.call(REQUEST, features(table()))


def test_a_session_that_is_dropped_leaves_no_process_and_no_directory(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = program("os.write(answers, encode({'status': 'ready', 'level': 1}))\ntime.sleep(60)")
    limits = replace(Limits(), wall_seconds=0.2)
    opened = SandboxedModel(*saved(model, tmp_path / "m.skops"), "skops", bootstrap=ready, limits=limits)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(MeasurementRefused):
        opened.call(REQUEST, features(table()))
    assert len(list(tmp_path.glob("assay-job-*"))) == 1
    del opened
    gc.collect()
    assert list(tmp_path.glob("assay-job-*")) == []


def test_the_level_of_the_machine_can_be_probed() -> None:
    assert probe() == 1


def test_a_model_of_another_library_version_is_read_and_the_warning_is_kept(model: Any, tmp_path: Path) -> None:
    content = skops.io.dumps(model)
    written_by = f'\\"{sklearn.__version__}\\"'.encode()
    older = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(older, "w") as target:
        for member in source.namelist():
            part = source.read(member)
            target.writestr(member, part.replace(written_by, b'\\"1.8.0\\"') if member == "schema.json" else part)
    path, digest = written(tmp_path / "m.skops", older.getvalue())
    with SandboxedModel(path, digest, "skops") as opened:
        warnings = opened.call(REQUEST, features(table()))["warnings"]
    assert any("1.8.0" in text for text in warnings)
