"""A score corrected by how its probe and its record stand to strangers (`typicality.py`).

    s' = s + c(q)·(t_mean, t_sd, z_mean, z_sd),   c linear in q between the ends of quality

c is that of a logistic regression of genuine against impostor pairs at the prior of use, in units of the score.
Whatever comes after, ranking, thresholds and likelihood ratios, is made of s', and s' rises as s does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tgfr_search.forensic.lr import PRIOR, QUALITY_ENDS, balanced, check_enough, minimise
from tgfr_search.forensic.pairs import Floats, Pairs
from tgfr_search.forensic.typicality import record_terms

TERMS = ("t_mean", "t_sd", "z_mean", "z_sd")

LEAST_SLOPE = 1e-3
"""ln odds by one unit of the score below which there is nothing to be in units of."""


@dataclass(frozen=True)
class Correction:
    """What a score is raised by.

    Attributes:
        low: Of `TERMS`, at the low end of quality.
        high: At the high end.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def at(self, quality: Floats) -> Floats:
        """c(q) of P probes, [P, 4]."""
        share = _share(quality)[:, None]
        return np.asarray(np.array(self.low) * (1 - share) + np.array(self.high) * share)

    def added(self, probes: Floats, records: Floats, quality: Floats) -> Floats:
        """What the scores of P probes against G records are raised by, [P, G].

        Args:
            probes: [P, 2], `t_mean, t_sd`.
            records: [P, G, 2], `z_mean, z_sd` for each probe's quality (`typicality.record_terms`).
            quality: [P], predicted.
        """
        weight = self.at(quality)
        own = np.einsum("pk,pk->p", weight[:, :2], probes)
        return np.asarray(own[:, None] + np.einsum("pk,pgk->pg", weight[:, 2:], records))


@dataclass(frozen=True)
class Standing:
    """How P probes and G records stand to a cohort.

    Attributes:
        probes: [P, 2], `t_mean, t_sd`.
        records: [L, G, 2], `z_mean, z_sd` against cohort probes of each level of quality.
        levels: [L], mean predicted quality of those.
    """

    probes: Floats
    records: Floats
    levels: Floats

    def added(self, correction: Correction, quality: Floats, rows: slice | None = None) -> Floats:
        """What the scores of some of the probes are raised by, [P, G].

        Args:
            correction: By which rule.
            quality: Of those probes.
            rows: Which probes; None is all.
        """
        own = self.probes if rows is None else self.probes[rows]
        return correction.added(own, record_terms(self.records, self.levels, quality), quality)


def as_product(correction: Correction, probes: Floats, levels: Floats, quality: Floats) -> tuple[Floats, Floats]:
    """The same as `Correction.added`, as an offset and an inner product: with records' terms [G, L·2] side by side.

    Args:
        correction: The rule.
        probes: [P, 2], `t_mean, t_sd`.
        levels: [L], of the records' terms.
        quality: [P], predicted.

    Returns:
        [P] and [P, L·2].
    """
    weight = correction.at(quality)
    own = np.einsum("pk,pk->p", weight[:, :2], probes)
    # What record_terms makes of the terms of one level alone is that level's share.
    shares = record_terms(np.eye(len(levels))[:, :, None], levels, quality)[:, :, 0]
    return own, np.einsum("pl,pk->plk", shares, weight[:, 2:]).reshape(len(quality), -1)


def fit_correction(pairs: Pairs, prior: float = PRIOR) -> Correction:
    """Fits a correction; two fits give equal numbers.

    Args:
        pairs: With typicality [N, 4], in the order of `TERMS`.
        prior: π*, as of a calibrator.

    Raises:
        InputError: Too few people or pairs, or one class empty.
    """
    check_enough(pairs)
    share = _share(pairs.quality)[:, None]
    q, score, terms = pairs.quality[:, None], pairs.score[:, None], pairs.typicality
    both = [score, terms]
    low, high = (np.concatenate([part * weight for part in both], axis=1) for weight in (1 - share, share))
    x = np.concatenate([low[:, :1], high[:, :1], np.ones_like(q), q, q * q, low[:, 1:], high[:, 1:]], axis=1)
    weight = balanced(pairs.weight, pairs.genuine, prior)
    size = np.sqrt(np.average(x**2, axis=0, weights=balanced(pairs.weight, pairs.genuine, 0.5)))
    size[size == 0] = 1.0
    found = minimise(x / size, pairs.genuine, weight, 2, np.zeros(x.shape[1])) / size
    ends = []
    for slope, own in ((found[0], found[5 : 5 + len(TERMS)]), (found[1], found[5 + len(TERMS) :])):
        # Of scores that say nothing at this end of quality nothing can be corrected.
        ends.append(tuple(float(f"{value:.6g}") for value in (own / slope if slope >= LEAST_SLOPE else own * 0.0)))
    return Correction(*ends)


def _share(quality: Floats) -> Floats:
    low, high = QUALITY_ENDS
    return np.asarray(np.clip((quality - low) / (high - low), 0.0, 1.0))
