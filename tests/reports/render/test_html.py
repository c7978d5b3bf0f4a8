"""The HTML report: structure, safety, and the same bytes everywhere."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.types.ancestry import Ancestry
from governance.types.attestation import AttestationUse
from governance.types.decision import PersonsAct, Preview, WaiverUse
from governance.types.policy import PolicyReference
from governance.types.results import CheckStatus, Reason, Verdict
from governance.types.value import Severity
from reports.dossier import Dossier
from reports.render.html import render_html
from reports.render.wording import STATUS_SIGNS, STATUS_WORDS, VERDICT_ANSWERS, instant, visible
from tests.reports.build import allowed, compiled, decision, with_names
from tests.reports.page import Element, read_page

ROOT = Path(__file__).resolve().parents[3]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</title></svg><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "&lt;script&gt; &amp; &#x3c;",
    "credit\u202egpj.exe\u2066\u200b\x1b[31m\r\n",
    "مدل اعتبار / 信用モデル / 👩‍🔬",
    "x" * 500,
]


@pytest.fixture(scope="module")
def page() -> Element:
    return read_page(render_html(compiled()))


def test_the_page_is_one_document_with_language_title_and_one_main_heading(page: Element) -> None:
    assert page.attributes["lang"] == "en"
    assert page.all("title")[0].text() == "Model audit report: credit@3"
    assert [heading.text() for heading in page.all("h1")] == ["Model audit report: credit@3"]
    assert render_html(compiled()).lstrip().startswith(b"<!DOCTYPE html>")


def test_headings_go_down_one_level_at_a_time(page: Element) -> None:
    levels = [int(heading.tag[1]) for heading in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_landmarks_and_the_skip_link_are_there(page: Element) -> None:
    for tag in ("header", "main", "nav", "footer"):
        assert len(page.all(tag)) == 1
    body = next(child for child in page.children if child.tag == "body")
    assert (body.children[0].tag, body.children[0].attributes["href"]) == ("a", "#summary")
    assert all(section.attributes["aria-labelledby"] for section in page.all("section"))


def test_ids_are_unique_and_every_reference_leads_somewhere(page: Element) -> None:
    names = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    assert len(names) == len(set(names))
    links = [link.attributes["href"] for link in page.all("a") if link.attributes["href"].startswith("#")]
    labels = [name for each in page.all() for name in each.attributes.get("aria-labelledby", "").split()]
    assert {link.removeprefix("#") for link in links} | set(labels) <= set(names)


def test_tables_have_captions_and_header_scopes(page: Element) -> None:
    assert len(page.all("table")) >= 7
    for table in page.all("table"):
        assert len(table.all("caption")) == 1
        assert table.all("th")
        assert all(cell.attributes["scope"] in {"row", "col"} for cell in table.all("th"))
        width = len(table.all("thead")[0].all("th"))
        for row in table.all("tbody")[0].all("tr"):
            assert sum(int(cell.attributes.get("colspan", 1)) for cell in row.children) == width


def test_pictures_have_a_title_a_description_and_the_same_numbers_beside_them(page: Element) -> None:
    pictures = page.all("svg")
    assert len(pictures) == 5
    cells = {cell.text() for cell in page.all("td")}
    for picture in pictures:
        assert picture.attributes["role"] == "img"
        title, description = (child for child in picture.children if child.tag in {"title", "desc"})
        assert title.text()
        assert description.text()
    assert {"0.0765", "0.252", "0.3035", "0.31", "-0.05"} <= cells


def test_the_page_asks_for_nothing_and_runs_nothing(page: Element) -> None:
    policy = next(meta for meta in page.all("meta") if meta.attributes.get("http-equiv"))
    assert policy.attributes["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert not page.all("script", "link", "img", "iframe", "object", "embed", "form", "base", "foreignobject", "use")
    for element in page.all():
        assert not [name for name in element.attributes if name.startswith("on") or name in {"src", "style"}]
        assert element.attributes.get("href", "#").startswith(("#", "https://creativecommons.org/"))
    assert "url(" not in page.all("style")[0].text()
    assert "@import" not in page.all("style")[0].text()


def test_the_page_prints(page: Element) -> None:
    assert "@media print" in page.all("style")[0].text()


def test_text_has_contrast_on_white(page: Element) -> None:
    rules = re.findall(r"(?<![-\w])(?:color|fill): (#[0-9a-f]{3,6})", page.all("style")[0].text())
    texts = {rule for rule in rules if rule not in {"#fff", "#d9d9d9", "#ececec"}}
    assert len(texts) >= 6
    assert all(1.05 / (_luminance(text) + 0.05) >= 4.5 for text in texts)


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    digits = colour.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_summary_answers_first_and_fits_a_manager(page: Element) -> None:
    summary = next(section for section in page.all("section") if section.attributes["id"] == "summary")
    said = summary.text()
    assert page.all("main")[0].children[0] is summary
    assert "No (deny)" in said
    assert "at least one required check failed" in said
    assert "do not cover decision.credit" in said
    assert "What to do" in said
    assert "laws: which laws apply" in said
    assert len(said.split()) <= 300


def test_every_part_of_the_dossier_is_on_the_page(page: Element) -> None:
    dossier = compiled()
    said = page.text()
    for entry in dossier.not_checked:
        assert entry.what in said
    for outcome in dossier.decision.checks:
        assert outcome.title in said
        assert outcome.result.message in said
    for digest in (dossier.value_digest(), dossier.identity.subject.digest, dossier.reproduction.input_digest):
        assert digest in said
    assert dossier.proof is not None
    assert all(command in said for command in dossier.proof.commands)
    assert dossier.proof.summary.root_hash in said
    assert "Evidence, not legal advice" in said
    assert "Fideslang, Ethyca Inc., CC BY 4.0" in said
    assert "web_clicks → prep [run id-prep] → features → train [run id-train] → credit/3 (column precision)" in said


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str) -> None:
    content = render_html(with_names(name))
    page = read_page(content)
    assert not page.all("script", "img")
    for element in page.all():
        assert not [attribute for attribute in element.attributes if attribute.startswith("on")]
        assert element.attributes.get("href", "#").startswith(("#", "https://creativecommons.org/"))
    assert len(page.all("svg")) >= 1
    shown = " ".join(visible(name).split())
    assert page.all("h1")[0].text() == f"Model audit report: {shown}@{shown}"


def test_characters_that_hide_or_turn_text_are_written_out() -> None:
    assert visible("a\u202eb\u200bc\x00\n") == "a⟨U+202E⟩b⟨U+200B⟩c⟨U+0000⟩⟨U+000A⟩"
    assert visible("مدل 信用 é") == "مدل 信用 é"
    assert visible("\ud800") == "⟨U+D800⟩"
    content = render_html(with_names("credit\u202egpj")).decode()
    assert not re.search("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", content)
    assert "credit⟨U+202E⟩gpj" in content


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40))
def test_any_name_gives_a_well_formed_page(name: str) -> None:
    page = read_page(render_html(with_names(name)))
    assert page.all("h1")[0].text() == " ".join(f"Model audit report: {visible(name)}@{visible(name)}".split())


@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_allow_says_yes(verdict: Verdict) -> None:
    said = read_page(render_html(compiled(decision(verdict=verdict)))).text()
    assert (f"Yes ({verdict})" in said) == (verdict is Verdict.ALLOW)
    assert ("may not be used" in said) == (verdict is not Verdict.ALLOW)
    assert set(VERDICT_ANSWERS) == set(Verdict)


def test_every_outcome_has_a_word_and_a_sign() -> None:
    assert set(STATUS_WORDS) == set(STATUS_SIGNS) == set(CheckStatus)


def test_an_allowed_model_is_told_until_when_and_what_comes_next() -> None:
    made = allowed()
    said = read_page(render_html(compiled(made, measurements={}))).text()
    assert "until 2027-01-31 00:00:00 UTC" in said
    assert "No check speaks against it." in said
    assert "Ask the gate again before the decision ends" in said


def test_a_dry_run_says_that_it_permits_nothing() -> None:
    said = read_page(render_html(compiled(decision(mode="dry_run", verdict=Verdict.ALLOW)))).text()
    assert "This was a dry run; it lets nothing go live." in said


def test_what_is_not_at_hand_is_said() -> None:
    made = decision(policy=None, ancestry_digest=None, checks=(), reasons=(), verdict=Verdict.INDETERMINATE)
    bare = compiled(made, ancestry=None, measurements={}, policy=None, proof=None)
    said = read_page(render_html(bare)).text()
    assert "Not on this evidence (indeterminate)" in said
    assert "No check was required, so nothing was examined." in said
    assert "Lineage does not know this model" in said
    assert "No proof was at hand" in said
    assert "No source of the model is recorded." in said


def test_a_model_without_lineage_has_no_picture_of_it() -> None:
    unknown = Ancestry(subject=None)
    made = decision(ancestry_digest=unknown.value_digest())
    assert "Lineage does not know this model" in read_page(render_html(compiled(made, ancestry=unknown))).text()


def test_the_same_dossier_gives_the_same_bytes_in_other_surroundings(tmp_path: Path) -> None:
    dossier = compiled()
    stored = tmp_path / "dossier.json"
    stored.write_text(dossier.model_dump_json(by_alias=True))
    program = (
        "import hashlib, sys; from pathlib import Path; from reports.dossier import Dossier;"
        "from reports.render.html import render_html; from reports.render.json import render_json;"
        "read = Dossier.model_validate_json(Path(sys.argv[1]).read_text('utf-8'));"
        "print(hashlib.sha256(render_html(read)).hexdigest(), hashlib.sha256(render_json(read)).hexdigest())"
    )
    seen = set()
    for seed, zone, locale, folder in (("1", "UTC", "C", ROOT), ("77", "Asia/Tokyo", "de_DE.UTF-8", tmp_path)):
        surroundings = {
            **os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale, "PYTHONPATH": str(ROOT)
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", program, str(stored)],
            env=surroundings, cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        seen.add(done.stdout.strip())
    assert len(seen) == 1
    assert seen.pop().split()[1] == dossier.value_digest().removeprefix("sha256:")


def test_the_order_of_keys_in_the_stored_dossier_does_not_change_the_page() -> None:
    dossier = compiled()
    document = dossier.document()
    turned = Dossier.model_validate(_reversed(document))
    assert render_html(turned) == render_html(dossier)


def _reversed(value: object) -> object:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


def _with_people() -> Dossier:
    """The report of a model that goes live by a waiver and with an approval."""
    fine = allowed()
    use = WaiverUse(
        id="w-1",
        digest="sha256:" + "1" * 64,
        checks={"fairness": CheckStatus.FAILED},
        reason="The pilot <b>region</b>.",
        ticket="RISK-1",
        expires_at=fine.evaluated_at + timedelta(days=9),
        requested_by="ines",
        approved_by=("ana", "bo"),
    )
    act = PersonsAct(
        act="approval",
        verdict="approve",
        by="cleo",
        name="Cleo",
        at=fine.evaluated_at,
        comment="agreed",
        approved_digest="sha256:" + "2" * 64,
        digest="sha256:" + "3" * 64,
    )
    return compiled(fine.model_copy(update={"waivers_used": (use,), "people": (act,)}), measurements={})


def test_a_waiver_is_shown_with_its_reason_its_end_and_its_people() -> None:
    page = read_page(render_html(_with_people()))
    (table,) = [each for each in page.all("table") if each.all("caption")[0].text().startswith("Waivers")]
    shown = table.text()
    for words in (
        "fairness (failed without it)",
        "The pilot <b>region</b>.",
        "RISK-1",
        "asked for by ines, approved by ana, bo",
    ):
        assert words in shown
    assert instant(_with_people().decision.waivers_used[0].expires_at) in shown
    assert "fairness by a waiver" in page.all("section")[0].text()


def test_what_people_said_is_shown() -> None:
    page = read_page(render_html(_with_people()))
    (table,) = [each for each in page.all("table") if each.all("caption")[0].text().startswith("What people said")]
    assert all(words in table.text() for words in ("cleo", "approval: approve", "agreed"))


def test_a_report_without_people_has_no_tables_of_them(page: Element) -> None:
    captions = [each.text() for each in page.all("caption")]
    of_people = ("Waivers", "What people said", "Statements", "Versions of policies")
    assert not [caption for caption in captions if caption.startswith(of_people)]


def _with_statements() -> Dossier:
    """The report of a model that rests on a statement, while a version of a policy is tried that would not allow it."""
    fine = allowed()
    use = AttestationUse(
        kind="dpia",
        digest="sha256:" + "4" * 64,
        by="user:ana",
        name="Ana <i>A.</i>",
        stated_at=fine.evaluated_at - timedelta(days=3),
        expires_at=fine.evaluated_at + timedelta(days=300),
        text="The assessment <b>covers</b> this version.",
        reference="javascript:alert(1)",
    )
    stricter = Preview(
        policy=PolicyReference(name="credit-line", version=8, digest="sha256:" + "5" * 64),
        stage="shadow",
        verdict=Verdict.DENY,
        reasons=(
            Reason(code="check.failed", check="fairness", severity=Severity.HIGH, message="The ratio is <0.9.",
                   remediation="Train again."),
        ),
    )  # fmt: skip
    milder = stricter.model_copy(update={"stage": "warn", "verdict": Verdict.ALLOW, "reasons": ()})
    return compiled(fine.model_copy(update={"attestations": (use,), "previews": (stricter, milder)}), measurements={})


def _table(page: Element, caption: str) -> Element:
    (found,) = [each for each in page.all("table") if each.all("caption")[0].text().startswith(caption)]
    return found


def test_statements_are_shown_with_who_made_them_and_are_never_links() -> None:
    dossier = _with_statements()
    table = _table(read_page(render_html(dossier)), "Statements")
    (use,) = dossier.decision.attestations
    for words in (
        use.kind, use.text, use.reference, use.digest, use.name, use.by, instant(use.stated_at), instant(use.expires_at)
    ):  # fmt: skip
        assert words in table.text()
    assert not table.all("a", "i", "b")


def test_what_was_tried_beside_is_shown_with_what_it_would_have_said() -> None:
    page = read_page(render_html(_with_statements()))
    first, second = _table(page, "Versions of policies").all("tbody")[0].all("tr")
    for words in ("credit-line, version 8", "shadow", "deny", "fairness: The ratio is <0.9.", "sha256:" + "5" * 64):
        assert words in first.text()
    assert all(words in second.text() for words in ("warn", "allow", "No check speaks against it."))
    (verdict,) = [each for each in page.all("section") if each.attributes["id"] == "verdict"]
    assert verdict.all("strong")[0].text() == "allow"


def test_statements_and_previews_keep_the_bytes_the_same() -> None:
    first, second = _with_statements(), Dossier.model_validate_json(_with_statements().model_dump_json())
    assert first.value_digest() == second.value_digest()
    assert render_html(first) == render_html(second) == render_html(first)
