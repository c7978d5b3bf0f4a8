"""Putting the layers on, from inside the child, in the order that security needs."""

import os
import signal

from audits.sandbox.limits import Limits, apply_limits
from audits.sandbox.seccomp import die_with_parent, install, make_undumpable

LEVEL = 1
"""What these layers amount to: limits, no new privileges, not dumpable, seccomp."""

NOBODY = 65534
"""The user and group that a child of root becomes; without it root inside could write anywhere."""


def confine(limits: Limits, parent: int) -> int:
    """Restrict the calling process for good and give the level it reached.

    ``parent`` is the process that started it: a child whose parent is already gone has nobody to watch it.

    Raises:
        OSError: a layer could not be put on. Nothing untrusted may be read after that.
    """
    _drop_root()
    # After the change of identity, which clears both settings.
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError("the process that started this one is gone")
    make_undumpable()
    apply_limits(limits)
    install()
    return LEVEL


def _drop_root() -> None:
    if os.geteuid() != 0:
        return
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
