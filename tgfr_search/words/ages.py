"""Ages in a description: "in his sixties", "about fifty", "45 years old", "early 30s"."""

from __future__ import annotations

from collections.abc import Sequence

from tgfr_search.words.lexicon import Claim

TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90, "eighteen": 18, "nineteen": 19, "sixteen": 16, "seventeen": 17, "fifteen": 15,
}  # fmt: skip
DECADES = {
    "teens": 15, "twenties": 25, "thirties": 35, "forties": 45, "fifties": 55, "sixties": 65, "seventies": 75,
    "eighties": 85, "nineties": 95, "thirtysomething": 35, "twentysomething": 25, "sixtyish": 60, "fiftyish": 50,
    "fortyish": 40, "thirtyish": 30,
}  # fmt: skip
ABOUT = frozenset(("about", "around", "roughly", "approximately", "maybe", "perhaps", "nearly", "over", "under", "age",
                   "aged", "least", "probably", "of"))  # fmt: skip
NO_AGE = frozenset(
    ("minutes", "minute", "hours", "feet", "foot", "inches", "cm", "metres", "meters", "euros", "euro", "pounds",
     "dollars", "kilos", "kg", "people", "times", "percent", "days", "weeks", "months", "pm", "am", "o'clock", "others",
     "stone", "lbs", "m", "ft", "steps", "yards", "past", "seconds", "men", "women")
)  # fmt: skip
LAST_YOUNG, FIRST_OLD = 38, 48


def ages(words: Sequence[str]) -> list[tuple[int, int, Claim]]:
    """Every age: (first word, after the last, what it says of `young`).

    Args:
        words: In small letters, marks among them.
    """
    out = []
    for at, word in enumerate(words):
        years = _decade(words, at) or _years(words, at)
        if years:
            value, start, end = years
            out.append((start, end, claim(value)))
        elif word == "forty" and words[at + 1 : at + 2] == ["something"]:
            out.append((at, at + 2, claim(45)))
    return out


def claim(years: float) -> Claim:
    """What an age says of `young`: nothing sure of the years between."""
    if years <= LAST_YOUNG:
        return Claim("young", True, 1.0 if years <= LAST_YOUNG - 4 else 0.6)
    return Claim("young", False, 1.0 if years >= FIRST_OLD else 0.6)


def _decade(words: Sequence[str], at: int) -> tuple[float, int, int] | None:
    word = words[at]
    value = DECADES.get(word)
    if value is None and len(word) == 3 and word[:2].isdigit() and word[2] == "s":
        value = int(word[:2]) + 5
    if value is None and len(word) == 4 and word[:2].isdigit() and word[2:] in ("'s", "ish", "es"):
        value = int(word[:2]) + 5
    if value is None or not 13 <= value <= 99:
        return None
    start = at
    while start and words[start - 1] in ("early", "mid", "late", "his", "her", "their", "the", "in", "middle"):
        start -= 1
    return value, start, at + 1


def _years(words: Sequence[str], at: int) -> tuple[float, int, int] | None:
    word = words[at]
    value = int(word) if word.isdigit() and len(word) == 2 else TENS.get(word)
    if value is None or not 13 <= value <= 99:
        return None
    end = at + 1
    if end < len(words) and value % 10 == 0 and words[end] in ("five", "one", "two", "three", "four", "six", "seven"):
        value, end = value + 5, end + 1
    following = words[end : end + 2]
    if following[:1] in (["year"], ["years"]):
        if following[1:] == ["ago"]:
            return None
        return value, at, end + 1 + (following[1:] in (["old"], ["olds"]))
    if following[:1] in (["yo"], ["yrs"]) or (following[:1] == ["old"]):
        return value, at, end + 1
    if following and following[0] in NO_AGE:
        return None
    if at and words[at - 1] in ABOUT:
        return value, at - 1, end
    return None
