"""Whether a description is of a man or of a woman: nouns first, pronouns where there is none."""

from __future__ import annotations

from collections.abc import Sequence

from tgfr_search.words.lexicon import Claim

_MEN = """
    man guy bloke fellow gentleman boy lad male dude chap gent mister mr husband father uncle grandfather men guys
    grandpa businessman priest
"""
_WOMEN = """
    woman lady girl female lass mrs miss wife mother aunt grandmother women ladies chick grandma businesswoman actress
    nun girls
"""
NOUNS = {True: frozenset(_MEN.split()), False: frozenset(_WOMEN.split())}
PRONOUNS = {
    True: frozenset(("he", "his", "him", "himself")),
    False: frozenset(("she", "her", "hers", "herself", "brunette")),
}
COMPARED = frozenset(("like", "than", "as"))


def sexes(words: Sequence[str]) -> list[tuple[int, Claim, int | None]]:
    """Every word that tells a sex: (place, what it says of `male`, place of a word that denies it).

    Nouns, or pronouns where there is no noun; where pronouns are of both sexes they say nothing.

    Args:
        words: In small letters, marks among them.
    """
    nouns = [
        (at, male)
        for at, word in enumerate(words)
        for male, own in NOUNS.items()
        if word in own and not _compared(words, at)
    ]
    if nouns:
        denied = [(at, male, _denied(words, at)) for at, male in nouns]
        return [(at, Claim("male", male != (cue is not None), 1.0), cue) for at, male, cue in denied]
    said = [(at, male) for at, word in enumerate(words) for male, own in PRONOUNS.items() if word in own]
    if len({male for _, male in said}) == 1:
        at, male = said[0]
        return [(at, Claim("male", male, 1.0), None)]
    return []


def _compared(words: Sequence[str], at: int) -> bool:
    """Whether one is only compared: in "hair like a girl" there is no girl."""
    return any(word in COMPARED for word in words[max(0, at - 2) : at])


def _denied(words: Sequence[str], at: int) -> int | None:
    """Whether "not", "no" stand right before: "not a man", "no woman"; not "no glasses, a man"."""
    for place in range(at - 1, max(-1, at - 4), -1):
        if words[place] in ("not", "no", "never"):
            return place
        if words[place] not in ("a", "an", "the", "any", "young", "old"):
            return None
    return None
