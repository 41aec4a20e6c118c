"""Sentences of answers, from the catalogue: made in English, kept so, and found again in it to be said in German.

An answer tells in plain English what a reader must know of it (`QueryResult.notes`). A report in another language finds
the entry of `words.toml` that a kept sentence was made from, also in answers of before there was this module, and fills
the other language's text with the same values: numbers as that language writes them, codes by their own entries, names
and words that somebody wrote as they are.
"""

from __future__ import annotations

import re
from functools import cache
from string import Formatter

from tgfr_search.pages.catalogue import LANGUAGES, Words, texts
from tgfr_search.types import Note

GROUP = "note"
PARTS = {"first": "said", "second": "said", "picture": "picture"}
"""Value → the group of which it is a sentence itself."""
CODES = ("attribute", "reason")
"""Values that are codes of the group of their name; blanks stand for their underscores."""
OPTIONS = "; --"
"""Before what is said of a command's options at the end of a sentence: nobody who reads a report types them."""
_FIGURES = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?|\d+(\.\d+)?")


def note(name: str, **values: object) -> Note:
    """A sentence of an answer, in English.

    Args:
        name: Of the entry of the catalogue, without its group.
        values: For its braces, as they are printed in English; more than the text has are left out.

    Raises:
        KeyError: There is no such entry, or a value for it is missing.
    """
    return Note(Words(LANGUAGES[0])(f"{GROUP}.{name}", **values))


def known(sentence: str) -> Note:
    """A sentence that was made elsewhere and is in the catalogue.

    Raises:
        KeyError: It is not.
    """
    if _found(sentence, GROUP) is None:
        raise KeyError(sentence)
    return Note(sentence)


def said(sentence: str, words: Words) -> str:
    """A kept sentence in the language of `words`; one that no entry made is told to be the program's own words."""
    if words.language == LANGUAGES[0]:
        return sentence.partition(OPTIONS)[0]
    return _said(sentence, GROUP, words) or words("notes.verbatim", text=sentence)


def _said(sentence: str, group: str, words: Words) -> str:
    """The same in another language; empty where no entry of the group made it."""
    if (found := _found(sentence, group)) is None:
        return ""
    name, values = found
    return words(name, **{key: _value(key, value, words) for key, value in values.items()})


def _value(key: str, value: str, words: Words) -> str:
    if key in PARTS:
        return _said(value, PARTS[key], words) or value
    if key in CODES:
        return words.of(key, value)
    return words.figures(value) if _FIGURES.fullmatch(value) else value


def _found(sentence: str, group: str) -> tuple[str, dict[str, str]] | None:
    """The entry that a sentence was made from, and the values in it."""
    for name, pattern in _patterns(group):
        if match := pattern.fullmatch(sentence):
            return name, match.groupdict()
    return None


@cache
def _patterns(group: str) -> list[tuple[str, re.Pattern[str]]]:
    """Names and patterns of a group's entries; that with the most own text first, for it says the most."""
    english = {name: both[0] for name, both in texts().items() if name.startswith(f"{group}.")}
    parts = {name: list(Formatter().parse(text)) for name, text in english.items()}
    own = {name: sum(len(text) for text, *_ in each) for name, each in parts.items()}
    return [
        (
            name,
            re.compile("".join(re.escape(text) + (f"(?P<{key}>.+)" if key else "") for text, key, *_ in parts[name])),
        )
        for name in sorted(parts, key=lambda name: -own[name])
    ]
