"""``assay witness``: keep a log's checkpoints, check that it only grows, and cosign what extends what was seen."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from governance.cli.output import JSON_HELP, KEY, URL, complain, print_json
from governance.errors import AssayError, ProofRejected, Unreachable, UsageError

if TYPE_CHECKING:
    from governance.bundle import Trust
    from governance.client import Client
    from governance.log.checkpoint import Checkpoint
    from governance.signing.keys import SigningKey

app = typer.Typer(no_args_is_help=True, help="Watch a log from outside, and vouch that it only grows.")


@app.callback()
def _group() -> None:
    """Watch a log from outside, and vouch that it only grows."""


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write the private key (PEM).")],
    name: Annotated[str, typer.Option(help="The witness's name in every note, such as auditor.example/w1.")],
) -> None:
    """Make a witness's key and print its verifier key, for the log's settings and for verifiers."""
    from governance.log.cosignature import NAME, Witness
    from governance.signing.keys import SigningKey, store_key

    if not NAME.fullmatch(name):
        raise UsageError(expected="a name without spaces and plus signs", found=repr(name), remedy="Correct --name.")
    key = SigningKey.generate()
    store_key(path, key)
    typer.echo(Witness(name, key.public).text)


@app.command()
def check(
    state: Annotated[Path, typer.Option(help="The file that keeps the last checkpoint seen; one for each log.")],
    trust: Annotated[Path, typer.Option(help="The log's trust file, got over a channel you trust.")],
    signing_key: Path | None = typer.Option(None, help="The witness's private key; without it nothing is cosigned."),
    name: str | None = typer.Option(None, help="The witness's name; needed with --signing-key."),
    every: float | None = typer.Option(None, min=1, help="Look again every so many seconds, until interrupted."),
    submit: bool = typer.Option(False, "--submit", help="Hand the cosignature back to the log; needs --key."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> None:
    """Fetch the newest checkpoint and refuse it unless it extends the last one seen. Exit 7 when it does not."""
    from governance.cli.verify import read_file
    from governance.client import Client
    from governance.verify import read_trust

    signer = _signer(signing_key, name, submit=submit)
    trusted = read_trust(read_file(trust))
    with Client(url, key) as client:
        while True:
            _look_or_wait(client, trusted, state, signer, submit=submit, as_json=as_json, waits=every is not None)
            if every is None:
                return
            time.sleep(every)


def _look_or_wait(
    client: "Client",
    trust: "Trust",
    state: Path,
    signer: "tuple[str, SigningKey] | None",
    *,
    submit: bool,
    as_json: bool,
    waits: bool,
) -> None:
    """One look at the log; where another follows, a log that cannot be reached is only said to be so."""
    try:
        _look(client, trust, state, signer, submit=submit, as_json=as_json)
    except Unreachable as fault:
        if not waits:
            raise
        complain(fault, as_json=as_json)


def _look(
    client: "Client",
    trust: "Trust",
    state: Path,
    signer: "tuple[str, SigningKey] | None",
    *,
    submit: bool,
    as_json: bool,
) -> None:
    """One look at the log: what it says now is kept, cosigned and handed back, or refused."""
    from governance.log.witness import keep_fork, keep_last, read_last, require_extension, seen

    keys = trust.log_keys()
    last = read_last(state, trust.origin, keys)
    new = seen(client.download("/v1/log/checkpoint").decode("utf-8", "replace"), trust.origin, keys)
    try:
        require_extension(last, new, _proof(client, last, new))
    except ProofRejected as fault:
        beside = keep_fork(state, last, new)
        raise ProofRejected(
            expected=fault.expected, found=f"{fault.found}; both are kept in {beside}", remedy=fault.remedy
        ) from fault
    line = "" if signer is None else _cosigned(new, signer)
    # Kept before anything is given out: after a crash the witness never vouches for less than it did.
    keep_last(state, new.note)
    taken = 0
    if line and submit:
        answer = client.request("POST", "/v1/log/cosignatures", json={"note": new.note + line})
        taken = int(answer.json()["taken"])
    if as_json:
        print_json({"origin": new.origin, "size": new.size, "root": new.root.hex(), "note": new.note + line})
    else:
        before = "the first seen" if last is None else f"{new.size - last.size} more than before"
        vouched = f", cosigned{' and handed back' if submit else ''}" if line else ""
        typer.echo(
            f"{new.origin}: {new.size} leaves, {before}{vouched}{' (known already)' if submit and not taken else ''}."
        )


def _proof(client: "Client", last: "Checkpoint | None", new: "Checkpoint") -> Sequence[bytes]:
    """The hashes by which the log proves to extend what was seen; none where it cannot have any."""
    from governance.signing.dsse import decode

    if last is None or new.size < last.size:
        return []
    try:
        answer = client.get("/v1/log/consistency", old=last.size, new=new.size)
        hashes = answer["hashes"]
        if not isinstance(hashes, list):
            return []
        return [decode(str(each), what="a hash of the proof") for each in hashes]
    except Unreachable:
        raise
    except (AssayError, KeyError):
        # A log that gives no proof has not proved anything; what it said is kept beside what it said before.
        return []


def _cosigned(new: "Checkpoint", signer: "tuple[str, SigningKey]") -> str:
    from governance.log.cosignature import cosign

    name, key = signer
    return cosign(new.body, name, key, moment=int(time.time()))


def _signer(path: Path | None, name: str | None, *, submit: bool) -> "tuple[str, SigningKey] | None":
    from governance.log.cosignature import NAME
    from governance.signing.keys import load_key

    if path is None and (name is not None or submit):
        raise UsageError(expected="--signing-key", found="none", remedy="Make one with `assay witness init`.")
    if path is None:
        return None
    if name is None or not NAME.fullmatch(name):
        raise UsageError(
            expected="--name with the name that the key was made for", found=repr(name), remedy="Add --name."
        )
    return name, load_key(path)
