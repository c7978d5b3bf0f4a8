"""``assay fairness recheck`` as a command: what it prints and what it exits with."""

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from governance.cli import app
from governance.errors import InputRefused, UsageError

GOOD = "sex,n,selected,impact_ratio\nMale,1390,667,1.00\nFemale,1181,555,0.979\n"


def run(path: Path, *options: str) -> Result:
    """The command on a file."""
    return CliRunner().invoke(app, ["fairness", "recheck", str(path), *options], standalone_mode=False)


def written(folder: Path, text: str) -> Path:
    """The path of a file with ``text``."""
    path = folder / "published.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_that_reproduces_exits_with_0(tmp_path: Path) -> None:
    result = run(written(tmp_path, GOOD))
    assert result.return_value == 0
    assert "reproduces by the highest rate" in result.output
    assert "0.9793" in result.output


@pytest.mark.parametrize("number", ["0.9", "1.02"])
def test_a_table_that_does_not_reproduce_exits_with_1(number: str, tmp_path: Path) -> None:
    assert run(written(tmp_path, GOOD.replace("0.979", number))).return_value == 1


def test_a_compressed_table_gives_the_same_document(tmp_path: Path) -> None:
    plain = written(tmp_path, GOOD)
    packed = tmp_path / "published.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    documents = [json.loads(run(path, "--json").output) for path in (plain, packed)]
    assert documents[0] == documents[1]
    assert documents[0]["summary"]["highest_rate"] == 1
    assert documents[0]["tables"][0]["rows"][1]["ratio_to_highest"] == "0.9793"


def test_the_tolerance_is_an_option(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("0.979", "0.9"))
    assert run(path, "--tolerance", "0.1").return_value == 0


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.csv.gz", b"no gzip", UsageError),
        ("a.csv.gz", gzip.compress(GOOD.encode(), mtime=0)[:-12], UsageError),
        ("a.csv", b"\xff\xfe", InputRefused),
        ("a.csv", b"group,n\na,1\n", InputRefused),
    ],
)
def test_a_file_that_is_no_table_is_refused(name: str, content: bytes, fault: type[Exception], tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert isinstance(run(path).exception, fault)


def test_a_file_that_is_not_there_is_an_error_of_usage(tmp_path: Path) -> None:
    assert isinstance(run(tmp_path / "absent.csv").exception, UsageError)
