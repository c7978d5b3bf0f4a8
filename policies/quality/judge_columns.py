"""Judging rules over one file's columns. Pure."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from governance.types.results import CheckStatus, Figure, Interval
from governance.types.value import decimal_text, duration
from policies.quality.params import (
    BalanceRule,
    CompletenessRule,
    FormatRule,
    FreshnessRule,
    MissingRule,
    OutlierRule,
)
from policies.quality.verdict import (
    FAILED,
    PASSED,
    UNDECIDED,
    WARNED,
    Said,
    percent,
    share_figure,
    share_status,
)
from policies.statistics.intervals import Proportion, newcombe

Reading = Mapping[str, Any]


def formats(rule: FormatRule, reading: Reading) -> list[Said]:
    """The share of present values that have another form."""
    form = rule.format or "the declared pattern"
    return [
        _of_share(
            "formats", rule.column, reading, rule.max_share,
            message=f"{percent(reading['count'], reading['of'])} present values are not of the form {form}",
            remedy="Correct these values at their source.",
        )
    ]  # fmt: skip


def _of_share(
    kind: str, place: str, reading: Reading, limit: str, *, message: str, remedy: str, least: bool = False
) -> Said:
    """A rule that is one share; ``least`` judges the rest of it against the least share allowed."""
    count, of = reading["count"], reading["of"]
    judged = of - count if least else count
    status = share_status(judged, of, limit, least=least)
    name = {"formats": "share of another form", "missing": "share missing", "completeness": "complete share"}.get(
        kind, f"share of {kind}"
    )
    columns = reading["columns"]
    group = {"column" if len(columns) == 1 else "columns": ", ".join(columns)}
    figure = share_figure(name, judged, of, limit=limit, status=status, group=group)
    return Said(
        kind,
        place,
        status,
        message if of else "there are no values to look at",
        (figure,),
        tuple(reading.get("examples", ())),
        remedy,
        {"count": count, "of": of},
        tuple(columns),
    )


def missing(rule: MissingRule, reading: Reading) -> list[Said]:
    """The share of missing values, and the largest gap between two groups' shares."""
    said = [
        _of_share(
            "missing", rule.column, reading, rule.max_share,
            message=f"{percent(reading['count'], reading['of'])} values are missing",
            remedy="Find out why they are missing; filling them in hides it.",
        )
    ]  # fmt: skip
    if rule.by is not None:
        said.append(_gap(rule, reading))
    return said


def _gap(rule: MissingRule, reading: Reading) -> Said:
    """The gap between the groups with the most and the fewest missing values, with Newcombe's interval."""
    place = f"{rule.column} by {rule.by}"
    groups = [one for one in reading["groups"] if one["group"] != "missing"]
    figures = tuple(
        share_figure(
            "share missing", one["count"], one["of"], limit=None, status=None,
            group={"column": rule.column, str(rule.by): str(one["group"])},
        )
        for one in groups
    )  # fmt: skip
    if len(groups) < 2:
        return Said("missing", place, UNDECIDED, "there are fewer than two groups to compare", figures)
    ordered = sorted(groups, key=lambda one: Fraction(one["count"], one["of"]))
    low, high = ordered[0], ordered[-1]
    gap = Fraction(high["count"], high["of"]) - Fraction(low["count"], low["of"])
    bounds = newcombe(Proportion(high["count"], high["of"]), Proportion(low["count"], low["of"]))
    status = PASSED
    if rule.max_difference is not None and gap > Fraction(rule.max_difference):
        status = FAILED if bounds.lower > float(Fraction(rule.max_difference)) else WARNED
    figure = Figure(
        name="largest gap between shares missing",
        value=decimal_text(gap),
        n=str(high["of"] + low["of"]),
        interval=Interval(lower=decimal_text(bounds.lower), upper=decimal_text(bounds.upper), method="newcombe"),
        limit=rule.max_difference,
        group={"column": rule.column, "most": str(high["group"]), "fewest": str(low["group"])},
        status=status,
    )
    most, fewest = (f"{one['group']} misses {percent(one['count'], one['of'])}" for one in (high, low))
    message = f"{most}, {fewest}"
    return Said("missing", place, status, message, (*figures, figure), remedy="Collect what one group lacks.")


def completeness(rule: CompletenessRule, reading: Reading) -> list[Said]:
    """The share of complete rows, or of the expected values that occur."""
    place = ", ".join(rule.columns)
    count, of, absent = reading["count"], reading["of"], reading["absent"]
    if rule.values is None:
        message, remedy = f"{percent(count, of)} rows are incomplete", "Deliver the values that are missing."
    else:
        message = f"{percent(count, of)} expected values do not occur: {', '.join(absent[:20])}"
        remedy = "Deliver the part of the data that is missing."
    return [_of_share("completeness", place, reading, rule.min_share, message=message, remedy=remedy, least=True)]


def outliers(rule: OutlierRule, reading: Reading) -> list[Said]:
    """The share of values far from the others; not decided where there is no spread, or text that is no number."""
    fences = f"{reading['lower']} to {reading['upper']} ({rule.method})"
    said = _of_share(
        "outliers", rule.column, reading, rule.max_share,
        message=f"{percent(reading['count'], reading['of'])} values lie outside {fences}, "
        f"{reading['infinite']} of them infinite",
        remedy="Look at these values at their source: units, typing errors, joined tables.",
    )  # fmt: skip
    obstacle = ""
    if reading["unreadable"]:
        obstacle = f"{reading['unreadable']} values are no numbers"
    elif reading["of"] and reading["lower"] is None and said.status is PASSED:
        obstacle = f"the values have no spread by {rule.method}, so that none can be called far off"
    if not obstacle:
        return [said]
    return [
        Said(
            "outliers",
            rule.column,
            UNDECIDED,
            obstacle,
            said.figures,
            said.examples,
            said.remedy,
            said.data,
            said.columns,
        )
    ]


def balance(rule: BalanceRule, reading: Reading) -> list[Said]:
    """The smallest share, the smallest count and the ratio of the largest to the smallest."""
    values, of = reading["values"], reading["of"]
    if not of or not values:
        return [Said("balance", rule.column, UNDECIDED, "no row has one of the values")]
    figures, faults = [], []
    largest = max(one["count"] for one in values)
    for one in values:
        broken = _imbalance(rule, one["count"], of, largest)
        faults += [f"{one['value']} has {percent(one['count'], of)} rows: {broken}"] if broken else []
        figures.append(
            share_figure(
                "share of rows", one["count"], of, limit=rule.min_share, status=FAILED if broken else PASSED,
                group={"column": rule.column, "value": str(one["value"])},
            )
        )  # fmt: skip
    if reading["outside"]:
        faults.append(f"{reading['outside']} rows have a value that was not declared")
    status = FAILED if faults else PASSED
    data = {"values": {str(one["value"]): one["count"] for one in values}, "missing": reading["unknown"]}
    remedy = "Collect more of the rare value, or say in the policy why so few are right."
    return [Said("balance", rule.column, status, "; ".join(faults[:10]), tuple(figures), remedy=remedy, data=data)]


def _imbalance(rule: BalanceRule, count: int, of: int, largest: int) -> str:
    """Which limit a value's rows break, in words; empty where they break none."""
    if rule.values is not None and count == 0:
        return "it was expected"
    if Fraction(count, of) < Fraction(rule.min_share):
        return f"less than {rule.min_share}"
    if count < rule.min_rows:
        return f"fewer than {rule.min_rows}"
    if rule.max_ratio is not None and largest > Fraction(rule.max_ratio) * count:
        return f"the most frequent has more than {rule.max_ratio} for each"
    return ""


def freshness(rule: FreshnessRule, reading: Reading) -> list[Said]:
    """The newest instant's age, instants after the check, and order."""
    place, of = rule.column, reading["of"]
    if not of or reading["unreadable"]:
        found = f"{reading['unreadable']} values are no instants" if reading["unreadable"] else "no row has an instant"
        return [Said("freshness", place, UNDECIDED, found)]
    now = datetime.fromisoformat(reading["evaluated_at"])
    age = now - datetime.fromisoformat(reading["newest"])
    late = rule.max_age is not None and age > duration(rule.max_age)
    future = share_status(reading["count"], of, rule.max_future_share)
    steps = reading["out_of_order"]
    faults = [f"the newest instant is {reading['newest']}, older than {rule.max_age}"] if late else []
    faults += [f"{percent(reading['count'], of)} instants lie after the check"] if future is FAILED else []
    faults += [f"{steps} rows are earlier than the one before"] if steps else []
    status: CheckStatus = FAILED if faults else PASSED
    figures = [
        Figure(
            name="age of the newest instant in days",
            value=decimal_text(age.total_seconds() / 86_400),
            n=str(of),
            limit=None if rule.max_age is None else decimal_text(duration(rule.max_age).total_seconds() / 86_400),
            group={"column": place},
            status=FAILED if late else PASSED,
        ),
        share_figure(
            "share after the check", reading["count"], of, limit=rule.max_future_share, status=future,
            group={"column": place},
        ),
    ]  # fmt: skip
    data = {name: reading[name] for name in ("oldest", "newest", "out_of_order")}
    remedy = "Deliver newer data, or correct the clock or the order of their source."
    return [Said("freshness", place, status, "; ".join(faults), tuple(figures), remedy=remedy, data=data)]
