"""The GitHub Action and the GitLab component, run as those hosts run their steps, against a real service.

What is played here of the hosts follows their documentation: GitHub Docs, "Metadata syntax for GitHub Actions",
"Workflow commands" and "Setting a step's shell"; GitLab Docs, "CI/CD components", "CI/CD inputs" and "Variables".
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from jsonschema import Draft7Validator
from junitparser import JUnitXml

from tests.governance.formats.test_github import runner_reads, runner_sets
from tests.support.issuer import AUDIENCE, GITHUB, GITLAB, github_claims, gitlab_claims, jwks, rsa_key, signed
from tests.support.receiver import receiving
from tests.support.shell import ROOT, Shell, evidence, publish, serving
from tests.support.story import FAIR, UNFAIR

ACTION = ROOT / "integrations" / "github-action" / "action.yml"
COMPONENT = ROOT / "integrations" / "gitlab-component" / "templates" / "gate.yml"

COMMIT = "4f0c2e1" + "0" * 33
KEY = rsa_key("hosts")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A service with a model that is fair and one that is not, and a folder of commands that runners find."""
    folder = tmp_path_factory.mktemp("integrations")
    (folder / "bin").mkdir()
    for name, line in (("assay", "-m governance"), ("python3", "-c 'import sys; print(*sys.argv[1:])'")):
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {line} "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    (folder / "jwks.json").write_bytes(jwks(KEY))
    shared = {"audience": AUDIENCE, "jwks_file": str(folder / "jwks.json")}
    bindings = {
        "github": {"claims": {"repository_id": "74"}, "scopes": ["mlflow://models.test/*"]},
        "gitlab": {"claims": {"project_id": "20"}, "scopes": ["mlflow://models.test/*"]},
    }
    issuers = [
        {**shared, "host": host, "issuer": issuer, "bindings": [bindings[host]]}
        for host, issuer in (("github", GITHUB), ("gitlab", GITLAB))
    ]
    with serving(folder, ASSAY_OIDC__ISSUERS=json.dumps(issuers)) as started:
        for name, groups in (("fair", FAIR), ("unfair", UNFAIR), ("nothing", FAIR)):
            evidence(started, name, groups)
            publish(started, name)
        yield started


@dataclass(frozen=True)
class Run:
    """What a job left behind."""

    code: int
    output: str
    folder: Path
    outputs: dict[str, str]
    summary: str


def schema(name: str) -> Draft7Validator:
    """A schema of SchemaStore as check-jsonschema carries it."""
    place = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{name}.json"
    return Draft7Validator(json.loads(place.read_text(encoding="utf-8")))


def variables_of(shell: Shell) -> dict[str, str]:
    """A runner's variables: its commands first on the path, and no key or address of the service."""
    ours = {key: value for key, value in shell.environment.items() if not key.startswith("ASSAY_")}
    return ours | {"PATH": f"{shell.folder / 'bin'}:{shell.environment['PATH']}", "CI": "true"}


# --- GitHub ----------------------------------------------------------------------------------------------------------


def evaluated(text: str, inputs: dict[str, str], steps: dict[str, dict[str, str]]) -> str:
    """A string with its expressions replaced: inputs and outputs of steps, and ``!= ''``."""

    def value(match: re.Match[str]) -> str:
        expression = match.group(1).strip()
        if (compared := re.fullmatch(r"inputs\.([\w-]+) != ''", expression)) is not None:
            return "true" if inputs[compared.group(1)] else "false"
        context, _, rest = expression.partition(".")
        if context == "inputs":
            return inputs[rest]
        step, _, output = rest.partition(".outputs.")
        assert context == "steps", f"an expression that the host would not know: {expression}"
        return steps.get(step, {}).get(output, "")

    return re.sub(r"\$\{\{(.*?)\}\}", value, text)


def run_action(shell: Shell, folder: Path, runner: dict[str, str], **given: str) -> Run:
    """Run the action as a job's step; ``runner`` are variables that the runner sets besides."""
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    inputs = {name: str(about.get("default", "")) for name, about in action["inputs"].items()}
    named = {name.replace("_", "-"): value for name, value in given.items()}
    required = {name for name, about in action["inputs"].items() if about["required"]}
    assert required <= set(named) <= set(inputs)
    inputs |= named
    steps: dict[str, dict[str, str]] = {}
    output, code, summary = "", 0, folder / "summary.md"
    summary.touch()
    for number, step in enumerate(action["runs"]["steps"]):
        if evaluated(str(step.get("if", "true")), inputs, steps) == "false":
            continue
        script, results = folder / f"step{number}.sh", folder / f"outputs{number}"
        script.write_text(evaluated(step["run"], inputs, steps), encoding="utf-8")
        results.touch()
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=shell.folder,
            env=variables_of(shell)
            | runner
            | {name: evaluated(str(value), inputs, steps) for name, value in step.get("env", {}).items()}
            | {
                "GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(results), "GITHUB_STEP_SUMMARY": str(summary),
                "GITHUB_SHA": COMMIT, "GITHUB_REPOSITORY": "bank/credit", "GITHUB_RUN_ID": "17",
                "GITHUB_SERVER_URL": "https://github.com",
            },
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        output += done.stdout + done.stderr
        steps[step.get("id", "")] = runner_sets(results.read_text(encoding="utf-8"))
        code = done.returncode
        if code:
            break
    outputs = {name: evaluated(about["value"], inputs, steps) for name, about in action["outputs"].items()}
    return Run(code, output, folder, outputs, summary.read_text(encoding="utf-8"))


def asked(shell: Shell, folder: Path, name: str, runner: dict[str, str] | None = None, **more: str) -> Run:
    inputs = {
        "url": shell.environment["ASSAY_URL"], "key": shell.environment["ASSAY_KEY"], "model": f"{name}@1",
        "digest": f"{name}/model.bin", "namespace": "mlflow://models.test", "environment": "prod",
        "policy": f"policy-{name}", "trust": "trust.json", "install": "", "reports": str(folder / "reports"),
    }  # fmt: skip
    if name != "nothing":
        inputs["evidence"] = f"{name}/manifest.yaml"
    return run_action(shell, folder, runner or {}, **(inputs | more))


def commands(run: Run) -> list[str]:
    """The workflow commands that a runner would carry out: those between a stop and its token are text."""
    token, found = "", []
    for command in runner_reads(run.output):
        if token:
            token = "" if command.name == token else token
        elif command.name == "stop-commands":
            token = command.message
        else:
            found.append(command.name)
    return found


def test_the_action_is_one_that_github_takes() -> None:
    schema("github-actions").validate(yaml.safe_load(ACTION.read_text(encoding="utf-8")))


def test_no_input_is_part_of_a_script() -> None:
    """An input in the text of a script is run by the shell; as a variable it is a value."""
    for step in yaml.safe_load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]:
        assert "${{" not in step["run"]


def test_an_allow_passes_the_step_and_gives_its_outputs(shell: Shell, tmp_path: Path) -> None:
    run = asked(shell, tmp_path, "fair")
    assert run.code == 0, run.output
    assert run.outputs["verdict"] == "allow"
    assert run.outputs["digest"].startswith("sha256:")
    assert run.outputs["valid-until"]
    assert len(run.outputs["decision-id"]) == 36
    assert commands(run) == []
    assert "allow" in run.summary
    assert JUnitXml.fromfile(str(tmp_path / "reports" / "junit.xml")).failures == 0


def test_a_deny_fails_the_step_and_annotates_it(shell: Shell, tmp_path: Path) -> None:
    run = asked(shell, tmp_path, "unfair")
    assert run.code == 1, run.output
    assert run.outputs["verdict"] == "deny"
    assert commands(run) == ["error", "error"]
    assert "deny" in run.summary
    assert json.loads((tmp_path / "reports" / "assay.sarif").read_text())["runs"][0]["results"]


def test_no_evidence_is_indeterminate_and_fails_the_step(shell: Shell, tmp_path: Path) -> None:
    run = asked(shell, tmp_path, "nothing")
    assert (run.code, run.outputs["verdict"]) == (2, "indeterminate")
    assert "error" in commands(run)


def test_a_service_that_is_away_fails_the_step_and_says_so(shell: Shell, tmp_path: Path) -> None:
    run = asked(shell, tmp_path, "fair", url="http://127.0.0.1:9")
    assert (run.code, run.outputs["verdict"]) == (6, "error")
    assert commands(run) == ["error", "error"]
    assert JUnitXml.fromfile(str(tmp_path / "reports" / "junit.xml")).errors == 2


def test_of_several_models_the_worst_counts(shell: Shell, tmp_path: Path) -> None:
    run = asked(
        shell, tmp_path, "fair", model="fair@1\nunfair@1\n", digest="fair/model.bin\nunfair/model.bin",
        evidence="fair/manifest.yaml\nunfair/manifest.yaml",
    )  # fmt: skip
    assert (run.code, run.outputs["verdict"]) == (1, "allow,deny"), run.output


def test_an_input_is_never_run(shell: Shell, tmp_path: Path) -> None:
    run = asked(shell, tmp_path, "fair", model='$(touch pwned)"; touch pwned; #@1', policy="`touch pwned`")
    assert run.code not in (0, None)
    assert not list(shell.folder.rglob("pwned"))


def test_a_job_with_an_id_token_needs_no_key(shell: Shell, tmp_path: Path) -> None:
    token = signed(github_claims(datetime.now(UTC), repository_id="74"), KEY)
    with receiving() as runner:
        runner.answer = lambda request: (200 if f"audience={quote(AUDIENCE, safe='')}" in request.path else 400,
                                         json.dumps({"value": token}).encode())  # fmt: skip
        variables = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{runner.url}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of the runner",
        }
        run = asked(shell, tmp_path, "fair", variables, key="", audience=AUDIENCE)
        assert (run.code, run.outputs["verdict"]) == (0, "allow"), run.output
        assert runner.received[0].headers["authorization"] == "Bearer of the runner"
    assert asked(shell, tmp_path, "fair", key="").code == 5


def test_what_is_installed_is_what_the_input_says(shell: Shell, tmp_path: Path) -> None:
    run = asked(shell, tmp_path, "fair", install="assay-governance==0.1.0")
    assert "-m pip install --quiet --disable-pip-version-check assay-governance==0.1.0" in run.output


# --- GitLab ----------------------------------------------------------------------------------------------------------


def interpolated(**given: str) -> dict[str, Any]:
    """The component's jobs with the inputs put in, as GitLab does it before it reads the YAML."""
    head, body = COMPONENT.read_text(encoding="utf-8").split("\n---\n")
    about = yaml.safe_load(head)["spec"]["inputs"]
    named = {name.replace("_", "-"): value for name, value in given.items()}
    assert {name for name, each in about.items() if "default" not in each} <= set(named) <= set(about)
    values = {name: named.get(name, each.get("default")) for name, each in about.items()}
    for name, each in about.items():
        assert values[name] in each.get("options", [values[name]])
    jobs: dict[str, Any] = yaml.safe_load(re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda m: values[m.group(1)], body))
    return jobs


def run_component(shell: Shell, folder: Path, name: str, *, key: str | None = None, **more: str) -> Run:
    """Run the component's job: its variables expanded, its script lines one after the other in one shell."""
    given = {
        "model": f"{name}@1", "digest": f"../{name}/model.bin", "namespace": "mlflow://models.test",
        "environment": "prod", "policy": f"policy-{name}", "trust": "../trust.json", "install": "",
    }  # fmt: skip
    if name != "nothing":
        given["evidence"] = f"../{name}/manifest.yaml"
    (job,) = interpolated(**(given | more)).values()
    project = {
        "ASSAY_URL": shell.environment["ASSAY_URL"],
        "ASSAY_KEY": shell.environment["ASSAY_KEY"] if key is None else key,
        "CI_PROJECT_PATH": "bank/credit", "CI_COMMIT_SHA": COMMIT, "CI_JOB_URL": "https://gitlab.example/jobs/17",
    }  # fmt: skip
    (audience,) = [token["aud"] for token in job["id_tokens"].values()]
    tokens = dict.fromkeys(
        job["id_tokens"], signed(gitlab_claims(datetime.now(UTC), project_id="20", aud=audience), KEY)
    )
    expanded = {
        key: re.sub(r"\$(\w+)", lambda match: project.get(match.group(1), ""), value)
        for key, value in job["variables"].items()
    }
    done = subprocess.run(
        ["bash", "-c", "set -eo pipefail\n" + "\n".join(job["script"])],
        cwd=folder, env=variables_of(shell) | project | tokens | expanded, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Run(done.returncode, done.stdout + done.stderr, folder, {}, "")


@pytest.fixture
def project(shell: Shell, request: pytest.FixtureRequest) -> Path:
    """The folder of a job, beside the models."""
    folder = shell.folder / re.sub(r"\W", "_", request.node.name)
    folder.mkdir()
    return folder


def test_the_component_makes_a_job_that_gitlab_takes() -> None:
    jobs = interpolated(model="m@1", digest="m", namespace="n", environment="prod")
    schema("gitlab-ci").validate(jobs)
    assert list(jobs) == ["assay-gate"]


def test_an_allow_passes_the_job_and_leaves_the_reports_that_it_names(shell: Shell, project: Path) -> None:
    run = run_component(shell, project, "fair")
    assert run.code == 0, run.output
    (job,) = interpolated(model="m@1", digest="m", namespace="n", environment="prod").values()
    reports = job["artifacts"]["reports"]
    assert JUnitXml.fromfile(str(project / reports["junit"])).failures == 0
    assert json.loads((project / reports["codequality"]).read_text()) == []


def test_a_job_shows_its_id_token_where_that_is_asked(shell: Shell, project: Path) -> None:
    shown = run_component(shell, project, "fair", key="", identity="id-token", audience=AUDIENCE)
    assert shown.code == 0, shown.output
    assert run_component(shell, project, "fair", key="").code == 5
    assert run_component(shell, project, "fair", key="", identity="id-token", audience="another").code == 5


def test_a_deny_fails_the_job_and_is_a_finding(shell: Shell, project: Path) -> None:
    run = run_component(shell, project, "unfair")
    assert run.code == 1, run.output
    found = json.loads((project / "assay-reports" / "codequality.json").read_text())
    assert {each["check_name"] for each in found} == {"assay/verdict", "assay/fairness"}


def test_without_evidence_or_service_the_job_fails_in_its_own_way(shell: Shell, project: Path) -> None:
    assert run_component(shell, project, "nothing").code == 2
    assert run_component(shell, project, "fair", url="http://127.0.0.1:9").code == 6
