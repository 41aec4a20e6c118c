"""How `query --explain` prints what moved the scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tgfr_search.app.cli import console

if TYPE_CHECKING:
    from pipelines.search.explain.explained import Explained

WORDS = 8
"""Words and phrases shown of a candidate, strongest first."""


def show_explained(explained: Explained) -> None:
    """Prints terms, words and regions of every explained candidate, and what they do not say."""
    from pipelines.search.explain.explained import share_text

    for own in explained.candidates:
        terms = [[name, f"{value:+.3f}"] for name, value in own.terms.items()]
        terms += [[share_text(said), f"{said.adds:+.3f}"] for said in own.statements]
        terms += [["(offset)", f"{own.offset:+.3f}"]]
        terms += [["(typicality)", f"{own.typicality:+.3f}"]] if own.typicality else []
        terms += [["score", f"{own.score:.3f}"]]
        console.table(f"{own.rank}. {own.subject_id}", ["term", "adds"], terms)
        strongest = sorted((*own.phrases, *own.words), key=lambda said: -abs(said.effect))[:WORDS]
        if strongest:
            console.say("words: " + ", ".join(f"{said.text} {said.effect:+.3f}" for said in strongest))
        for row in own.regions or ():
            console.say("face region: " + " ".join(f"{effect:+7.3f}" for effect in row))
    console.say(explained.notice, err=True)
