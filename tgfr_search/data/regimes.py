"""Caption regimes of docs/protocol.md 7: which words the gallery is enrolled with, and which the witness says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tgfr_search.errors import InputError

REGIMES = ("own", "own3", "paper", "cross", "cross2", "cross3", "wrong", "wrong2", "wrong3", "constant", "none")
CONSTANT = "A photograph of a person."
PROBE_LINES = {"own3": 3, "cross2": 2, "cross3": 3, "wrong2": 2, "wrong3": 3}
BORROWED = {f"{kind}{lines}": kind for kind in ("cross", "wrong") for lines in ("", "2", "3")}
"""Regimes in which the words describe another image, and whose draw of that image they share: the line of `cross` is
the first of `cross2` and `cross3`, so that one line and more differ by those more and by nothing else."""

Lines = tuple[str, ...]


class Captions(NamedTuple):
    """Captions of N images in one regime.

    Attributes:
        gallery: N tuples, what each image is enrolled with as a template.
        probe: N tuples, what is said of each image as a probe; empty where there is nothing to say.
        absent: How many probes have no text although the regime asks for one.
        described: int64 [N], in `cross`, `cross2` and `cross3` the image that each probe's words describe: its other
            lines stay enrolled, so probe and described image are no pair for verification. −1 where words describe no
            other image.
    """

    gallery: list[Lines]
    probe: list[Lines]
    absent: int
    described: npt.NDArray[np.int64]


def _draw(seed: int, *key: str) -> np.random.Generator:
    """A generator that depends on the image alone, not on the order of images."""
    digest = hashlib.sha256("\0".join((str(seed), *key)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def _some(lines: Lines, count: int, rng: np.random.Generator) -> Lines:
    picked = rng.permutation(len(lines))[:count]
    return tuple(lines[i] for i in picked)


def assign(
    regime: str, names: Sequence[str], subjects: Sequence[str], captions: Sequence[Lines], seed: int
) -> Captions:
    """Captions of both sides for every image of a labelled set.

    `cross`, `cross2` and `cross3` take lines of another image of the same person, never of the person's first image:
    that is the template of identification, and its remaining lines describe the same photo. They and `wrong`, `wrong2`,
    `wrong3` withhold the very lines from the enrolment of the image that they are taken from, so that no string stands
    on both sides by construction. Where an image has fewer lines than the regime asks for, all of them are said.

    Args:
        regime: One of `REGIMES`.
        names: N image names, unique.
        subjects: N subject ids.
        captions: N tuples of lines.
        seed: Of the draws.

    Raises:
        InputError: No such regime.
    """
    if regime not in REGIMES:
        raise InputError(f"caption regime {regime!r}", expected=f"one of: {', '.join(REGIMES)}")
    count = len(names)
    described = np.full(count, -1, np.int64)
    if regime == "constant":
        return Captions([(CONSTANT,)] * count, [(CONSTANT,)] * count, 0, described)
    gallery = list(captions)
    if regime == "none":
        return Captions(gallery, [()] * count, 0, described)
    rngs = [_draw(seed, BORROWED.get(regime, regime), name) for name in names]
    said = PROBE_LINES.get(regime, 1)
    if regime == "paper":
        gallery = [_some(own, 1, _draw(seed, "paper-gallery", name)) for name, own in zip(names, captions, strict=True)]
    if regime not in BORROWED:
        probe = [_some(own, said, rng) for own, rng in zip(captions, rngs, strict=True)]
    else:
        probe = []
        sources = _sources(BORROWED[regime], names, subjects, captions, rngs)
        for at, (source, rng) in enumerate(zip(sources, rngs, strict=True)):
            if source is None:
                probe.append(())
                continue
            lines = _some(captions[source], said, rng)
            probe.append(lines)
            gallery[source] = tuple(own for own in gallery[source] if own not in lines)
            if BORROWED[regime] == "cross":
                described[at] = source
    return Captions(gallery, probe, sum(not lines for lines in probe), described)


def _sources(
    whose: str,
    names: Sequence[str],
    subjects: Sequence[str],
    captions: Sequence[Lines],
    rngs: list[np.random.Generator],
) -> list[int | None]:
    """The image that each probe's words are borrowed from."""
    described = [i for i in range(len(names)) if captions[i]]
    of_subject: dict[str, list[int]] = {}
    for i in sorted(range(len(names)), key=lambda i: names[i]):
        of_subject.setdefault(subjects[i], []).append(i)
    out: list[int | None] = []
    for i, rng in enumerate(rngs):
        own = of_subject[subjects[i]]
        if whose == "wrong":
            others = [j for j in described if subjects[j] != subjects[i]]
        else:
            others = [j for j in own[1:] if j != i and captions[j]]
        out.append(others[int(rng.integers(len(others)))] if others else None)
    return out
