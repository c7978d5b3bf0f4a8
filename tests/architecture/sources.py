"""The project's own files, as the tests of its shape read them."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("governance", "lineage", "policies", "audits", "reports", "api")
"""The import packages of the product."""

CODE = (*PACKAGES, "migrations", "tests", "benchmarks", "examples", "integrations")
"""The folders that hold Python code."""


@dataclass(frozen=True)
class Source:
    """One Python file: its path below the root, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that is in the repository or would be with the next commit."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return tuple(ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file())


@cache
def sources() -> tuple[Source, ...]:
    """Every Python file of the project, parsed."""
    found = [path for path in tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in CODE]
    assert found, "no source was found: the tests of the project's shape would check nothing"
    return tuple(_source(path) for path in sorted(found))


def _source(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(str(path.relative_to(ROOT)), text, ast.parse(text))


def functions(source: Source) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Each function of the file with its dotted name, methods and inner functions included."""
    yield from _functions(source.tree, "")


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        name = prefix
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{prefix}{child.name}."
            yield name[:-1], child
        elif isinstance(child, ast.ClassDef):
            name = f"{prefix}{child.name}."
        yield from _functions(child, name)


def modules() -> list[str]:
    """The dotted name of every module of the product."""
    found = []
    for source in sources():
        parts = Path(source.path).with_suffix("").parts
        if parts[0] in PACKAGES and parts[-1] != "__main__":
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found
