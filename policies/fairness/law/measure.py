"""From a manifest's rows or counts to people by category for Local Law 144, with one streaming group-by.

Scores are compared as doubles: decimals of at most 15 digits keep their order there, and longer ones are refused.
"""

from importlib.metadata import version
from typing import Any

import polars as pl

from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.bias_audit import BiasAudit
from governance.types.manifest import Manifest
from governance.types.results import Measurement
from governance.types.value import decimal_text
from policies.fairness.law.gaps import with_gaps
from policies.fairness.law.ll144_params import LL144Params
from policies.fairness.law.people import MedianScore, PeopleBody, PeopleCell
from policies.fairness.law.sample import exact_score
from policies.frames.coding import decode, level_name
from policies.frames.counts import counts_lines
from policies.frames.numbers import decision_expression, number_expression, refuse_unusable_numbers
from policies.frames.source import manifest_of, refusing_unreadable
from policies.frames.table import Table, open_table

MAX_CATEGORIES = 1000
"""Distinct combinations of recorded categories; more of them mean that a column is no category."""

_LONG_SCORE = r"[0-9](?:\.?[0-9]){15}"
"""Sixteen digits in a row, whose order doubles do not keep."""


def measure_people(facts: Facts, params: LL144Params, *, check_version: str) -> Measurement:
    """The people of the manifest by sex, race or ethnicity and assigned group.

    They are kept as recorded; the categories of ``params`` only shape the intervals of the smallest ratios.

    Raises:
        MeasurementRefused: the manifest states no audit; it has no selections, or no scores, as its tool needs; the
            data are refused (see ``policies.frames``); or a score has more than 15 digits.
    """
    manifest = manifest_of(facts)
    if manifest.audit is None:
        raise MeasurementRefused(
            expected="the facts of the bias audit: what the tool does, its dates, its exclusions",
            found="a manifest without audit",
            remedy="State them under audit; see docs/fairness-law.md.",
            pointer="/audit",
        )
    if manifest.counts is not None:
        body, inputs = _of_counts(facts, manifest.audit)
    else:
        body, inputs = _of_rows(facts, manifest, manifest.audit)
    return Measurement(
        check="ll144",
        check_version=check_version,
        measured_with={"races": list(params.races), "sexes": list(params.sexes)},
        inputs=inputs,
        tools={name: version(name) for name in ("numpy", "polars")},
        seed=manifest.seed,
        body=with_gaps(body, params, seed=manifest.seed).document(),
    )


def _of_counts(facts: Facts, audit: BiasAudit) -> tuple[PeopleBody, Any]:
    """The lines of a counts table. Without a column ``table`` each is a combination of both attributes."""
    lines, inputs = counts_lines(facts, (audit.sex, audit.race_ethnicity))
    titles = {
        "sex": "sex", audit.sex: "sex", "race": "race_ethnicity", audit.race_ethnicity: "race_ethnicity",
        f"{audit.sex}*{audit.race_ethnicity}": "sex*race_ethnicity",
        f"{audit.race_ethnicity}*{audit.sex}": "sex*race_ethnicity", "": "",
    }  # fmt: skip
    # A supplier's counts of a tool that only scores are of people above the median.
    names = ("selected",) if "selects" in audit.tool else ("above",)
    cells: list[PeopleCell] = []
    for line in lines:
        table = titles.get(str(line.get("table") or ""))
        if table is None:
            raise MeasurementRefused(
                expected=f"the tables {', '.join(name for name in titles if name)}",
                found=repr(line["table"])[:60],
                remedy="Name each line's table by its attributes.",
                pointer="/counts",
            )
        cells.append(
            PeopleCell.model_validate(
                {
                    "table": table,
                    "sex": _text(line[audit.sex]),
                    "race_ethnicity": _text(line[audit.race_ethnicity]),
                    "people": line["n"],
                    **dict.fromkeys(names, line["selected"]),
                    **({"scored": line["n"]} if "above" in names else {}),
                }
            )
        )
    _refuse_repeated(cells)
    return PeopleBody(facts=audit, cells=tuple(cells)), inputs


def _refuse_repeated(cells: list[PeopleCell]) -> None:
    """Refuse people who count twice; unknown categories may stand in several lines."""
    names = [(cell.table, cell.sex, cell.race_ethnicity) for cell in cells]
    known = [name for name in names if any(name[1:])]
    twice = sorted({str(name) for name in known if known.count(name) > 1 and (name[0] or None not in name)})
    if twice:
        raise MeasurementRefused(
            expected="each category in one line of its table",
            found=f"{twice[0]} more than once",
            remedy="Remove the repeated line; people who count twice change every rate.",
            pointer="/counts",
        )


def _of_rows(facts: Facts, manifest: Manifest, audit: BiasAudit) -> tuple[PeopleBody, Any]:
    columns = manifest.columns
    has_scores = columns.score is not None and "scores" in audit.tool
    selects = columns.decision is not None or (columns.score is not None and manifest.threshold is not None)
    _refuse_missing(audit, selects=selects, has_scores=has_scores)
    named = [audit.sex, audit.race_ethnicity, audit.assigned_group, columns.decision, columns.score]
    table = open_table(facts, list(dict.fromkeys(name for name in named if name is not None)))
    if columns.score is not None:
        # A missing score leaves the scored sample; it is no decision against anybody.
        is_cut = columns.decision is None and manifest.threshold is not None
        refuse_unusable_numbers(table, columns.score, f"the score {columns.score!r}", nulls_allowed=not is_cut)
    median = _median(table, str(columns.score)) if has_scores else None
    is_above = pl.lit(False) if median is None else pl.col("score") > float(median.lower)
    with refusing_unreadable("the rows"):
        grouped = (
            table.frame.select(_keys(table, manifest, audit))
            .with_columns(
                pl.col("score").is_not_null().alias("is scored"),
                is_above.fill_null(False).alias("is above"),
            )
            .group_by("sex", "race", "assigned", "decision")
            .agg(pl.len().alias("people"), pl.col("is scored").sum(), pl.col("is above").sum())
            .sort("sex", "race", "assigned", "decision")
            .collect(engine="streaming")
        )
    _refuse_size(len(grouped))
    cells = _cells(grouped, table, manifest, has_scores=has_scores, selects=selects)
    people = sum(cell.people for cell in cells)
    not_scored = people - sum(cell.scored or 0 for cell in cells) if has_scores else 0
    return PeopleBody(facts=audit, cells=cells, median=median, not_scored=not_scored), table.inputs(people)


def _refuse_missing(audit: BiasAudit, *, selects: bool, has_scores: bool) -> None:
    missing = []
    if "selects" in audit.tool and not selects:
        missing.append("columns.decision, or columns.score with a threshold")
    if "scores" in audit.tool and not has_scores:
        missing.append("columns.score")
    if missing:
        raise MeasurementRefused(
            expected=f"{' and '.join(missing)} for a tool that {' and '.join(audit.tool)}",
            found="none in the manifest",
            remedy="Name the columns, or correct audit.tool.",
            pointer="/columns",
        )


def _refuse_size(found: int) -> None:
    if 0 < found <= MAX_CATEGORIES:
        return
    raise MeasurementRefused(
        expected=f"people in at most {MAX_CATEGORIES} combinations of recorded categories",
        found=f"{found} combinations" if found else "no rows",
        remedy="Check which columns audit.sex and audit.race_ethnicity name.",
        pointer="/audit",
    )


def _median(table: Table, score: str) -> MedianScore | None:
    """The median of all scores, also of people whose category is unknown; none without scores."""
    if score in table.text_only:
        _refuse_long(table, score)
    value = number_expression(score).fill_nan(None)
    with refusing_unreadable("the rows"):
        found = table.frame.select(value.alias("score")).filter(pl.col("score").is_not_null()).collect()
    if found.is_empty():
        return None
    ordered = found["score"].sort()
    size = len(ordered)
    lower, upper = (exact_score(ordered[index]) for index in ((size - 1) // 2, size // 2))
    middle = (lower + upper) / 2
    ties = int((ordered == float(middle)).sum()) if lower == upper else 0
    return MedianScore(printed=decimal_text(middle), lower=decimal_text(lower), ties=ties, scores=size)


def _refuse_long(table: Table, score: str) -> None:
    with refusing_unreadable("the rows"):
        long = table.frame.select(pl.col(score).str.contains(_LONG_SCORE).sum()).collect(engine="streaming").item()
    if long:
        raise MeasurementRefused(
            expected="scores of at most 15 digits",
            found=f"{long} rows with more",
            remedy="Round the scores on purpose; whether one is above the median must not hang on the rounding.",
            pointer=score,
        )


def _keys(table: Table, manifest: Manifest, audit: BiasAudit) -> list[pl.Expr]:
    columns = manifest.columns
    nothing = pl.lit(None)
    if columns.decision is not None:
        decision = pl.col(columns.decision)
    elif columns.score is not None and manifest.threshold is not None:
        decision = decision_expression(table, columns.score, manifest.threshold)
    else:
        decision = nothing
    score = nothing if columns.score is None else number_expression(columns.score).fill_nan(None)
    assigned = pl.lit("") if audit.assigned_group is None else pl.col(audit.assigned_group)
    return [
        pl.col(audit.sex).alias("sex"),
        pl.col(audit.race_ethnicity).alias("race"),
        assigned.alias("assigned"),
        decision.alias("decision"),
        score.cast(pl.Float64).alias("score"),
    ]


def _cells(
    grouped: pl.DataFrame, table: Table, manifest: Manifest, *, has_scores: bool, selects: bool
) -> tuple[PeopleCell, ...]:
    """The groups with their decisions decoded; people with and without a selection share a cell."""
    decision = manifest.columns.decision
    meaning: dict[Any, bool | None] = {True: True, False: False, None: None}
    if decision is not None:
        counts = dict(grouped.group_by("decision").agg(pl.col("people").sum()).sort("people").iter_rows())
        meaning = {
            **decode(
                decision,
                counts,
                positive=manifest.positive.decision,
                negative=manifest.negative.decision,
                is_text=decision in table.text_only,
            )
        }
    found: dict[tuple[str | None, str | None, str], list[int]] = {}
    for row in grouped.iter_rows(named=True):
        key = (_text(row["sex"]), _text(row["race"]), _text(row["assigned"]) or "")
        sums = found.setdefault(key, [0, 0, 0, 0])
        numbers = (row["people"], row["people"] if meaning[row["decision"]] else 0, row["is scored"], row["is above"])
        found[key] = [total + own for total, own in zip(sums, numbers, strict=True)]
    return tuple(
        PeopleCell(
            sex=sex,
            race_ethnicity=race,
            assigned=assigned,
            people=people,
            selected=selected if selects else None,
            scored=scored if has_scores else None,
            above=above if has_scores else None,
        )
        for (sex, race, assigned), (people, selected, scored, above) in found.items()
    )


def _text(value: Any) -> str | None:
    """A recorded category as text, null where nothing is recorded."""
    text = "" if value is None else level_name(value).strip()
    return text or None
