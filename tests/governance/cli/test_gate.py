"""``assay gate`` against a service that says whatever the test wants: what is believed, shown and written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml

from governance.cli import app
from governance.errors import AssayError, Unreachable, UsageError
from tests.governance.formats.material import answer, check, reason
from tests.governance.formats.test_github import runner_reads, runner_sets
from tests.support.receiver import Received, Receiver, receiving

DIGEST = "sha256:" + "5a" * 32
PREVIEW = {
    "policy": {"name": "next", "version": 4, "digest": DIGEST},
    "stage": "warn",
    "verdict": "deny",
    "reasons": [],
}


@pytest.fixture
def service() -> Iterator[Receiver]:
    """A service that knows no keys and proves nothing."""
    with receiving() as started:
        yield started


def says(service: Receiver, *answers: Any) -> None:
    """Answer each question with the next of ``answers``, and every bundle with some bytes."""
    waiting = list(answers)

    def respond(request: Received) -> tuple[int, bytes]:
        if request.method == "GET":
            return 200, b"{}"
        given = waiting.pop(0)
        return (given, b"") if isinstance(given, int) else (200, json.dumps(given).encode())

    service.answer = respond


def gate(service: Receiver, *more: str, models: tuple[str, ...] = ("credit-line@7",)) -> int:
    """The exit code of the command."""
    arguments = ["gate", *models, "--env", "prod", "--namespace", "mlflow://models.test", "--url", service.url]
    digests = [part for _ in models for part in ("--digest", DIGEST)]
    try:
        code: int = app([*arguments, *digests, *more], standalone_mode=False)
    except AssayError as fault:
        return fault.exit_code
    return code


@pytest.mark.parametrize(
    ("verdict", "code"),
    [("allow", 0), ("deny", 1), ("indeterminate", 2), ("", 2), (None, 2), ("ALLOW", 2), (True, 2)],
)
def test_only_the_word_allow_is_a_yes(service: Receiver, verdict: Any, code: int) -> None:
    says(service, answer(verdict))
    assert gate(service) == code


def test_a_yes_that_names_no_decision_is_none(service: Receiver) -> None:
    unnamed = answer("allow")
    del unnamed["decision_id"]
    says(service, unnamed)
    assert gate(service) == 2


def test_a_pending_answer_is_asked_again_where_it_says_and_fails_where_it_does_not(service: Receiver) -> None:
    says(service, answer("pending", links={"self": "/v1/gate/evaluations/e-1"}))
    assert gate(service) == 2, "what came then is no verdict"
    assert service.received[-1].path.startswith("/v1/gate/evaluations/e-1?wait=")
    for links in ({}, None, {"self": 1}, {"self": "https://evil.example/"}):
        says(service, answer("pending", links=links))
        assert gate(service) == 6


@pytest.mark.parametrize("body", [{}, [], "allow", None])
def test_an_answer_that_is_none_is_no_yes(service: Receiver, body: Any) -> None:
    says(service, body)
    assert gate(service) in (2, 6)


def test_an_answer_with_holes_is_shown_as_far_as_it_goes(service: Receiver) -> None:
    holes = {"decision_id": "d-1", "verdict": "deny", "checks": [{}, {"id": "x", "observed": None}], "reasons": [{}],
             "warnings": [{}]}  # fmt: skip
    says(service, holes)
    assert gate(service) == 1


def test_the_worst_of_several_counts(service: Receiver) -> None:
    models = ("a@1", "b@1", "c@1")
    for verdicts, code in (
        (("allow",) * 3, 0),
        (("allow", "deny", "indeterminate"), 1),
        (("allow", "new", "allow"), 2),
    ):
        says(service, *map(answer, verdicts))
        assert gate(service, models=models) == code


def test_one_that_could_not_be_asked_fails_all_and_the_others_are_still_written(
    service: Receiver, tmp_path: Path
) -> None:
    says(service, answer("allow"), 503)
    report = tmp_path / "j.xml"
    assert gate(service, "--junit", str(report), models=("a@1", "b@1")) == Unreachable.exit_code
    whole = JUnitXml.fromfile(str(report))
    assert (whole.tests, whole.errors) == (4, 2)


@pytest.mark.parametrize("warned", [answer("allow", check(status="warned")), answer("allow", warnings=[PREVIEW])])
def test_fail_on_warn_refuses_an_allow_that_carries_warnings(service: Receiver, warned: dict[str, Any]) -> None:
    says(service, warned, warned, answer("allow"))
    assert gate(service, "--fail-on", "warn") == 1
    assert gate(service) == 0
    assert gate(service, "--fail-on", "warn") == 0


def test_a_dry_run_exits_with_0_and_an_absent_service_does_not(service: Receiver) -> None:
    says(service, answer("deny", mode="dry_run"), 500)
    assert gate(service, "--dry-run") == 0
    assert gate(service, "--dry-run") == 6


def test_a_runner_takes_no_name_for_a_command(
    service: Receiver, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(name, str(tmp_path / name))
    says(service, answer("deny", check("::warning::x", "failed", message="\n::add-mask::a"),
                         reasons=[reason(None, "\n::set-env name=PATH::/tmp\n##[error]y")]))  # fmt: skip
    assert gate(service, "--github") == 1
    read = runner_reads(capfd.readouterr().out)
    token = read[0].message
    assert read[0].name == "stop-commands"
    stopped = [command.name for command in read].index(token)
    assert [command.name for command in read[stopped + 1 :]] == ["error"] * 3
    assert runner_sets((tmp_path / "GITHUB_OUTPUT").read_text())["verdict"] == "deny"
    assert "deny" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()


def test_json_stays_json_and_annotations_go_beside_it(service: Receiver, capfd: pytest.CaptureFixture[str]) -> None:
    says(service, answer("deny"))
    assert gate(service, "--github", "--json") == 1
    captured = capfd.readouterr()
    assert json.loads(captured.out)["verdict"] == "deny"
    assert runner_reads(captured.err)[0].name == "error"


def test_a_report_that_cannot_be_written_is_a_fault_of_usage(service: Receiver, tmp_path: Path) -> None:
    says(service, answer("allow"))
    assert gate(service, "--sarif", str(tmp_path / "absent" / "x.sarif")) == UsageError.exit_code


@pytest.mark.parametrize("more", [("--digest", DIGEST), ("--evidence", "m.yaml", "--evidence", "n.yaml")])
def test_options_that_do_not_fit_the_models_are_refused_before_anything_is_asked(
    service: Receiver, more: tuple[str, ...]
) -> None:
    assert gate(service, *more) == UsageError.exit_code
    assert service.received == []
