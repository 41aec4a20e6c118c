"""Words of a description with their places, and the small words that its reading turns on."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[.;!?:,\n()]")

MARKS = frozenset(".;!?:,\n()")
HARD = frozenset((".", ";", "!", "?", "\n", "but", "however", "though", "although", "except", "yet", "instead"))
"""Where a negation's or a hedge's reach ends."""

SPLIT = {
    "isn't": "not", "wasn't": "not", "aren't": "not", "weren't": "not", "don't": "not", "doesn't": "not",
    "didn't": "not", "hasn't": "not", "haven't": "not", "hadn't": "not", "can't": "not", "couldn't": "not",
    "wouldn't": "not", "won't": "not", "cannot": "not", "ain't": "not", "isnt": "not", "wasnt": "not", "didnt": "not",
    "dont": "not", "doesnt": "not", "hasnt": "not", "hadnt": "not", "cant": "not", "couldnt": "not", "w/o": "without",
}  # fmt: skip
"""Contractions that deny, as the word they deny with."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a mark.

    Attributes:
        word: In small letters, the apostrophe as ', contractions that deny as `not`.
        start: Where it begins in the text.
        end: Where it ends.
        capital: Whether it begins with a capital letter.
    """

    word: str
    start: int
    end: int
    capital: bool


def tokenize(text: str) -> list[Token]:
    """The words and marks of a text; hyphens only part words."""
    out = []
    for found in WORD.finditer(text):
        word = unicodedata.normalize("NFKC", found.group()).lower().replace("’", "'")
        word = SPLIT.get(word, word)
        for ending in ("'s", "'d", "'ll", "'ve", "'m", "'re"):
            # "she's" is she; a possessive noun keeps its mark, for it is not whom the description is of.
            if word.endswith(ending) and (ending != "'s" or word[:-2] in PRONOUNS):
                word = word[: -len(ending)]
        out.append(Token(word, found.start(), found.end(), found.group()[0].isupper()))
    return out


PRONOUNS = frozenset(("he", "she", "they", "it", "that", "who", "there", "i"))
POSSESSIVE = frozenset(("his", "her", "their", "the", "my", "your", "a", "its", "both"))
DETERMINERS = frozenset(("a", "an", "the", "his", "her", "their", "some", "this", "that"))
_ADVERBS = """
    very quite rather really so too slightly somewhat fairly mostly mainly partly also pretty extremely particularly bit
    little noticeably naturally almost not never a of more now all always only just definitely certainly probably
    possibly maybe perhaps coloured colored colour color in any no longer dyed kind sort medium length looking style
    styled hers it
"""
ADVERBS = frozenset(_ADVERBS.split())
VERBS = frozenset(
    ("has", "had", "have", "is", "was", "were", "are", "wears", "wore", "wearing", "looks", "looked", "seems", "seemed",
     "appears", "appeared", "did", "does", "having", "being", "got", "sported", "sporting", "smiled", "with")
)  # fmt: skip
