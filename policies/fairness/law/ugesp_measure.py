"""From a manifest's rows or counts to counts of each category, by the cells of the fairness check."""

from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.bias_audit import BiasAudit
from governance.types.results import Measurement
from governance.types.value import parse_value
from policies.fairness.body import FairnessBody, GroupCells
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
    body = UGESPBody(
        facts=manifest.audit or BiasAudit(),
        tables=tuple(
            CountedTable(
                name=table.name,
                categories=tuple(_count(group) for group in table.groups),
                unknown=table.unknown_rows + sum(table.outside_rows.values()),
            )
            for table in groups.tables
        ),
    )
    return cells.model_copy(update={"check": "ugesp", "body": body.document(), "measured_with": {}})


def _count(group: GroupCells) -> CategoryCount:
    own = part(group.counts, RATES["selection_rate"])
    return CategoryCount(
        category=group.levels,
        n=own.denominator.rows,
        selected=own.numerator.rows,
        is_expected=group.is_expected,
    )
