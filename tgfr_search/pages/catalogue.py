"""What pages say, in English and German, from one catalogue: `words.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "de")
"""In the order of the texts of each entry."""


class Words:
    """The texts of one language.

    >>> Words("de")("nav.cases")
    'Fälle'

    Args:
        language: One of `LANGUAGES`; English for any other.
    """

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else LANGUAGES[0]
        self._at = LANGUAGES.index(self.language)

    def __call__(self, name: str, **values: object) -> str:
        """A text, with values in the place of its braces.

        Raises:
            KeyError: There is no such text, or a value for it is missing.
        """
        text = texts()[name][self._at]
        return text.format(**values) if values else text

    def of(self, group: str, code: object) -> str:
        """The text of a stored code (a role, a step, a decision): of `for same` that of `group.for_same`."""
        return self(f"{group}.{str(code).replace(' ', '_').replace('-', '_').replace(',', '')}")


@cache
def texts() -> dict[str, list[str]]:
    """Name, `group.name` → its texts, one a language."""
    found = tomllib.loads((files("tgfr_search.pages") / "words.toml").read_text(encoding="utf-8"))
    return {f"{group}.{name}": both for group, entries in found.items() for name, both in entries.items()}


def preferred(header: str) -> str:
    """The language of `LANGUAGES` that a browser's Accept-Language names first; English where none."""
    for part in header.split(","):
        short = part.split(";")[0].strip().lower()[:2]
        if short in LANGUAGES:
            return short
    return LANGUAGES[0]
