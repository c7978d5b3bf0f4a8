"""The dossier as one self-contained HTML page: a summary of one screen, then everything else.

No script, no request, no template from users. Every variable is escaped, and characters that could hide or turn text
are written out.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.charts import short
from reports.dossier import Dossier
from reports.render import RENDERER
from reports.render.view import arrange, status_class
from reports.render.wording import (
    STATUS_SIGNS,
    STATUS_WORDS,
    VERDICT_ANSWERS,
    instant,
    interval_text,
    measure_name,
    verdict_sentence,
    visible,
)


def render_html(dossier: Dossier) -> bytes:
    """The page, in UTF-8; the same bytes for the same dossier."""
    page = arrange(dossier)
    text = (
        environment()
        .get_template("report.html.j2")
        .render(page=page, dossier=dossier, decision=dossier.decision, digest=dossier.value_digest())
    )
    return text.encode("utf-8")


@lru_cache
def environment() -> Environment:
    """Templates of this package alone. Escaping is on for every name: lists of extensions miss ``.html.j2``."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )
    templates.filters |= {
        "instant": instant,
        "interval": interval_text,
        "measure": measure_name,
        "number": short,
        "place": _place,
        "status_class": status_class,
    }
    templates.globals |= {
        "answers": VERDICT_ANSWERS,
        "renderer": RENDERER,
        "signs": STATUS_SIGNS,
        "verdict_sentence": verdict_sentence,
        "words": STATUS_WORDS,
    }
    return templates


def _shown(value: Any) -> Any:
    """What an expression prints: text with hidden characters written out; markup that was made here unchanged."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _place(number: float) -> str:
    """A coordinate with one decimal."""
    return f"{number:.1f}".removesuffix(".0")
