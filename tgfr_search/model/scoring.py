"""How block scores become one score: weights that follow the probe's quality, folded into the query vector.

A gallery row is the concatenation of its blocks, and the index searches one inner product. The probe side carries the
weights: query = concat over gallery blocks g of Σ_p w_pg(q)·(probe block p), so that one index answers fused,
image-only and caption-only queries. `w_pg(q) = max(0, Σ_k a_k·q^k)`, learned on valid as a logistic score model; q is
the predicted quality of the probe, 0 (nothing left of the face) to 1 (as good as a gallery picture).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.polynomial.polynomial import polyval

from tgfr_search.errors import CheckpointError
from tgfr_search.model.blocks import MODE_TERMS, TERMS
from tgfr_search.types import FloatArray, Templates

Coefficients = tuple[float, ...]
"""Of a polynomial of the quality, the constant first."""


@dataclass(frozen=True, slots=True)
class ScoreModel:
    """Weights of the terms, by mode: score = Σ_t w_t(q)·(s_t − m_t) + c(q).

    c(q) is one number a probe: it changes no ranking, and lets one threshold serve probes of any quality.

    Attributes:
        weights: Mode → term → (a_0, a_1, …) of w(q) = max(0, Σ_k a_k·q^k).
        centres: Term → m_t. Only the blocks that are the face encoder's own have one: their cosines share a
            large common part, while trained blocks are centred already, so that an absent block is neutral.
        offsets: Mode → (a_0, a_1, …) of c(q).
    """

    weights: Mapping[str, Mapping[str, Coefficients]]
    centres: Mapping[str, float]
    offsets: Mapping[str, Coefficients]

    def __post_init__(self) -> None:
        for mode, terms in self.weights.items():
            if not all((*terms.values(), self.offsets.get(mode, (0.0,)))):
                raise CheckpointError(f"score weights of mode {mode!r}", found="no coefficient", expected="one or more")
            if mode not in MODE_TERMS or not set(terms) <= set(MODE_TERMS[mode]) or mode not in self.offsets:
                found, expected = str(sorted(terms)), f"an offset, and of: {MODE_TERMS.get(mode, tuple(MODE_TERMS))}"
                raise CheckpointError(f"score weights of mode {mode!r}", found=found, expected=expected)

    def at(self, mode: str, quality: float) -> dict[str, float]:
        """The weight of every term of `mode` for a probe of the given quality."""
        return {term: float(weight_at(own, quality)) for term, own in self.weights[mode].items()}

    def offsets_of(self, modes: Sequence[str], quality: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """What each probe's inner products must be raised by to be its scores: c(q) − Σ_t w_t(q)·m_t.

        Args:
            modes: N resolved modes (`image`, `caption`, `fused`).
            quality: [N].
        """
        out = np.empty(len(modes))
        for mode in set(modes):
            rows = np.array([m == mode for m in modes])
            q = quality[rows].astype(np.float64)
            centred = sum(weight_at(own, q) * self.centres.get(term, 0.0) for term, own in self.weights[mode].items())
            out[rows] = polyval(q, self.offsets[mode]) - centred
        return out

    def queries(
        self,
        probes: Templates,
        quality: npt.NDArray[np.floating],
        modes: Sequence[str],
        layout: Sequence[tuple[str, int]],
    ) -> FloatArray:
        """Builds query vectors.

        Args:
            probes: N probe templates; absent blocks are zero.
            quality: [N].
            modes: N resolved modes (`image`, `caption`, `fused`).
            layout: (block, dimension) of the index, in its order.

        Returns:
            float32 [N, Σ dimension]; its inner product with a row, plus the probe's offset, is the score.
        """
        place, at = 0, {}
        for name, dim in layout:
            at[name] = slice(place, place + dim)
            place += dim
        out = np.zeros((len(probes), place), dtype=np.float32)
        for mode in set(modes):
            rows = np.array([m == mode for m in modes])
            for term, own in self.weights[mode].items():
                sides = TERMS[term]
                weight = weight_at(own, quality[rows]).astype(np.float32)
                out[rows, at[sides.gallery.name]] += weight[:, None] * probes.blocks[sides.probe.name][rows]
        return out

    def combine(self, mode: str, quality: npt.NDArray[np.floating], scores: Mapping[str, FloatArray]) -> FloatArray:
        """The weighted sum of the terms of P probes against G rows, without the probes' offsets: float32 [P, G].

        Args:
            mode: `image`, `caption` or `fused`.
            quality: [P].
            scores: Term → [P, G]; see `model.probe.term_scores`.
        """
        total = np.zeros(next(iter(scores.values())).shape, np.float32)
        for term, own in self.weights[mode].items():
            total += weight_at(own, quality)[:, None].astype(np.float32) * scores[term]
        return total

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        weights = {mode: {term: list(own) for term, own in terms.items()} for mode, terms in self.weights.items()}
        return {
            "weights": weights,
            "centres": dict(self.centres),
            "offsets": {k: list(v) for k, v in self.offsets.items()},
        }

    @staticmethod
    def from_dict(tree: Mapping[str, Any]) -> ScoreModel:
        """The inverse of `as_dict`.

        Raises:
            CheckpointError: It is not one.
        """
        try:
            weights = {
                mode: {term: tuple(map(float, own)) for term, own in terms.items()}
                for mode, terms in tree["weights"].items()
            }
            centres = {term: float(value) for term, value in tree["centres"].items()}
            offsets = {mode: tuple(map(float, own)) for mode, own in tree["offsets"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError("score model", found=str(error), expected="weights, centres, offsets") from error
        return ScoreModel(weights, centres, offsets)


def weight_at(coefficients: Coefficients, quality: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """A term's weight at some qualities, never below zero; any shape."""
    return np.maximum(0.0, polyval(np.asarray(quality, dtype=np.float64), coefficients))
