"""Score data whose true likelihood ratio is known."""

from __future__ import annotations

import numpy as np

from tgfr_search.forensic.pairs import Floats, Pairs


def gaussian_pairs(
    people: int = 200, images: int = 4, seed: int = 0, quality: tuple[float, float] = (0.2, 1.0)
) -> Pairs:
    """Scores of N(±d/2, √d), d = 2 + 10·q: then ln LR = score, at any quality."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), images)
    probe, record = np.meshgrid(np.arange(len(who)), np.arange(len(who)), indexing="ij")
    keep = probe > record
    probe, record = who[probe[keep]], who[record[keep]]
    q = rng.uniform(*quality, size=len(probe))
    distance = 2 + 10 * q
    sign = np.where(probe == record, 0.5, -0.5)
    return Pairs(rng.normal(sign * distance, np.sqrt(distance)), q, probe, record)


def true_log10(pairs: Pairs) -> Floats:
    return pairs.score / np.log(10)
