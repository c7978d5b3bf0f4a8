"""The command line ``assay``: one module a group, arguments only; what a command needs is loaded when it runs."""

import sys

import typer
from typer.exceptions import TyperException

from governance import __version__
from governance.cli import (
    approval,
    audit,
    break_glass,
    check,
    demo,
    fairness,
    gate,
    keys,
    life,
    lineage,
    lineage_columns,
    lineage_queries,
    log,
    model,
    policy,
    report,
    retention,
    schema,
    server,
    signing,
    waiver,
    witness,
)
from governance.cli.output import complain
from governance.cli.verify import verify
from governance.errors import AssayError, UsageError

OUR_PACKAGES = {"api", "audits", "governance", "lineage", "migrations", "policies", "reports"}
"""Packages of the product itself: one that is missing is a fault, not a choice of what to install."""

app = typer.Typer(
    name="assay",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Lineage, checks, a signed deployment gate and audit reports for machine-learning models.",
    epilog="Exit codes: 0 allow or done, 1 deny, 2 indeterminate, 3 pending, 4 usage, 5 not permitted, 6 unreachable "
    "or failed, 7 proof rejected.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"assay {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Lineage, checks, a signed deployment gate and audit reports for machine-learning models."""


app.command("demo")(demo.demo)
app.command("serve")(server.serve)
app.command("worker")(server.worker)
app.add_typer(server.database, name="db")
for keys_command in (signing.init, signing.trust, signing.rotate, signing.compromise):
    keys.app.command()(keys_command)
app.add_typer(keys.app, name="keys")
app.command("check")(check.check)
app.add_typer(life.decisions, name="decision")
app.add_typer(life.deployments, name="deployment")
app.add_typer(model.app, name="model")
app.add_typer(waiver.app, name="waiver")
PEOPLE = (approval.waiting, approval.approve, approval.review, break_glass.break_glass, break_glass.close_review)
for people_command in PEOPLE:
    app.command()(people_command)
app.command("gate")(gate.gate)
app.command("verify")(verify)
QUESTIONS = (*lineage_columns.COMMANDS, *lineage_queries.COMMANDS)
for command in (*QUESTIONS, retention.prune, retention.prunings, retention.outbox):
    lineage.app.command()(command)
app.add_typer(lineage.app, name="lineage")
app.add_typer(log.app, name="log")
app.add_typer(witness.app, name="witness")
app.add_typer(audit.app, name="audit")
app.add_typer(fairness.app, name="fairness")
app.add_typer(policy.app, name="policy")
app.add_typer(schema.app, name="schema")
app.command("report")(report.report)


def main() -> None:
    """Run a command and exit with its code; a fault is one message on standard error, as JSON where that was asked."""
    as_json = "--json" in sys.argv
    try:
        code = app(standalone_mode=False)
    except AssayError as fault:
        complain(fault, as_json=as_json)
        sys.exit(fault.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except ModuleNotFoundError as fault:
        if (fault.name or "").partition(".")[0] in OUR_PACKAGES:
            raise
        missing = UsageError(
            expected="an installation with the parts that this command needs",
            found=f"no package {fault.name}",
            remedy="Install assay-governance[server]; for `assay check`, assay-governance[checks].",
        )
        complain(missing, as_json=as_json)
        sys.exit(missing.exit_code)
    except TyperException as fault:
        show = getattr(fault, "show", None)  # faults of usage print themselves, with the command's usage line
        if show is None:
            typer.echo(f"assay: {fault}", err=True)
        else:
            show()
        sys.exit(4)
    sys.exit(code if isinstance(code, int) else 0)
