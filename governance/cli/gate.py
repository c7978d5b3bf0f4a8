"""``assay gate``: ask whether models may be deployed, and believe the answers only when their proof holds."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from governance.cli.ci_outputs import Wanted, write_outputs
from governance.cli.output import (
    CHECK_COLUMNS,
    JSON_HELP,
    KEY,
    URL,
    check_rows,
    digest_of,
    model_version,
    print_json,
    print_table,
    write_file,
)
from governance.errors import AssayError, ProofRejected, UsageError

if TYPE_CHECKING:
    from governance.bundle import Trust
    from governance.client import Client
    from governance.types.evaluation import EvaluationRequest

EXIT = {"allow": 0, "deny": 1, "indeterminate": 2, "pending": 3}
"""A verdict that is not among these is not understood, and blocks like `indeterminate`."""

WORST = (0, 3, 2, 1)
"""Codes from the best to the worst: a deny is known, the others may still become an allow."""


GITHUB = typer.Option(False, "--github", help="Annotate the run on GitHub, write the step's summary and its outputs.")
OIDC = typer.Option(
    None, "--oidc", metavar="AUDIENCE", help="Show the ID token of this CI job, made for AUDIENCE, in place of a key."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One subject: the request, the manifest that is submitted first, and where its bundle goes."""

    request: "EvaluationRequest"
    evidence: Path | None
    bundle: Path | None


def gate(
    models: list[str] = typer.Argument(..., metavar="MODEL@VERSION", help="The models; the worst answer counts."),
    environment: str = typer.Option(..., "--env", help="Where they are to go."),
    digest: list[str] = typer.Option(..., help="The model's file, or its sha256:... digest; one for each model."),
    namespace: list[str] = typer.Option(
        ..., help="The model's namespace, as lineage knows it; one for all, or one for each model."
    ),
    evidence: list[Path] = typer.Option([], help="A manifest to submit first (YAML); one for each model, or none."),
    policy: str | None = typer.Option(None, help="The policy to be judged by; default: the one that applies."),
    trust: Path | None = typer.Option(
        None, envvar="ASSAY_TRUST", help="The pinned trust file of the service (`assay keys trust`)."
    ),
    bundle: list[Path] = typer.Option([], help="Write the decision's bundle to this file; one for each model."),
    wait: float = typer.Option(900, min=0, help="Seconds to wait for each verdict."),
    context: list[str] = typer.Option([], help="NAME=VALUE kept with the decision, such as commit=4f0c2e1."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Ask without effect: the answer never counts as an allow."),
    fail_on: str | None = typer.Option(None, help="`warn` refuses an allow that carries warnings."),
    junit: Path | None = typer.Option(None, help="Write a JUnit XML report."),
    sarif: Path | None = typer.Option(None, help="Write a SARIF 2.1.0 log."),
    gitlab_codequality: Path | None = typer.Option(None, help="Write a GitLab code quality report."),
    markdown: Path | None = typer.Option(None, help="Write Markdown for the comment of a merge request."),
    github: bool = GITHUB,
    location: str = typer.Option("model", help="The file of the repository that findings are shown at."),
    oidc: str | None = OIDC,
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Ask the gate, print its reasons, verify the signature and exit with the verdict; of several the worst.

    Exit codes: 0 allow, 1 deny, 2 indeterminate, 3 pending at the deadline, 4 usage, 5 not permitted, 6 unreachable,
    7 the proof of the answer does not hold. A dry run exits with 0 whatever the verdict.
    """
    if fail_on not in (None, "warn"):
        raise UsageError(expected="--fail-on warn", found=repr(fail_on), remedy="Leave it out, or say warn.")
    wanted = Wanted(junit, sarif, gitlab_codequality, markdown, github=github, location=location)
    pinned = _pinned(trust)
    shared = {"environment": environment, "policy": policy, "context": _context(context), "dry_run": dry_run}
    subjects = _subjects(models, digest, namespace, evidence=evidence, bundle=bundle, shared=shared)
    answers, faults = _ask(subjects, pinned, client=_client(url, key, oidc), wait=wait)
    _show(answers, as_json=as_json, wanted=wanted)
    write_outputs(answers, wanted, on_error=as_json)
    if faults:
        raise max(faults, key=lambda fault: fault.exit_code)
    if dry_run:
        return 0
    return max((_code(answer, fail_on) for answer in answers), key=WORST.index)


def _client(url: str, key: str | None, audience: str | None) -> "Client":
    """A connection with the key, or with the ID token of this job, which is asked for again when it has expired."""
    from governance.client import Client
    from governance.identity_tokens import identity_token

    if audience is None:
        return Client(url, key)
    return Client(
        url,
        identity_token(os.environ, audience=audience),
        renew=lambda: identity_token(os.environ, audience=audience),
    )


def _ask(
    subjects: Sequence[Asked], pinned: "Trust | None", *, client: "Client", wait: float
) -> tuple[list[dict[str, Any]], list[AssayError]]:
    """An answer for each subject, and the faults; a subject that could not be asked has an answer that blocks."""
    answers, faults = [], []
    with client:
        for asked in subjects:
            known = {"subject": asked.request.subject.document(), "environment": asked.request.environment}
            try:
                answers.append(known | _answer(client, asked, pinned, wait=wait))
            except AssayError as fault:
                reason = {"code": fault.code, "check": None, "message": fault.message, "remediation": fault.remedy}
                answers.append(known | {"verdict": "error", "reasons": [reason], "checks": []})
                faults.append(fault)
    return answers, faults


def _answer(client: "Client", asked: Asked, pinned: "Trust | None", *, wait: float) -> dict[str, Any]:
    """The gate's answer about one subject, once its proof was found to hold where a trust file is pinned."""
    from governance.localfiles import read_manifest
    from governance.types.evaluation import EvidenceReference

    request = asked.request
    if asked.evidence is not None:
        local = read_manifest(asked.evidence)
        submitted = client.submit_manifest(local.manifest, local.files)
        request = request.model_copy(update={"evidence": (EvidenceReference(digest=submitted),)})
    answer = client.evaluate(request, wait_seconds=wait)
    if "decision_id" not in answer:
        # An answer that claims to allow and names no decision cannot be proved, and is no verdict.
        claim = str(answer.get("verdict"))
        return answer | {"verified": False, "verdict": claim if claim == "pending" else "unproved"}
    proof = client.bundle(answer["decision_id"])
    if asked.bundle is not None:
        write_file(asked.bundle, proof)
    if pinned is not None:
        _verify(proof, pinned, answer, request)
    return answer | {"verified": pinned is not None}


def _code(answer: dict[str, Any], fail_on: str | None) -> int:
    code = EXIT.get(str(answer.get("verdict")), 2)
    warned = any(check.get("status") == "warned" for check in answer.get("checks", []))
    warned |= any(each.get("verdict") != "allow" for each in answer.get("warnings", []))
    return 1 if code == 0 and fail_on == "warn" and warned else code


def _subjects(
    models: Sequence[str],
    digests: Sequence[str],
    namespaces: Sequence[str],
    *,
    evidence: Sequence[Path],
    bundle: Sequence[Path],
    shared: dict[str, Any],
) -> list[Asked]:
    """The subjects in the order given."""
    count = len(models)
    spaces = [*namespaces] * count if len(namespaces) == 1 else [*namespaces]
    given = {"--digest": len(digests), "--namespace": len(spaces), "--evidence": len(evidence), "--bundle": len(bundle)}
    for name, times in given.items():
        if times != count and (times or name in ("--digest", "--namespace")):
            raise UsageError(
                expected=f"{name} once for each of {count} models",
                found=f"{times} times",
                remedy="Give them in the order of the models.",
            )
    return [
        Asked(
            _request(model, digests[place], spaces[place], **shared),
            evidence[place] if evidence else None,
            bundle[place] if bundle else None,
        )
        for place, model in enumerate(models)
    ]


def _context(entries: Sequence[str]) -> dict[str, str]:
    pairs = [entry.partition("=") for entry in entries]
    if any(not separator or not left for left, separator, _ in pairs):
        raise UsageError(expected="--context NAME=VALUE", found=", ".join(entries), remedy="Write name=value.")
    return {left: right for left, _, right in pairs}


def _request(
    model: str,
    digest: str,
    namespace: str,
    *,
    environment: str,
    policy: str | None,
    context: dict[str, str],
    dry_run: bool,
) -> "EvaluationRequest":
    from governance.types.evaluation import EvaluationRequest
    from governance.types.value import parse_value

    name, version = model_version(model)
    return parse_value(
        EvaluationRequest,
        {
            "subject": {
                "namespace": namespace,
                "name": name,
                "version": version,
                "digest": digest_of(digest),
            },
            "environment": environment,
            "policy": policy,
            "context": context,
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
    said = (answer.get("verdict"), answer.get("decision_id"), answer.get("mode"))
    if said != (signed.verdict.value, signed.decision_id, signed.mode) or signed.mode != request.mode:
        raise ProofRejected(
            expected=f"the signed verdict {signed.verdict.value} of decision {signed.decision_id}, {signed.mode}",
            found=f"the answer {said[0]} of {said[1]}, {said[2]}",
            remedy="Do not deploy; tell whoever runs the service.",
        )


def _show(answers: Sequence[dict[str, Any]], *, as_json: bool, wanted: Wanted) -> None:
    if as_json:
        print_json(answers[0] if len(answers) == 1 else {"answers": list(answers)})
        return
    with wanted.quiet_runner():
        for answer in answers:
            _show_one(answer, several=len(answers) > 1)


def _show_one(answer: dict[str, Any], *, several: bool) -> None:
    if several:
        typer.echo(f"\n{answer['subject']['name']}@{answer['subject']['version']}")
    checks = answer.get("checks", [])
    if checks:
        print_table("Checks", CHECK_COLUMNS, check_rows(checks))
    for reason in answer.get("reasons", []):
        typer.echo(f"- {reason.get('check') or 'gate'}: {reason.get('message', '')}")
        if reason.get("remediation"):
            typer.echo(f"  to do: {reason['remediation']}")
    for preview in answer.get("warnings", []):
        _show_preview(preview)
    typer.echo(f"Verdict: {answer.get('verdict')}" + (" (signature verified)" if answer.get("verified") else ""))
    if answer.get("verdict") == "pending":
        typer.echo(f"Evaluation {answer.get('evaluation_id')} is {answer.get('state')}: see `assay waiting`.")
    if answer.get("valid_until"):
        typer.echo(f"Valid until {answer['valid_until']}")


def _show_preview(preview: dict[str, Any]) -> None:
    """What a version that is published as a warning would have said: it is coming, and decides nothing yet."""
    policy = preview.get("policy") or {}
    named = f"{policy.get('name')}@{policy.get('version')}"
    typer.echo(f"Warning: {named}, not in force yet, says {preview.get('verdict')}")
    for reason in preview.get("reasons", []):
        typer.echo(f"  - {reason.get('check') or 'gate'}: {reason.get('message', '')}")
