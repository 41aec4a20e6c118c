"""The table of words and what they say of a face: `lexicon.toml`, read once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tgfr_search.words.tokens import POSSESSIVE

TABLE = Path(__file__).with_name("lexicon.toml")
ANY = "{his}"


@dataclass(frozen=True, slots=True)
class Claim:
    """One attribute and whether it holds.

    Attributes:
        attribute: A name of `data.captions.ATTRIBUTES`, or one that no face is judged by.
        holds: Whether it does.
        sure: 0 to 1.
    """

    attribute: str
    holds: bool
    sure: float

    @property
    def denied(self) -> Claim:
        """The opposite."""
        return Claim(self.attribute, not self.holds, self.sure)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What some words assert, and what their denial asserts.

    Attributes:
        yes: Claims of the words as they stand.
        no: Claims of the words denied.
        worn: Whether it is a thing that one has or wears.
    """

    yes: tuple[Claim, ...]
    no: tuple[Claim, ...]
    worn: bool


@dataclass(frozen=True)
class Lexicon:
    """The whole table.

    Attributes:
        phrases: First word → (words, meaning), the longest first.
        nouns: Form of a noun → its name.
        adjectives: Adjective → noun → meaning.
    """

    phrases: Mapping[str, Sequence[tuple[tuple[str, ...], Meaning]]]
    nouns: Mapping[str, str]
    adjectives: Mapping[str, Mapping[str, Meaning]]

    @property
    def words(self) -> frozenset[str]:
        """Every word in it."""
        said = {word for rows in self.phrases.values() for words, _ in rows for word in words}
        return frozenset(said | self.nouns.keys() | self.adjectives.keys())


@cache
def lexicon() -> Lexicon:
    """The table that comes with the package."""
    tree = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    phrases: dict[str, list[tuple[tuple[str, ...], Meaning]]] = {}
    for row in tree["phrase"]:
        meaning = _meaning(row["yes"], row.get("no"), bool(row.get("worn")))
        for said in row["say"]:
            words = tuple(said.split())
            phrases.setdefault(words[0], []).append((words, meaning))
    for own in phrases.values():
        own.sort(key=lambda row: -len(row[0]))
    nouns: dict[str, str] = {}
    adjectives: dict[str, dict[str, Meaning]] = {}
    for noun, group in tree["noun"].items():
        nouns.update(dict.fromkeys(group["forms"], noun))
        for claims, words in group.get("adjectives", {}).items():
            for word in words:
                adjectives.setdefault(word, {})[noun] = _meaning(claims.split(), None, False)
    return Lexicon(phrases, nouns, adjectives)


def fits(words: Sequence[str], said: Sequence[str]) -> bool:
    """Whether words of a text are those of a phrase."""
    return len(said) == len(words) and all(
        own in POSSESSIVE if wanted == ANY else own == wanted for wanted, own in zip(words, said, strict=True)
    )


def _meaning(yes: Sequence[str], no: Sequence[str] | None, worn: bool) -> Meaning:
    asserted = tuple(_claim(text) for text in yes)
    denied = tuple(own.denied for own in asserted) if no is None else tuple(_claim(text) for text in no)
    return Meaning(asserted, denied, worn)


def _claim(text: str) -> Claim:
    name, _, sure = text.removeprefix("-").partition(":")
    return Claim(name, not text.startswith("-"), float(sure or 1))
