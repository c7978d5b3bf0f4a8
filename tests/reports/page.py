"""A reader of our pages: the tree of elements, as strictly as a page of ours must be written."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "hr", "input", "line", "rect", "circle"}
INLINE = {"a", "code", "em", "span", "strong"}
"""Elements that do not part words."""


@dataclass
class Element:
    """One element with its attributes and what is in it, text and elements in order."""

    tag: str
    attributes: dict[str, str]
    content: list["Element | str"] = field(default_factory=list)

    @property
    def children(self) -> list["Element"]:
        """The elements directly in it."""
        return [part for part in self.content if isinstance(part, Element)]

    def all(self, *tags: str) -> list["Element"]:
        """Every element below with one of the tags, in document order; all of them when none is named."""
        found = []
        for child in self.children:
            found += [child] if not tags or child.tag in tags else []
            found += child.all(*tags)
        return found

    def text(self) -> str:
        """The text in it and below, words parted by single blanks."""
        return " ".join(self._raw().split())

    def _raw(self) -> str:
        inside = "".join(part if isinstance(part, str) else part._raw() for part in self.content)
        return inside if self.tag in INLINE else f" {inside} "


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute of {tag} is written twice"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].content.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID, f"{tag} cannot close itself"
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].content.append(data)


def read_page(content: bytes) -> Element:
    """The ``html`` element; fails on a tag that is not closed where it was opened."""
    reader = _Reader()
    reader.feed(content.decode("utf-8"))
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].tag}> stays open"
    (html,) = [child for child in reader.root.children if child.tag == "html"]
    return html
