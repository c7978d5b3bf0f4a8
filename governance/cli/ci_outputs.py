"""Where ``assay gate`` writes the forms that CI systems show: files, and what GitHub's runner reads."""

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from governance import __version__
from governance.cli.output import write_file


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run of ``assay gate`` writes besides its words."""

    junit: Path | None = None
    sarif: Path | None = None
    gitlab_codequality: Path | None = None
    markdown: Path | None = None
    github: bool = False
    location: str = "model"

    @contextmanager
    def quiet_runner(self) -> Iterator[None]:
        """Let a runner take nothing of what is printed for a command: names in it come from outside.

        Source: GitHub Docs, "Stopping and starting workflow commands".
        """
        if not self.github:
            yield
            return
        token = secrets.token_hex(16)
        typer.echo(f"::stop-commands::{token}")
        try:
            yield
        finally:
            typer.echo(f"::{token}::")


def write_outputs(answers: Sequence[dict[str, Any]], wanted: Wanted, *, on_error: bool) -> None:
    """Write every form that is wanted; annotations go to standard error where ``on_error`` keeps the output clean.

    Raises:
        UsageError: a file cannot be written.
    """
    from governance.formats.gitlab import code_quality
    from governance.formats.junit import junit
    from governance.formats.markdown import markdown
    from governance.formats.sarif import sarif

    forms: list[tuple[Path | None, Callable[[], str]]] = [
        (wanted.junit, lambda: junit(answers)),
        (wanted.sarif, lambda: sarif(answers, version=__version__, location=wanted.location)),
        (wanted.gitlab_codequality, lambda: code_quality(answers, location=wanted.location)),
        (wanted.markdown, lambda: markdown(answers)),
    ]
    for path, form in forms:
        if path is not None:
            write_file(path, form().encode())
    if wanted.github:
        _tell_github(answers, on_error=on_error)


def _tell_github(answers: Sequence[dict[str, Any]], *, on_error: bool) -> None:
    """Annotations on the output, and the files that the runner names in the environment."""
    from governance.formats.github import annotations, outputs
    from governance.formats.markdown import markdown

    for line in annotations(answers):
        typer.echo(line, err=on_error)
    summary, results = os.environ.get("GITHUB_STEP_SUMMARY"), os.environ.get("GITHUB_OUTPUT")
    if summary:
        write_file(Path(summary), f"{markdown(answers)}\n".encode(), append=True)
    if results:
        first = answers[0]
        values = {
            "verdict": ",".join(str(answer.get("verdict")) for answer in answers),
            "decision-id": ",".join(str(answer.get("decision_id") or "") for answer in answers),
            "digest": ",".join(str(answer["subject"]["digest"]) for answer in answers),
            "valid-until": str(first.get("valid_until") or "") if len(answers) == 1 else "",
        }
        told = outputs(values, delimiter=f"assay-{secrets.token_hex(16)}")
        write_file(Path(results), told.encode(), append=True)
