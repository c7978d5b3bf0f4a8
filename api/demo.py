"""The story that ``assay demo`` plays: a bank, a credit line, a true deny, and what it takes to be allowed."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from governance._siblings import home
from governance.cli.output import CHECK_COLUMNS, check_rows, print_table
from governance.cli.server import set_up
from governance.client import Client
from governance.errors import Unreachable, UsageError
from governance.localfiles import read_manifest
from governance.types.evaluation import EvaluationRequest
from governance.verify import read_trust, verify_bundle

MARKER = ".made-by-assay-demo"
START_SECONDS = 60
VERDICT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story plays: its folder, the service's address, its key and the example's files."""

    folder: Path
    example: Path
    url: str
    key: str


def play(folder: Path, *, leave_up: bool) -> None:
    """Play the story in ``folder``, which is made anew.

    Raises:
        UsageError: the folder holds something that the demo did not make.
        Unreachable: the service or the training job did not do its part; the message says where its output lies.
    """
    began = time.monotonic()
    folder = folder.resolve()
    _fresh(folder)
    _step("Setting up an embedded database, signing keys, a service key and a key for the author of policies")
    keys = set_up(folder / "service", f"sqlite:///{folder / 'service' / 'assay.db'}", name="demo")
    if keys is None:
        raise RuntimeError("the folder was made anew, and holds keys all the same")
    with _service(folder) as url:
        stage = Stage(folder, home() / "examples" / "credit_line", url, keys.service)
        with Client(url, keys.author) as author:
            written = author.store_policy("credit-line", (stage.example / "policy.yaml").read_bytes())
        with Client(url, stage.key) as client:
            client.publish_policy("credit-line", written["version"], note="the story's policy")
            _tell(stage, client)
        typer.echo(f"\nDone in {time.monotonic() - began:.0f} s. Everything lies in {folder}")
        if leave_up:
            typer.echo(f"The service stays at {url}; its key: {keys.service}. Interrupt to stop it.")
            _wait_for_interrupt()


def _fresh(folder: Path) -> None:
    if folder.exists() and not (folder / MARKER).exists() and any(folder.iterdir()):
        raise UsageError(
            expected=f"an empty folder, or one that the demo made, at {folder}",
            found="other files",
            remedy="Name another folder with --folder.",
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


@contextmanager
def _service(folder: Path) -> Iterator[str]:
    """The service as a process of its own, as it runs anywhere else; its address."""
    port_file, log = folder / "port", folder / "service.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    environment |= {"ASSAY_HOME": str(folder / "service"), "ASSAY_ORIGIN": "assay.demo/log"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "governance", "serve", "--port", "0", "--port-file", str(port_file)],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        yield _address(process, port_file, log)
    finally:
        process.terminate()
        process.wait(30)


def _address(process: subprocess.Popen[bytes], port_file: Path, log: Path) -> str:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if port_file.exists() and port_file.read_text():
            url = f"http://127.0.0.1:{port_file.read_text()}"
            with Client(url, None) as client:
                client.get("/readyz")
            return url
        time.sleep(0.1)
    raise Unreachable(expected="the service to start", found="it did not", remedy=f"Look at {log}.")


def _tell(stage: Stage, client: Client) -> None:
    (stage.folder / "trust.json").write_bytes(client.trust())
    typer.echo(
        "\nA bank wants to offer a credit line to people whose predicted income is above 50,000 US dollars.\n"
        "Sex and race are not features of the model."
    )
    first = _release(stage, client, version="1", approach="plain", provenance="provenance.yaml")
    _expect(first, "deny")
    typer.echo(
        "\nTwo things are mended. The data protection officer assesses the credit decision and corrects the record of\n"
        "purposes; the team trains again with Fairlearn's GridSearch under demographic parity."
    )
    second = _release(stage, client, version="2", approach="parity", provenance="provenance_mended.yaml")
    _expect(second, "allow")
    _other_policy(stage, client)
    _how_to_verify(stage)


def _release(stage: Stage, client: Client, *, version: str, approach: str, provenance: str) -> dict[str, Any]:
    """Train a version, ask the gate, keep reports and proof; the gate's answer."""
    out = stage.folder / f"credit-line-{version}"
    _step(f"Training credit-line@{version} ({approach}); its job reports lineage through openlineage-python")
    _train(stage, out, version=version, approach=approach, provenance=provenance)
    local = read_manifest(out / "manifest.yaml")
    _step("Uploading predictions, model and manifest, and asking the gate for prod")
    submitted = client.submit_manifest(local.manifest, local.files)
    answer = client.evaluate(
        _request(local.manifest.subject.document(), submitted, "credit-line"), wait_seconds=VERDICT_SECONDS
    )
    if "decision_id" not in answer:
        raise Unreachable(
            expected="a verdict", found=f"{answer.get('verdict')}", remedy=f"Look at {stage.folder / 'service.log'}."
        )
    _print_answer(f"credit-line@{version} for prod", answer)
    _keep(stage, client, answer, out)
    return answer


def _train(stage: Stage, out: Path, *, version: str, approach: str, provenance: str) -> None:
    log = stage.folder / f"training-{version}.log"
    options = {
        "--data": str(stage.example / "adult.parquet"),
        "--provenance": str(stage.example / provenance),
        "--out": str(out),
        "--version": version,
        "--approach": approach,
    }
    with log.open("wb") as output:
        finished = subprocess.run(
            [sys.executable, str(stage.example / "train.py"), *(part for pair in options.items() for part in pair)],
            env=os.environ | {"ASSAY_URL": stage.url, "ASSAY_KEY": stage.key},
            stdout=output,
            stderr=output,
            check=False,
        )
    if finished.returncode:
        raise Unreachable(
            expected="the training job to finish", found=f"exit {finished.returncode}", remedy=f"Look at {log}."
        )


def _request(subject: dict[str, Any], evidence: str, policy: str, mode: str = "enforce") -> EvaluationRequest:
    return EvaluationRequest.model_validate(
        {"subject": subject, "environment": "prod", "policy": policy, "evidence": [{"digest": evidence}], "mode": mode}
    )


def _print_answer(title: str, answer: dict[str, Any]) -> None:
    print_table(title, CHECK_COLUMNS, check_rows(answer["checks"]))
    typer.echo(f"Verdict: {str(answer['verdict']).upper()}")
    link = "noted" if answer["verdict"] == "allow" else "because"
    for reason in answer["reasons"]:
        typer.echo(f"  {link} {reason['check']}: {reason['message']}")
        if reason["remediation"]:
            typer.echo(f"  to do: {reason['remediation']}")


def _keep(stage: Stage, client: Client, answer: dict[str, Any], out: Path) -> None:
    decision = str(answer["decision_id"])
    proof = client.bundle(decision)
    (out / "decision.sigstore.json").write_bytes(proof)
    verified = verify_bundle(
        proof, read_trust((stage.folder / "trust.json").read_bytes()), subject_digest=answer["subject"]["digest"]
    )
    typer.echo(f"The signed verdict verifies: {verified.decision.verdict.value}, leaf {verified.index} of the log")
    for kind in ("html", "json"):
        (out / f"report.{kind}").write_bytes(client.report(decision, kind))
    typer.echo(f"Report: {out / 'report.html'}")


def _other_policy(stage: Stage, client: Client) -> None:
    """What the same model would be told by a policy that judges race as well: a dry run on evidence at hand."""
    local = read_manifest(stage.folder / "credit-line-2" / "manifest.yaml")
    request = _request(local.manifest.subject.document(), local.manifest.value_digest(), "baseline", "dry_run")
    answer = client.evaluate(request, wait_seconds=VERDICT_SECONDS)
    typer.echo(
        "\nThe credit-line policy judges sex alone. A dry run of the shipped policy `baseline`, which judges every "
        f"declared attribute, on the same evidence: {str(answer['verdict']).upper()}"
    )
    for reason in answer.get("reasons", []):
        typer.echo(f"  because {reason['check']}: {reason['message']}")


def _how_to_verify(stage: Stage) -> None:
    typer.echo("\nBoth decisions verify without the service, wherever their files are taken:")
    for version in ("1", "2"):
        proof = stage.folder / f"credit-line-{version}" / "decision.sigstore.json"
        typer.echo(f"  assay verify {proof} --trust {stage.folder / 'trust.json'}")


def _expect(answer: dict[str, Any], verdict: str) -> None:
    """The story is only told when it is true."""
    if answer["verdict"] != verdict:
        raise Unreachable(
            expected=f"the story's verdict {verdict}",
            found=str(answer["verdict"]),
            remedy="Read the reasons above: the gate is right, and the story does not hold on this machine.",
        )


def _step(text: str) -> None:
    typer.echo(f"\n> {text} ...")


def _wait_for_interrupt() -> None:
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        typer.echo("Stopped.")
