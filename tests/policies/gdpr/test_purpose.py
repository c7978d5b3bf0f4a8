"""R1: what covers a purpose, and when."""

from datetime import timedelta
from typing import Any

import pytest

from governance.types.results import CheckStatus
from tests.policies.gdpr.build import (
    EVALUATED,
    TRAINED,
    ancestry,
    data,
    day,
    fact,
    judged,
    model,
    reasons,
    record,
    run,
    simple,
    step,
)


def compatible(outcome: str, purpose: str = "decision.credit", **times: str) -> dict[str, Any]:
    return {"purpose": purpose, "outcome": outcome, **times}


def test_recorded_purposes_that_name_everything_pass() -> None:
    assert judged(simple(fact(record())), "R1").status == "passed"


def test_the_purpose_of_the_credit_model_missing_from_the_record_fails_with_a_sentence() -> None:
    result = judged(simple(fact(record(purposes=["analytics", "train_ai_system"]))), "R1")
    assert (result.status, result.reason) == ("failed", "gdpr.R1.purpose_not_covered")
    assert result.message.startswith(
        "The recorded purposes of the data set d (analytics, train_ai_system) do not cover decision.credit, which the "
        "model credit@3 needs."
    )
    assert result.findings[0].remediation.startswith("Assess whether the purpose is compatible")


def test_training_needs_the_purpose_of_training_too() -> None:
    result = judged(simple(fact(record(purposes=["decision.credit"]))), "R1")
    finding = result.findings[0]
    assert result.status == "failed"
    assert finding.data["when"] == ["training 2026-09-01T00:00:00Z"]


def test_a_key_covers_the_keys_below_it_and_not_its_namesakes() -> None:
    wanted = simple(fact(record(purposes=["marketing", "train_ai_system"])))
    below = wanted.model_copy(
        update={"datasets": (wanted.datasets[0], model(purposes=("marketing.communications.email",)))}
    )
    assert judged(below, "R1").status == "passed"
    above = simple(fact(record(purposes=["marketing.communications", "train_ai_system"])))
    above = above.model_copy(update={"datasets": (above.datasets[0], model(purposes=("marketing",)))})
    assert judged(above, "R1").status == "failed"


def test_an_unknown_key_covers_nothing_and_is_a_finding() -> None:
    result = judged(simple(fact(record(purposes=["decison.credit", "decision", "train_ai_system"]))), "R1")
    assert result.status == "failed"
    assert reasons(result, "R1").count("purpose_unknown") == 2


def test_a_model_purpose_outside_the_taxonomy_cannot_be_decided() -> None:
    found = simple(fact(record(purposes=["decision.housing", "train_ai_system"])))
    found = found.model_copy(update={"datasets": (found.datasets[0], model(purposes=("decision.housing",)))})
    assert judged(found, "R1").status == "insufficient_evidence"


def test_a_broad_top_level_purpose_is_pointed_out() -> None:
    result = judged(simple(fact(record(purposes=["marketing", "decision.credit", "train_ai_system"]))), "R1")
    assert (result.status, reasons(result, "R1")) == ("passed", ["purpose_unspecific"])


@pytest.mark.parametrize(
    ("entries", "status"),
    [
        ([compatible("compatible")], "passed"),
        ([compatible("pending")], "insufficient_evidence"),
        ([compatible("incompatible")], "failed"),
        ([compatible("pending"), compatible("incompatible")], "failed"),
        ([compatible("compatible"), compatible("incompatible")], "failed"),
        ([compatible("compatible", valid_from="2026-10-01T00:00:00Z")], "failed"),
        ([compatible("compatible", valid_to="2026-10-01T00:00:00Z")], "failed"),
        ([compatible("compatible", purpose="decison")], "failed"),
    ],
)
def test_assessments_count_while_they_hold(entries: list[dict[str, Any]], status: str) -> None:
    found = simple(fact(record(purposes=["train_ai_system"], compatibility=entries)))
    assert judged(found, "R1").status == status


def test_a_compatibility_from_after_the_training_does_not_cure_it() -> None:
    entry = compatible("compatible", valid_from="2026-09-02T00:00:00Z")
    result = judged(simple(fact(record(purposes=["train_ai_system"], compatibility=[entry]))), "R1")
    assert result.findings[0].data["when"] == ["training 2026-09-01T00:00:00Z"]


def test_a_record_valid_only_after_the_training_leaves_the_training_undecided() -> None:
    assert judged(simple(fact(record(), valid_from="2026-09-02")), "R1").status == "insufficient_evidence"


def test_a_back_dated_record_counts_and_is_marked_as_late() -> None:
    late = fact(record(purposes=["analytics"]), valid_from="2026-01-01", recorded_at="2026-10-01")
    result = judged(simple(late), "R1")
    facts: Any = result.findings[0].data["facts"]
    assert facts[0]["recorded_late"] is True
    assert judged(simple(late), "R1", facts_at=TRAINED).status == "insufficient_evidence"


def test_a_correction_replaces_what_was_recorded_before() -> None:
    wrong = fact(record(purposes=["analytics"]))
    right = fact(record(), valid_from="2026-01-01", recorded_at="2026-08-01")
    assert judged(simple(wrong, right), "R1").status == "passed"
    assert judged(simple(right, wrong), "R1").status == "passed"


def test_a_fact_ends_before_its_last_instant() -> None:
    ended = fact(record(), valid_to="2026-11-02")
    assert judged(simple(ended), "R1").status == "insufficient_evidence"
    assert judged(simple(ended), "R1", at=EVALUATED - timedelta(seconds=1)).status == "passed"


def test_a_model_without_purposes_cannot_be_decided() -> None:
    for purposes in (None, ()):
        found = ancestry([data("d", fact(record())), model(purposes=purposes)], [run("t")], step(["d"], "t", "m"))
        assert judged(found, "R1").reason == "gdpr.R1.model_purposes_missing"


def test_a_record_without_purposes_cannot_be_decided() -> None:
    result = judged(simple(fact(record(purposes=None))), "R1")
    assert (result.status, result.reason) == ("insufficient_evidence", "gdpr.R1.purposes_not_stated")


def test_data_that_is_not_about_people_is_out_of_scope() -> None:
    plain = record(columns=[{"path": "rate", "categories": ["system.operations"]}], subjects=None, purposes=None)
    result = judged(simple(fact(plain)), "R1")
    assert (result.status, result.reason) == ("not_applicable", "gdpr.nothing_in_scope")


def test_columns_that_do_not_flow_take_the_data_set_out_of_scope() -> None:
    mixed = record(
        purposes=["analytics"],
        columns=[{"path": "name", "categories": ["user.name"]}, {"path": "rate", "categories": []}],
    )
    assert judged(simple(fact(mixed), columns=["rate"]), "R1").status == "not_applicable"
    assert judged(simple(fact(mixed), columns=["name"]), "R1").status == "failed"
    assert judged(simple(fact(mixed)), "R1").status == "failed"


def test_a_violation_on_over_approximate_paths_alone_is_not_proven() -> None:
    found = ancestry(
        [data("d", fact(record(purposes=["analytics"]))), model()],
        [run("t")],
        step(["d"], "t", "m", "over-approximate"),
    )
    result = judged(found, "R1")
    assert result.status == "insufficient_evidence"
    assert result.findings[0].data["remediation"] == "send_column_lineage"


def test_a_derived_data_set_can_narrow_and_not_widen() -> None:
    def chain(root: list[str], derived: list[str] | None) -> Any:
        own = [fact(record(purposes=derived))] if derived is not None else []
        return ancestry(
            [data("a", fact(record(purposes=root))), data("b", *own), model()],
            [run("p", started_at=day("2026-08-01")), run("t")],
            [*step(["a"], "p", "b"), *step(["b"], "t", "m")],
        )

    both = ["decision.credit", "train_ai_system"]
    assert judged(chain(both, None), "R1").status == "passed"
    assert judged(chain(both, ["train_ai_system"]), "R1").status == "failed"
    widened = judged(chain(["train_ai_system"], both), "R1")
    assert widened.status == CheckStatus.FAILED
    assert reasons(widened, "R1") == ["purpose_not_covered", "widened"]
    node: Any = widened.findings[0].data["node"]
    assert node["name"] == "a"


def test_taint_stops_at_anonymised_data_with_evidence_and_only_there() -> None:
    def chain(protection: dict[str, Any], **changes: Any) -> Any:
        derived = record(purposes=None, columns=[], subjects=None, protection=protection)
        return ancestry(
            [data("a", fact(record(purposes=["analytics"]))), data("b", fact(derived), **changes), model()],
            [run("p"), run("t")],
            [*step(["a"], "p", "b"), *step(["b"], "t", "m")],
        )

    evidence = "sha256:" + "0" * 64
    assert judged(chain({"level": "anonymised", "evidence_digest": evidence}), "R1").status == "not_applicable"
    assert judged(chain({"level": "anonymised"}), "R1").status == "failed"
    assert judged(chain({"level": "pseudonymised", "evidence_digest": evidence}), "R1").status == "failed"
    assert judged(chain({"level": "anonymised", "evidence_digest": evidence}, digest=None), "R1").status == "failed"


def test_every_training_start_must_hold_where_several_runs_made_the_model() -> None:
    wrong = fact(record(purposes=["analytics"]), valid_from="2026-01-01", valid_to="2026-08-01")
    right = fact(record(), valid_from="2026-08-01")
    found = ancestry(
        [data("d", wrong, right), model()],
        [run("t"), run("u", started_at=day("2026-07-01"))],
        [*step(["d"], "t", "m"), *step(["d"], "u", "m")],
    )
    result = judged(found, "R1")
    assert result.status == "failed"
    assert result.findings[0].data["when"] == ["training 2026-07-01T00:00:00Z"]
    assert result.details["training_starts"] == ["2026-07-01T00:00:00Z", "2026-09-01T00:00:00Z"]
