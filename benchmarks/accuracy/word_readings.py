"""A reading of MM-CelebA-HQ's own lines that leaves nothing out, and how much of a record such a reading tells.

The lines were written from 40 labels by a grammar, so patterns read them without a fault. What two readings say of one
person is a bilinear score, learnt on people of train by InfoNCE: what is said of one picture against what is on record
with another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.data.records import read_records
from tgfr_search.types import FloatArray

Ints = npt.NDArray[np.int64]
Draw = Callable[[Ints, np.random.Generator], FloatArray]
"""Images → features [N, ·], drawn anew each time where that means something."""

OTHERWISE = ("male", "no_beard", "blurry", "5_o_clock_shadow")
"""Attributes that the lines tell in other words than their names, or, the last two, never."""
PATTERNS: dict[str, str] = {
    **{name: name.removeprefix("wearing_").replace("_", " ") for name in ATTRIBUTES if name not in OTHERWISE},
    "mouth_slightly_open": r"mouth slightly open|slightly open mouth",
    "no_beard": r"no beard",
    "a beard": r"(?<!no )beard",
    "a woman": r"she|her|woman|lady|female",
    "a man": r"he|his|man|male",
}
COMPILED = {name: re.compile(rf"\b(?:{own})\b") for name, own in PATTERNS.items()}

SAID = {"one line": 1, "three lines": 3}
"""How many lines a reading has."""

STEPS, PEOPLE, RATE, DECAY = 1500, 512, 3e-3, 1e-2
"""Of the bilinear score: batches, people in each, AdamW's learning rate and weight decay."""
SHARE_HELD, EVERY = 0.1, 100
"""The share of train people that says when to stop, and every how many steps it is asked."""


def said(line: str) -> FloatArray:
    """What one line says: float32 [P], 1 for each of `PATTERNS` that is in it."""
    text = line.lower()
    return np.array([own.search(text) is not None for own in COMPILED.values()], np.float32)


def read(lines: Iterable[str], known: dict[str, FloatArray]) -> FloatArray:
    """What a set of lines says: [P + 1], what any of them says, and the logarithm of one more than their number.

    Args:
        lines: Of one description.
        known: Lines that were read already; grows.
    """
    own = [known.setdefault(line, said(line)) if line not in known else known[line] for line in lines]
    any_of = np.max(own, axis=0) if own else np.zeros(len(PATTERNS), np.float32)
    return np.append(any_of, np.float32(np.log1p(len(own))))


class Bilinear:
    """score(said, record) = (said, 1)ᵀ W (record, 1).

    Args:
        weights: W, [S + 1, R + 1].
    """

    def __init__(self, weights: FloatArray) -> None:
        self.weights = weights

    def __call__(self, said_of: FloatArray, records: FloatArray) -> FloatArray:
        """Scores [N, G] of N descriptions against G records."""
        return np.asarray(_one(said_of) @ self.weights @ _one(records).T, np.float32)


def _one(x: FloatArray) -> FloatArray:
    return np.concatenate([x, np.ones((len(x), 1), np.float32)], axis=1)


def learnt(subjects: Ints, witness: Draw, record: Draw, seed: int) -> tuple[Bilinear, float]:
    """A bilinear score, and its −log softmax of the right record among `PEOPLE` on train people that it has not seen.

    Args:
        subjects: int64 [N] of train's images.
        witness: What somebody says of images.
        record: What is on record with images.
        seed: Of all draws.
    """
    rng = np.random.default_rng([seed, 43])
    of: dict[int, list[int]] = {}
    for at, subject in enumerate(subjects.tolist()):
        of.setdefault(subject, []).append(at)
    several = rng.permutation([subject for subject, own in of.items() if len(own) > 1])
    held, seen = np.split(several, [int(len(several) * SHARE_HELD)])

    def batch(people: Sequence[int] | Ints, own: np.random.Generator) -> tuple[Tensor, Tensor]:
        pairs = np.array([own.choice(of[int(p)], size=2, replace=False) for p in people], np.int64)
        return torch.from_numpy(_one(witness(pairs[:, 0], own))), torch.from_numpy(_one(record(pairs[:, 1], own)))

    checks = [batch(held, np.random.default_rng([seed, 44, at])) for at in range(5)]
    weights = torch.zeros(checks[0][0].shape[1], checks[0][1].shape[1], requires_grad=True)
    optimiser = torch.optim.AdamW([weights], lr=RATE, weight_decay=DECAY)
    best, kept = np.inf, weights.detach().clone()
    for step in range(1, STEPS + 1):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - (step - 1) / STEPS)
        _loss(weights, *batch(rng.choice(seen, size=min(PEOPLE, len(seen)), replace=False), rng)).backward()
        optimiser.step()
        optimiser.zero_grad()
        if step % EVERY == 0:
            with torch.no_grad():
                found = float(np.mean([float(_loss(weights, *own)) for own in checks]))
            if found < best:
                best, kept = found, weights.detach().clone()
    return Bilinear(kept.numpy()), best


def _loss(weights: Tensor, witness: Tensor, record: Tensor) -> Tensor:
    return F.cross_entropy(witness @ weights @ record.T, torch.arange(len(witness)))


class TrainSet:
    """Train's people: bilinear scores of what is said of them against what is on record.

    Args:
        data: The data set.
        split: Of train.
        known: Lines that were read already; grows.
        seed: Of all draws.
    """

    def __init__(self, data: Path, split: str, known: dict[str, FloatArray], seed: int) -> None:
        records = [own for own in read_records(data, split=split, on_problem=lambda problem: None) if own.captions]
        self.subjects = np.unique([str(own.subject_id) for own in records], return_inverse=True)[1].astype(np.int64)
        self.captions = [own.captions for own in records]
        self.labels = signed([[bool(own.metadata[name]) for name in ATTRIBUTES] for own in records])
        self.records = {"lines": np.stack([read(own, known) for own in self.captions]), "attributes": self.labels}
        self.known, self.seed = known, seed

    def said(self, reading: str, images: Ints, rng: np.random.Generator) -> FloatArray:
        """What somebody says of images: one line or three as `read` has them, or their attributes."""
        if reading == "attributes":
            return self.labels[images]
        lines = [rng.permutation(len(self.captions[at]))[: SAID[reading]] for at in images]
        chosen = [[self.captions[at][i] for i in own] for at, own in zip(images, lines, strict=True)]
        return np.stack([read(own, self.known) for own in chosen])

    def score(self, reading: str, record: str) -> tuple[Bilinear, float]:
        """The score of a reading against records of a kind, and its loss on people that it has not seen."""
        there = self.records[record]
        return learnt(self.subjects, partial(self.said, reading), lambda at, rng: there[at], self.seed)


def signed(holds: npt.ArrayLike) -> FloatArray:
    """0 … 1 as −1 … 1."""
    return np.asarray(2 * np.asarray(holds, np.float32) - 1, np.float32)
