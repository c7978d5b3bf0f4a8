"""The check as a whole: what is unknown never passes, and the same facts give the same bytes."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from governance.check import Facts
from governance.errors import InputRefused, MeasurementRefused
from governance.plugins import load_check
from governance.types.ancestry import Ancestry
from governance.types.subject import Subject
from policies.gdpr.check import CHECK
from policies.gdpr.params import GDPRParams
from tests.policies.gdpr.build import (
    EVALUATED,
    SUBJECT,
    ancestry,
    data,
    edge,
    fact,
    judged,
    measured,
    model,
    reasons,
    record,
    run,
    simple,
    step,
)

ROOT = Path(__file__).resolve().parents[3]


class OneLineage:
    """Lineage of one model, as given."""

    def __init__(self, known: Ancestry) -> None:
        self.known = known
        self.asked: list[datetime | None] = []

    def ancestry(self, subject: Subject, *, as_of: datetime | None = None) -> Ancestry:
        assert subject == SUBJECT
        self.asked.append(as_of)
        return self.known


def test_the_check_is_found_by_its_id_and_measures_inline() -> None:
    assert load_check("gdpr") is CHECK
    assert CHECK.place == "inline"


def test_the_measurement_is_the_ancestry_at_the_evaluation_and_is_judged() -> None:
    lineage = OneLineage(simple(fact(record())))
    facts = Facts(subject=SUBJECT, environment="prod", evaluated_at=EVALUATED, lineage=lineage)
    found = CHECK.measure(facts, GDPRParams())
    assert lineage.asked == [EVALUATED]
    assert found.inputs[0].role == "lineage"
    assert found.inputs[0].digest == lineage.known.value_digest()
    result = CHECK.judge(found, GDPRParams())
    assert (result.status, result.message) == (
        "passed",
        "R1 purpose limitation passed; R2 special categories does not apply; R3 storage limitation passed; "
        "R6 known sources passed.",
    )


def test_without_lineage_nothing_is_measured() -> None:
    facts = Facts(subject=SUBJECT, environment="prod", evaluated_at=EVALUATED)
    with pytest.raises(MeasurementRefused, match="the lineage of the subject"):
        CHECK.measure(facts, GDPRParams())


def test_a_model_that_lineage_does_not_know_never_passes() -> None:
    result = judged(Ancestry(subject=None))
    assert (result.status, result.reason) == ("insufficient_evidence", "gdpr.unknown_subject")


@pytest.mark.parametrize("rule", ["R1", "R2", "R3", "R6"])
@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (ancestry([model()], [], []), "training_not_recorded"),
        (
            ancestry([data("d", fact(record())), model()], [run("t", started_at=None)], step(["d"], "t", "m")),
            "training_start_unknown",
        ),
        (ancestry([model()], [run("t")], [edge("t", "m", role="output")]), "training_inputs_unknown"),
        (simple(), "record_missing"),
        (simple(fact(record())).model_copy(update={"truncated": True}), "lineage_truncated"),
    ],
)  # fmt: skip
def test_what_is_not_recorded_leaves_every_rule_undecided(found: Ancestry, reason: str, rule: str) -> None:
    result = judged(found, rule)
    assert result.status == "insufficient_evidence"
    assert reason in reasons(result, rule)


def test_a_cut_ancestry_does_not_hide_a_violation() -> None:
    found = simple(fact(record(purposes=["analytics"]))).model_copy(update={"truncated": True})
    assert judged(found, "R1").status == "failed"


def test_rules_that_the_policy_does_not_ask_for_are_named_as_not_checked() -> None:
    assert "GDPR rule R6, which the policy does not ask for" in judged(simple(), "R1", "R2", "R3").not_checked


@pytest.mark.parametrize("rules", [[], ["R1", "R1"], ["R4"]])
def test_a_policy_names_known_rules_once(rules: list[str]) -> None:
    with pytest.raises(ValueError, match="rules"):
        GDPRParams.model_validate({"rules": rules})


def test_a_policy_names_a_known_time_zone() -> None:
    for name in ("Mars/Olympus", "../../etc/passwd", ""):
        with pytest.raises(ValueError, match="time_zone"):
            GDPRParams.model_validate({"time_zone": name})


@pytest.mark.parametrize(
    "change",
    [{"evaluated_at": "yesterday"}, {"facts_at": "2026-01-01T00:00:00"}, {"ancestry": {}}, {"subject": None}],
)
def test_a_body_of_another_form_is_refused(change: dict[str, Any]) -> None:
    found = measured(simple(fact(record())))
    with pytest.raises(InputRefused):
        CHECK.judge(found.model_copy(update={"body": {**found.body, **change}}), GDPRParams())


def test_an_edge_to_a_node_that_is_not_listed_is_refused() -> None:
    with pytest.raises(InputRefused, match="edges between the nodes"):
        judged(ancestry([model()], [run("t")], step(["ghost"], "t", "m")))


def test_paths_are_three_at_most_and_the_others_are_counted() -> None:
    names = [f"x{number}" for number in range(6)]
    found = ancestry(
        [data("d", fact(record(purposes=["analytics"]))), *(data(name) for name in names), model()],
        [run("t"), *(run(f"p{name}") for name in names)],
        [*(e for name in names for e in step(["d"], f"p{name}", name)), *step(names, "t", "m")],
    )
    finding = judged(found, "R1").findings[0]
    paths: Any = finding.data["paths"]
    assert (len(paths), finding.data["other_paths"], finding.data["more_paths"]) == (3, 3, False)


def test_a_lattice_with_a_million_paths_is_judged_quickly() -> None:
    layers = [[f"n{depth}_{place}" for place in range(4)] for depth in range(11)]
    datasets = [data("d", fact(record(purposes=["analytics"]))), *(data(name) for layer in layers for name in layer)]
    edges = [e for name in layers[0] for e in step(["d"], f"p{name}", name)]
    for above, below in pairwise(layers):
        edges += [e for name in below for e in step(above, f"p{name}", name)]
    runs = [run("t"), *(run(f"p{name}") for layer in layers for name in layer)]
    found = ancestry([*datasets, model()], runs, [*edges, *step(layers[-1], "t", "m")])
    finding = judged(found, "R1").findings[0]
    assert (finding.data["other_paths"], finding.data["more_paths"]) == (97, True)


def test_the_same_facts_give_the_same_bytes_in_another_process() -> None:
    program = (
        "from tests.policies.gdpr.test_examples import credit_lineage;"
        "from tests.policies.gdpr.build import judged; print(judged(credit_lineage()).value_digest())"
    )
    seen = set()
    for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        surroundings = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"}
        done = subprocess.run(
            [sys.executable, "-c", program], env=surroundings, cwd=ROOT, capture_output=True, text=True, check=True
        )
        seen.add(done.stdout.strip())
    assert len(seen) == 1


def test_findings_carry_the_facts_they_rest_on() -> None:
    held = fact(record(purposes=["analytics"]))
    finding = judged(simple(held), "R1").findings[0]
    facts: Any = finding.data["facts"]
    assert facts[0] == {
        "field": "purposes",
        "value": ["analytics"],
        "record_digest": held.record_digest,
        "valid_from": "2026-01-01T00:00:00Z",
        "recorded_at": "2026-01-01T00:00:00Z",
        "recorded_late": False,
    }
    assert finding.data["evaluated_at"] == finding.data["facts_at"] == "2026-11-02T00:00:00Z"
    assert finding.data["articles"] == ["GDPR Art. 5(1)(b)", "GDPR Art. 6(4)"]


def test_facts_recorded_after_the_instant_asked_for_do_not_count() -> None:
    later = fact(record(), valid_from="2026-01-01", recorded_at="2026-11-01")
    assert judged(simple(later), "R1").status == "passed"
    assert judged(simple(later), "R1", facts_at=datetime(2026, 10, 31, tzinfo=UTC)).status == "insufficient_evidence"
    assert judged(simple(later), "R1", facts_at=EVALUATED - timedelta(days=1)).status == "passed"
