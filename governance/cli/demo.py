"""``assay demo``: the main job on real data, from events to a denied and an allowed deployment."""

from pathlib import Path

import typer

from governance._siblings import activate


def demo(
    folder: Path = typer.Option(Path("assay-demo"), help="Where all is kept; made anew each time."),
    serve: bool = typer.Option(False, "--serve", help="Leave the service up afterwards, until interrupted."),
) -> int:
    """Play the whole story on Adult (UCI): lineage, evidence, a true deny, an allow, reports, proofs."""
    activate()
    from api.demo import play

    play(folder, leave_up=serve)
    return 0
