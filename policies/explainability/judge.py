"""The judgement of an explainability measurement: pure, and light enough for the server."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from governance.types.results import CheckResult, CheckStatus, Figure, Finding, Interval, Measurement
from governance.types.value import Severity, decimal_text
from policies.explainability.gaps import Gap, gaps_of, normal_interval
from policies.explainability.params import ExplainabilityParams

NOT_CHECKED = (
    "whether the attributions are stable over subsamples and backgrounds",
    "whether removing the top features changes the output more than removing others",
    "the reasons given for single adverse decisions",
    "models other than scikit-learn's linear models and tree ensembles without categorical splits",
    "whether this model made the decisions in the predictions file",
    "gaps at intersections of attributes",
)

_ORDER = (
    CheckStatus.ERROR,
    CheckStatus.FAILED,
    CheckStatus.INSUFFICIENT_EVIDENCE,
    CheckStatus.WARNED,
    CheckStatus.PASSED,
)
_CONTRIBUTIONS_NAMED = 5


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One thing that was judged, with the number it was judged by."""

    status: CheckStatus
    reason: str
    message: str
    observed: float | None = None
    interval: Interval | None = None
    limit: str | None = None
    place: str = ""


def judge(measurement: Measurement, params: ExplainabilityParams) -> CheckResult:
    """The worst of: additivity, use of forbidden features, sensitive, undocumented and proxy share, carried gaps.

    Shares fail by the lower bound of their 95 % interval and are warned of where only the point lies above the
    limit. A gap is judged where its interval excludes 0 and both groups have ``min_group_size`` rows. Attributions
    that do not add up are not published at all.
    """
    body: Mapping[str, Any] = measurement.body
    error = float(body["additivity_error"])
    if error > float(params.additivity):
        outcomes = [
            _Outcome(
                CheckStatus.ERROR,
                "explainability.additivity",
                f"attributions miss the output by {error:.3g} standard deviations, more than {params.additivity}",
                error,
                None,
                params.additivity,
            )
        ]
        return _result(measurement, outcomes, (), (), {})
    gaps = gaps_of(body)
    outcomes = [
        *_usable(body),
        *(_comparable(body) if params.gap_share is not None else ()),
        *_forbidden(body, params),
        *_limited_set(body, "sensitive", params.sensitive_share, "sensitive attributes"),
        *_limited_set(body, "undocumented", params.undocumented_share, "undocumented features"),
        *_proxies(body, params),
        *(outcome for gap in gaps for outcome in _carried(body, gap, params)),
    ]
    figures = (*_share_figures(body, params), *_set_figures(body, params), *_gap_figures(body, gaps, params))
    findings = (*_input_findings(body, params), *_gap_findings(body, gaps, params))
    return _result(measurement, outcomes, figures, findings, _details(body))


def _result(
    measurement: Measurement,
    outcomes: Sequence[_Outcome],
    figures: tuple[Figure, ...],
    findings: tuple[Finding, ...],
    details: dict[str, Any],
) -> CheckResult:
    status = min((outcome.status for outcome in outcomes), key=_ORDER.index, default=CheckStatus.PASSED)
    worst = [outcome for outcome in outcomes if outcome.status is status]
    first = worst[0] if worst else None
    return CheckResult(
        check=measurement.check,
        check_version=measurement.check_version,
        status=status,
        reason=first.reason if first else "explainability.within_limits",
        message="; ".join(outcome.message for outcome in worst[:5]) or "attributions are within their limits",
        observed=decimal_text(first.observed) if first and first.observed is not None else None,
        interval=first.interval if first else None,
        limit=first.limit if first else None,
        n=decimal_text(int(str(measurement.body["rows"]))),
        figures=figures,
        findings=findings,
        not_checked=NOT_CHECKED,
        details=details,
    )


def _usable(body: Mapping[str, Any]) -> Iterator[_Outcome]:
    if not body["model"]["is_subject"]:
        yield _Outcome(
            CheckStatus.INSUFFICIENT_EVIDENCE,
            "explainability.other_model",
            f"the model that was explained ({body['model']['digest']}) is not the file of the subject",
        )
    if all(feature["share"] is None for feature in body["features"]):
        yield _Outcome(
            CheckStatus.INSUFFICIENT_EVIDENCE,
            "explainability.no_attribution",
            "no feature carries any attribution: the output is constant on the sample",
        )


def _comparable(body: Mapping[str, Any]) -> Iterator[_Outcome]:
    for group in body["groups"]:
        names = [level["level"] for level in group["levels"]]
        reference = group["reference"]
        if len(names) < 2 or (reference is not None and reference not in names):
            yield _Outcome(
                CheckStatus.INSUFFICIENT_EVIDENCE,
                "explainability.groups_missing",
                f"no gap of {group['attribute']} can be measured: the sample holds "
                f"{', '.join(names) or 'no group'}" + (f", the reference is {reference}" if reference else ""),
            )


def _forbidden(body: Mapping[str, Any], params: ExplainabilityParams) -> Iterator[_Outcome]:
    for feature in body["features"]:
        if feature["name"] in params.forbidden and feature["share"]:
            yield _Outcome(
                CheckStatus.FAILED,
                "explainability.forbidden_feature",
                f"the forbidden feature {feature['name']} carries {_percent(feature['share'])} of the attribution",
                feature["share"],
                normal_interval(feature["share"], feature["standard_error"], within=(0, 1)),
                "0",
            )


def _limited_set(body: Mapping[str, Any], name: str, limit: str | None, what: str) -> Iterator[_Outcome]:
    measured = body["sets"][name]
    if limit is not None and measured["share"] is not None:
        yield from _above(measured, limit, f"explainability.{name}_share", what, may_fail=True)


def _above(measured: Mapping[str, float], limit: str, reason: str, what: str, *, may_fail: bool) -> Iterator[_Outcome]:
    """Failed where the lower bound lies above the limit (warned if it may not fail), warned where the point does."""
    share = measured["share"]
    interval = normal_interval(share, measured["standard_error"], within=(0, 1))
    if Fraction(share) <= Fraction(limit):
        return
    is_shown = Fraction(str(interval.lower)) > Fraction(limit)
    yield _Outcome(
        CheckStatus.FAILED if is_shown and may_fail else CheckStatus.WARNED,
        reason,
        f"{what} carry {_percent(share)} of the attribution, above {_percent(float(limit))}"
        + ("" if is_shown else ", though its interval reaches below"),
        share,
        interval,
        limit,
    )


def _proxies(body: Mapping[str, Any], params: ExplainabilityParams) -> Iterator[_Outcome]:
    for group in body["groups"]:
        if params.proxy_share is not None and group["proxy"]["share"] is not None:
            what = f"features weighted by their association with {group['attribute']}"
            yield from _above(group["proxy"], params.proxy_share, "explainability.proxy_share", what, may_fail=False)


def _carried(body: Mapping[str, Any], gap: Gap, params: ExplainabilityParams) -> Iterator[_Outcome]:
    if params.gap_share is None or not gap.is_shown(params.min_group_size):
        return
    for feature, contribution in zip(body["features"], gap.contributions, strict=True):
        portion = contribution / gap.value
        if portion > float(params.gap_share) and not feature["justification"]:
            yield _Outcome(
                CheckStatus.WARNED,
                "explainability.gap_carried",
                f"{feature['name']} carries {_percent(portion)} of the gap of {gap.attribute} between "
                f"{gap.reference} and {gap.level}, without a documented justification",
                portion,
                None,
                params.gap_share,
                place=feature["name"],
            )


def _share_figures(body: Mapping[str, Any], params: ExplainabilityParams) -> Iterator[Figure]:
    for feature in body["features"]:
        flags = [
            word
            for word, holds in (
                ("not_an_input", not feature["is_input"]),
                ("sensitive", feature["is_sensitive"]),
                ("forbidden", feature["name"] in params.forbidden),
                ("undocumented", not feature["is_documented"]),
            )
            if holds
        ]
        yield Figure(
            name="attribution_share",
            value=_text(feature["share"]),
            n=decimal_text(body["rows"]),
            interval=_interval(feature),
            group={"feature": feature["name"]},
            flags=tuple(flags),
            note="" if feature["share"] is not None else "no feature carries attribution",
            status=_ruled(_forbidden({"features": [feature]}, params), is_judged="forbidden" in flags),
            limit="0" if "forbidden" in flags else None,
        )


def _ruled(outcomes: Iterator[_Outcome], *, is_judged: bool) -> CheckStatus | None:
    """The status of a figure that a limit is held against: that of the outcome it led to, if it led to one."""
    if not is_judged:
        return None
    return next((outcome.status for outcome in outcomes), CheckStatus.PASSED)


def _set_figures(body: Mapping[str, Any], params: ExplainabilityParams) -> Iterator[Figure]:
    rows = decimal_text(body["rows"])
    for name, limit in (("sensitive", params.sensitive_share), ("undocumented", params.undocumented_share)):
        measured = body["sets"][name]
        judged = limit is not None and measured["share"] is not None
        yield Figure(
            name=f"{name}_share",
            value=_text(measured["share"]),
            n=rows,
            interval=_interval(measured),
            limit=limit,
            status=_ruled(_limited_set(body, name, limit, name), is_judged=judged),
        )
    for group in body["groups"]:
        judged = params.proxy_share is not None and group["proxy"]["share"] is not None
        yield Figure(
            name="proxy_share",
            value=_text(group["proxy"]["share"]),
            n=rows,
            interval=_interval(group["proxy"]),
            limit=params.proxy_share,
            group={"attribute": group["attribute"]},
            status=_ruled(_proxies({"groups": [group]}, params), is_judged=judged),
        )


def _gap_figures(body: Mapping[str, Any], gaps: Sequence[Gap], params: ExplainabilityParams) -> Iterator[Figure]:
    for gap in gaps:
        place = {"attribute": gap.attribute, "groups": f"{gap.reference} - {gap.level}"}
        small = ("small_group",) if gap.n < params.min_group_size else ()
        carried = {outcome.place: outcome.status for outcome in _carried(body, gap, params)}
        yield Figure(
            name="score_gap",
            value=decimal_text(gap.value),
            n=decimal_text(gap.n),
            interval=gap.interval,
            group=place,
            flags=small,
            note=f"mean {body['model']['scale']}; n is the smaller group's",
        )
        for feature, contribution in zip(body["features"], gap.contributions, strict=True):
            yield Figure(
                name="gap_contribution",
                value=decimal_text(contribution),
                n=decimal_text(gap.n),
                group={**place, "feature": feature["name"]},
                flags=small,
                status=carried.get(feature["name"]),
            )


def _input_findings(body: Mapping[str, Any], params: ExplainabilityParams) -> Iterator[Finding]:
    for feature in body["features"]:
        if feature["name"] in params.forbidden and feature["is_input"]:
            yield Finding(
                code="explainability.forbidden_input",
                severity=Severity.WARNING,
                message=f"the forbidden feature {feature['name']} is an input of the model",
                remediation="Train the model without it.",
                data={"feature": feature["name"]},
            )
    for text in body["model"]["warnings"]:
        yield Finding(
            code="explainability.library_warning",
            severity=Severity.INFO,
            message=f"while the model was read: {text}",
            remediation="Save the model with the library versions that the service runs.",
        )


def _gap_findings(body: Mapping[str, Any], gaps: Sequence[Gap], params: ExplainabilityParams) -> Iterator[Finding]:
    for gap in gaps:
        if not gap.is_shown(params.min_group_size):
            continue
        pairs = sorted(zip(body["features"], gap.contributions, strict=True), key=lambda pair: -abs(pair[1]))
        for feature, contribution in pairs[:_CONTRIBUTIONS_NAMED]:
            portion = contribution / gap.value
            is_grave = params.gap_share is not None and portion > float(params.gap_share)
            is_justified = bool(feature["justification"])
            yield Finding(
                code="explainability.gap_contribution",
                severity=Severity.WARNING if is_grave and not is_justified else Severity.INFO,
                message=f"feature {feature['name']} carries {_percent(portion)} of the gap between {gap.reference} "
                f"and {gap.level} ({gap.attribute})",
                remediation="Justify the feature in the manifest's dictionary, or train without the gap it carries."
                if is_grave and not is_justified
                else "",
                data={
                    "attribute": gap.attribute,
                    "reference": gap.reference,
                    "group": gap.level,
                    "feature": feature["name"],
                    "contribution": decimal_text(contribution),
                    "portion": decimal_text(portion),
                    "justification": feature["justification"],
                },
            )


def _details(body: Mapping[str, Any]) -> dict[str, Any]:
    model = body["model"]
    return {
        "explained_class": model["explained_class"],
        "classes": model["classes"],
        "scale": model["scale"],
        "kind": model["kind"],
        "explainer": model["explainer"],
        "shape": body["shape"],
        "background_rows": body["background_rows"],
        "population": body["population"],
        "base": decimal_text(body["base"]),
        "additivity_error": decimal_text(body["additivity_error"]),
        "importance_share": {feature["name"]: _text(feature["share"]) for feature in body["features"]},
        "direction": {feature["name"]: _text(feature["direction"]) for feature in body["features"]},
    }


def _interval(measured: Mapping[str, Any]) -> Interval | None:
    if measured["share"] is None:
        return None
    return normal_interval(measured["share"], measured["standard_error"], within=(0, 1))


def _text(value: float | None) -> str | None:
    return None if value is None else decimal_text(value)


def _percent(portion: float) -> str:
    return f"{100 * portion:.3g} %"
