"""Figures end to end: an image in which no face was found is accepted by nobody and found by nobody (ISO/IEC 19795-1).

A lost image scores below every pair of faces, as a probe and as a template. So it is a false non-match of each of its
genuine pairs, never a false match, and its search is a miss at every rank (docs/protocol.md 10).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tgfr_search.evaluation.interval import Interval
from tgfr_search.evaluation.intervals import tar_interval
from tgfr_search.evaluation.measures import FARS, Key, Measures, identification_figures, search
from tgfr_search.evaluation.pairs import Ints, score_pairs
from tgfr_search.evaluation.protocol import Roles
from tgfr_search.types import FloatArray

LOST = 1e4
"""By how much a lost image lies below a score of nought; scores of faces are within a few tens of it."""
NEVER = 1 << 30
"""The rank of a mate that cannot be found."""

Bools = npt.NDArray[np.bool_]


def measure_whole(
    probes: FloatArray,
    templates: FloatArray,
    lost_probes: Bools,
    lost_templates: Bools,
    roles: Roles,
    weights: FloatArray,
    skip: Ints | None = None,
) -> Measures:
    """TAR@FAR, Rank-k and FNIR@FPIR over all images, lost ones among them.

    Args:
        probes: float32 [P, D] query vectors; of a lost probe whatever stands there is not used.
        templates: float32 [G, D] gallery vectors, likewise.
        lost_probes: [P], where no face was found.
        lost_templates: [G], likewise.
        roles: Who is compared with whom.
        weights: Subject resamples [R, S].
        skip: As `score_pairs`.
    """
    probes, templates = _sunk(probes, templates, lost_probes, lost_templates)
    pairs = score_pairs(
        probes, templates, roles.probe_subjects, None if roles.one_set else roles.template_subjects, skip
    )
    found = search(probes, templates, roles)
    missed = (found.ranks > 0) & (found.scores[:, 1] <= -LOST)
    found = replace(found, ranks=np.where(missed, NEVER, found.ranks))
    figures: dict[Key, Interval] = {("tar_at_far", far): tar_interval(pairs, far, weights) for far in FARS}
    figures |= identification_figures(found, probes, templates, roles, weights)
    counts = {
        "n_genuine": len(pairs.genuine),
        "n_impostor": pairs.n_impostor,
        "n_probes": int((found.ranks > 0).sum()),
        "n_gallery": len(np.unique(roles.template_subjects[roles.gallery])),
        "n_mated": len(roles.mated),
        "n_nonmated": len(roles.nonmated),
    }
    return Measures(figures, counts, {}, found)


def _sunk(
    probes: FloatArray, templates: FloatArray, lost_probes: Bools, lost_templates: Bools
) -> tuple[FloatArray, FloatArray]:
    """Vectors whose inner products are the scores, −`LOST` where one of the two is lost, twice that where both are."""
    p, t = (lost.astype(np.float32)[:, None] for lost in (lost_probes, lost_templates))
    down = np.float32(-LOST)
    return (
        np.concatenate([np.where(p > 0, 0, probes), p, np.ones_like(p)], axis=1, dtype=np.float32),
        np.concatenate([np.where(t > 0, 0, templates), np.full_like(t, down), t * down], axis=1, dtype=np.float32),
    )
