"""Several witnesses of one person, each of whom may be wrong: how much their words weigh (not in the paper).

A witness's reliability r is the probability, before anything is compared, that the words describe the person of the
probe. What the probe's own face shows tells more: the words weigh w = r·L / (r·L + 1 − r), L being how much likelier
their statements are of a face that shows what this one shows than of any face. The score is

    image + share · Σ_i w_i · (fused_i − image),

so that words of no reliability leave the picture alone, and those of a sure witness count as without this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import Probes, make_probes
from tgfr_search.model.statements import Stated
from tgfr_search.words.read import read_lines

SLIP = 0.02
"""Probability that a statement is made whatever the face shows."""


@dataclass(frozen=True, slots=True)
class Witness:
    """What one witness said, and how far the words are believed.

    Attributes:
        lines: The lines, read as one set.
        reliability: 0 (knows nothing) to 1 (surely speaks of this person).
    """

    lines: tuple[str, ...]
    reliability: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.reliability, bool) or not isinstance(self.reliability, int | float):
            raise InputError("reliability", found=repr(self.reliability), expected="a number from 0 to 1")
        if not 0 <= self.reliability <= 1:  # also refuses NaN
            raise InputError("reliability", found=f"{self.reliability:g}", expected="a number from 0 to 1")


def share_of(count: int) -> float:
    """By how much the words of one of several witnesses are lessened: they saw one person, and repeat one another."""
    return 1 / float(np.sqrt(count))


def likelihood(claims: Mapping[str, float], shown: Mapping[str, float], usual: Mapping[str, float]) -> float:
    """How much likelier statements are of a face than of any face: L.

    Args:
        claims: Attribute → −1 to 1.
        shown: Attribute → probability that the face shows it.
        usual: Attribute → share of all faces that show it.
    """
    total = 0.0
    for name, value in claims.items():
        if name in shown and np.isfinite(shown[name]):
            here, all_ = (own[name] if value > 0 else 1 - own[name] for own in (shown, usual))
            believed = abs(value) * here + (1 - abs(value)) * all_
            total += float(np.log((believed + SLIP) / (all_ + SLIP)))
    return float(np.exp(total))


def weight_of(reliability: float, ratio: float) -> float:
    """Weight of a witness's words: the probability that they describe the person, L being known."""
    if reliability in (0, 1):
        return float(reliability)
    return reliability * ratio / (reliability * ratio + 1 - reliability)


def make_probe(
    model: FaceTextModel, face: FaceFeatures | None, witnesses: Sequence[Witness]
) -> tuple[Probes, tuple[float, ...]]:
    """One probe of a face (or none) and what several witnesses say.

    Args:
        model: What encodes and weighs.
        face: Features of one face on the model's device; None searches by words alone.
        witnesses: One or more, each with lines.

    Returns:
        The probe, and the weight of each witness's words.
    """
    count, mode = len(witnesses), "caption" if face is None else "fused"
    said = [own.lines for own in witnesses]
    whole = None if face is None else FaceFeatures(*(x.expand(count, *x.shape[1:]) for x in face))
    each = make_probes(model, whole, said, [mode] * count)
    return joined(model, each, None if face is None else make_probes(model, face, [()], ["image"]), witnesses)


def joined(
    model: FaceTextModel, each: Probes, image: Probes | None, witnesses: Sequence[Witness]
) -> tuple[Probes, tuple[float, ...]]:
    """One probe of those that each witness's words make with the same face.

    Args:
        model: What weighed them.
        each: As many as witnesses: the face (or none) with what one of them says.
        image: The face alone; None searches by words alone.
        witnesses: One or more, each with lines.

    Returns:
        The probe, and the weight of each witness's words.
    """
    weights = tuple(
        own.reliability if image is None else weight_of(own.reliability, _ratio(model, own.lines, each.shown[at]))
        for at, own in enumerate(witnesses)
    )
    share = np.array(weights) * share_of(len(witnesses))
    return _mixed(each, share, image, "caption" if image is None else "fused"), weights


def _ratio(model: FaceTextModel, lines: Sequence[str], shown: npt.NDArray[np.float64]) -> float:
    own = model.directions
    if own is None:
        return 1.0
    usual = dict(zip(own.attributes, own.usual.tolist(), strict=True))
    return likelihood(read_lines(lines).claims, dict(zip(own.attributes, shown.tolist(), strict=True)), usual)


def _mixed(each: Probes, share: npt.NDArray[np.float64], image: Probes | None, mode: str) -> Probes:
    """Σ_i share_i · each_i, and what is left of the picture alone."""
    own = share.astype(np.float32)
    queries, offsets = own @ each.queries, float(share @ each.offsets)
    stated = Stated((own @ each.stated.queries)[None], np.array([float(share @ each.stated.offsets)]))
    if image is not None:
        left = 1 - float(share.sum())
        queries, offsets = queries + np.float32(left) * image.queries[0], offsets + left * float(image.offsets[0])
    shown = each.shown[:1]
    return Probes((mode,), each.quality[:1], queries[None], np.array([offsets]), each.scoring, stated, shown)


def weights_of(probe: Probes, weights: Sequence[float]) -> dict[str, float]:
    """Term → its weight in a probe of several witnesses, each of whose words has that share of it.

    Args:
        probe: Of `make_probe`.
        weights: Of the witnesses.
    """
    total = sum(weights) * share_of(len(weights))
    mode, quality = probe.modes[0], float(probe.quality[0])
    own = {term: total * value for term, value in probe.scoring.at(mode, quality).items()}
    if mode == "fused":
        for term, value in probe.scoring.at("image", quality).items():
            own[term] = own.get(term, 0.0) + (1 - total) * value
    return own
