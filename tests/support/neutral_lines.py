"""The lines of a reference table, each through whatever answers it: the fairness check, a law's check, or recheck.

A line that the table's own task does not answer asks for another one: other rows, weights, pooled groups, a rank.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from governance.types.results import CheckResult
from policies.fairness.law.recheck import RecheckedRow, read_published, recheck
from tests.support.neutral import NotServed, Rows, Task, ask, file_task, write_csv
from tests.support.neutral_reference import input_file, kept_rows, look_up, map_reference, rows_task


class Lines:
    """What the product says to each line of one reference table; every task is asked once."""

    def __init__(
        self, reference: Mapping[str, Any], work: Path, asking: Callable[[Task], CheckResult | None] | None = None
    ) -> None:
        """Hold the reference; files are made in ``work``. ``asking`` is how a task is asked, by default right here."""
        self._reference = reference
        self._work = work
        self._asking = asking or (lambda task: ask(task).result)
        self._results: dict[str, CheckResult] = {}
        self._rechecked: dict[tuple[str, str], RecheckedRow] | None = None

    def value(self, check: Mapping[str, Any]) -> Any:
        """The number, truth value or None that answers a line.

        Raises:
            NotServed: nothing answers it.
        """
        metric = check["metric"]
        special: list[tuple[str, Callable[[Mapping[str, Any], re.Match[str]], Any]]] = [
            (r"(\w+)_complete_rows", self._complete_rows),
            (r"weighted_([a-z]+)_(\w+)", self._weighted),
            (r"count_among_top_(\d+)", self._top),
            (r"fisher_exact_two_sided_p", self._pooled),
            (r"unknown_count", self._unknown),
            (r"predicted_positive_share_parity", self._share_parity),
        ]
        for pattern, answer in special:
            if match := re.fullmatch(pattern, metric):
                return answer(check, match)
        if "score" in self._reference["input"]:
            return self._scoring(check)
        if self._is_rounded():
            return self._published(check)
        return look_up(self._asked("own", lambda: map_reference(self._reference, self._work)), check, self._reference)

    def _asked(self, name: str, task: Callable[[], Task]) -> CheckResult:
        if name not in self._results:
            said = self._asking(task())
            assert said is not None, name
            self._results[name] = said
        return self._results[name]

    def _rows(self) -> Rows:
        return kept_rows(self._reference)

    def _complete_rows(self, check: Mapping[str, Any], match: re.Match[str]) -> Any:
        def task() -> Task:
            whole = [row for row in self._rows() if not any(value in ("", "?") for value in row.values())]
            return rows_task(self._reference, whole, self._work / "complete.csv")

        return look_up(self._asked("complete", task), {**check, "metric": match.group(1)}, self._reference)

    def _weighted(self, check: Mapping[str, Any], match: re.Match[str]) -> Any:
        def task() -> Task:
            return rows_task(self._reference, self._rows(), self._work / "weighted.csv", weight=match.group(2))

        return look_up(self._asked(match.group(0), task), {**check, "metric": match.group(1)}, self._reference)

    def _top(self, check: Mapping[str, Any], match: re.Match[str]) -> Any:
        """People among the highest of the column that decides: a decision of its own."""
        column = re.split(r"\W", self._reference["input"]["selected"])[0]

        def task() -> Task:
            ordered = sorted(self._rows(), key=lambda row: -float(row[column]))
            for rank, row in enumerate(ordered):
                row["top"] = str(int(rank < int(match.group(1))))
            source = {**self._reference["input"], "selected": "top"}
            return rows_task({**self._reference, "input": source}, ordered, self._work / "top.csv")

        return look_up(self._asked(match.group(0), task), {**check, "metric": "predicted_positives"}, self._reference)

    def _pooled(self, check: Mapping[str, Any], _match: re.Match[str]) -> Any:
        """The test of pooled groups against another: ``B+H vs W``."""
        contrast = re.fullmatch(r"(\S+) vs (\S+)", check["group"]["contrast"])
        if contrast is None:
            raise NotServed(f"the contrast {check['group']['contrast']!r}")
        (name,) = self._reference["input"]["sensitive"]
        pools = {level: side for side in contrast.groups() for level in side.split("+")}

        def task() -> Task:
            rows = [{**row, name: pools[row[name]]} for row in self._rows() if row[name] in pools]
            task = rows_task({**self._reference, "checks": []}, rows, self._work / "pooled.csv")
            return replace(task, check="ugesp", params={"min_group_size": 1})

        details: Any = self._asked(contrast.group(0), task).details
        return next(row["p_fisher"] for row in details["tables"][name] if row["p_fisher"] is not None)

    def _unknown(self, _check: Mapping[str, Any], _match: re.Match[str]) -> Any:
        """Unknown people stand in the rows behind a table of counts."""
        rows = input_file(str(self._reference["input"]["file"]).replace("_counts", "_rows"))
        details: Any = self._asked("unknown", lambda: self._law_task(rows, {"decision": "selected"}, "selects")).details
        return details["tables"][0]["unknown"]["either"]

    def _share_parity(self, check: Mapping[str, Any], _match: re.Match[str]) -> Any:
        """The published rule on the check's own ratios: every group from 0.8 to 1.25 of the reference."""
        details: Any = self._asked("own", lambda: map_reference(self._reference, self._work)).details
        groups = details["tables"][check["group"]["attribute"]]["groups"]
        ratios = [one["ratio_to_reference"]["predicted_positive_share"] for one in groups]
        return all(ratio is not None and 0.8 <= float(ratio) <= 1.25 for ratio in ratios)

    def _law_task(self, path: Path, columns: dict[str, str], tool: str) -> Task:
        """A task for the check of Local Law 144, with the categories that the table names."""
        named = dict.fromkeys(
            check["group"]["race_ethnicity"]
            for check in self._reference["checks"]
            if "race_ethnicity" in check["group"]
        )
        return file_task(
            "ll144",
            path,
            columns=columns,
            positive={"decision": 1} if "decision" in columns else None,
            audit={"tool": [tool], "category_source": "self_reported"},
            params={"unknowns": "complete_case", "races": list(named)},
        )

    def _scoring(self, check: Mapping[str, Any]) -> Any:
        """Scoring rates over people whose sex and race are known; the median is that of everybody."""
        path = input_file(self._reference["input"]["file"])
        details: Any = self._asked("scoring", lambda: self._law_task(path, {"score": "score"}, "scores")).details
        if check["metric"] == "sample_median_score":
            return details["median"]["printed"]
        group = check["group"]
        for table in details["tables"]:
            if table["unknowns"] == "complete_case" and table["table"] == "*".join(group):
                row = next(one for one in table["rows"] if one["category"] == list(group.values()))
                return row["rate"] if check["metric"] == "scoring_rate" else row["ratio"]
        raise NotServed(f"no table of {sorted(group)}")

    def _is_rounded(self) -> bool:
        """Whether its counts are products of rounded rates, which are no people."""
        source = self._reference["input"]
        selected = source.get("selected")
        if "total" not in source or selected is None:
            return False
        return any(not float(row[selected]).is_integer() for row in self._rows())

    def _published(self, check: Mapping[str, Any]) -> Any:
        """A published table of rates, computed again by ``assay fairness recheck``."""
        if self._rechecked is None:
            path = write_csv(self._work / "published.csv", self._rows())
            tables = recheck(read_published(path.read_text(encoding="utf-8")))
            self._rechecked = {(row.published.category, table.name): row for table in tables for row in table.rows}
        levels = [check["group"][name] for name in ("sex", "race_ethnicity") if check["group"].get(name) != "Total"]
        found = [row for (category, _), row in self._rechecked.items() if category == " / ".join(levels)]
        if len(found) != 1:
            raise NotServed(f"{len(found)} rows of {levels}")
        (row,) = found
        answers = {
            "selection_rate": row.published.rate,
            "impact_ratio": row.ratio_under_exclusion,
            "excluded_below_2_percent": row.may_be_excluded,
        }
        if check["metric"] not in answers:
            raise NotServed(f"the metric {check['metric']!r}")
        return answers[check["metric"]]
