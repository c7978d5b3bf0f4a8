"""Compiling: the dossier shows what the decision names, and says what it does not show."""

from datetime import timedelta

import pytest

from governance.canonical import digest
from governance.errors import InputRefused
from governance.plugins import BUILT_IN
from governance.types.ancestry import Ancestry
from reports.dossier import Dossier
from tests.policies.gdpr.test_examples import credit_lineage
from tests.reports.build import COMPILED, allowed, compiled, decision, measurements, policy


def areas(dossier: Dossier) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in dossier.not_checked:
        found.setdefault(entry.area, []).append(entry.what)
    return found


def test_times_and_identity_come_from_the_decision_and_the_lineage() -> None:
    dossier = compiled()
    assert dossier.times.as_of == dossier.times.known_at == dossier.decision.evaluated_at
    assert dossier.times.compiled_at == COMPILED
    assert dossier.identity.purposes == ("decision.credit",)
    assert dossier.identity.risk_tier == "high"


def test_outcomes_are_counted() -> None:
    assert compiled().counts == {"failed": 2, "insufficient_evidence": 1, "warned": 1}


def test_evidence_carries_inputs_tools_and_seeds_of_its_measurement() -> None:
    dossier = compiled()
    assert [entry.check for entry in dossier.evidence] == ["fairness", "explainability", "performance", "gdpr"]
    assert dossier.evidence[0].inputs[0].rows == 16281
    assert dossier.reproduction.seeds == {"fairness": 7, "explainability": 7, "performance": 7}
    assert dossier.reproduction.tools["fairness: fairlearn"] == "0.15.0"


def test_checks_that_the_policy_does_not_ask_for_are_named() -> None:
    found = areas(compiled(allowed(), measurements={}))
    assert {"explainability", "gdpr", "performance", "schema"} <= found.keys()
    assert set(BUILT_IN) <= found.keys() | {"fairness"}


def test_what_each_check_does_not_look_at_is_named() -> None:
    found = areas(compiled())
    assert found["fairness"] == ["whether a gap is justified"]
    assert "whether a recorded fact is true, and whether the evidence of an anonymisation holds" in found["gdpr"]


def test_a_check_that_could_not_be_decided_counts_as_not_checked() -> None:
    assert areas(compiled())["performance"][0] == "the check as a whole"


def test_laws_operation_and_changes_are_always_named() -> None:
    assert {"laws", "operation", "changes"} <= areas(compiled()).keys()


def test_parts_that_are_not_at_hand_are_null_and_named() -> None:
    dossier = compiled(ancestry=None, measurements={}, policy=None, proof=None)
    found = areas(dossier)
    assert (dossier.lineage, dossier.policy, dossier.proof) == (None, None, None)
    assert {"lineage", "policy", "proof"} <= found.keys()
    assert "what the numbers were taken from" in found["fairness"]


def test_a_cut_ancestry_is_named() -> None:
    cut = credit_lineage().model_copy(update={"truncated": True})
    dossier = compiled(decision(ancestry_digest=cut.value_digest()), ancestry=cut)
    assert areas(dossier)["lineage"] == ["ancestors beyond those shown"]


def test_parts_of_another_decision_are_refused() -> None:
    other = Ancestry(subject=None)
    with pytest.raises(InputRefused, match="the ancestry that the decision names"):
        compiled(ancestry=other)
    with pytest.raises(InputRefused, match="the policy that the decision names"):
        compiled(policy=policy().model_copy(update={"title": "another"}))
    with pytest.raises(InputRefused, match="the measurement that the decision names"):
        compiled(measurements={digest("x"): next(iter(measurements(decision()).values()))})
    with pytest.raises(InputRefused, match="the ancestry that the decision names"):
        compiled(decision(ancestry_digest=None))


def test_the_commands_verify_this_subject() -> None:
    dossier = compiled()
    assert dossier.proof is not None
    assert dossier.proof.commands[0] == (
        f"assay verify decision.sigstore.json --trust trust.json --digest {dossier.identity.subject.digest}"
    )


def test_compiling_later_changes_the_time_of_compiling_alone() -> None:
    first, later = compiled(), compiled(compiled_at=COMPILED + timedelta(days=1))
    assert later.model_copy(update={"times": first.times}) == first
