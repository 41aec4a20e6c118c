"""A description in English → what it asserts and what it denies of a face, each with its words and how sure they are.

By rules and a table (`lexicon.toml`), no learning: what it understands can be read there, and what it does not
understand is told (`Reading.unread`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tgfr_search.words.ages import ages
from tgfr_search.words.clash import clashes
from tgfr_search.words.lexicon import Claim, Lexicon, Meaning, fits, lexicon
from tgfr_search.words.names import names_of
from tgfr_search.words.reading import Reading, Statement
from tgfr_search.words.scope import DENIES, only_adverbs, reach
from tgfr_search.words.sexes import sexes
from tgfr_search.words.small import SMALL
from tgfr_search.words.tokens import ADVERBS, DETERMINERS, HARD, MARKS, VERBS, Token, tokenize

PASSED = ADVERBS - {"of", "a", "in", "it", "also", "no", "not", "never"}
"""Words that may stand between an adjective and its noun."""
STOPS = MARKS | HARD | VERBS | DETERMINERS | DENIES
SHADES = frozenset(("light", "dark", "deep", "dirty", "strawberry", "medium"))
COLOURS = frozenset(
    ("black", "brown", "blond", "blonde", "grey", "gray", "red", "ginger", "brunette", "brownish", "reddish", "golden",
     "auburn", "coloured", "colored")
)  # fmt: skip
"""After a shade they are the colour: "dark blonde" is blonde, "light brown" brown."""
PEOPLE = frozenset(("people", "person", "guy", "man", "woman", "lady", "girl", "boy", "male", "female"))


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    meaning: Meaning


def read_lines(lines: Iterable[str]) -> Reading:
    """Reads the lines of one description as one.

    Args:
        lines: Texts of any length.
    """
    statements: list[Statement] = []
    unread: dict[str, None] = {}
    names: dict[str, None] = {}
    for at, line in enumerate(lines):
        tokens = tokenize(line)
        own, read = _line(line, tokens, at)
        statements += own
        for i, token in enumerate(tokens):
            if i not in read and token.word not in SMALL and token.word not in MARKS:
                unread.setdefault(line[token.start : token.end])
        names.update(dict.fromkeys(names_of(line, tokens)))
    return Reading(tuple(statements), clashes(statements), tuple(unread), tuple(names))


def _line(line: str, tokens: Sequence[Token], number: int) -> tuple[list[Statement], set[int]]:
    words, table = [token.word for token in tokens], lexicon()
    out: list[Statement] = []
    read: set[int] = set()

    def say(start: int, end: int, claims: Iterable[Claim], denied: bool, sure: float, cue: int | None) -> None:
        begin, stop = tokens[start].start, tokens[end - 1].end
        told = None if cue is None else (tokens[cue].start, tokens[cue].end)
        for own in claims:
            certain = round(own.sure * sure, 3)
            said = Statement(own.attribute, own.holds, certain, denied, number, begin, stop, line[begin:stop], told)
            out.append(said)
        read.update(range(start, end))

    for start, end, claim in ages(words):
        own = reach(tokens, start, end, False)
        say(start, end, (claim.denied if own.denied else claim,), own.denied, own.sure, own.cue)
    found = _things(words, table, read)
    reaches = [reach(tokens, thing.start, thing.end, thing.meaning.worn) for thing in found]
    halved = _alternatives(words, [thing for thing, own in zip(found, reaches, strict=True) if not own.denied])
    for thing, own in zip(found, reaches, strict=True):
        claims = thing.meaning.no if own.denied else thing.meaning.yes
        sure = own.sure * (0.5 if thing in halved else 1.0)
        say(thing.start, thing.end, claims, own.denied, sure, own.cue)
    for place, claim, cue in sexes(words):
        say(place, place + 1, (claim,), cue is not None, 1.0, cue)
    return sorted(out, key=lambda own: (own.start, own.end)), read


def _things(words: Sequence[str], table: Lexicon, read: set[int]) -> list[_Found]:
    """Phrases and adjectives with their nouns, the longest first where they would overlap."""
    out: list[_Found] = []
    at = 0
    while at < len(words):
        if at in read:
            at += 1
            continue
        thing = _phrase(words, at, table)
        described = _adjective(words, at, table)
        if described is not None and (thing is None or thing.end - thing.start == 1):
            thing = described
        elif thing is not None and thing.end - at == 1 and words[at] in table.adjectives:
            thing = thing if _free(words, at, table) else None
        if thing is None:
            at += 1
            continue
        out.append(thing)
        # Of an adjective only the word itself is used up: "long black hair" is two statements about one noun.
        at = at + 1 if described is thing else thing.end
    return out


def _phrase(words: Sequence[str], at: int, table: Lexicon) -> _Found | None:
    for said, meaning in table.phrases.get(words[at], ()):
        if fits(said, words[at : at + len(said)]):
            return _Found(at, at + len(said), meaning)
    return None


def _adjective(words: Sequence[str], at: int, table: Lexicon) -> _Found | None:
    """The noun that an adjective is about: the next one, or the one before "is", where that has such an adjective."""
    meanings = table.adjectives.get(words[at])
    if not meanings or (words[at] in SHADES and words[at + 1 : at + 2] and words[at + 1] in COLOURS):
        return None
    ahead = _next_noun(words, at, table)
    if ahead is not None:
        meaning = meanings.get(table.nouns[words[ahead]])
        return None if meaning is None else _Found(at, ahead + 1, meaning)
    behind = _noun_before(words, at, table)
    if behind is not None and (meaning := meanings.get(table.nouns[words[behind]])) is not None:
        return _Found(at, at + 1, meaning)
    return None


def _next_noun(words: Sequence[str], at: int, table: Lexicon) -> int | None:
    strange = False
    for place in range(at + 1, min(at + 8, len(words))):
        word = words[place]
        if word in table.nouns:
            return place
        joined = word in ("and", "or", ",", "to") and _describes(words[place + 1 : place + 2], table)
        known = word in table.adjectives or word in PASSED
        # A word that is not known may be an adjective; after it a comma may begin the next thing.
        if not (known or (joined and not strange) or (word not in SMALL and word not in STOPS)):
            return None
        strange = strange or not (known or joined)
    return None


def _describes(words: Sequence[str], table: Lexicon) -> bool:
    return bool(words) and (words[0] in table.adjectives or words[0] in PASSED or words[0] not in {*SMALL, *STOPS})


def _noun_before(words: Sequence[str], at: int, table: Lexicon) -> int | None:
    """The noun of "hair was (long and) dark", within the clause."""
    linked = False
    for place in range(at - 1, max(-1, at - 10), -1):
        word = words[place]
        if word in table.nouns:
            return place if linked or only_adverbs(words[place + 1 : at]) else None
        if word in HARD and word not in ("but", "though"):
            return None
        if word in ("is", "was", "were", "are", "looked", "looks", ":", "be", "been", "seemed"):
            linked = True
        elif not (word in table.adjectives or word in ADVERBS or word in ("and", "or", ",", "but", "have", "might")):
            return None
    return None


def _free(words: Sequence[str], at: int, table: Lexicon) -> bool:
    """Whether a word that is adjective and phrase ("blond") stands alone, not before another noun ("blond beard")."""
    ahead = _next_noun(words, at, table)
    if ahead is None:
        return True
    return words[ahead] in PEOPLE


def _alternatives(words: Sequence[str], found: Sequence[_Found]) -> set[_Found]:
    """Things joined by "or", of which one is meant: "brown or black hair"."""
    out: set[_Found] = set()
    for first, second in pairwise(found):
        between = words[first.start + 1 : second.start]
        if "or" in between and len(between) <= 4 and not any(word in HARD for word in between):
            out |= {first, second}
    return out
