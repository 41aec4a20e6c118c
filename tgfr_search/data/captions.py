"""A table of the 40 CelebA attributes → caption lines, in the manner of the Multi-Modal CelebA-HQ lines.

Only what is true is said: a line never names an attribute that is false or unknown, so it cannot contradict the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

_IS = {"attractive": "attractive", "bald": "bald", "chubby": "chubby", "smiling": "smiling", "young": "young"}
_HAS = {
    "5_o_clock_shadow": "5 o'clock shadow",
    "arched_eyebrows": "arched eyebrows",
    "bags_under_eyes": "bags under eyes",
    "bangs": "bangs",
    "big_lips": "big lips",
    "big_nose": "big nose",
    "black_hair": "black hair",
    "blond_hair": "blond hair",
    "brown_hair": "brown hair",
    "bushy_eyebrows": "bushy eyebrows",
    "double_chin": "double chin",
    "eyeglasses": "eyeglasses",
    "goatee": "goatee",
    "gray_hair": "gray hair",
    "high_cheekbones": "high cheekbones",
    "mouth_slightly_open": "mouth slightly open",
    "mustache": "mustache",
    "narrow_eyes": "narrow eyes",
    "no_beard": "no beard",
    "oval_face": "oval face",
    "pale_skin": "pale skin",
    "pointy_nose": "pointy nose",
    "receding_hairline": "receding hairline",
    "rosy_cheeks": "rosy cheeks",
    "sideburns": "sideburns",
    "straight_hair": "straight hair",
    "wavy_hair": "wavy hair",
}
_WEARS = {
    "heavy_makeup": "heavy makeup",
    "wearing_earrings": "earrings",
    "wearing_hat": "hat",
    "wearing_lipstick": "lipstick",
    "wearing_necklace": "necklace",
    "wearing_necktie": "necktie",
}
_BLURRY = "The photo is blurry."
_BEARD = "beard"

ATTRIBUTES: tuple[str, ...] = tuple(sorted([*_IS, *_HAS, *_WEARS, "blurry", "male"]))
"""The 40 attributes of CelebA, by the names of their columns."""


def caption_lines(
    attributes: Mapping[str, bool], *, lines: int = 10, facts: tuple[int, int] = (1, 5), seed: int = 0
) -> tuple[str, ...]:
    """Different lines about one face, each naming another part of what is true of it.

    The attributes are dealt like cards, so every true one is named before any is named a second time.

    Args:
        attributes: Attribute name → whether it holds. An attribute that is not in it is unknown and is not spoken of;
            without `male` the lines speak of a person.
        lines: How many lines at most; fewer where so little is true that they would repeat.
        facts: Fewest and most attributes of a line, inclusive (the sex, told by the noun, not counted).
        seed: Another seed gives other lines.

    Returns:
        Distinct lines, at least one.

    Raises:
        ValueError: `attributes` has a name that is not in `ATTRIBUTES`, or `facts` or `lines` is no positive range.
    """
    if unknown := sorted(set(attributes) - set(ATTRIBUTES)):
        raise ValueError(f"attributes: found {unknown}, expected names in ATTRIBUTES")
    if lines < 1 or not 1 <= facts[0] <= facts[1]:
        raise ValueError(f"lines, facts: found {lines}, {facts}, expected at least 1 and 1 <= fewest <= most")
    rng = np.random.default_rng(seed)
    # A man without a beard is worth a word, a woman without one is not.
    silent = {"male"} if attributes.get("male", True) else {"male", "no_beard"}
    true = [name for name in ATTRIBUTES if attributes.get(name) and name not in silent]
    if attributes.get("male") and attributes.get("no_beard") is False:
        true.append(_BEARD)
    dealt = _deal(true, rng)
    found: dict[str, None] = {}  # keeps the order, drops repetitions
    for _ in range(4 * lines):
        wanted = int(rng.integers(facts[0], facts[1] + 1))
        named = {next(dealt) for _ in range(min(wanted, len(true)))}
        found.setdefault(_line(named, attributes.get("male"), rng))
        if len(found) == lines:
            break
    return tuple(found)


def _deal(cards: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
    while True:
        yield from (cards[index] for index in rng.permutation(len(cards)))


def _line(named: set[str], male: bool | None, rng: np.random.Generator) -> str:
    noun, pronoun = {True: ("man", "He"), False: ("woman", "She"), None: ("person", "This person")}[male]
    noun = "person" if rng.random() < 0.3 else noun
    subject = f"{'This' if rng.random() < 0.5 else 'The'} "
    adjectives = sorted(named & {"young", "attractive", "smiling"})
    rest = set(named)
    if adjectives and rng.random() < 0.3:
        chosen = adjectives[rng.integers(len(adjectives))]
        rest.discard(chosen)
        subject += f"{chosen} "
    subject += noun
    clauses = _clauses(rest, rng)
    if not clauses:
        # Nothing but the noun is left to say: "This young woman" becomes a sentence of its own.
        return _BLURRY if named == {"blurry"} else f"{subject} is in the photo."
    sentences = [f"{subject} {clauses[0]}"]
    for clause in clauses[1:]:
        if rng.random() < 0.5 and " and is " not in sentences[-1]:
            sentences[-1] += f" and {clause}"
        else:
            sentences.append(f"{pronoun} {clause}")
    text = " ".join(f"{sentence}." for sentence in sentences)
    return f"{text} {_BLURRY}" if "blurry" in named else text


def _clauses(named: set[str], rng: np.random.Generator) -> list[str]:
    """Verb phrases in a random order: one for all that the face has, one for all it wears, one for each state."""
    has = [_HAS.get(name, name) for name in sorted(named) if name in _HAS or name == _BEARD]
    wears = [_WEARS[name] for name in sorted(named) if name in _WEARS]
    clauses = [f"is {_IS[name]}" for name in sorted(named) if name in _IS]
    if has:
        clauses.append(f"has {_listed(has, rng)}")
    if wears:
        clauses.append(f"{'wears' if rng.random() < 0.5 else 'is wearing'} {_listed(wears, rng)}")
    return [clauses[index] for index in rng.permutation(len(clauses))]


def _listed(items: list[str], rng: np.random.Generator) -> str:
    mixed = [items[index] for index in rng.permutation(len(items))]
    if len(mixed) < 3:
        return " and ".join(mixed)
    return f"{', '.join(mixed[:-1])}, and {mixed[-1]}"
