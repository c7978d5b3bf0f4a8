"""Pictures of scores: bars and points where the numbers are, nothing outside, and everything said in words too."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from policies.fairness.check import CHECK
from policies.fairness.params import FairnessParams, MetricLimit
from reports.charts import Scene
from reports.score_charts import MAX_PANELS, score_charts
from tests.reports.test_charts import inside
from tests.support.evidence import facts, write


def details(tmp_path: Path, rows: pl.DataFrame, *, labelled: bool = True, **fields: Any) -> dict[str, Any]:
    """The details of a fairness result on scores."""
    columns = {"score": "score"} | ({"label": "label"} if labelled else {})
    known = facts(
        write(tmp_path / "rows.parquet", rows),
        columns=columns,
        positive={"label": 1} if labelled else {},
        **fields,
    )
    params = FairnessParams(metrics=(MetricLimit(name="mean_score_difference", limit="0.5"),), bootstrap_replicates=20)
    found: Any = CHECK.judge(CHECK.measure(known, params), params).details
    return dict(found)


def people(groups: int = 2, rows: int = 400) -> pl.DataFrame:
    """Scores that are higher in later groups."""
    draw = np.random.default_rng(3)
    group = np.arange(rows) % groups
    score = np.clip(draw.normal(0.4 + 0.2 * group / groups, 0.15), 0, 1).round(3)
    label = (draw.random(rows) < score).astype(int)
    return pl.DataFrame({"score": score, "label": label, "group": [f"g{one}" for one in group]})


def bars(scene: Scene) -> list[Any]:
    return [shape for shape in scene.shapes if shape.style == "bar"]


def test_a_table_of_scores_has_its_distribution_and_its_calibration(tmp_path: Path) -> None:
    distribution, calibration = score_charts("c", details(tmp_path, people(), threshold="0.5"))
    assert (distribution.title, calibration.title) == ("Scores by group", "Calibration by group")
    assert inside(distribution)
    assert inside(calibration)
    assert len({scene.id for scene in (distribution, calibration)}) == 2


def test_bars_have_the_area_of_their_share(tmp_path: Path) -> None:
    found = details(tmp_path, people())
    scene = score_charts("c", found)[0]
    for group in found["tables"]["group"]["scores"]["groups"]:
        assert sum(map(float, group["shares"])) == pytest.approx(1)
    bottoms = sorted({round(bar.y + bar.y2, 3) for bar in bars(scene)})
    areas = [
        sum(bar.x2 * bar.y2 for bar in bars(scene) if round(bar.y + bar.y2, 3) == bottom) for bottom in bottoms
    ]  # fmt: skip
    assert areas[0] == pytest.approx(areas[1], rel=0.05)


def test_the_threshold_is_dashed_and_the_shares_above_it_are_said(tmp_path: Path) -> None:
    rows = people()
    scene = score_charts("c", details(tmp_path, rows, threshold="0.5"))[0]
    assert [shape.style for shape in scene.shapes].count("limit") == 1
    above = rows.filter(pl.col("group") == "g0").select((pl.col("score") >= 0.5).mean()).item()
    assert f"g0 {100 * above:.1f} %" in scene.description


def test_points_of_a_calibrated_group_lie_along_the_dashed_line(tmp_path: Path) -> None:
    rows = people(groups=1, rows=20_000)
    scene = score_charts("c", details(tmp_path, rows))[1]
    (line,) = [shape for shape in scene.shapes if shape.style == "limit"]
    for dot in (shape for shape in scene.shapes if shape.style == "mark"):
        along = (dot.x - line.x) / (line.x2 - line.x)
        assert (line.y - dot.y) / (line.y - line.y2) == pytest.approx(along, abs=0.05)
    assert "mean distance from the dashed line: g0 0.0" in scene.description


def test_many_groups_are_cut_and_the_picture_says_so(tmp_path: Path) -> None:
    scene = score_charts("c", details(tmp_path, people(groups=MAX_PANELS + 3)))[0]
    assert inside(scene)
    assert any("3 more groups" in shape.text for shape in scene.shapes)


def test_scores_without_labels_have_no_calibration_and_decisions_no_picture(tmp_path: Path) -> None:
    scenes = score_charts("c", details(tmp_path, people(), labelled=False))
    assert [scene.title for scene in scenes] == ["Scores by group"]
    assert score_charts("c", {"tables": {"group": {"scores": None}}}) == ()
    assert score_charts("c", {}) == ()


@pytest.mark.parametrize("score", [[0.5, 0.5], [-3.0, 900.0], [0.0, 1e-12]])
def test_any_range_of_scores_stays_inside_the_picture(tmp_path: Path, score: list[float]) -> None:
    rows = pl.DataFrame({"score": score * 40, "label": [0, 1] * 40, "group": ["a"] * 40 + ["b"] * 40})
    for threshold in (None, "0.25", "5000"):
        for scene in score_charts("c", details(tmp_path, rows, threshold=threshold)):
            assert inside(scene)
            assert scene.description.endswith(".")


def test_a_threshold_beyond_all_scores_lies_beyond_them(tmp_path: Path) -> None:
    scene = score_charts("c", details(tmp_path, people(), threshold="5"))[0]
    (line,) = [shape for shape in scene.shapes if shape.style == "limit"]
    assert all(bar.x + bar.x2 < line.x - 100 for bar in bars(scene))
    assert "5" in [shape.text for shape in scene.shapes]


def test_scores_that_are_no_probabilities_have_no_calibration(tmp_path: Path) -> None:
    rows = people().with_columns(pl.col("score") * 1000)
    found = details(tmp_path, rows)
    assert [scene.title for scene in score_charts("c", found)] == ["Scores by group"]
