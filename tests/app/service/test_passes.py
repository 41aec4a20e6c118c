"""Searches of several users go through the face networks together, and each gets what is its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from tgfr_search.app.service.passes import SharedPasses
from tgfr_search.encoders.base import FaceFeatures, FaceSpec
from tgfr_search.types import ByteArray


class Held:
    """An encoder whose first pass waits; a chip's features are its first pixel, and a chip of 255 is refused."""

    spec = FaceSpec("held", "none", 2, 1, (1, 1, 1), "", "")

    def __init__(self) -> None:
        self.passes, self.began, self.go = list[int](), threading.Event(), threading.Event()

    def encode(self, chips: ByteArray) -> FaceFeatures:
        self.passes.append(len(chips))
        self.began.set()
        assert self.go.wait(30)
        if (chips == 255).any():
            raise ValueError("a chip of 255")
        first = torch.from_numpy(chips[:, 0, 0, :1].astype(np.float32))
        return FaceFeatures(first, first[:, :, None, None])


def chips(*values: int) -> ByteArray:
    return np.stack([np.full((2, 2, 3), value, np.uint8) for value in values])


def waiting(passes: SharedPasses, count: int) -> None:
    while len(passes._waiting) < count:
        threading.Event().wait(0.001)


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(8)


def test_what_waits_goes_together_and_comes_back_apart(pool: ThreadPoolExecutor) -> None:
    held = Held()
    passes = SharedPasses(held, most=4)
    assert passes.spec is held.spec
    first = pool.submit(passes.encode, chips(9))
    assert held.began.wait(30)
    others = []
    for at, own in enumerate(((1, 2), (3,), (4,), (5, 6, 7, 8, 9, 10))):  # in their order
        others.append((own, pool.submit(passes.encode, chips(*own))))
        waiting(passes, at + 1)
    held.go.set()
    for own, told in ((9,), first), *others:
        got = told.result(30)
        assert got.global_[:, 0].tolist() == list(own)
        assert got.regions[:, 0, 0, 0].tolist() == list(own)
    assert held.passes == [1, 4, 6]  # alone at once; then as many as fit; then one that brings more than that


def test_an_error_is_told_to_the_one_whose_it_is(pool: ThreadPoolExecutor) -> None:
    held = Held()
    passes = SharedPasses(held)
    first = pool.submit(passes.encode, chips(9))
    assert held.began.wait(30)
    others = [pool.submit(passes.encode, chips(value)) for value in (1, 255, 3)]
    waiting(passes, 3)
    held.go.set()
    assert first.result(30).global_.item() == 9
    assert [told.result(30).global_.item() for told in (others[0], others[2])] == [1, 3]
    with pytest.raises(ValueError, match="a chip of 255"):
        others[1].result(30)
    assert passes.encode(chips(4)).global_.item() == 4  # and nobody is left waiting


def test_many_threads_get_each_its_own() -> None:
    held = Held()
    held.go.set()
    passes = SharedPasses(held, most=5)
    with ThreadPoolExecutor(16) as many:
        got = list(many.map(lambda value: passes.encode(chips(value % 250)).global_.item(), range(2000)))
    assert got == [value % 250 for value in range(2000)]
    assert max(held.passes) <= 5
