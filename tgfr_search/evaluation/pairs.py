"""All genuine and impostor pairs of images, scored in blocks with bounded memory (docs/protocol.md 2).

One labelled set plays both roles: images are ordered by file name, and of a pair the earlier image is the template,
the other the probe. Or probes meet a gallery of other images. Kept are every genuine score, the highest impostor
scores, and counts of impostor scores over a fine grid: 200 million pairs need a few hundred megabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tgfr_search.evaluation.verification import Floats
from tgfr_search.types import FloatArray

BLOCK_ROWS = 512
BINS = 1 << 18
"""Grid of the impostor histogram; its cell is the resolution of the EER of very large sets, about 1e-5 of the range."""

TAIL_SHARE = 0.02
"""Share of impostor pairs whose scores are kept exactly: 20 times the largest FAR that is reported (1e-3)."""

MIN_TAIL = 20_000

Ints = npt.NDArray[np.int64]
ScoredBlock = tuple[slice, FloatArray, npt.NDArray[np.bool_]]
"""(which probes, scores [rows, G], which of them count [rows, G])."""


@dataclass(frozen=True)
class PairScores:
    """The scores of all pairs.

    Attributes:
        probes: float32 [P, D] query vectors.
        templates: float32 [G, D] gallery vectors.
        probe_subjects: int64 [P], numbered 0 … S−1.
        template_subjects: int64 [G], numbered alike.
        one_set: Probe i and template i are one image, and only pairs with an earlier template count.
        genuine: float32 [N1].
        genuine_subject: int64 [N1].
        tail: float32 [T], the highest impostor scores, descending.
        tail_subjects: int64 [T, 2], the probe's and the template's subject of each.
        n_impostor: Number of impostor pairs.
        low: Lower edge of the histogram.
        high: Upper edge.
        histogram: int64 [BINS], counts of all impostor scores.
    """

    probes: FloatArray = field(repr=False)
    templates: FloatArray = field(repr=False)
    probe_subjects: Ints = field(repr=False)
    template_subjects: Ints = field(repr=False)
    one_set: bool
    genuine: FloatArray = field(repr=False)
    genuine_subject: Ints = field(repr=False)
    tail: FloatArray = field(repr=False)
    tail_subjects: Ints = field(repr=False)
    n_impostor: int
    low: float
    high: float
    histogram: Ints = field(repr=False)

    @property
    def subject_count(self) -> int:
        """S, the number of subjects on either side."""
        return 1 + max(int(self.probe_subjects.max(initial=-1)), int(self.template_subjects.max(initial=-1)))

    def impostor_far(self) -> tuple[Floats, Floats]:
        """FAR at the lower edge of every histogram cell.

        Returns:
            thresholds [BINS + 1] rising, FAR at each, falling from 1 to 0.
        """
        edges = np.linspace(self.low, self.high, BINS + 1)
        above = np.concatenate([np.cumsum(self.histogram[::-1])[::-1], [0]])
        return edges, above / max(1, self.n_impostor)


def blocks(probes: FloatArray, templates: FloatArray, one_set: bool, skip: Ints | None = None) -> Iterator[ScoredBlock]:
    """Scores of all pairs, block by block.

    Args:
        probes: float32 [P, D].
        templates: float32 [G, D].
        one_set: Probe i and template i are one image.
        skip: [P], a template that is no pair for the probe, or −1.

    Yields:
        rows: Which probes.
        scores: float32 [rows, G].
        valid: bool [rows, G], False where the pair does not count.
    """
    columns = np.arange(len(templates))
    for start in range(0, len(probes), BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, len(probes)))
        scores = probes[rows] @ templates.T
        last = np.arange(rows.start, rows.stop) if one_set else np.full(rows.stop - rows.start, len(templates))
        valid = columns[None, :] < last[:, None]
        if skip is not None:
            valid &= columns[None, :] != skip[rows, None]
        yield rows, scores, valid


def score_pairs(
    probes: FloatArray,
    templates: FloatArray,
    probe_subjects: Ints,
    template_subjects: Ints | None = None,
    skip: Ints | None = None,
) -> PairScores:
    """Scores every pair once.

    Args:
        probes: float32 [P, D] query vectors; where there is one set, its images ordered by name.
        templates: float32 [G, D] gallery vectors; where there is one set, of the same images.
        probe_subjects: [P], numbered 0 … S−1.
        template_subjects: [G], numbered alike; None where probes and templates are one set.
        skip: [P], a template of the SAME subject that is left out as a pair of the probe, or −1.

    Raises:
        ValueError: Shapes differ, or a score is not finite.
    """
    one_set = template_subjects is None
    own = np.asarray(probe_subjects, np.int64)
    other = own if template_subjects is None else np.asarray(template_subjects, np.int64)
    if probes.shape[1:] != templates.shape[1:] or len(own) != len(probes) or len(other) != len(templates):
        raise ValueError(
            f"found probes {probes.shape}, templates {templates.shape}, {len(own)} and {len(other)} subjects"
        )
    low, high, n_genuine, n_pairs = _extent(blocks(probes, templates, one_set, skip), own, other)
    histogram = np.zeros(BINS, dtype=np.int64)
    genuine, genuine_subject = [np.empty(0, np.float32)], [np.empty(0, np.int64)]
    tail = _Tail(max(MIN_TAIL, int(TAIL_SHARE * n_pairs)))
    for rows, scores, valid in blocks(probes, templates, one_set, skip):
        same = own[rows][:, None] == other[None, :]
        at = np.nonzero(valid & same)
        genuine.append(scores[at])
        genuine_subject.append(own[rows][at[0]])
        at = np.nonzero(valid & ~same)
        cells = ((scores[at].astype(np.float64) - low) * (BINS / (high - low))).astype(np.int64)
        histogram += np.bincount(np.minimum(cells, BINS - 1), minlength=BINS)
        tail.add(scores[at], own[rows][at[0]], other[at[1]])
    order = np.argsort(-tail.scores, kind="stable")
    return PairScores(
        probes,
        templates,
        own,
        other,
        one_set,
        np.concatenate(genuine),
        np.concatenate(genuine_subject),
        tail.scores[order],
        tail.subjects[order],
        n_pairs - n_genuine,
        low,
        high,
        histogram,
    )


def _extent(scored: Iterable[ScoredBlock], own: Ints, other: Ints) -> tuple[float, float, int, int]:
    """(edges of the histogram's range, genuine pairs, all pairs).

    Raises:
        ValueError: A score is not finite.
    """
    low, high, n_genuine, n_pairs = np.inf, -np.inf, 0, 0
    for rows, scores, valid in scored:
        if not np.isfinite(scores).all():
            raise ValueError("pair scores: found NaN or infinity, expected finite numbers")
        n_pairs += int(valid.sum())
        n_genuine += int((valid & (own[rows][:, None] == other[None, :])).sum())
        if valid.any():
            low, high = min(low, float(scores[valid].min())), max(high, float(scores[valid].max()))
    if low >= high:
        low, high = (low - 0.5, high + 0.5) if np.isfinite(low) else (0.0, 1.0)
    return low, high, n_genuine, n_pairs


class _Tail:
    """The `keep` highest of a stream of impostor scores, unordered, each with the probe's and template's subject."""

    def __init__(self, keep: int) -> None:
        self.keep, self.scores, self.subjects = keep, np.empty(0, np.float32), np.empty((0, 2), np.int64)

    def add(self, scores: FloatArray, probes: Ints, templates: Ints) -> None:
        if len(self.scores) >= self.keep:
            better = scores > self.scores.min()
            scores, probes, templates = scores[better], probes[better], templates[better]
        self.scores = np.concatenate([self.scores, scores])
        self.subjects = np.concatenate([self.subjects, np.stack([probes, templates], axis=1)])
        if len(self.scores) > self.keep:
            best = np.argpartition(-self.scores, self.keep - 1)[: self.keep]
            self.scores, self.subjects = self.scores[best], self.subjects[best]
