"""What a benchmark gives, and the table that is printed and kept in ``benchmarks/results.md``."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

VERSIONS = (
    "fairlearn",
    "fastapi",
    "numpy",
    "pandas",
    "polars",
    "psycopg",
    "pydantic",
    "scikit-learn",
    "shap",
    "sqlalchemy",
)
"""Distributions whose versions change the figures."""


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, what it is held against, and the ratio of the two.

    ``ratio`` is written so that more is better; ``bar`` says in words what it must reach.
    """

    name: str
    measured: str
    floor: str
    ratio: float
    bar: str


def machine() -> str:
    """The size of this machine and the versions that matter, in one paragraph."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [
        f"{platform.system()} {platform.machine()}",
        f"{cores} cores",
        f"{memory_bytes / 2**30:.0f} GiB of memory",
        f"Python {platform.python_version()}",
        *(f"{name} {version(name)}" for name in VERSIONS),
    ]
    return ", ".join(parts)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | measured | floor or peer | ratio | bar |", "|---|---|---|---|---|"]
    lines += [f"| {row.name} | {row.measured} | {row.floor} | {row.ratio:,.2f} | {row.bar} |" for row in rows]
    return "\n".join(lines)


def write(path: Path, sections: Mapping[str, Sequence[Row]]) -> None:
    """Keep the tables under the machine they were measured on."""
    parts = [
        "# Benchmarks",
        "Written by `make bench`. Single runs on a shared machine: trust the ratios more than the figures.",
        machine() + ".",
    ]
    for name, rows in sections.items():
        parts += [f"## {name}", table(rows)]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def keep_section(path: Path, name: str, rows: Sequence[Row]) -> None:
    """Put one benchmark's table into the kept results, in the order of the alphabet; the others stay as they are."""
    head, *sections = path.read_text(encoding="utf-8").split("\n## ")
    kept = {section.partition("\n")[0]: section.rstrip("\n") for section in sections}
    kept[name] = f"{name}\n\n{table(rows)}"
    path.write_text("\n\n## ".join([head.rstrip("\n"), *(kept[one] for one in sorted(kept))]) + "\n", encoding="utf-8")
