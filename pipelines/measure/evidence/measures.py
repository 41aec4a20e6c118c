"""What is measured of a calibration on people whom it was not fitted on: for a validation, and for a benchmark."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.measure.data import BenchOptions
from pipelines.measure.evidence.scored import MODES, Scored
from tgfr_search.data.regimes import BORROWED
from tgfr_search.errors import InputError
from tgfr_search.forensic.ablation import typicality_record
from tgfr_search.forensic.bounds import Bounds
from tgfr_search.forensic.calibration import Calibration
from tgfr_search.forensic.modes import ModeCalibration
from tgfr_search.forensic.pairs import Floats
from tgfr_search.forensic.validation import (
    cell_record,
    crowdedness_record,
    curve_record,
    search_record,
    threshold_record,
    words_record,
)
from tgfr_search.forensic.words import mixture
from tgfr_search.types import FloatArray

KINDS = ("cells", "search", "crowdedness", "thresholds", "curves")
"""Of the records of a mode at a level."""

GALLERIES = (0.2, 0.5)
"""Sizes of simulated galleries, in the people of the data."""

SIZES = (100, 300, 600)
"""People of galleries in which thresholds are tried, where there are so many."""

SEARCHES = 4000
FPIRS = (0.01, 0.1)
SCORED_ROWS = 128
"""Probes whose ratios are computed at a time."""


class Measures:
    """Records of how good likelihood ratios and thresholds are, gathered mode by mode and level by level.

    Args:
        calibration: What is measured.
        options: Seed and number of resamples.
        weights: Of the people, a row a resample.
        typical: Also what the correction by typicality does.
        words: Also what words add to the picture alone.

    Attributes:
        records: Name in `validation.json` → its entries.
        unseen: Modes and levels of which there is no pair of one person, in words.
    """

    def __init__(
        self, calibration: Calibration, options: BenchOptions, weights: Floats, *, typical: bool, words: bool
    ) -> None:
        self.calibration, self.options, self.weights = calibration, options, weights
        self.typical, self.words = typical, words
        self.records: dict[str, list[Any]] = {name: [] for name in (*KINDS, "words", "typicality")}
        self.unseen: list[str] = []
        self._pictures: dict[str, FloatArray] = {}

    def add(self, plain: Scored) -> None:
        """Measures one mode, caption regime and level; the picture's come first.

        Args:
            plain: Its scores, uncorrected.
        """
        if not (plain.own & plain.pairs).any():
            self.unseen.append(
                f"{plain.mode}, words {plain.regime}, {plain.level}: not validated, no pair of one person"
            )
            return
        modes, records = self.calibration.modes, self.records
        one = plain.corrected(modes[plain.mode].correction)
        usual = one.regime == MODES[one.mode]
        if self.typical and usual:
            records["typicality"] += _typical(plain, one, self.weights)
        ratios = _ratios(one, modes[one.mode])
        if self.words:
            self._compare(one, ratios)
        if usual:
            self._measure(one, ratios)

    def _compare(self, one: Scored, ratios: FloatArray) -> None:
        """What words add to the picture alone, whose ratios are kept for it."""
        modes = self.calibration.modes
        if one.mode == "image":
            self._pictures[one.level] = ratios
        else:
            alone = self._pictures[one.level][one.rows], modes["image"].calibrator.bounds
            self.records["words"].append(_words(one, ratios, modes[one.mode], *alone, self.weights))

    def _measure(self, one: Scored, ratios: FloatArray) -> None:
        """Ratios of the people's own words, or of the picture alone: what they are worth in pairs and in searches."""
        mode, records, options = self.calibration.modes[one.mode], self.records, self.options
        limits = mode.calibrator.bounds
        probe, template = np.nonzero(one.pairs)
        values = np.clip(ratios[probe, template].astype(np.float64), limits.low, limits.high)
        first, second = one.probes[probe], one.templates[template]
        names, between = (one.level, one.mode), (limits.low, limits.high)
        records["cells"].append(cell_record(*names, values, first, second, self.weights, between))
        records["curves"].append(curve_record(*names, values, first == second))
        best, own = one.by_person(ratios)
        for share in GALLERIES:
            people = max(2, round(share * best.shape[1]))
            records["search"].append(search_record(*names, best, own, people, SEARCHES, options.seed))
        records["crowdedness"] += _crowded(one)
        records["thresholds"] += list(_thresholds(one, mode, options.seed))


def _ratios(one: Scored, mode: ModeCalibration) -> FloatArray:
    """Unbounded log10 LR of every probe against every template, float32 [P, G]."""
    ratios = np.empty(one.scores.shape, np.float32)
    for start in range(0, len(ratios), SCORED_ROWS):
        part = one.scores[start : start + SCORED_ROWS].astype(np.float64)
        quality = np.repeat(one.quality[start : start + SCORED_ROWS], part.shape[1])
        ratios[start : start + SCORED_ROWS] = mode.calibrator.unbounded(part.ravel(), quality).reshape(part.shape)
    return ratios


def _words(
    one: Scored, fused: FloatArray, mode: ModeCalibration, picture: FloatArray, limits: Bounds, weights: Floats
) -> dict[str, Any]:
    """What words of the usual reliability make of the picture's ratios: right ones, and another person's."""
    own = mode.calibrator.bounds
    probe, template = np.nonzero(one.pairs)
    alone = np.clip(picture[one.pairs].astype(np.float64), limits.low, limits.high)
    said = mixture(np.clip(fused[one.pairs].astype(np.float64), own.low, own.high), alone)
    people = one.probes[probe], one.templates[template]
    return words_record(one.level, one.mode, BORROWED[one.regime], said, alone, *people, weights)


def _typical(plain: Scored, one: Scored, weights: Floats) -> list[dict[str, Any]]:
    """What the correction does to searches: persons missed without it and with it, paired by person."""
    return [typicality_record(one.level, one.mode, plain.searched(), one.searched(), weights, fpir) for fpir in FPIRS]


def _crowded(one: Scored) -> list[dict[str, Any]]:
    """Crowdedness by one half of the people's probes, alarms by the other's: the same scores must not do both."""
    half = one.probes % 2 == 0
    strangers = np.where(one.own, np.nan, one.scores.astype(np.float64))
    chosen = strangers[half]
    count = max(1, chosen.shape[0] // 10)
    crowd = -np.sort(-np.nan_to_num(chosen, nan=-np.inf), axis=0)[:count].mean(axis=0)
    try:
        return [crowdedness_record(one.level, one.mode, strangers[~half], one.own[~half], crowd)]
    except InputError:
        return []  # too few pairs for a rate of 1e-3


def _thresholds(one: Scored, mode: ModeCalibration, seed: int) -> list[dict[str, Any]]:
    """Thresholds of the calibration in galleries of several sizes, drawn from the people here."""
    best, own = one.by_person(one.scores)
    out = []
    for size in (n for n in SIZES if n < best.shape[1]):
        rng = np.random.default_rng([seed, 14, size])
        tops, mates = np.empty(len(best)), best[np.arange(len(best)), own]
        for at in range(len(best)):
            others = rng.choice(best.shape[1] - 1, size=size, replace=False)
            tops[at] = best[at, others + (others >= own[at])].max()
        for fpir in FPIRS:
            try:
                threshold = mode.strangers.threshold(fpir, size)
            except InputError:
                continue  # the calibration had too few searches for this rate at this size
            out.append(threshold_record(one.level, one.mode, threshold, tops, mates))
    return out
