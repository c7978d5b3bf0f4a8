"""Judging rules between two tables: references, leakage and drift. Pure."""

from collections.abc import Mapping
from typing import Any

from governance.types.results import CheckStatus, Figure, Interval
from governance.types.value import decimal_text
from policies.quality.params import DriftRule, LeakageRule, ReferentialRule, TargetRule
from policies.quality.verdict import (
    FAILED,
    PASSED,
    UNDECIDED,
    WARNED,
    Said,
    effect_status,
    interval_of,
    percent,
    share_figure,
    share_status,
    worst,
)
from policies.statistics.comparison import holm
from policies.statistics.intervals import Z_TWO_SIDED

Reading = Mapping[str, Any]


def referential(rule: ReferentialRule, reading: Reading) -> list[Said]:
    """The share of keys that are not found; a table whose keys repeat cannot be referred to."""
    place = f"{', '.join(rule.columns)} in {rule.table}"
    count, of = reading["count"], reading["of"]
    status = share_status(count, of, rule.max_share)
    message = f"{percent(count, of)} keys are not found" if of else "no row has a key"
    if reading["repeated"]:
        status = FAILED
        message = f"{reading['repeated']} rows of {rule.table} share their key with another; {message}"
    figure = share_figure(
        "share of keys not found", count, of, limit=rule.max_share, status=status,
        group={"column" if len(rule.columns) == 1 else "columns": ", ".join(rule.columns), "table": rule.table},
        note=f"{reading['without_key']} rows have no key" if reading["without_key"] else "",
    )  # fmt: skip
    data = {"count": count, "of": of, "repeated": reading["repeated"], "without_key": reading["without_key"]}
    remedy = "Deliver both tables of one moment, or correct the keys."
    examples = tuple(reading["examples"])
    return [Said("referential", place, status, message, (figure,), examples, remedy, data, rule.columns)]


def leakage(rule: LeakageRule, reading: Reading) -> list[Said]:
    """Rows in both tables, keys in both, and features that alone tell the label."""
    said = []
    for part, limit in (("rows", rule.max_row_share), ("keys", rule.max_key_share)):
        found = reading[part]
        if found is not None:
            said.append(_in_both(rule, part, found, limit))
    if rule.target is not None and reading["target"] is not None:
        said += _target(rule.target, reading["target"])
    return said


def _in_both(rule: LeakageRule, part: str, found: Reading, limit: str) -> Said:
    place = f"{part} in {rule.training}"
    status = share_status(found["count"], found["of"], limit)
    words = f"{', '.join(found['columns'][:5])}{', ...' if len(found['columns']) > 5 else ''}"
    message = f"{percent(found['count'], found['of'])} {part} of the test data are in the training data too, by {words}"
    figure = share_figure(
        f"share of {part} in both",
        found["count"],
        found["of"],
        limit=limit,
        status=status,
        group={"table": rule.training},
    )
    first = [{"row": row, "value": "the whole row"} for row in found.get("first", ())]
    examples = tuple(found.get("examples", first))
    data = {"count": found["count"], "of": found["of"]}
    remedy = "Split the data again by person or by time, train anew, and test on what was never seen."
    return Said("leakage", place, status, message, (figure,), examples, remedy, data, tuple(found["columns"]))


def _target(rule: TargetRule, reading: Reading) -> list[Said]:
    rows = reading["positive"] + reading["negative"]
    if min(reading["positive"], reading["negative"]) < rule.min_rows:
        message = f"one class has fewer than {rule.min_rows} rows ({reading['positive']} positive of {rows})"
        return [Said("leakage", f"label {reading['label']}", UNDECIDED, message)]
    model = None if reading["model"] is None else float(reading["model"]["auc"])
    return [_feature(rule, one, model, rows) for one in reading["features"]]


def _feature(rule: TargetRule, one: Reading, model: float | None, rows: int) -> Said:
    """A feature's better area: of its values, or of their being missing."""
    place = f"{one['feature']} alone"
    areas = [(part, one[part]) for part in ("values", "missing") if one[part] is not None]
    if not areas:
        message = "it has too many different values, or none that both halves of the rows have"
        return Said("leakage", place, PASSED, message, (_no_area(one, rows),))
    part, best = max(areas, key=lambda pair: float(pair[1]["auc"]))
    auc, error = float(best["auc"]), best["error"]
    lower = auc if error is None else auc - Z_TWO_SIDED * float(error)
    status = effect_status(auc, lower, rule.max_auc)
    like_model = model is not None and auc >= model - float(rule.margin)
    status = WARNED if status is PASSED and like_model else status
    why = "whether it is missing" if part == "missing" else "it"
    message = f"{why} alone tells the label with an area of {auc:.3f}"
    message += f", as well as the whole model ({model:.3f})" if like_model else ""
    figure = Figure(
        name="area under the ROC curve of one feature",
        value=best["auc"],
        n=str(rows),
        interval=None if error is None else _area_interval(auc, float(error)),
        limit=rule.max_auc,
        group={"column": one["feature"], "by": part},
        status=status,
    )
    remedy = "Find out when and how this feature is recorded; what is known only after the outcome must not be used."
    return Said("leakage", place, status, message, (figure,), remedy=remedy, data={"auc": best["auc"], "by": part})


def _no_area(one: Reading, rows: int) -> Figure:
    return Figure(
        name="area under the ROC curve of one feature",
        value=None,
        n=str(rows),
        group={"column": one["feature"]},
        note="too many different values, or none that both halves of the rows have",
    )


def _area_interval(auc: float, error: float) -> Interval:
    lower, upper = max(0.0, auc - Z_TWO_SIDED * error), min(1.0, auc + Z_TWO_SIDED * error)
    return Interval(lower=decimal_text(lower), upper=decimal_text(upper), method="delong")


def drift(rule: DriftRule, reading: Reading) -> list[Said]:
    """Each column by its effects; p-values, adjusted after Holm over the columns, only say what size makes of them."""
    columns = reading["columns"]
    tests = [_test(one) for one in columns]
    adjusted = dict(
        zip((n for n, one in enumerate(tests) if one), holm([float(t["p"]) for t in tests if t]), strict=True)
    )
    return [_drifted(rule, one, adjusted.get(number)) for number, one in enumerate(columns)]


def _test(column: Reading) -> Reading | None:
    """The test of the column's kind; None where there was nothing to test."""
    test: Reading | None = column["ks"] if column["kind"] == "number" else column["chi_square"]
    return test


def _drifted(rule: DriftRule, column: Reading, p: float | None) -> Said:
    place, n, m = column["column"], column["n"], column["reference_n"]
    figures = _drift_figures(rule, column, p)
    psi = column["psi"]
    if min(n, m) < rule.min_rows or psi is None:
        message = f"{n} values, {m} in the reference: fewer than {rule.min_rows} decide nothing"
        return Said("drift", place, UNDECIDED, message, figures)
    status = worst(figure.status for figure in figures if figure.status is not None)
    data = {"psi": psi["index"], "p": None if p is None else decimal_text(p), "kind": column["kind"]}
    remedy = "Find out what changed at the source; train again, or check the model on the new data."
    words = ", ".join(f"{figure.name} {float(figure.value or 0):.3f} (limit {figure.limit})" for figure in figures)
    fresh = column.get("new_values", 0)
    words += f", {fresh} values that the reference does not have" if fresh else ""
    words += f"; {figures[-1].note}" if figures[-1].note else ""
    if status is UNDECIDED:
        words += f"; the index is {float(psi['by_chance']):.3f} by chance alone with so few rows"
    return Said("drift", place, status, words, figures, remedy=remedy, data=data)


def _drift_figures(rule: DriftRule, column: Reading, p: float | None) -> tuple[Figure, ...]:
    figures = []
    psi, test = column["psi"], _test(column)
    sure = p is not None and p < float(rule.alpha)
    if psi is not None:
        name, method = "population stability index", "basic bootstrap"
        figures.append(_effect(name, column, psi["index"], psi, limit=rule.max_psi, method=method, sure=sure))
    if test is not None:
        name, key, limit, method = ("Kolmogorov-Smirnov distance", "distance", rule.max_ks, "dkw")
        if column["kind"] == "category":
            name, key, limit, method = ("Cramer's V", "v", rule.max_v, "basic bootstrap")
        figure = _effect(name, column, test[key], test, limit=limit, method=method, sure=sure)
        figures.append(figure.model_copy(update={"note": _significance(rule, figure, column, p)}))
    return tuple(figures)


def _effect(name: str, column: Reading, value: str, part: Reading, *, limit: str, method: str, sure: bool) -> Figure:
    return Figure(
        name=name,
        value=value,
        n=str(column["n"]),
        interval=interval_of(part, method),
        limit=limit,
        group={"column": column["column"]},
        status=_effect_of_drift(float(value), float(part["lower"]), limit, sure=sure),
    )


def _effect_of_drift(value: float, lower: float, limit: str, *, sure: bool) -> CheckStatus:
    """As any effect; but one above its limit that no test tells from chance decides nothing."""
    status = effect_status(value, lower, limit)
    return UNDECIDED if status is WARNED and not sure else status


def _significance(rule: DriftRule, figure: Figure, column: Reading, p: float | None) -> str:
    """What the test adds: nothing, where the effect decides, and a word of warning where only its size is large."""
    if p is None:
        return ""
    found = f"p = {p:.2g} after Holm"
    if p >= float(rule.alpha):
        return f"not significant, {found}"
    if figure.status is PASSED:
        sizes = f"{column['n']} and {column['reference_n']} rows"
        return f"significant, {found}, because with {sizes} any difference is; the effect is within its limit"
    return f"significant, {found}"
