"""A fault nobody foresaw is caught in three places only, each of which records and re-labels it."""

import ast

from tests.architecture.sources import PACKAGES, functions, sources

BROAD = {"Exception", "BaseException"}

ALLOWED = {
    "governance/jobs/engine.py:carry_out": "the worker's loop: one row",
    "governance/jobs/engine.py:due_keys": "the worker's loop: the sweep",
    "audits/sandbox/child.py:main": "the sandboxed child",
}
"""Where a broad ``except`` stands, and which of the three places that is. The HTTP boundary needs none: the framework
hands faults to the function that is registered for them."""


def names(node: ast.expr | None) -> set[str]:
    """The exception classes that a handler names; nothing stands for everything."""
    if node is None:
        return {"BaseException"}
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    return {part.id if isinstance(part, ast.Name) else ast.unparse(part) for part in parts}


def is_broad(node: ast.AST) -> bool:
    """Whether the node catches faults that nobody foresaw."""
    if isinstance(node, ast.ExceptHandler):
        return bool(names(node.type) & BROAD)
    if not isinstance(node, ast.Call):
        return False
    return ast.unparse(node.func).endswith("suppress") and any(names(argument) & BROAD for argument in node.args)


def broad_places() -> set[str]:
    """``file:function`` of every broad handler in the product."""
    found = set()
    for source in sources():
        if source.path.split("/", 1)[0] not in PACKAGES:
            continue
        named = list(functions(source))
        for node in ast.walk(source.tree):
            if not is_broad(node):
                continue
            inside = [name for name, function in named if node in set(ast.walk(function))]
            found.add(f"{source.path}:{inside[-1] if inside else ''}")
    return found


def test_broad_handlers_stand_only_where_the_conventions_allow_them() -> None:
    assert broad_places() - set(ALLOWED) == set()


def test_every_allowed_place_still_has_its_handler() -> None:
    assert set(ALLOWED) - broad_places() == set()


def test_a_bare_except_and_a_suppressed_exception_count_as_broad() -> None:
    code = "try:\n  a()\nexcept:\n  b()\nwith contextlib.suppress(OSError, Exception):\n  c()"
    assert sum(is_broad(node) for node in ast.walk(ast.parse(code))) == 2
