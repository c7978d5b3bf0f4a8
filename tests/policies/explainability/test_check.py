"""The check from a manifest to a result, with real models in the sandbox."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import JsonValue
from sklearn.linear_model import LogisticRegression

from audits.sandbox.session import SandboxedModel
from governance.canonical import canonical
from governance.check import Facts
from governance.errors import InputRefused, MeasurementRefused
from governance.types.results import CheckResult, CheckStatus, Measurement
from governance.types.value import parse_value
from policies.explainability.check import CHECK
from policies.explainability.params import ExplainabilityParams
from tests.audits.sandbox.models import fitted, label, saved, table
from tests.support.evidence import facts, write

FEATURES = {
    name: {"meaning": f"feature {name}", "source": "file/people#x", "justification": reason}
    for name, reason in (("a", None), ("b", None), ("c", None))
}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features, a label, and a sensitive attribute that goes with ``b``; the markers must never reach a model."""
    frame = table()
    marked = pl.from_pandas(frame).with_columns(
        label=pl.Series([f"label-marker {one}" for one in label(frame)]),
        sex=pl.when(pl.col("b") > 0.2).then(pl.lit("sex-marker m")).otherwise(pl.lit("sex-marker f")),
    )
    return write(tmp_path_factory.mktemp("people") / "people.parquet", marked)


class Recorded:
    """A session that hands on to another and keeps the tables it was given."""

    def __init__(self, session: SandboxedModel) -> None:
        self.session = session
        self.tables: list[Any] = []

    @property
    def sandbox_level(self) -> int:
        """That of the session."""
        return self.session.sandbox_level

    def call(self, request: Mapping[str, JsonValue], features: Any) -> Mapping[str, Any]:
        """The session's answer."""
        self.tables.append(features)
        return self.session.call(request, features)

    def predict(self, request: Mapping[str, JsonValue], features: Any) -> Any:
        """The session's predictions."""
        self.tables.append(features)
        return self.session.predict(request, features)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Recorded, str]]:
    path, digest = saved(fitted(LogisticRegression()), tmp_path_factory.mktemp("model") / "m.skops")
    with SandboxedModel(path, digest, "skops") as opened:
        yield Recorded(opened), digest


def given(people: Path, session: tuple[Recorded, str], **fields: Any) -> Facts:
    """Facts about the model on the people; ``fields`` change the manifest."""
    digest = session[1]
    document = {
        "subject": {"namespace": "tests", "name": "model", "version": "1", "digest": digest},
        "model": {"uri": f"artifact:{digest}", "format": "skops"},
        "columns": {"label": "label", "features": ["c", "b", "a"]},
        "positive": {"decision": "yes"},
        "sensitive": {"sex": {}},
        "features": FEATURES,
        **fields,
    }
    return replace(facts(people, **document), model=session[0])


def params(**fields: Any) -> ExplainabilityParams:
    return parse_value(ExplainabilityParams, fields, what="the parameters")


@pytest.fixture(scope="module")
def measurement(people: Path, session: tuple[Recorded, str]) -> Measurement:
    """The measurement with the defaults."""
    return CHECK.measure(given(people, session), params())


def figures(result: CheckResult, name: str) -> dict[str, float]:
    """The values of the figures of one name, by feature."""
    return {one.group.get("feature", ""): float(one.value) for one in result.figures if one.name == name and one.value}


def test_the_result_names_class_scale_shape_and_what_each_feature_carries(measurement: Measurement) -> None:
    result = CHECK.judge(measurement, params(gap_share=None))
    assert (result.status, result.n) == (CheckStatus.PASSED, "240")
    expected = {"explained_class": "yes", "scale": "log-odds", "shape": [240, 3], "kind": "linear"}
    assert {name: result.details[name] for name in expected} == expected
    shares = figures(result, "attribution_share")
    assert sum(shares.values()) == pytest.approx(1)
    assert max(shares, key=lambda name: shares[name]) == "b"
    assert measurement.sandbox_level == 1
    assert measurement.measured_with == CHECK.measuring_params(params())


def test_the_gap_is_the_sum_of_what_the_features_carry_and_the_proxy_is_named(measurement: Measurement) -> None:
    result = CHECK.judge(measurement, params())
    parts = figures(result, "gap_contribution")
    assert sum(parts.values()) == pytest.approx(figures(result, "score_gap")[""])
    assert (result.status, result.reason) == (CheckStatus.WARNED, "explainability.gap_carried")
    first = next(one for one in result.findings if one.code == "explainability.gap_contribution")
    assert first.message.startswith("feature b carries ")
    assert first.message.endswith("% of the gap between sex-marker m and sex-marker f (sex)")


def test_a_justified_feature_is_not_warned_of(people: Path, session: tuple[Recorded, str]) -> None:
    justified = {**FEATURES, "b": {**FEATURES["b"], "justification": "needed for the contract"}}
    result = CHECK.judge(CHECK.measure(given(people, session, features=justified), params()), params())
    assert result.status is CheckStatus.PASSED


def test_only_the_features_are_sent_to_the_model(people: Path, session: tuple[Recorded, str]) -> None:
    recorded = session[0]
    recorded.tables.clear()
    CHECK.measure(given(people, session), params())
    (sent,) = recorded.tables
    assert sent.column_names == ["c", "b", "a"]
    assert "marker" not in str(sent.to_pydict())


def test_a_seed_fixes_the_measurement_and_another_seed_another_sample(
    people: Path, session: tuple[Recorded, str]
) -> None:
    bodies = [
        canonical(CHECK.measure(given(people, session, seed=seed), params(sample_rows=50)).document())
        for seed in (1, 1, 2)
    ]
    assert bodies[0] == bodies[1] != bodies[2]


def test_a_csv_gives_the_numbers_of_its_parquet(
    people: Path, session: tuple[Recorded, str], measurement: Measurement, tmp_path: Path
) -> None:
    path = write(tmp_path / "people.csv", pl.read_parquet(people))
    again = CHECK.measure(given(path, session), params())
    assert again.body["features"] == measurement.body["features"]


def test_joined_files_are_put_in_the_order_of_their_key(
    people: Path, session: tuple[Recorded, str], tmp_path: Path
) -> None:
    frame = pl.read_parquet(people).with_row_index("id")
    left = write(tmp_path / "left.parquet", frame.select("id", "label"))
    documents = []
    for name, right in (("a", frame), ("b", frame.reverse())):
        path = write(tmp_path / f"{name}.parquet", right.drop("label"))
        base = given(people, session)
        joined = facts(
            left,
            path,
            **{
                name: value
                for name, value in (base.manifest.document() if base.manifest else {}).items()
                if name in ("subject", "model", "columns", "positive", "sensitive", "features")
            },
        )
        found = CHECK.measure(replace(joined, model=session[0]), params(sample_rows=60))
        documents.append(found.body)
    assert documents[0] == documents[1]


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({"forbidden": ["b"]}, "failed", "explainability.forbidden_feature"),
        ({"forbidden": ["sex"]}, "passed", "explainability.within_limits"),
        ({"proxy_share": "0.2"}, "warned", "explainability.proxy_share"),
        ({"additivity": "0"}, "error", "explainability.additivity"),
        ({"min_group_size": 150, "gap_share": "0.25"}, "passed", "explainability.within_limits"),
    ],
)
def test_the_limits_of_the_policy_decide(
    measurement: Measurement, fields: dict[str, Any], status: str, reason: str
) -> None:
    result = CHECK.judge(measurement, params(**{"gap_share": None, **fields}))
    assert (result.status, result.reason) == (status, reason)


def test_attributions_that_do_not_add_up_are_not_published(measurement: Measurement) -> None:
    wrong = measurement.model_copy(update={"body": {**measurement.body, "additivity_error": 0.5}})
    result = CHECK.judge(wrong, params())
    assert (result.status, result.figures, result.details) == (CheckStatus.ERROR, (), {})


def test_a_sensitive_feature_fails_by_the_lower_bound(people: Path, session: tuple[Recorded, str]) -> None:
    measured = CHECK.measure(given(people, session, sensitive={"c": {}}), params())
    result = CHECK.judge(measured, params(gap_share=None))
    assert (result.status, result.reason) == (CheckStatus.FAILED, "explainability.sensitive_share")
    share = result.observed
    assert share is not None
    above = CHECK.judge(measured, params(gap_share=None, sensitive_share=str(float(share) - 1e-6)))
    assert above.status is CheckStatus.WARNED
    assert CHECK.judge(measured, params(gap_share=None, sensitive_share=share)).status is CheckStatus.PASSED


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        (None, "failed"),
        ({"meaning": "x"}, "failed"),
        ({"meaning": "x", "lawful_basis": "Art. 6(1)(b)"}, "passed"),
        ({"meaning": "x", "source": "file/people#b"}, "passed"),
    ],
)
def test_attribution_on_an_undocumented_feature_fails(
    people: Path, session: tuple[Recorded, str], entry: Any, status: str
) -> None:
    dictionary = {name: one for name, one in {**FEATURES, "b": entry}.items() if one is not None}
    measured = CHECK.measure(given(people, session, features=dictionary), params())
    assert CHECK.judge(measured, params(gap_share=None)).status == status
    assert CHECK.judge(measured, params(gap_share=None, undocumented_share=None)).status == "passed"


def test_an_explanation_of_another_file_than_the_subjects_is_no_evidence(
    people: Path, session: tuple[Recorded, str]
) -> None:
    other = {"namespace": "tests", "name": "model", "version": "1", "digest": f"sha256:{'0' * 64}"}
    result = CHECK.judge(CHECK.measure(given(people, session, subject=other), params()), params(gap_share=None))
    assert (result.status, result.reason) == (CheckStatus.INSUFFICIENT_EVIDENCE, "explainability.other_model")


@pytest.mark.parametrize("attribute", [{"groups": ["sex-marker m"]}, {"reference": "x"}, {"groups": ["x", "y"]}])
def test_groups_that_the_sample_lacks_leave_the_gap_undecided(
    people: Path, session: tuple[Recorded, str], attribute: Any
) -> None:
    measured = CHECK.measure(given(people, session, sensitive={"sex": attribute}), params())
    result = CHECK.judge(measured, params())
    assert (result.status, result.reason) == (CheckStatus.INSUFFICIENT_EVIDENCE, "explainability.groups_missing")


def test_a_numeric_attribute_is_put_into_its_bins(people: Path, session: tuple[Recorded, str]) -> None:
    manifest = {"sensitive": {"b": {"bins": [-1, 0, 1]}}}
    body: Any = CHECK.measure(given(people, session, **manifest), params()).body
    values = pl.read_parquet(people)["b"]
    counts = {one["level"]: one["n"] for one in body["groups"][0]["levels"]}
    assert counts == {
        "[-1, 0)": int(values.is_between(-1, 0, closed="left").sum()),
        "[0, 1]": int(values.is_between(0, 1).sum()),
    }
    assert body["groups"][0]["without_group"] == 240 - sum(counts.values())


def test_a_manifest_without_a_model_never_passes(people: Path, session: tuple[Recorded, str]) -> None:
    with pytest.raises(MeasurementRefused, match="no model in the manifest"):
        CHECK.measure(given(people, session, model=None), params())
    with pytest.raises(MeasurementRefused, match="no sandbox"):
        CHECK.measure(replace(given(people, session), model=None), params())


@pytest.mark.parametrize("features", [[], ["a", "a"], ["a", "b", "label"], ["a", "b", "gone"]])
def test_features_that_cannot_be_meant_are_refused(
    people: Path, session: tuple[Recorded, str], features: list[str]
) -> None:
    with pytest.raises(MeasurementRefused):
        CHECK.measure(given(people, session, columns={"label": "label", "features": features}), params())


@pytest.mark.parametrize(
    "fields",
    [{"sample_rows": 1}, {"gap_share": 0.25}, {"gap_share": "1.5"}, {"additivity": "-1"}, {"surprise": 1}],
)
def test_parameters_out_of_range_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InputRefused):
        params(**fields)


def test_every_figure_that_a_limit_is_held_against_says_how_it_came_out(measurement: Measurement) -> None:
    """A waiver is bound to the figures that failed or warned: what is not marked could get worse unseen."""
    loose = CHECK.judge(
        measurement, params(forbidden=["b"], proxy_share="0.0001", sensitive_share="1", gap_share="0.1")
    )
    marked = {(one.name, one.group.get("feature", "")): one.status for one in loose.figures if one.status is not None}
    assert marked[("attribution_share", "b")] is CheckStatus.FAILED
    assert marked[("proxy_share", "")] is CheckStatus.WARNED
    assert marked[("sensitive_share", "")] is CheckStatus.PASSED
    assert marked[("gap_contribution", "b")] is CheckStatus.WARNED
    assert ("attribution_share", "a") not in marked
