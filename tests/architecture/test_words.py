"""What must not be in the repository: traces of the machine it was written on, unfinished work, hosts of registries."""

import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, tracked

SELF = "tests/architecture/test_words.py"
"""This file spells out what it looks for."""

BINARY = {".gz", ".parquet", ".png", ".skops", ".woff2", ".zip"}

FORBIDDEN = {
    "a path of one machine": r"/(?:work|root|home/\w+)/(?:main|shared|\.)|/tmp/(?!\{)[a-z]+/|\.pyenv",
    "a host of a package registry": r"pypi\.org|pythonhosted\.org|registry\.npmjs|deb\.debian\.org|proxy\.golang",
    "unfinished work": r"\b(?:TODO|FIXME|XXX|HACK)\b|raise NotImplementedError",
    "a word about how it was written": r"\b(?:[Cc]laude|[Aa]nthropic|[Cc]hatGPT|[Cc]opilot|(?:LLM|AI)-generated)\b",
    "a switched-off check without its code": r"#\s*(?:noqa|type:\s*ignore)\s*(?:$|[^:\[\w])|#\s*noqa\s*$",
}

REASONED = re.compile(
    r"#\s*(?:noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|type:\s*ignore\[[a-z-]+(?:,\s*[a-z-]+)*\])(.*)$", re.MULTILINE
)


def texts() -> list[tuple[str, str]]:
    """Each text file below the root and what it holds."""
    found = []
    for path in tracked():
        name = str(path.relative_to(ROOT))
        if path.suffix not in BINARY and name != SELF:
            found.append((name, path.read_text(encoding="utf-8", errors="replace")))
    return found


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.MULTILINE)
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match.group(0).strip()}"
        for name, text in texts()
        for match in pattern.finditer(text)
    ]
    assert found == []


def test_every_switched_off_check_gives_its_reason() -> None:
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
        for name, text in texts()
        if name.endswith(".py")
        for match in REASONED.finditer(text)
        if not re.search(r"[-#]\s*\w", match.group(1))
    ]
    assert found == []


def test_nothing_but_the_given_folders_lies_at_the_root() -> None:
    given = {"api", "audits", "governance", "lineage", "migrations", "policies", "reports", "tests"}
    beside = {"docs", "benchmarks", "integrations", "examples", ".ci"}
    found = {path.relative_to(ROOT).parts[0] for path in tracked() if len(path.relative_to(ROOT).parts) > 1}
    assert found - given - beside == set()


def test_no_file_is_larger_than_two_megabytes() -> None:
    large = {str(path.relative_to(ROOT)): size for path in tracked() if (size := Path(path).stat().st_size) > 2 * 2**20}
    assert large == {}
