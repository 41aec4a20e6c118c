"""What words add to a picture, and what a prior that somebody stated makes of likelihood ratios."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tgfr_search.errors import InputError
from tgfr_search.forensic.lr import checked_prior
from tgfr_search.forensic.pairs import Bools, Floats, finite

RELIABILITY = 0.8
"""r of a witness of whom nothing is known."""

RIVAL = 1.0
"""log10 of the factor within which another candidate is a rival."""


class Origin(StrEnum):
    """Where a description comes from; declared with it."""

    WITNESS = "witness"
    PROBE_PICTURE = "made from the probe picture"
    OTHER_PICTURES = "made from other pictures"
    UNKNOWN = "unknown"


def mixture(fused: Floats, image: Floats, reliability: float = RELIABILITY) -> Floats:
    """log10 LR of picture and words when the words may describe somebody else: r·LR_fused + (1 − r)·LR_image.

    If the witness spoke of the person in the probe, the pair is worth LR_fused. If not, the words are as likely under
    either proposition and the picture alone counts. At r = 0 this is the picture's LR.

    Args:
        fused: log10 LR of the fused score, calibrated on words about another photo.
        image: log10 LR of the picture alone, of the same pairs.
        reliability: r, 0 … 1; of several witnesses the lowest.

    Raises:
        InputError: r is out of range, or a value is NaN.
    """
    if not 0.0 <= reliability <= 1.0:
        raise InputError("reliability of the witness", found=f"{reliability:g}", expected="0 … 1")
    fused, image = finite(fused, "fused log10 LR"), finite(image, "image log10 LR")
    top = np.maximum(fused, image)
    return np.asarray(top + np.log10(reliability * 10 ** (fused - top) + (1 - reliability) * 10 ** (image - top)))


def increment(joint: Floats, image: Floats) -> Floats:
    """log10 of what the words multiply the picture's LR by; never to be multiplied with anything else."""
    return np.asarray(finite(joint, "log10 LR") - finite(image, "image log10 LR"))


@dataclass(frozen=True)
class Posterior:
    """What a stated prior makes of a search.

    Attributes:
        candidates: [N] probabilities.
        nobody: That it is none of them.
    """

    candidates: Floats
    nobody: float


def posterior(log10: Floats, prior: float) -> Posterior:
    """P(i) = π·LR_i / (π_0 + Σ_j π·LR_j): the person is one of the N searched with the stated prior, each as likely.

    Args:
        log10: [N] of ALL records searched, not of the list alone.
        prior: That the person is among them; a named user states it, and it is logged.

    Raises:
        InputError: The prior is 0, 1 or no probability; a value is NaN.
    """
    values = finite(log10, "log10 LR")
    if not len(values):
        raise InputError("posterior", found="no candidate", expected="one or more")
    each = np.log10(checked_prior(prior)) - np.log10(len(values))
    logs = np.append(values + each, np.log10(1 - prior))
    parts = 10 ** (logs - logs.max())
    parts /= parts.sum()
    return Posterior(parts[:-1], float(parts[-1]))


def rivals(log10: Floats, at: int) -> Bools:
    """Which other candidates lie within a factor of 10 of candidate `at`, or above it."""
    near = np.asarray(finite(log10, "log10 LR") >= log10[at] - RIVAL)
    near[at] = False
    return near
