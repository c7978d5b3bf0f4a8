"""``assay gate``: ask whether a model may be deployed, and believe the answer only when its proof holds."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from governance.cli.output import CHECK_COLUMNS, JSON_HELP, KEY, URL, check_rows, print_json, print_table
from governance.errors import ProofRejected, UsageError

if TYPE_CHECKING:
    from governance.bundle import Trust
    from governance.types.evaluation import EvaluationRequest

EXIT = {"allow": 0, "deny": 1, "indeterminate": 2, "pending": 3}
"""A verdict that is not among these is not understood, and blocks like `indeterminate`."""


def gate(
    model: str = typer.Argument(..., help="MODEL@VERSION"),
    environment: str = typer.Option(..., "--env", help="Where it is to go."),
    digest: str = typer.Option(..., help="The model's file, or its sha256:... digest."),
    namespace: str = typer.Option(..., help="The model's namespace, as lineage knows it."),
    evidence: Path | None = typer.Option(None, help="A manifest to upload and submit first (YAML)."),
    policy: str | None = typer.Option(None, help="The policy to be judged by; default: the one that applies."),
    trust: Path | None = typer.Option(None, help="The pinned trust file of the service (`assay keys trust`)."),
    bundle: Path | None = typer.Option(None, help="Write the decision's bundle to this file."),
    wait: float = typer.Option(900, min=0, help="Seconds to wait for the verdict."),
    context: list[str] = typer.Option([], help="NAME=VALUE kept with the decision, such as commit=4f0c2e1."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Ask without effect: the answer never counts as an allow."),
    fail_on: str | None = typer.Option(None, help="`warn` refuses an allow that carries warnings."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Ask the gate, print its reasons, verify the signature and exit with the verdict.

    Exit codes: 0 allow, 1 deny, 2 indeterminate, 3 pending at the deadline, 4 usage, 5 not permitted, 6 unreachable,
    7 the proof of the answer does not hold. A dry run exits with 0 whatever the verdict.
    """
    from governance.client import Client
    from governance.localfiles import read_manifest
    from governance.types.evaluation import EvidenceReference

    if fail_on not in (None, "warn"):
        raise UsageError(expected="--fail-on warn", found=repr(fail_on), remedy="Leave it out, or say warn.")
    pinned = _pinned(trust)
    request = _request(model, environment, digest, namespace, policy=policy, context=context, dry_run=dry_run)
    with Client(url, key) as client:
        if evidence is not None:
            local = read_manifest(evidence)
            submitted = client.submit_manifest(local.manifest, local.files)
            request = request.model_copy(update={"evidence": (EvidenceReference(digest=submitted),)})
        answer = client.evaluate(request, wait_seconds=wait)
        proof = client.bundle(answer["decision_id"]) if "decision_id" in answer else None
    if proof is not None and bundle is not None:
        bundle.write_bytes(proof)
    code = EXIT.get(str(answer.get("verdict")), 2)
    if proof is not None and pinned is not None:
        _verify(proof, pinned, answer, request)
    _show(answer, as_json=as_json, verified=proof is not None and pinned is not None)
    if dry_run:
        return 0
    warned = any(check["status"] == "warned" for check in answer.get("checks", []))
    return 1 if code == 0 and fail_on == "warn" and warned else code


def _request(
    model: str, environment: str, digest: str, namespace: str, *, policy: str | None, context: list[str], dry_run: bool
) -> "EvaluationRequest":
    from governance.localfiles import file_digest
    from governance.types.evaluation import EvaluationRequest
    from governance.types.value import parse_value

    name, at, version = model.rpartition("@")
    if not at or not name or not version:
        raise UsageError(expected="MODEL@VERSION", found=repr(model), remedy="Name both, such as credit-line@7.")
    pairs = [entry.partition("=") for entry in context]
    if any(not separator or not left for left, separator, _ in pairs):
        raise UsageError(expected="--context NAME=VALUE", found=", ".join(context), remedy="Write name=value.")
    known = re.fullmatch(r"sha256:[0-9a-f]{64}", digest) is not None
    return parse_value(
        EvaluationRequest,
        {
            "subject": {
                "namespace": namespace,
                "name": name,
                "version": version,
                "digest": digest if known else file_digest(Path(digest)),
            },
            "environment": environment,
            "policy": policy,
            "context": {left: right for left, _, right in pairs},
            "mode": "dry_run" if dry_run else "enforce",
        },
        what="a gate request",
    )


def _pinned(path: Path | None) -> "Trust | None":
    """The trust file, read before anything is asked, so that a missing one is not found out after the verdict."""
    if path is None:
        return None
    from governance.verify import read_trust

    try:
        return read_trust(path.read_bytes())
    except OSError as fault:
        raise UsageError(
            expected=f"a readable trust file {path}",
            found=fault.strerror or type(fault).__name__,
            remedy="Get it from the service's operator: `assay keys trust`.",
        ) from fault


def _verify(proof: bytes, trust: "Trust", answer: dict[str, Any], request: "EvaluationRequest") -> None:
    """Believe an answer only when the signed decision says the same of the same subject, now."""
    from governance.verify import verify_bundle

    signed = verify_bundle(
        proof,
        trust,
        subject_digest=request.subject.digest,
        environment=request.environment,
        at=datetime.now(UTC),
    ).decision
    if signed.verdict.value != answer.get("verdict") or signed.decision_id != answer.get("decision_id"):
        raise ProofRejected(
            expected=f"the signed verdict {signed.verdict.value} of decision {signed.decision_id}",
            found=f"the answer {answer.get('verdict')} of {answer.get('decision_id')}",
            remedy="Do not deploy; tell whoever runs the service.",
        )


def _show(answer: dict[str, Any], *, as_json: bool, verified: bool) -> None:
    if as_json:
        print_json(answer | {"verified": verified})
        return
    checks = answer.get("checks", [])
    if checks:
        print_table("Checks", CHECK_COLUMNS, check_rows(checks))
    for reason in answer.get("reasons", []):
        typer.echo(f"- {reason['check'] or 'gate'}: {reason['message']}")
        if reason.get("remediation"):
            typer.echo(f"  to do: {reason['remediation']}")
    typer.echo(f"Verdict: {answer.get('verdict')}" + (" (signature verified)" if verified else ""))
    if answer.get("valid_until"):
        typer.echo(f"Valid until {answer['valid_until']}")
