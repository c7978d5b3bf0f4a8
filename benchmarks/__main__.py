"""``python -m benchmarks [--only NAME]``: run the benchmarks, print their ratios, write ``benchmarks/results.md``."""

import argparse
import importlib
import pkgutil
import time
from collections.abc import Callable
from pathlib import Path

import benchmarks
from benchmarks.report import Row, keep_section, machine, table, write

RESULTS = Path(__file__).with_name("results.md")


def collect() -> dict[str, Callable[[], list[Row]]]:
    """Each benchmark's name and its ``run``, in the order of the alphabet."""
    found: dict[str, Callable[[], list[Row]]] = {}
    for module in sorted(pkgutil.iter_modules(benchmarks.__path__), key=lambda module: module.name):
        if module.name == "__main__":
            continue
        run = getattr(importlib.import_module(f"benchmarks.{module.name}"), "run", None)
        if run is not None:
            found[module.name] = run
    return found


def main() -> int:
    """Run all or the one that was asked for; only a full run is written down."""
    benches = collect()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=sorted(benches), help="run this one and write nothing")
    parser.add_argument("--keep", action="store_true", help="with --only: put its section into the results")
    chosen = parser.parse_args()
    only = chosen.only
    print(machine())
    sections: dict[str, list[Row]] = {}
    for name in [only] if only else benches:
        started = time.perf_counter()
        print(f"\n{name} ...", flush=True)
        sections[name] = benches[name]()
        print(table(sections[name]))
        print(f"({time.perf_counter() - started:.1f} s)")
    if only and chosen.keep:
        keep_section(RESULTS, only, sections[only])
    if not only:
        write(RESULTS, sections)
        print(f"\nwritten: {RESULTS.relative_to(Path.cwd()) if RESULTS.is_relative_to(Path.cwd()) else RESULTS}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
