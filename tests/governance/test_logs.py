"""The service's log: one JSON object a line, whatever is in it, and never a secret. Written by a process of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from governance.database import Database

ROOT = Path(__file__).parents[2]
SECRET = "assay_abcdefghij_" + "s3cret" * 7 + "x"
TEXTS = ["a\nb", "a\r\nb", "\x1b[31mred", "\u202ereversed", "\u2028separated", "\x00", "é", '"}\n{"event": "forged"}']
PROGRAM = """
import json, logging, sys, structlog
from governance.logs import configure_logs

configure_logs()
given = json.loads(sys.stdin.read())

def fail(token):
    row = {"person": token}
    raise RuntimeError(f"a fault with {len(row)} rows")

for log in (structlog.get_logger("ours"), logging.getLogger("a library")):
    try:
        fail(given["secret"])
    except RuntimeError:
        log.exception("failed")
for text in given["texts"]:
    structlog.get_logger("ours").warning(text, value=text)
    logging.getLogger("a library").warning(text)
"""


@pytest.fixture(scope="module")
def written() -> str:
    """What a process that was given a secret and hostile texts wrote."""
    given = json.dumps({"secret": SECRET, "texts": TEXTS})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=given, capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == ""
    return done.stderr


def test_every_entry_is_one_line_of_ascii_and_cannot_forge_another(written: str) -> None:
    assert all(" " <= sign <= "~" or sign == "\n" for sign in written)
    entries: list[dict[str, Any]] = [json.loads(line) for line in written.splitlines()]
    assert [entry["event"] for entry in entries] == ["failed"] * 2 + [text for text in TEXTS for _ in range(2)]
    assert [entry["value"] for entry in entries if "value" in entry] == TEXTS


def test_a_fault_is_logged_without_the_values_that_it_was_about(written: str) -> None:
    assert written.count("a fault with 1 rows") == 2
    assert SECRET not in written


def test_a_statement_that_fails_is_told_without_its_values(database: Database) -> None:
    statement = sa.text("INSERT INTO no_such_table VALUES (:token)")
    with pytest.raises(sa.exc.DBAPIError) as failed, database.engine.connect() as connection:
        connection.execute(statement, {"token": SECRET})
    assert SECRET not in str(failed.value)
