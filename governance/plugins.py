"""Built-in checks by name, and third-party ones through the entry point ``assay.checks`` with an allow list."""

from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from governance._siblings import activate
from governance.check import Check
from governance.errors import NotFound, UsageError

BUILT_IN = {
    "explainability": "policies.explainability.check",
    "fairness": "policies.fairness.check",
    "gdpr": "policies.gdpr.check",
    "ll144": "policies.fairness.law.ll144_check",
    "performance": "policies.performance.check",
    "quality": "policies.quality.check",
    "regb": "policies.fairness.law.regb_check",
    "schema": "policies.schema.check",
    "ugesp": "policies.fairness.law.ugesp_check",
}
"""Id of each check that ships, and the module whose ``CHECK`` it is."""


def load_check(name: str, *, allowed: Iterable[str] = ()) -> Check[Any]:
    """The check called ``name``: a built-in one, or one of a distribution listed in ``allowed``.

    Raises:
        NotFound: no such check; the message lists those there are.
        UsageError: a distribution offers a check under a built-in's name, or more than one offers it.
    """
    offered = [
        entry
        for entry in entry_points(group="assay.checks")
        if entry.name == name and entry.dist is not None and entry.dist.name in set(allowed)
    ]
    if len(offered) + (name in BUILT_IN) > 1:
        raise UsageError(
            expected=f"one check called {name!r}",
            found=f"it is also offered by {', '.join(entry.dist.name for entry in offered if entry.dist)}",
            remedy="Take that distribution off the allow list.",
        )
    if name in BUILT_IN:
        activate()
        check = import_module(BUILT_IN[name]).CHECK
    elif offered:
        check = offered[0].load()
    else:
        raise NotFound(
            expected=f"one of the checks {', '.join(sorted(BUILT_IN))}",
            found=repr(name),
            remedy="Correct the policy, or allow the distribution that offers the check.",
        )
    if not isinstance(check, Check) or check.id != name:
        raise UsageError(
            expected=f"a governance.check.Check with id {name!r}",
            found=repr(check)[:120],
            remedy="Tell the check's author.",
        )
    return check
