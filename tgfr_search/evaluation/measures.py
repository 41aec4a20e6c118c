"""Every figure of one system in one condition, with intervals: what a row of the report is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tgfr_search.evaluation.identification import cmc, mate_ranks, subject_scores
from tgfr_search.evaluation.interval import Interval
from tgfr_search.evaluation.intervals import eer_interval, fnir_interval, rate_interval, tar_interval
from tgfr_search.evaluation.pairs import BLOCK_ROWS, Ints, PairScores, score_pairs
from tgfr_search.evaluation.protocol import Roles
from tgfr_search.types import FloatArray

FARS = (1e-5, 1e-4, 1e-3)
RANKS = (1, 5, 10)
FPIRS = (1e-2, 1e-1)
CMC_DEPTH = 50
ROC_POINTS = 120
HISTOGRAM_BINS = 60

Key = tuple[str, float | None]
"""(metric, at): `eer`, `tar_at_far`, `rank`, `fnir_at_fpir`, and the FAR, rank or FPIR."""


@dataclass(frozen=True)
class Searches:
    """The n closed-set searches, in the order of `Roles.searches`; every one has its subject in the gallery.

    Attributes:
        ranks: int64 [n], rank of the mate.
        best: int64 [n], template row of the first candidate.
        mate: int64 [n], template row of the mate's best template.
        scores: float32 [n, 2], of the first candidate and of the mate.
    """

    ranks: Ints
    best: Ints
    mate: Ints
    scores: FloatArray


@dataclass(frozen=True)
class Measures:
    """Figures of one system in one condition.

    Attributes:
        figures: (metric, at) → value with interval.
        counts: `n_genuine`, `n_impostor`, `n_probes`, `n_gallery`, and the open set's `n_mated`, `n_nonmated`.
        curves: Points to draw: roc (far, tar), cmc, histograms.
        searches: Outcome of every closed-set search.
    """

    figures: dict[Key, Interval]
    counts: dict[str, int]
    curves: dict[str, list[float]]
    searches: Searches = field(repr=False)


def measure(
    probes: FloatArray, templates: FloatArray, roles: Roles, weights: FloatArray, skip: Ints | None = None
) -> Measures:
    """All figures of docs/protocol.md.

    Args:
        probes: float32 [P, D] query vectors.
        templates: float32 [G, D] gallery vectors.
        roles: Who is compared with whom.
        weights: Subject resamples [R, S].
        skip: As `score_pairs`.
    """
    pairs = score_pairs(
        probes, templates, roles.probe_subjects, None if roles.one_set else roles.template_subjects, skip
    )
    figures: dict[Key, Interval] = {("eer", None): eer_interval(pairs, weights)}
    for far in FARS:
        figures["tar_at_far", far] = tar_interval(pairs, far, weights)
    searches = search(probes, templates, roles)
    figures.update(identification_figures(searches, probes, templates, roles, weights))
    counts = {
        "n_genuine": len(pairs.genuine),
        "n_impostor": pairs.n_impostor,
        "n_probes": int((searches.ranks > 0).sum()),
        "n_gallery": len(np.unique(roles.template_subjects[roles.gallery])),
        "n_mated": len(roles.mated),
        "n_nonmated": len(roles.nonmated),
    }
    return Measures(figures, counts, draw(pairs, searches.ranks), searches)


def search(probes: FloatArray, templates: FloatArray, roles: Roles) -> Searches:
    """Runs the closed-set searches in blocks."""
    enrolled, owners = templates[roles.gallery], roles.template_subjects[roles.gallery]
    parts: list[tuple[Ints, Ints, Ints, FloatArray]] = []
    for start in range(0, len(roles.searches), BLOCK_ROWS):
        rows = roles.searches[start : start + BLOCK_ROWS]
        scores = probes[rows] @ enrolled.T
        own = np.where(owners[None, :] == roles.probe_subjects[rows][:, None], scores, np.float32(-np.inf))
        best, mate = scores.argmax(axis=1), own.argmax(axis=1)
        each = np.arange(len(rows))
        ranks = mate_ranks(scores, roles.probe_subjects[rows], owners)
        pairs = np.stack([scores[each, best], own[each, mate]], axis=1)
        parts.append((ranks, roles.gallery[best], roles.gallery[mate], pairs))
    if not parts:
        none = np.empty(0, np.int64)
        return Searches(none, none, none, np.empty((0, 2), np.float32))
    return Searches(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def identification_figures(
    searches: Searches, probes: FloatArray, templates: FloatArray, roles: Roles, weights: FloatArray
) -> dict[Key, Interval]:
    """Rank-k of the closed set and FNIR@FPIR of the open set."""
    figures: dict[Key, Interval] = {}
    mated = searches.ranks > 0
    owners = roles.probe_subjects[roles.searches]
    for rank in RANKS:
        figures["rank", rank] = rate_interval((searches.ranks[mated] <= rank).astype(float), owners[mated], weights)
    enrolled, subjects = templates[roles.open_gallery], roles.template_subjects[roles.open_gallery]
    own, other = [np.empty(0, np.float32)], [np.empty(0, np.float32)]
    for out, rows in ((own, roles.mated), (other, roles.nonmated)):
        for start in range(0, len(rows) if len(enrolled) else 0, BLOCK_ROWS):
            part = rows[start : start + BLOCK_ROWS]
            scores, everyone = subject_scores(probes[part] @ enrolled.T, subjects)
            at = np.searchsorted(everyone, roles.probe_subjects[part])
            out.append(scores[np.arange(len(part)), at] if out is own else scores.max(axis=1))
    for fpir in FPIRS:
        figures["fnir_at_fpir", fpir] = fnir_interval(
            np.concatenate(own),
            roles.probe_subjects[roles.mated],
            np.concatenate(other),
            roles.probe_subjects[roles.nonmated],
            fpir,
            weights,
        )
    return figures


def draw(pairs: PairScores, ranks: Ints) -> dict[str, list[float]]:
    """Points of the curves: ROC/DET (one set of points serves both), CMC, score histograms."""
    curves: dict[str, list[float]] = {}
    if len(pairs.genuine) and pairs.n_impostor:
        edges, far = pairs.impostor_far()
        wanted = np.geomspace(max(1e-6, 10 / pairs.n_impostor), 1.0, ROC_POINTS)
        at = np.minimum(np.searchsorted(-far, -wanted, side="left"), len(edges) - 1)
        tar = 1 - np.searchsorted(np.sort(pairs.genuine), edges[at], side="left") / len(pairs.genuine)
        curves["far"], curves["tar"] = far[at].tolist(), tar.tolist()
        bins = np.linspace(edges[0], max(edges[-1], float(pairs.genuine.max())), HISTOGRAM_BINS + 1)
        curves["bins"] = bins.tolist()
        curves["genuine"] = np.histogram(pairs.genuine, bins, density=True)[0].tolist()
        curves["impostor"] = np.histogram(edges[:-1], bins, weights=pairs.histogram, density=True)[0].tolist()
    if (ranks > 0).any():
        curves["cmc"] = cmc(ranks, CMC_DEPTH).tolist()
    return curves
