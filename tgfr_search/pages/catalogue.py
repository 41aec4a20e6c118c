"""What pages say, in English and German, from one catalogue: `words.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("en", "de")
"""In the order of the texts of each entry."""
MOMENT = re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)T(?P<time>[\d:]{8})(?P<fraction>\.\d+)?Z")
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
        people = self.count(calibration["people"])
        second = self("propositions.second", population=name, people=people, sampling=sampling)
        return [self("propositions.first"), second]

    def ratio(self, hit: Mapping[str, Any]) -> str:
        """A candidate's `ratio`, or the reason why there is none."""
        refused = (hit.get("lr") or {}).get("refused")
        return self.figures(str(hit["ratio"])) if not refused else self.of("refusal", refused)

    def foils(self, told: Mapping[str, Any]) -> str:
        """Who the foils of a search are: its `rate`, `rows`, and by which rule they are `declared` to be strangers."""
        name = "report.foils_declared" if told["declared"] else "report.foils_presumed"
        rate, count = self.decimal(told["rate"], 2), self.count(len(told["rows"]))
        return self(name, rate=rate, count=count, rule=told["declared"])

    def figures(self, text: str) -> str:
        """A text of figures that were written in English, as this language groups and points them.

        >>> Words("de").figures("1,234.5")
        '1.234,5'
        """
        return text.translate(str.maketrans(",.", self("number.group") + self("number.point")))

    def count(self, number: int) -> str:
        """A whole number."""
        return self.figures(f"{number:,}")

    def decimal(self, number: float, places: int) -> str:
        """A number with so many decimal places."""
        return self.figures(f"{number:,.{places}f}").replace("-", "−")

    def when(self, moment: str) -> str:
        """A moment of the log, UTC (`2026-11-26T05:53:41.123Z`); another text as it is.

        >>> Words("de").when("2026-11-26T05:53:41.123Z")
        '26.11.2026 05:53:41,123'
        """
        if not (found := MOMENT.fullmatch(moment)):
            return moment
        return self("date.when", **{**found.groupdict(), "fraction": self.figures(found["fraction"] or "")})


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
