"""How far "no", "without", "might have" reach: whether a thing that is named is denied, and how surely.

A reading of the clause to the left of the thing, word by word, by rules; what it rests on is kept, to be shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tgfr_search.words.tokens import ADVERBS, DETERMINERS, HARD, VERBS, Token

DENIES = frozenset(
    ("no", "not", "without", "never", "neither", "nor", "none", "lacks", "lacked", "lacking", "minus", "nothing",
     "nobody", "absence", "non", "zero", "sans", "hardly", "barely", "scarcely", "nowt", "free")
)  # fmt: skip
WEAK = {"hardly": 0.7, "barely": 0.7, "scarcely": 0.7}
NOT_DENIED_BY = frozenset(("only", "just", "doubt", "sure", "certain", "idea", "matter", "least", "more", "less"))
"""Words after a "no" or "not" that make it another thing."""

HEDGES: dict[tuple[str, ...], float] = {
    ("might",): 0.5, ("may",): 0.5, ("maybe",): 0.5, ("perhaps",): 0.5, ("possibly",): 0.5, ("could", "have"): 0.5,
    ("could", "be"): 0.5, ("probably",): 0.75, ("i", "think"): 0.75, ("i", "thought"): 0.75, ("i", "believe"): 0.75,
    ("i", "guess"): 0.6, ("seemed",): 0.75, ("seems",): 0.75, ("appeared",): 0.8, ("appears",): 0.8,
    ("sort", "of"): 0.7, ("kind", "of"): 0.7, ("not", "sure"): 0.0, ("not", "certain"): 0.0, ("no", "idea"): 0.0,
    ("whether",): 0.0, ("looked", "like"): 0.75, ("looks", "like"): 0.75, ("not", "really"): 0.8,
    ("not", "very"): 0.8, ("not", "too"): 0.8, ("not", "particularly"): 0.7, ("as", "far", "as"): 0.8,
    ("if", "i", "remember"): 0.75, ("apparently",): 0.75, ("unsure",): 0.0, ("likely",): 0.75, ("some", "sort"): 0.7,
    ("possible",): 0.5, ("as", "if"): 0.7,
}  # fmt: skip
AFTER = (("i", "think"), ("i", "believe"), ("i", "guess"), ("maybe",), ("perhaps",), ("probably",), ("possibly",))
"""Hedges that also come behind what they hedge."""

HEDGING = frozenset(("be", "been", *(hedge[-1] for hedge in HEDGES)))
"""Words after which "with" or "wearing" only goes on: "maybe with a hat", "might have been wearing one"."""

UNSEEN = {"remember": 0.4, "recall": 0.4, "see": 0.7, "notice": 0.7, "noticed": 0.7, "think": 0.75, "believe": 0.75}
"""After a "not": a denial of seeing denies the thing, less surely."""

ENDS = frozenset(("with", "who", "whose", "which", "because", "when", "while", "wearing", "and"))


@dataclass(frozen=True, slots=True)
class Reach:
    """What holds for a thing at its place.

    Attributes:
        denied: Whether it is denied.
        sure: 0 (nothing is said) to 1.
        cue: Place of the denying word in the tokens; None where there is none.
    """

    denied: bool
    sure: float
    cue: int | None


def reach(tokens: Sequence[Token], at: int, end: int, worn: bool) -> Reach:
    """What denies or hedges the thing at `tokens[at:end]`.

    Args:
        tokens: Of the whole text.
        at: The thing's first word.
        end: After its last.
        worn: Whether it is had or worn: "no beard and glasses" denies both.
    """
    denied, sure, cue = False, _after(tokens, end), None
    begin = _sentence(tokens, at)
    words = [token.word for token in tokens]
    place = at - 1
    while place >= begin:
        word = words[place]
        hedge = next((n for n in (3, 2, 1) if tuple(words[place : place + n]) in HEDGES and place + n <= at), 0)
        if hedge:
            sure = min(sure, HEDGES[tuple(words[place : place + hedge])])
        if word in DENIES and not (word in ("no", "not") and words[place + 1] in NOT_DENIED_BY and place + 1 < at):
            # "not … without" and "neither … nor" stand together: two that deny undo one another, a pair does not.
            if not (word == "neither" and cue is not None and words[cue] == "nor"):
                denied = not denied
            cue = place if cue is None else cue
            sure = min(sure, WEAK.get(word, 1.0), *(UNSEEN[w] for w in words[place + 1 : at] if w in UNSEEN), 1.0)
            if word not in ("without", "nor", "no"):
                break
        elif _stops(words, place, at, worn) and not _hedged_before(words, begin, place):
            break
        place -= 1
    denied, cue = _told_after(words, end, denied, cue)
    return Reach(denied, sure, cue)


def _sentence(tokens: Sequence[Token], at: int) -> int:
    """Where the clause that holds a place begins."""
    return next((i + 1 for i in range(at - 1, -1, -1) if tokens[i].word in HARD), 0)


def _stops(words: Sequence[str], place: int, at: int, worn: bool) -> bool:
    """Whether what lies left of a place can neither deny nor hedge the thing."""
    word = words[place]
    before = words[place - 1] if place else ""
    between = words[place + 1 : at]
    if word == ",":
        return not _listed(words, place, at, worn)
    if word == "and":
        # "no beard and glasses" goes on; "no beard and a hat", "no beard and had glasses" do not.
        return not worn or bool(between)
    if word in ENDS:
        return before not in DENIES and before not in HEDGING
    return word in (":", "(", ")")


def _listed(words: Sequence[str], place: int, at: int, worn: bool) -> bool:
    """Whether a comma stands in a list that ends in "or" or "nor", so that what denies its first denies all."""
    behind = [w for w in words[place + 1 : at] if w != ","]
    if behind and behind[0] in ("or", "nor"):
        return True
    if not worn or any(w in VERBS or w in DETERMINERS or w in ENDS for w in behind):
        return False
    if "or" in behind or "nor" in behind:
        return True
    rest = words[at:]
    stop = next((i for i, w in enumerate(rest) if w in HARD), len(rest))
    joined = next((i for i, w in enumerate(rest[:stop]) if w in ("or", "nor")), None)
    return joined is not None and not any(w in VERBS or w in ("and", *DENIES) for w in rest[:joined])


def _hedged_before(words: Sequence[str], begin: int, place: int) -> bool:
    """Whether a stop stands inside what one hedges as a whole: "I think he, …" does not, "not sure whether" does."""
    return False if place <= begin else words[place] == "," and words[place - 1] in ("think", "believe", "maybe")


def _after(tokens: Sequence[Token], end: int) -> float:
    """A hedge right behind: "glasses, I think"; that of "no beard, perhaps a hat" belongs to what follows it."""
    words = [token.word for token in tokens[end : end + 5]]
    words = words[1:] if words[:1] == [","] else words
    own = (hedge for hedge in AFTER if tuple(words[: len(hedge)]) == hedge and _ends(words[len(hedge) :]))
    return min((HEDGES[hedge] for hedge in own), default=1.0)


def _ends(words: Sequence[str]) -> bool:
    """Whether a part of a sentence ends before these words."""
    return not words or words[0] in HARD or words[0] in ("and", ",", ")")


def _told_after(words: Sequence[str], end: int, denied: bool, cue: int | None) -> tuple[bool, int | None]:
    """What an answer right behind denies: "Glasses: no", "a hat? no"."""
    place = end
    while place < len(words) and words[place] in (":", "?", ","):
        place += 1
    if place > end and words[place : place + 1] in (["no"], ["none"]) and words[end] in (":", "?"):
        following = words[place + 1 : place + 2]
        if not following or following[0] in HARD or following[0] == ",":
            return True, place
    return denied, cue


def only_adverbs(words: Sequence[str]) -> bool:
    """Whether nothing but words that describe no thing stand between."""
    return all(word in ADVERBS for word in words)
