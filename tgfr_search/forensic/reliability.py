"""Whether the posteriors of a search are true: simulated searches in which the person is there half of the time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tgfr_search.errors import InputError
from tgfr_search.forensic.pairs import Bools, Floats, Ints, finite

PRESENT = 0.5
"""Share of simulated searches whose person is in the gallery, and the prior that the posterior is computed with."""

BINS = 10
ENOUGH = 100
"""Searches of a bin below which it is no ground for a verdict."""


@dataclass(frozen=True)
class Reliability:
    """Posteriors of the first candidates against the truth.

    Attributes:
        people: Of each simulated gallery.
        searches: How many were simulated.
        ece: Expected calibration error: mean |posterior − share true| over bins, by their searches.
        worst: Largest posterior − share true of a bin with at least 100 searches; below 0 where none is overconfident.
        bins: (mean posterior, share true, searches) of every bin with a search.
    """

    people: int
    searches: int
    ece: float
    worst: float
    bins: tuple[tuple[float, float, int], ...]


def simulate(log10: Floats, own: Ints, people: int, searches: int, seed: int) -> tuple[Floats, Bools]:
    """Searches in random galleries of so many people.

    Args:
        log10: LR of every probe against one record of each of G people, [P, G].
        own: Column of each probe's own person, [P].
        people: N of each gallery, below G.
        searches: How many.
        seed: Of probes, galleries and presence.

    Returns:
        Posterior of the first candidate, and whether it is the person.

    Raises:
        InputError: The gallery would need more people than there are.
    """
    finite(log10, "log10 LR")
    everybody = log10.shape[1]
    if not 1 <= people < everybody:
        raise InputError("simulated searches", found=f"{people} of {everybody} people", expected="fewer than there are")
    rng = np.random.default_rng([seed, 13])
    probes = rng.integers(len(log10), size=searches)
    present = rng.random(searches) < PRESENT
    out, true = np.empty(searches), np.empty(searches, bool)
    for at, (probe, there) in enumerate(zip(probes, present, strict=True)):
        others = rng.choice(everybody - 1, size=people - int(there), replace=False)
        others += others >= own[probe]
        gallery = np.append(others, own[probe]) if there else others
        values = log10[probe, gallery]
        top = int(np.argmax(values))
        total = (1 - PRESENT) + PRESENT / people * (10.0**values).sum()
        out[at] = PRESENT / people * 10.0 ** values[top] / total
        true[at] = gallery[top] == own[probe]
    return out, true


def reliability(posteriors: Floats, true: Bools, people: int) -> Reliability:
    """Compares posteriors with how often they were right, in ten bins of equal width."""
    at = np.minimum((posteriors * BINS).astype(np.int64), BINS - 1)
    bins = []
    for each in range(BINS):
        inside = at == each
        if inside.any():
            bins.append((float(posteriors[inside].mean()), float(true[inside].mean()), int(inside.sum())))
    ece = sum(abs(mean - share) * count for mean, share, count in bins) / len(posteriors)
    worst = max((mean - share for mean, share, count in bins if count >= ENOUGH), default=0.0)
    return Reliability(people, len(posteriors), float(ece), float(worst), tuple(bins))
