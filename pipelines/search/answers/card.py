"""What a face shows, and how that agrees with what is said: for each candidate and for the probe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tgfr_search.model.statements import Claims, Directions

AGREES, CONTRADICTS, UNSEEN = "agrees", "contradicts", "cannot be seen"
SURE = 0.8
"""A calibrated probability from which on a face is said to agree, and up to 1 less which to contradict."""

UNSPOKEN = ("attractive", "blurry")
"""An opinion, and a fault of the photo, are no description of a person."""


def shown(own: Directions, probabilities: npt.NDArray[np.floating]) -> dict[str, float]:
    """One face's attributes with calibrated confidence.

    Args:
        own: The directions.
        probabilities: [A] of the face.
    """
    both = zip(own.attributes, probabilities.tolist(), strict=True)
    return {name: round(p, 3) for name, p in both if name not in UNSPOKEN}


def compared(claims: Claims, card: Mapping[str, float]) -> list[dict[str, Any]]:
    """How a face agrees with what is said.

    Args:
        claims: Attribute → −1 (surely denied) to 1 (surely asserted).
        card: Attribute → probability that the face shows it.

    Returns:
        Each claim with `attribute`, whether it `holds`, how `sure` it is put, the probability `as_stated` that the face
        is as stated, and the `verdict`; those of which no face is judged are left out.
    """
    out = list[dict[str, Any]]()
    for name, value in claims.items():
        if name in card:
            p = card[name] if value > 0 else round(1 - card[name], 3)
            told = {"attribute": name, "holds": value > 0, "sure": abs(value), "as_stated": p, "verdict": verdict(p)}
            out.append(told)
    return out


def verdict(as_stated: float) -> str:
    """Whether a face agrees with a statement, contradicts it, or cannot tell.

    Args:
        as_stated: Probability that the face is as stated.
    """
    return AGREES if as_stated >= SURE else CONTRADICTS if as_stated <= 1 - SURE else UNSEEN


def card_text(card: Mapping[str, float] | None, most: int = 8) -> str:
    """What a face surely shows, in a line: "male .99, eyeglasses .97"; empty where there is no card."""
    sure = sorted(((p, name) for name, p in (card or {}).items() if p >= SURE), reverse=True)
    return ", ".join(f"{name.replace('_', ' ')} {p:.2f}" for p, name in sure[:most])


def compared_text(statements: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """For each statement its `mark`, `text`, `verdict` and a `title` that says what the mark means."""
    marks = {AGREES: "✓", CONTRADICTS: "✗", UNSEEN: "?"}
    return [
        {
            "mark": marks[own["verdict"]],
            "text": f"{'' if own['holds'] else 'not '}{own['attribute'].replace('_', ' ')} {own['as_stated']:.2f}",
            "verdict": own["verdict"].replace(" ", "-"),
            "title": f"the enrolled face {own['verdict']}" if own["verdict"] != UNSEEN else UNSEEN,
        }
        for own in statements
    ]


def counted_text(statements: Sequence[Mapping[str, Any]]) -> str:
    """How many statements a face agrees with, contradicts, cannot tell: "agrees 2, unseen 1"; empty of none."""
    counts = Counter(own["verdict"] for own in statements)
    told = {AGREES: AGREES, CONTRADICTS: CONTRADICTS, UNSEEN: "unseen"}
    return ", ".join(f"{name} {counts[verdict]}" for verdict, name in told.items() if counts[verdict])
