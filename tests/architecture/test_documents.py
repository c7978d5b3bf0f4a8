"""The documentation is whole and current: what is generated is what the code says, what is written names everything."""

import ast
import re
from pathlib import Path

import pytest

from governance.plugins import BUILT_IN
from tests.architecture.sources import ROOT, sources, tracked
from tests.support.documents import DOCS, PAGES, commands, errors, variables

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
FINDING = re.compile(r"(?:event|facet|secret|dataset|run|job|version|batch)\.[a-z]+(?:_[a-z]+)*")


def pages() -> list[Path]:
    """Every Markdown file of the project."""
    return [path for path in tracked() if path.suffix == ".md"]


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, made as code hosts make them."""
    headings = HEADING.findall(FENCE.sub("", path.read_text(encoding="utf-8")))
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).lower()).replace(" ", "-")
        for text in headings
    }


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    """Run ``make docs`` where this fails."""
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name]()


def test_every_setting_is_documented() -> None:
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert len(variables()) > 10
    assert [name for name in variables() if f"`{name}`" not in page] == []


def test_every_error_code_is_documented() -> None:
    page = (DOCS / "errors.md").read_text(encoding="utf-8")
    codes = {error.code for error in errors()}
    assert len(codes) > 10
    assert sorted(code for code in codes if f"`{code}`" not in page) == []


def test_errors_of_one_code_have_one_status_and_exit_code() -> None:
    found: dict[str, set[tuple[int, int, str]]] = {}
    for error in errors():
        found.setdefault(error.code, set()).add((error.status, error.exit_code, error.title))
    assert {code: meanings for code, meanings in found.items() if len(meanings) > 1} == {}


def test_every_command_is_documented_and_says_what_it_does() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    found = dict(commands())
    assert {"assay demo", "assay serve", "assay gate", "assay verify", "assay db upgrade"} <= set(found)
    assert [path for path in found if f"## `{path}`" not in page] == []
    assert [path for path, command in found.items() if not (command.help or "").strip()] == []


@pytest.mark.parametrize("check", BUILT_IN)
def test_every_check_has_its_page(check: str) -> None:
    page = DOCS / "checks" / f"{check}.md"
    assert page.is_file(), f"write docs/checks/{check}.md"
    assert page.read_text(encoding="utf-8").startswith("# ")


def test_every_finding_about_an_event_is_documented() -> None:
    page = (DOCS / "lineage.md").read_text(encoding="utf-8")
    codes = {
        node.value
        for source in sources()
        if source.path.startswith("lineage/")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and FINDING.fullmatch(node.value)
    }
    assert len(codes) > 5
    assert sorted(code for code in codes if f"`{code}`" not in page) == []


def test_every_link_between_pages_resolves() -> None:
    broken = []
    for page in pages():
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        for target in (*LINK.findall(text), *IMAGE.findall(text)):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_public_name_says_what_it_gives() -> None:
    """Ruff asks for a docstring in all code but tests; here no module of the product is left out of that."""
    exempt = [source.path for source in sources() if re.search(r"#\s*ruff:\s*noqa", source.text)]
    assert exempt == []
