"""Small fairness measurements without files, for tests of judgements."""

from collections.abc import Mapping, Sequence
from typing import Any

from governance.types.results import CheckResult, Measurement
from policies.fairness.body import Bootstrap, FairnessBody, GroupCells, Table
from policies.fairness.judge import judge
from policies.fairness.params import FairnessParams
from policies.statistics.counts import CellCount, CellName


def group(name: str, *, is_expected: bool = False, **cells: int) -> GroupCells:
    """A group with rows in the named cells."""
    names: tuple[CellName, ...] = ("tp", "fp", "fn", "tn", "selected", "rejected")
    return GroupCells(
        levels=(name,),
        is_expected=is_expected,
        cells=tuple(CellCount(cell=cell, rows=cells[cell]) for cell in names if cell in cells),
    )


def selection(name: str, selected: int, rows: int, *, is_expected: bool = False) -> GroupCells:
    """A group without labels of which some are selected."""
    return group(name, is_expected=is_expected, selected=selected, rejected=rows - selected)


def table(
    *groups: GroupCells,
    reference: str | None = None,
    unknown: int = 0,
    outside: Mapping[str, int] | None = None,
    bootstrap: Bootstrap | None = None,
) -> Table:
    """A table of one attribute called ``group``."""
    return Table(
        attributes=("group",),
        reference=None if reference is None else (reference,),
        groups=groups,
        unknown_rows=unknown,
        outside_rows=dict(outside or {}),
        bootstrap=bootstrap,
    )


def measurement(*tables: Table) -> Measurement:
    """The measurement of tables; all rows together are those of the first."""
    first = tables[0]
    sums: dict[CellName, int] = {}
    for one in first.groups:
        for cell in one.cells:
            sums[cell.cell] = sums.get(cell.cell, 0) + cell.rows
    has_label = not {"selected", "rejected"} & set(sums)
    body = FairnessBody(
        rows=sum(sums.values()) + first.unknown_rows + sum(first.outside_rows.values()),
        has_label=has_label,
        overall=tuple(CellCount(cell=cell, rows=rows) for cell, rows in sums.items()),
        tables=tables,
    )
    return Measurement(check="fairness", check_version="1", body=body.document())


def verdict(*groups: GroupCells, limits: Sequence[tuple[str, str]] = (), **settings: Any) -> CheckResult:
    """The judgement of groups of one attribute; ``limits`` default to four fifths of the selection rate."""
    own = {name: settings.pop(name) for name in ("reference", "unknown", "outside") if name in settings}
    metrics = [{"name": name, "limit": limit} for name, limit in limits or [("selection_rate_ratio", "0.8")]]
    params = FairnessParams.model_validate({"metrics": metrics, **settings})
    return judge(measurement(table(*groups, **own)), params)
