"""Faces of several searches through the networks as one batch, which costs little more than each of them alone."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from tgfr_search.encoders.base import FaceEncoder, FaceFeatures, FaceSpec
from tgfr_search.types import ByteArray


@dataclass(frozen=True)
class _Waiting:
    chips: ByteArray
    features: Future[FaceFeatures] = field(default_factory=Future)


class SharedPasses:
    """A face encoder for many threads: what comes while a pass runs goes through the networks together in the next one.

    Nobody waits for company: a search that finds the networks idle goes through them at once, alone. What it gets
    differs from what it would get alone by the rounding of float32 (some 1e-6 of a score), as with
    `Gallery.query_many`: more than the replay of a case lets pass.

    Args:
        encoder: What encodes.
        most: Faces in one pass of several searches; one search may bring more.
    """

    def __init__(self, encoder: FaceEncoder, most: int = 16) -> None:
        self._encoder, self._most = encoder, most
        self._waiting = list[_Waiting]()
        self._adding, self._passing = Lock(), Lock()

    @property
    def spec(self) -> FaceSpec:
        """Of the encoder."""
        return self._encoder.spec

    def encode(self, chips: ByteArray) -> FaceFeatures:
        """As the encoder does, and raising what it raises for these chips; waits for the pass that runs."""
        own = _Waiting(chips)
        with self._adding:
            self._waiting.append(own)
        while not own.features.done():
            with self._passing:  # whoever comes first makes the pass of all who wait, and wakes them by its end
                if not own.features.done():
                    self._pass()
        return own.features.result()

    def _pass(self) -> None:
        with self._adding:
            count = 1
            while count < len(self._waiting) and sum(len(e.chips) for e in self._waiting[: count + 1]) <= self._most:
                count += 1
            taken, self._waiting = self._waiting[:count], self._waiting[count:]
        try:
            self._encode(taken)
        except Exception as error:
            if len(taken) == 1:
                taken[0].features.set_exception(error)
                return
            for each in taken:  # one of them is to blame, and only that one is to be told
                try:
                    self._encode([each])
                except Exception as own:
                    each.features.set_exception(own)

    def _encode(self, taken: list[_Waiting]) -> None:
        features = self._encoder.encode(np.concatenate([each.chips for each in taken]))
        start = 0
        for each in taken:
            rows = slice(start, start := start + len(each.chips))
            each.features.set_result(FaceFeatures(features.global_[rows], features.regions[rows]))
