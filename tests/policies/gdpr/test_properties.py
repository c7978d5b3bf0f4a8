"""What must hold on any lineage."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.types.ancestry import Ancestry, AncestryEdge, Precision
from governance.types.results import CheckStatus
from policies.gdpr.walk import PRECISIONS
from tests.policies.gdpr.build import ancestry, data, edge, fact, judged, model, record, rule_status, run

GOOD = (CheckStatus.PASSED, CheckStatus.NOT_APPLICABLE)
RULES = ("R1", "R2", "R3", "R6")
BADNESS = [
    CheckStatus.NOT_APPLICABLE,
    CheckStatus.PASSED,
    CheckStatus.WARNED,
    CheckStatus.INSUFFICIENT_EVIDENCE,
    CheckStatus.FAILED,
]


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    purposes = draw(st.lists(st.sampled_from(["decision.credit", "train_ai_system", "marketing"]), unique=True))
    category = draw(st.sampled_from(["user.financial", "user.demographic.race_ethnicity", "system.operations"]))
    changes: dict[str, Any] = {
        "purposes": purposes,
        "columns": draw(st.sampled_from([None, [], [{"path": "c", "categories": [category]}]])),
        "subjects": draw(st.sampled_from([[], ["customer"]])),
        "retention": {"starts_at": "2026-01-01T00:00:00Z", "duration": draw(st.sampled_from(["P5Y", "P9M", "P3M"]))},
    }
    return record(**changes)


@st.composite
def lineages(draw: st.DrawFn) -> Ancestry:
    """Up to five data sets and four runs with any edges between them, cycles included, and a training run."""
    names = [f"d{number}" for number in range(draw(st.integers(1, 5)))]
    runs = ["t", *(f"r{number}" for number in range(draw(st.integers(0, 3))))]
    held = st.one_of(st.none(), records())
    datasets = [data(name, *([fact(found)] if (found := draw(held)) else [])) for name in names]
    precision: st.SearchStrategy[Precision] = st.sampled_from(PRECISIONS)
    pairs = st.lists(st.tuples(st.sampled_from(names), st.sampled_from(runs)), max_size=8, unique=True)
    inputs = [
        edge(source, target, role="input", precision=(kind := draw(precision)), columns=_columns(draw, kind))
        for source, target in draw(pairs)
    ]
    outputs = [
        edge(source, target, role="output", precision=draw(precision))
        for target, source in draw(pairs)
        if source != "t"
    ]
    return ancestry(
        [*datasets, model()], [run(name) for name in runs], [*inputs, *outputs, edge("t", "m", role="output")]
    )


def _columns(draw: st.DrawFn, kind: str) -> list[str] | None:
    return draw(st.sampled_from([None, [], ["c"], ["x"]])) if kind == "column" else None


def _worse_or_equal(first: CheckStatus, second: CheckStatus) -> bool:
    return BADNESS.index(first) >= BADNESS.index(second)


@settings(max_examples=60, deadline=None)
@given(lineages(), st.randoms(use_true_random=False))
def test_the_order_of_nodes_and_edges_does_not_matter(found: Ancestry, random: Any) -> None:
    datasets, runs, edges = list(found.datasets), list(found.runs), list(found.edges)
    for parts in (datasets, runs, edges):
        random.shuffle(parts)
    assert judged(ancestry(datasets, runs, [*edges, *edges[:2]])) == judged(found)


@settings(max_examples=60, deadline=None)
@given(lineages())
def test_a_wider_purpose_only_helps(found: Ancestry) -> None:
    wide = ("decision.credit", "marketing", "train_ai_system")

    def widened(held: Any) -> Any:
        return held.model_copy(update={"record": held.record.model_copy(update={"purposes": wide})})

    datasets = [
        node.model_copy(update={"provenance": tuple(widened(held) for held in node.provenance)})
        for node in found.datasets
    ]
    after = judged(ancestry(datasets, found.runs, found.edges))
    before = judged(found)
    assert all(_worse_or_equal(rule_status(before, rule), rule_status(after, rule)) for rule in RULES)


@settings(max_examples=60, deadline=None)
@given(lineages(), st.sampled_from(["t", "r0", "r1", "r2"]))
def test_one_more_tainted_ancestor_only_hurts(found: Ancestry, through: str) -> None:
    through = through if through in {node.key for node in found.runs} else "t"
    tainted = record(
        purposes=[], retention={"starts_at": "2020-01-01T00:00:00Z", "duration": "P1Y"},
        columns=[{"path": "race", "categories": ["user.demographic.race_ethnicity"]}], source={"kind": "unknown"},
    )  # fmt: skip
    more = ancestry(
        [*found.datasets, data("tainted", fact(tainted))],
        found.runs,
        [*found.edges, edge("tainted", through, role="input")],
    )
    before, after = judged(found), judged(more)
    if through == "t":
        assert [rule_status(after, rule) for rule in RULES] == [CheckStatus.FAILED] * 4
    passed = [rule for rule in RULES if rule_status(before, rule) not in GOOD]
    assert all(rule_status(after, rule) not in GOOD for rule in passed)


@settings(max_examples=60, deadline=None)
@given(lineages())
def test_more_precise_lineage_never_makes_a_passed_rule_fail(found: Ancestry) -> None:
    def sharper(each: AncestryEdge) -> AncestryEdge:
        exact = each.role == "output" or each.columns is not None
        return each.model_copy(update={"precision": "column" if exact else "dataset"})

    before = judged(found)
    after = judged(ancestry(found.datasets, found.runs, [sharper(each) for each in found.edges]))
    passed = [rule for rule in RULES if rule_status(before, rule) in GOOD]
    assert all(rule_status(after, rule) in GOOD for rule in passed)


@settings(max_examples=60, deadline=None)
@given(lineages())
def test_a_rule_passes_only_when_every_data_set_that_it_looked_at_has_a_record_above_it(found: Ancestry) -> None:
    result = judged(found)
    bare = judged(ancestry([n.model_copy(update={"provenance": ()}) for n in found.datasets], found.runs, found.edges))
    if rule_status(result, "R6") is CheckStatus.PASSED:
        assert rule_status(bare, "R6") is CheckStatus.INSUFFICIENT_EVIDENCE
    assert rule_status(bare, "R6") is not CheckStatus.PASSED
    assert bare.status is not CheckStatus.PASSED
