"""Words of a description that look like somebody's name."""

from __future__ import annotations

from collections.abc import Sequence

from tgfr_search.words.lexicon import lexicon
from tgfr_search.words.small import SMALL
from tgfr_search.words.tokens import HARD, MARKS, Token

LEADS = (("looks", "like"), ("looked", "like"), ("called",), ("named",), ("resembles",), ("resembled",), ("name", "is"))
"""What a name often follows, whatever its letters."""

_NO_NAMES = """
    asian african american european caucasian british english irish italian french german spanish japanese
    chinese indian korean arab latino hispanic mexican russian polish turkish scottish welsh black white afro
    mohawk panama monday tuesday wednesday thursday friday saturday sunday january february march april may june
    july august september october november december christmas tv t v nike adidas
"""
NO_NAMES = frozenset(_NO_NAMES.split())
"""Words with a capital that name nobody."""


def names_of(line: str, tokens: Sequence[Token]) -> list[str]:
    """Runs of capitalised words that are no sentence's first word.

    Args:
        line: The text.
        tokens: Of it.
    """
    if line.isupper():
        return []
    known = lexicon().words | SMALL | NO_NAMES
    out, run = [], []
    for at, token in enumerate(tokens):
        first = at == 0 or tokens[at - 1].word in HARD or tokens[at - 1].word in MARKS
        led = any(tuple(t.word for t in tokens[at - len(lead) : at]) == lead for lead in LEADS if at >= len(lead))
        named = token.capital and token.word not in known and (not first or led)
        if named:
            run.append(token)
        if run and (not named or at == len(tokens) - 1):
            out.append(line[run[0].start : run[-1].end])
            run = []
    return out
