"""Closed-set searches by picture and words: what is said and on record, the default's own scores, who is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp

from benchmarks.accuracy.people_words import SEED
from benchmarks.accuracy.word_readings import Bilinear, Ints, read
from pipelines.measure.data import BenchData
from tgfr_search.data.regimes import assign
from tgfr_search.evaluation.identification import mate_ranks
from tgfr_search.evaluation.interval import Interval
from tgfr_search.evaluation.intervals import rate_interval, subject_weights
from tgfr_search.model.line_cache import LineCache
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import heard_lines, rows_of, score, stated_lines, weigh
from tgfr_search.types import FloatArray, Templates

Scores = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Searches:
    """The closed-set searches of a set.

    Attributes:
        mates: int64 [P], the gallery's column of each search's person.
        people: int64 [P], numbered over all subjects.
        half: bool [G], which of two halves of people each column is of.
        weights: float32 [R, S] of the bootstrap.
    """

    mates: Ints
    people: Ints
    half: npt.NDArray[np.bool_]
    weights: FloatArray

    @staticmethod
    def of(data: BenchData) -> Searches:
        """Those of a data set."""
        roles = data.roles
        column = {int(own): at for at, own in enumerate(roles.template_subjects[roles.gallery])}
        people = roles.probe_subjects[roles.searches]
        half = np.random.default_rng([SEED, 43]).permutation(len(column)) % 2 == 0
        mates = np.array([column[int(own)] for own in people], np.int64)
        return Searches(mates, people, half, subject_weights(roles.subject_count, SEED))

    def rate(self, scores: Scores, rank: int = 1) -> Interval:
        """Share of searches that find their person among the first `rank`."""
        ranks = mate_ranks(scores, self.mates, np.arange(scores.shape[1]))
        return rate_interval((ranks <= rank).astype(np.float64), self.people, self.weights)

    def beside(self, picture: Scores, fitted_on: Scores, words: Scores) -> Scores:
        """Picture and words together, each half of the people with the weights of the other half among itself.

        Args:
            picture: [P, G].
            fitted_on: [P, G], the words that the weights are fitted with.
            words: [P, G], the words that are added.
        """
        spread = np.array([max(float(own.std()), 1e-9) for own in (picture, fitted_on)])
        out = np.empty(picture.shape)
        for side in (False, True):
            columns, there = np.flatnonzero(self.half == side), self.half[self.mates] == side
            part = np.ix_(there, columns)
            terms = np.stack([picture[part], fitted_on[part]]) / spread[:, None, None]
            one, other = fitted(terms, np.searchsorted(columns, self.mates[there])) / spread
            out[~there] = one * picture[~there] + other * words[~there]
        return out


def fitted(terms: Scores, mates: Ints) -> npt.NDArray[np.float64]:
    """Weights, none below zero, with the least mean −log softmax of the mate: [K].

    Args:
        terms: [K, P, G], of about unit spread.
        mates: int64 [P].
    """
    at = np.arange(len(mates))

    def loss(weights: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        total = np.tensordot(weights, terms, axes=1)
        norm = logsumexp(total, axis=1)
        share = np.exp(total - norm[:, None])
        slope = [float(((share * own).sum(axis=1) - own[at, mates]).mean()) for own in terms]
        return float((norm - total[at, mates]).mean()), np.array(slope)

    found = minimize(loss, np.ones(len(terms)), jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(terms))
    return np.asarray(found.x, np.float64)


class Told:
    """What is said of the searches' people in one regime, and what is on record then.

    Args:
        regime: Of `data.regimes.REGIMES`.
        data: The set.
        labels: float32 [N, 40] of its images, −1 … 1.
        shown: The same, as the rows show it.
        known: Lines that were read already; grows.
    """

    def __init__(
        self, regime: str, data: BenchData, labels: FloatArray, shown: FloatArray, known: dict[str, FloatArray]
    ) -> None:
        side, roles = data.probes, data.roles
        lines = assign(regime, side.names, side.subjects, side.captions, SEED)
        self.said = [lines.probe[at] for at in roles.searches]
        self.enrolled = [lines.gallery[at] for at in roles.gallery]
        self.reading = "three lines" if regime.endswith("3") else "one line"
        self.there = np.array([bool(own) for own in self.said])
        of = described(regime, lines.described, data)
        self.features = {
            self.reading: np.stack([read(own, known) for own in self.said]),
            "attributes": np.where(of[:, None] < 0, np.float32(0), labels[of]),
        }
        self.records = {
            "lines": np.stack([read(own, known) for own in self.enrolled]),
            "attributes": labels[roles.gallery],
            "shown": shown[roles.gallery],
        }

    def scores(self, reading: str, record: str, by: Bilinear) -> Scores:
        """Of the searches against the gallery, [P, G]; of whom nobody says a word everybody has 0."""
        return np.asarray(by(self.features[reading], self.records[record]) * self.there[:, None])


def described(regime: str, others: Ints, data: BenchData) -> Ints:
    """The image that is described to each search; −1 where none is.

    Args:
        regime: Of `data.regimes.REGIMES`; in `wrong` the labels are those of anybody else, not of whom the lines are.
        others: int64 [N], `Captions.described`.
        data: The set.
    """
    at = data.roles.searches
    if regime.startswith("own"):
        return at
    if regime.startswith("cross"):
        return others[at]
    subjects, rng = data.roles.probe_subjects, np.random.default_rng([SEED, 45])
    return np.array([rng.choice(np.flatnonzero(subjects != subjects[own])) for own in at], np.int64)


class Shipped:
    """The shipped default over rows that are encoded already, without its block `fused`, which weighs 1e-5.

    Args:
        model: The default.
        blocks: Level → block → rows of all images, as they lie in the cache, and their quality.
        data: The set.
        lines: All that is said or on record.
    """

    def __init__(
        self,
        model: FaceTextModel,
        blocks: Mapping[str, tuple[Mapping[str, FloatArray], FloatArray]],
        data: BenchData,
        lines: Sequence[str],
    ) -> None:
        self.model, self.blocks, self.data = model, blocks, data
        heard = () if model.directions is None else model.directions.heard(lines)
        self.read = LineCache(model.tgfr, sorted({*lines, *heard})).batch

    def words(self, lines: Sequence[tuple[str, ...]]) -> Templates:
        """Blocks of descriptions alone."""
        return self.model.tgfr.embed(None, lines, self.read).templates

    def _faces(self, level: str, images: Ints, words: Templates) -> tuple[Templates, FloatArray]:
        rows, quality = self.blocks[level]
        at = self.data.probes.order[images]
        return Templates({**words.blocks, **{name: own[at] for name, own in rows.items()}}), quality[at]

    def gallery(self, lines: Sequence[tuple[str, ...]]) -> Templates:
        """The gallery, with lines or without."""
        return self._faces("normal", self.data.roles.gallery, self.words(lines))[0]

    def scores(self, level: str, said: Sequence[tuple[str, ...]], gallery: Templates, mode: str = "fused") -> Scores:
        """Of all searches, [P, G]: those without a word are by the picture alone, unless by words.

        Args:
            level: Of the pictures.
            said: P tuples of lines.
            gallery: Who is searched.
            mode: `fused`, or `caption`.
        """
        modes = [mode if own or mode == "caption" else "image" for own in said]
        words = self.words(heard_lines(self.model, said, modes))
        templates, quality = self._faces(level, self.data.roles.searches, words)
        layout = self.model.tgfr.layout
        stated = stated_lines(self.model, said, modes)
        made = weigh(templates, quality, modes, self.model.scoring, layout, stated)
        return score(made, rows_of(gallery, layout))
