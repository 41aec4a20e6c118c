"""Whether a description can be English: by its script, its smallest words, and the commonest words about a face.

Made to be right where it says no: what has neither English nor foreign small words passes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tgfr_search.words.lexicon import lexicon
from tgfr_search.words.small import SMALL

FOREIGN_WORDS = {
    "German": """der das ein eine einen einer eines mit und ohne hat ist sehr auf dem den trägt nicht kein keine haare
        bart brille mann frau junge alter braune blonde dunkle schwarze graue lange kurze glatze""",
    "French": """un une le les la des du avec et sans aux dans est qui pas cheveux homme femme barbe lunettes yeux
        moustache portant jeune vieux noirs blonds il elle porte chauve""",
    "Spanish": """el los las una con y sin muy tiene es del hombre mujer pelo gafas barba ojos lleva cabello joven negro
        rubia moreno calvo bigote""",
    "Italian": """il lo gli uno dei della ha senza occhiali uomo donna capelli barba baffi con giovane neri biondi calvo
        porta""",
    "Portuguese": """um uma os com sem tem muito homem mulher cabelo óculos barba não olhos careca bigode usa""",
    "Dutch": """een het met en zonder heeft van vrouw haar baard bril niet geen draagt zwart lang kort""",
    "Swedish, Danish, Norwegian": """ett med och og utan uden uten har som kvinna kvinde kvinne skägg skæg skjegg hår
        glasögon briller inte ikke""",
    "Polish": "z bez oraz w na jest mężczyzna kobieta włosy broda brodą okulary okularach nie starszy młody",
    "Turkish": "bir ve ile olan siyah adam kadın sakallı gözlüklü saçlı yok",
    "Indonesian": "yang dan dengan seorang pria wanita rambut kacamata tidak",
}
"""Language → articles, prepositions, and words about faces, none of them usual in English."""

NOT_FOREIGN = SMALL | {"blonde", "moustache", "i", "ma", "haar", "z", "lang", "alter", "porta", "el", "la", "le", "los"}
"""Words that English has too, or that stand in names ("from Los Angeles")."""

WORD = re.compile(r"[^\W\d_]+")
LEAST = 2
"""So many foreign words must stand in a description before it is taken for another language."""


@dataclass(frozen=True, slots=True)
class Language:
    """What a description seems to be written in.

    Attributes:
        english: Whether it can be English.
        guess: The language whose words it has, or its script; empty where it is English.
    """

    english: bool
    guess: str = ""


def language(lines: Sequence[str]) -> Language:
    """Judges a description.

    Args:
        lines: Of one description.
    """
    words = [word.lower() for line in lines for word in WORD.findall(line)]
    if not words:
        return Language(True)
    latin = sum(all(ord(char) < 0x250 for char in word) for word in words)
    if 2 * latin <= len(words):
        return Language(False, "another script")
    known = lexicon().words | SMALL
    english = sum(word in known for word in words)
    counts = {name: sum(word not in NOT_FOREIGN and word in own for word in words) for name, own in _FOREIGN.items()}
    name = max(counts, key=counts.__getitem__)
    few = min(LEAST, len(words))
    if counts[name] >= few and counts[name] > english:
        return Language(False, name)
    return Language(True)


_FOREIGN = {name: frozenset(words.split()) for name, words in FOREIGN_WORDS.items()}
