"""The records of `validation.json`: each says in numbers how one mode did at one level of quality."""

from __future__ import annotations

from typing import Any

import numpy as np

from tgfr_search.forensic.evidence import parts_of
from tgfr_search.forensic.lr import LEVEL
from tgfr_search.forensic.metrics import MISLEADING, cllr, cllr_min, devpav, ece_curve, resampled_cllr, tippett
from tgfr_search.forensic.pairs import Bools, Floats, Ints
from tgfr_search.forensic.reliability import reliability, simulate
from tgfr_search.forensic.tail import crowdedness
from tgfr_search.forensic.thresholds import Threshold, seen_at
from tgfr_search.forensic.words import RELIABILITY

INTERVAL = 0.95
"""Of Cllr, by resampled people."""

CROWDED_FMR = 1e-3


def cell_record(
    level: str, mode: str, log10: Floats, probe: Ints, record: Ints, weights: Floats, bounds: tuple[float, float]
) -> dict[str, Any]:
    """How good the likelihood ratios of one mode at one level are.

    Args:
        level: Of the quality ladder.
        mode: Name of a calibration's mode.
        log10: [N], log10 LR within its bounds.
        probe: [N], person of each probe, numbered 0 … S − 1.
        record: [N], person of each record.
        weights: [R, S], resamples of people.
        bounds: Of log10 LR.
    """
    same = probe == record
    kind, lines = parts_of(mode)
    own, other = log10[same], log10[~same]
    samples = resampled_cllr(own, other, (probe[same], probe[~same], record[~same]), weights)
    low, high = np.nanquantile(samples, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    value, least = cllr(own, other), cllr_min(own, other)
    rates = tippett(own, other).misleading
    return {
        "level": level,
        "mode": kind,
        "lines": lines,
        "cllr": value,
        "cllr_low": float(low),
        "cllr_high": float(high),
        "cllr_min": least,
        "cllr_cal": value - least,
        "devpav": _finite(devpav(own, other)),
        "people": len(np.union1d(probe, record)),
        "genuine": int(same.sum()),
        "impostor": int((~same).sum()),
        "bounds": list(bounds),
        "misleading": [{"lr": k, "stranger_above": rates[k][0], "same_person_below": rates[k][1]} for k in MISLEADING],
    }


def words_record(
    level: str, mode: str, words: str, said: Floats, alone: Floats, probe: Ints, record: Ints, weights: Floats
) -> dict[str, Any]:
    """What words make of the picture's likelihood ratios, paired by person.

    Args:
        level: Of the quality ladder.
        mode: Name of a calibration's mode.
        words: `cross`, they are about another photo of the person, or `wrong`, about somebody else.
        said: [N], log10 LR of picture and words as printed.
        alone: [N], of the same pairs by the picture alone.
        probe: [N], person of each probe, numbered 0 … S − 1.
        record: [N], person of each record.
        weights: [R, S], resamples of people.
    """
    same = probe == record
    who = probe[same], probe[~same], record[~same]
    costs = [
        (cllr(each[same], each[~same]), resampled_cllr(each[same], each[~same], who, weights)) for each in (said, alone)
    ]
    (joint, joint_samples), (image, image_samples) = costs
    low, high = np.nanquantile(image_samples - joint_samples, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    return {
        "level": level,
        "mode": mode,
        "words": words,
        "reliability": RELIABILITY,
        "cllr": joint,
        "cllr_image": image,
        "saved": image - joint,
        "saved_low": float(low),
        "saved_high": float(high),
    }


def curve_record(level: str, mode: str, log10: Floats, same: Bools) -> dict[str, Any]:
    """Tippett and ECE curves of one mode at one level."""
    own, other = log10[same], log10[~same]
    shares, costs = tippett(own, other), ece_curve(own, other)
    return {
        "level": level,
        "mode": mode,
        "tippett": {name: getattr(shares, name).tolist() for name in ("log10", "genuine", "impostor")},
        "ece": {name: getattr(costs, name).tolist() for name in ("prior", "system", "calibrated", "neutral")},
    }


def search_record(
    level: str, mode: str, log10: Floats, own: Ints, people: int, searches: int, seed: int
) -> dict[str, Any]:
    """Posteriors of first candidates against the truth, in simulated searches.

    Args:
        level: Of the quality ladder.
        mode: Name of a calibration's mode.
        log10: [P, G], LR of each probe against the best record of each person, NOT cut at its bounds: with N people
            calibrated on, a bound of N forbids the posteriors that a search among N can have.
        own: [P], column of each probe's own person.
        people: Of the galleries.
        searches: How many.
        seed: Of the draws.
    """
    told = reliability(*simulate(log10, own, people, searches, seed), people)
    return {
        "level": level,
        "mode": mode,
        "people": people,
        "searches": searches,
        "ece": told.ece,
        "worst_overconfidence": told.worst,
        "bins": [{"posterior": mean, "true": share, "searches": count} for mean, share, count in told.bins],
    }


def crowdedness_record(level: str, mode: str, scores: Floats, own: Bools, crowd: Floats) -> dict[str, Any]:
    """FMR of the most crowded tenth of records over the median tenth's at a global FMR of 1e-3: `tail.crowdedness`."""
    ratio, tenths = crowdedness(scores, own, CROWDED_FMR, crowd)
    return {"level": level, "mode": mode, "ratio": _finite(ratio), "fmr": CROWDED_FMR, "tenths": list(tenths)}


def threshold_record(level: str, mode: str, threshold: Threshold, tops: Floats, mates: Floats) -> dict[str, Any]:
    """What a threshold that was set elsewhere does here.

    Args:
        level: Of the quality ladder.
        mode: Name of a calibration's mode.
        threshold: As the calibration sets it for galleries of this size.
        tops: Highest score of each search of a person who is not enrolled.
        mates: Score of the own person in each other search.
    """
    alarms, missed = seen_at(tops, mates, threshold.score)
    return {
        "level": level,
        "mode": mode,
        "people": threshold.people,
        "threshold": threshold.score,
        "fpir_asked": threshold.fpir,
        "fpir_seen": _finite(alarms),
        "fnir": _finite(missed),
        "searches": len(tops),
        "warning": threshold.warning,
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


INTERVALS = {"cllr": INTERVAL, "lr": LEVEL}
"""What the intervals of a report mean."""
