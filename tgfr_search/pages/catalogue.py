"""What pages say, in English and German, from one catalogue: `words.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("en", "de")
"""In the order of the texts of each entry."""
PEOPLE_OF = "people of "
"""How populations of data sets are named."""


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

    def propositions(self, calibration: Mapping[str, Any] | None) -> list[str]:
        """H1 and H2 of an answer's calibration (`QueryResult.calibration`); as it told them, where it tells no more.

        The population's name and how it was sampled are the words of whoever calibrated; those of ours are translated.
        """
        if not calibration:
            return []
        if "people" not in calibration:
            return list(calibration.get("propositions", ()))
        name, sampling = str(calibration["population"]), str(calibration["sampling"])
        if name.startswith(PEOPLE_OF):
            name = self("propositions.people_of", data=name.removeprefix(PEOPLE_OF))
        sampling = self("propositions.everybody") if sampling == texts()["propositions.everybody"][0] else sampling
        people = f"{calibration['people']:,}"
        second = self("propositions.second", population=name, people=people, sampling=sampling)
        return [self("propositions.first"), second]

    def ratio(self, hit: Mapping[str, Any]) -> str:
        """A candidate's `ratio`, or the reason why there is none."""
        refused = (hit.get("lr") or {}).get("refused")
        return str(hit["ratio"]) if not refused else self.of("refusal", refused)


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
