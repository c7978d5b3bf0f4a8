"""What Assay counts in Spark is what it counts in files: the tests of both packages, run where there is a Spark.

PySpark's part of Pandera does not work with the pandas of the tests' own environment. `make peers` puts both into an
environment beside it, which is laid over that of the tests in a process of its own.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.producers import programs_of

ROOT = Path(__file__).resolve().parents[2]
FILES = ("tests/policies/schema/test_spark.py", "tests/policies/frames/test_sql.py")


def test_counts_and_cells_in_spark_are_those_of_files() -> None:
    packages = next((programs_of("spark").parent / "lib").glob("python*/site-packages"))
    if shutil.which("java") is None:
        missing = "Spark needs Java: install a headless runtime of 17 or newer"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    variables = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ}
    # The work is small: a Java that compiles little is there sooner.
    variables["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    # Spark leaves the pipe to its Java open, which is noticed when the process ends.
    program = [sys.executable, "-m", "pytest", "-q", "-k", "spark", "-p", "no:cacheprovider"]
    program += ["-W", "ignore::pytest.PytestUnraisableExceptionWarning", *FILES]
    done = subprocess.run(
        program,
        cwd=ROOT,
        env={**variables, "LANG": "C.UTF-8", "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^[1-9]\d+ passed", done.stdout, re.MULTILINE), done.stdout
    assert "skipped" not in done.stdout, done.stdout
