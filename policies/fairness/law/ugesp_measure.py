"""From a manifest's rows or counts to counts of each category, by the cells of the fairness check."""

from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.bias_audit import BiasAudit
from governance.types.results import Measurement
from governance.types.value import parse_value
from policies.fairness.body import FairnessBody, GroupCells, Table
from policies.fairness.law.gaps import smallest_ratio
from policies.fairness.law.pairs import Tally
from policies.fairness.law.ugesp_body import CategoryCount, CountedTable, UGESPBody
from policies.fairness.law.ugesp_params import UGESPParams
from policies.fairness.measure import measure
from policies.fairness.metrics import RATES, part
from policies.fairness.params import FairnessParams
from policies.frames.source import manifest_of


def measure_categories(facts: Facts, params: UGESPParams, *, check_version: str) -> Measurement:
    """The people and selections of every attribute and intersection of the manifest.

    Raises:
        MeasurementRefused: as the fairness check's measurement says; also rows with weights, or several classes.
    """
    manifest = manifest_of(facts)
    if manifest.columns.weight is not None or manifest.classes:
        raise MeasurementRefused(
            expected="people who count alike, selected or not",
            found="weights" if manifest.columns.weight is not None else "several classes",
            remedy="Leave the weights out; name one positive decision.",
            pointer="/columns/weight" if manifest.columns.weight is not None else "/classes",
        )
    cells = measure(
        facts, FairnessParams(sensitive=params.sensitive, bootstrap_replicates=0), check_version=check_version
    )
    groups = parse_value(FairnessBody, cells.body, what="a fairness measurement")
    audit = manifest.audit or BiasAudit()
    tables = tuple(_table(table, audit, params, seed=manifest.seed) for table in groups.tables)
    changes = {
        "check": "ugesp",
        "body": UGESPBody(facts=audit, tables=tables).document(),
        "measured_with": {"min_group_size": params.min_group_size},
    }
    return cells.model_copy(update=changes)


def _table(table: Table, audit: BiasAudit, params: UGESPParams, *, seed: int) -> CountedTable:
    """The counts of a table, and the interval of its smallest ratio; excluded categories are left out of that."""
    counts = tuple(_count(group) for group in table.groups)
    excluded = {one.category for one in audit.excluded if one.table == table.name}
    kept = [Tally(one.n, one.selected) for one in counts if one.category not in excluded]
    return CountedTable(
        name=table.name,
        categories=counts,
        unknown=table.unknown_rows + sum(table.outside_rows.values()),
        gap=smallest_ratio(kept, seed=seed, least_reference=params.min_group_size),
    )


def _count(group: GroupCells) -> CategoryCount:
    own = part(group.counts, RATES["selection_rate"])
    return CategoryCount(
        category=group.levels,
        n=own.denominator.rows,
        selected=own.numerator.rows,
        is_expected=group.is_expected,
    )
