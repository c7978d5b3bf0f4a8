"""Where the application packages (lineage, policies, audits, reports, api, migrations) are found.

In a checkout they lie beside ``governance``; an installed wheel keeps them in ``governance/_app``, so that the
distribution adds one top-level name to an environment.
"""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def home() -> Path:
    """The folder that holds the application packages."""
    private = _HERE / "_app"
    return private if private.is_dir() else _HERE.parent


def activate() -> None:
    """Put the application packages first on ``sys.path``; doing it twice changes nothing.

    First, because a neighbour may install an ``api`` or ``reports`` of its own.
    """
    place = str(home())
    if sys.path[:1] != [place]:
        sys.path.insert(0, place)
