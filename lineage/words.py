"""Text as the words it is found by, the same for both databases. Pure.

A text is split at whatever is no letter, digit or mark, and at case changes; a run of several parts is a word of its
own too. Writing without spaces between words (Chinese, Japanese) is also found from any of its characters on.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

MAX_WORD = 200
"""Characters of a word that count: even in four bytes each they fit a lexeme of PostgreSQL."""

_ASCII_RUN = re.compile(r"[A-Za-z0-9]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[A-Z]")
_TAIL = 64  # characters of a run without spaces that are each a place to be found from


@lru_cache(maxsize=65536)
def words_of(text: str) -> tuple[str, ...]:
    """Every word that the text is found by, each once, in the order they stand in it."""
    found: dict[str, None] = {}
    for run in _runs(text):
        parts = _parts(run)
        found.update(dict.fromkeys(_folded(part) for part in parts))
        if len(parts) > 1:
            found[_folded(run)] = None
        for tail in _tails(run):
            found[_folded(tail)] = None
    return tuple(found)


def asked_words(text: str) -> list[tuple[tuple[str, ...], str]]:
    """What a question asks for: of each run its parts, and the run as a whole; either is enough."""
    return [(tuple(_folded(part) for part in _parts(run)), _folded(run)) for run in _runs(text)]


def is_spaceless(word: str) -> bool:
    """Whether the word is in a script that sets no spaces between words."""
    return not word.isascii() and any(_sets_no_spaces(character) for character in word)


def exact_word(kind: str, value: str) -> str:
    """One word that stands for a whole value, for filters; no text has it among its words."""
    return f"_{kind}{hashlib.sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def weighed(texts: Iterable[tuple[str, Iterable[str]]], most_bytes: int) -> dict[str, str]:
    """Each word with the weight of the first text that holds it; texts come with their weights, the heaviest first.

    Words beyond ``most_bytes`` in all are left out.
    """
    found: dict[str, str] = {}
    room = most_bytes
    for weight, parts in texts:
        for word in (word for text in parts for word in words_of(text)):
            if word in found:
                continue
            room -= len(word.encode()) + 1
            if room < 0:
                return found
            found[word] = weight
    return found


def _runs(text: str) -> list[str]:
    if text.isascii():
        return _ASCII_RUN.findall(text)
    spaced = "".join(
        character if character.isalnum() or unicodedata.category(character)[0] == "M" else " "
        for character in unicodedata.normalize("NFKC", text)
    )
    return spaced.split()


def _parts(run: str) -> list[str]:
    """The parts of a run between case changes: ``HTTPServer2`` is ``HTTP`` and ``Server2``."""
    if run.isascii():
        return _PART.findall(run)
    cuts = [0]
    for place in range(1, len(run)):
        before, here, after = run[place - 1], run[place], run[place + 1 : place + 2]
        if here.isupper() and (not before.isupper() or after.islower()):
            cuts.append(place)
    return [run[begin:end] for begin, end in zip(cuts, [*cuts[1:], len(run)], strict=True)]


def _tails(run: str) -> Iterator[str]:
    if run.isascii():
        return
    for place in range(1, min(len(run), _TAIL)):
        if _sets_no_spaces(run[place]):
            yield run[place:]


def _sets_no_spaces(character: str) -> bool:
    """Whether the character is of a script that is written without spaces: Thai to Khmer, kana, Han and their like."""
    if "\u0e00" <= character <= "\u0eff" or "\u1780" <= character <= "\u17ff":
        return True
    is_hangul = "\uac00" <= character <= "\ud7af"
    return character >= "\u2e80" and not is_hangul and unicodedata.category(character) in ("Lo", "Lm")


def _folded(word: str) -> str:
    return word.casefold()[:MAX_WORD]
