"""R2: special categories, their conditions, and how they are kept away."""

from typing import Any

import pytest

from governance.types.ancestry import Precision
from tests.policies.gdpr.build import ancestry, data, edge, fact, judged, model, reasons, record, run, simple, step

RACE = {"path": "race", "categories": ["user.demographic.race_ethnicity"]}
AGE = {"path": "age", "categories": ["user.demographic.age_range"]}


def with_column(column: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return record(columns=[AGE, column], **changes)


def condition(code: str = "A9-2-a", purposes: tuple[str, ...] = ("decision.credit",), **more: str) -> dict[str, Any]:
    return {"condition": code, "purposes": list(purposes), **more}


def test_race_counts_as_reaching_below_column_precision() -> None:
    result = judged(simple(fact(with_column(RACE))), "R2")
    assert (result.status, result.reason) == ("failed", "gdpr.R2.condition_missing")
    assert result.findings[0].data["columns"] == ["race"]


def test_column_lineage_that_leaves_race_out_takes_it_out_of_scope_and_says_so() -> None:
    result = judged(simple(fact(with_column(RACE)), columns=["age"]), "R2")
    assert result.status == "not_applicable"
    assert [finding.message for finding in result.findings] == [
        "Not reached, column precision: race (user.demographic.race_ethnicity) of the data set d does not flow into "
        "the model."
    ]


def test_one_edge_without_columns_puts_the_whole_path_below_column_precision() -> None:
    found = ancestry(
        [data("d", fact(with_column(RACE))), data("e"), model()],
        [run("p"), run("t")],
        [*step({"d": ["age"]}, "p", "e"), *step(["e"], "t", "m")],
    )
    assert judged(found, "R2").status == "failed"


def test_a_column_precision_edge_that_names_no_columns_counts_as_data_set_precision() -> None:
    found = simple(fact(with_column(RACE)))
    edges = tuple(each.model_copy(update={"precision": "column"}) for each in found.edges)
    result = judged(found.model_copy(update={"edges": edges}), "R2")
    assert (result.status, result.findings[0].data["precision"]) == ("failed", "dataset")


def test_an_output_edge_weakens_a_path_only_where_it_is_over_approximate() -> None:
    flow = edge("d", "t", role="input", columns=["age"])
    cases: dict[Precision, str] = {"dataset": "not_applicable", "over-approximate": "insufficient_evidence"}
    for precision, status in cases.items():
        edges = [flow, edge("t", "m", role="output", precision=precision)]
        found = ancestry([data("d", fact(with_column(RACE))), model()], [run("t")], edges)
        assert judged(found, "R2").status == status


def test_an_edge_over_which_nothing_flows_carries_nothing() -> None:
    assert judged(simple(fact(with_column(RACE)), columns=[]), "R2").status == "not_applicable"


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ([condition()], "passed"),
        ([condition("eu-gdpr:A9-2-a")], "passed"),
        ([condition("A9-2-a", ("decision.insurance",))], "failed"),
        ([condition("A9-2-a", ())], "failed"),
        ([condition("A9-2-z")], "failed"),
        ([condition("A9-2-g")], "failed"),
        ([condition("A9-2-g", law_ref="a law")], "passed"),
        ([condition("A9-2-g"), condition("A9-2-a")], "passed"),
        ([condition(valid_to="2026-10-01T00:00:00Z")], "failed"),
        ([condition(valid_from="2026-10-01T00:00:00Z")], "failed"),
    ],
)
def test_a_condition_must_cover_the_purpose_at_both_times(conditions: list[dict[str, Any]], status: str) -> None:
    assert judged(simple(fact(with_column(RACE, art9_conditions=conditions))), "R2").status == status


def test_a_condition_must_cover_every_purpose_of_the_model() -> None:
    found = simple(fact(with_column(RACE, art9_conditions=[condition()])))
    both = model(purposes=("decision.credit", "decision.insurance"))
    assert judged(found.model_copy(update={"datasets": (found.datasets[0], both)}), "R2").status == "failed"


@pytest.mark.parametrize(
    ("category", "use", "status"),
    [
        ("user.biometric.fingerprint", "identification", "failed"),
        ("user.biometric.fingerprint", "other", "not_applicable"),
        ("user.biometric.fingerprint", None, "insufficient_evidence"),
        ("user.authorization.biometric", None, "insufficient_evidence"),
        ("user.biometric.health", "other", "failed"),
        ("user.health_and_medical.genetic", None, "failed"),
        ("user.demographic.trade_union_membership", None, "failed"),
        ("user.demographic.gender", None, "not_applicable"),
        ("user.demographic.race_ethnicty", None, "insufficient_evidence"),
        ("user.childrens", None, "not_applicable"),
    ],
)
def test_which_categories_are_special(category: str, use: str | None, status: str) -> None:
    column = {"path": "c", "categories": [category], "biometric_use": use}
    assert judged(simple(fact(with_column(column))), "R2").status == status


def test_criminal_history_needs_an_authority_and_no_condition() -> None:
    column = {"path": "c", "categories": ["user.criminal_history"]}
    missing = judged(simple(fact(with_column(column, art9_conditions=[condition()]))), "R2")
    assert missing.reason == "gdpr.R2.authority_missing"
    assert judged(simple(fact(with_column(column, art10_authority_ref="a court"))), "R2").status == "passed"


def test_a_column_whose_name_betrays_a_special_category_must_be_declared_or_rejected() -> None:
    found = simple(fact(record(columns=[AGE])), fields=("age", "applicantRace"))
    assert judged(found, "R2").reason == "gdpr.R2.special_category_undeclared"
    rejected = record(columns=[AGE, {"path": "applicantRace", "categories": []}])
    assert judged(simple(fact(rejected), fields=("age", "applicantRace")), "R2").status == "not_applicable"
    away = simple(fact(record(columns=[AGE])), fields=("age", "applicantRace"), columns=["age"])
    assert judged(away, "R2").status == "not_applicable"


def test_a_root_that_does_not_state_its_columns_is_unknown() -> None:
    assert judged(simple(fact(record(columns=None))), "R2").reason == "gdpr.R2.columns_not_stated"


def test_special_data_and_a_model_without_purposes_cannot_be_decided() -> None:
    found = simple(fact(with_column(RACE)))
    found = found.model_copy(update={"datasets": (found.datasets[0], model(purposes=None))})
    assert judged(found, "R2").reason == "gdpr.R2.model_purposes_missing"


def test_a_derived_record_that_restates_the_column_inherits_the_condition() -> None:
    def chain(*conditions: dict[str, Any]) -> Any:
        return ancestry(
            [
                data("a", fact(with_column(RACE, art9_conditions=list(conditions)))),
                data("b", fact(with_column(RACE))),
                model(),
            ],
            [run("p"), run("t")],
            [*step(["a"], "p", "b"), *step(["b"], "t", "m")],
        )

    assert judged(chain(condition()), "R2").status == "passed"
    failing = judged(chain(), "R2")
    assert reasons(failing, "R2") == ["condition_missing"]


def restricted(**changes: Any) -> dict[str, Any]:
    purpose = "train_ai_system.bias_evaluation"
    full = {
        "columns": [RACE],
        "purposes": [purpose],
        "use_restriction": "bias_evaluation_only",
        "art9_conditions": [condition("A9-2-g", (purpose,), law_ref="a law")],
    }
    return record(**{**full, **changes})


def bias_lineage(job_type: str | None = "BIAS_EVALUATION", **changes: Any) -> Any:
    return ancestry(
        [data("d", fact(record(columns=[AGE]))), data("s", fact(restricted(**changes))), data("r"), model()],
        [run("t"), run("b", job_type=job_type)],
        [*step(["d"], "t", "m"), edge("m", "b", role="input"), *step(["s"], "b", "r")],
    )


def test_restricted_data_read_by_a_bias_run_passes() -> None:
    assert judged(bias_lineage(), "R2").status == "passed"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"job_type": "TRAINING"}, "bias_only_reaches_other_run"),
        ({"job_type": None}, "bias_only_reaches_other_run"),
        ({"retention": None}, "bias_only_without_end"),
        ({"art9_conditions": []}, "bias_only_condition_missing"),
        ({"art9_conditions": [condition()]}, "bias_only_condition_missing"),
    ],
)
def test_what_restricted_data_must_not_lack(changes: dict[str, Any], reason: str) -> None:
    result = judged(bias_lineage(**changes), "R2")
    assert (result.status, result.reason) == ("failed", f"gdpr.R2.{reason}")


def test_restricted_data_that_reaches_the_training_fails() -> None:
    result = judged(simple(fact(restricted())), "R2")
    assert "bias_only_reaches_other_run" in reasons(result, "R2")
    assert result.status == "failed"


def test_restricted_data_that_the_training_reads_fails_even_if_none_of_its_columns_flow_on() -> None:
    result = judged(simple(fact(restricted()), columns=[]), "R2")
    assert (result.status, result.reason) == ("failed", "gdpr.R2.bias_only_reaches_other_run")


def test_what_a_bias_run_made_keeps_the_restriction_when_another_run_reads_it() -> None:
    found = bias_lineage()
    again = ancestry(
        found.datasets, (*found.runs, run("x", job_type="TRAINING")), (*found.edges, edge("r", "x", role="input"))
    )
    assert judged(again, "R2").reason == "gdpr.R2.bias_only_reaches_other_run"
