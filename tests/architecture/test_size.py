"""Files, functions and parameter lists stay small enough to be read at one sitting."""

import ast

import pytest

from tests.architecture.sources import Source, functions, sources

FILE_LINES = 400
FUNCTION_LINES = 50
POSITIONAL_PARAMETERS = 5
NESTED_BLOCKS = 3

FROZEN = "migrations/versions/"
"""A revision is a frozen list of operations, one after the other: cutting it up would hide the order."""

COMMANDS = "governance/cli/"
"""A command's options are its function's parameters, and the command line passes each by its name."""

BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)


def depth(node: ast.AST) -> int:
    """How many blocks lie inside one another below ``node``; an ``elif`` lies beside its ``if``."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        beside = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, depth(child) + (isinstance(child, BLOCKS) and not beside))
    return deepest


def positional(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many parameters can be passed by position; ``self`` and ``cls`` are not passed."""
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def is_called_by_pytest(source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tests and fixtures ask for fixtures by name; nobody passes them by position."""
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    return source.path.startswith("tests/") and (
        function.name.startswith("test_") or any("fixture" in text or "given" in text for text in decorators)
    )


def test_no_file_is_longer_than_400_lines() -> None:
    long = {source.path: lines for source in sources() if (lines := source.text.count("\n")) > FILE_LINES}
    assert long == {}


def test_no_function_is_longer_than_50_lines() -> None:
    long = {
        f"{source.path}:{name}": lines
        for source in sources()
        if not source.path.startswith(FROZEN)
        for name, function in functions(source)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    }
    assert long == {}


def test_no_function_takes_more_than_five_positional_parameters() -> None:
    many = {
        f"{source.path}:{name}": positional(function)
        for source in sources()
        if not source.path.startswith(COMMANDS)
        for name, function in functions(source)
        if positional(function) > POSITIONAL_PARAMETERS and not is_called_by_pytest(source, function)
    }
    assert many == {}


def test_no_function_nests_more_than_three_blocks() -> None:
    deep = {
        f"{source.path}:{name}": depth(function)
        for source in sources()
        for name, function in functions(source)
        if depth(function) > NESTED_BLOCKS
    }
    assert deep == {}


@pytest.mark.parametrize(
    ("code", "blocks"),
    [
        ("def f():\n  if a:\n    pass\n  elif b:\n    pass\n  elif c:\n    pass", 1),
        ("def f():\n  for a in b:\n    with c:\n      if d:\n        pass", 3),
        ("def f():\n  try:\n    while a:\n      if b:\n        if c:\n          pass\n  finally:\n    pass", 4),
    ],
)
def test_blocks_are_counted_as_they_lie_inside_one_another(code: str, blocks: int) -> None:
    assert depth(ast.parse(code).body[0]) == blocks
