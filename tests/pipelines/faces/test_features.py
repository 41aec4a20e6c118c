"""The feature cache: its size told and checked beforehand, memory-mapped, in float16, gone on with after a kill."""

from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.faces.aligned import Chips
from pipelines.faces.features import feature_bytes, load_features
from tgfr_search.encoders.base import FaceFeatures, FaceSpec
from tgfr_search.errors import TgfrError
from tgfr_search.types import ByteArray

SPEC = FaceSpec("counting", "none", 8, 4, (3, 2, 2), "", "0")
BLOCK = 10


class Counting:
    """An encoder whose vectors tell the picture apart; it counts what it is given."""

    spec = SPEC

    def __init__(self) -> None:
        self.seen = 0

    def encode(self, chips: ByteArray) -> FaceFeatures:
        self.seen += len(chips)
        flat = torch.from_numpy(chips.astype(np.float32)).flatten(1)
        return FaceFeatures(flat[:, :4], flat[:, 4:16].reshape(-1, 3, 2, 2) / 7)


@pytest.fixture
def chips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chips:
    monkeypatch.setattr("pipelines.faces.features.BLOCK", BLOCK)
    count = 25
    pixels = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    names = [f"{at:02d}" for at in range(count)]
    return Chips(tmp_path / "chips-x", pixels, names, names, names, [()] * count, [{}] * count, {}, "0")


def test_made_once_and_memory_mapped(chips: Chips, tmp_path: Path) -> None:
    encoder, told = Counting(), []
    made = load_features(chips, ("original",), encoder, tmp_path / "c", 0, lambda what, *_: told.append(what))
    assert encoder.seen == 2 * len(chips)  # both orientations
    assert isinstance(made.vectors, np.memmap)
    assert isinstance(made.regions, np.memmap)
    assert (made.vectors.dtype, made.regions.dtype) == (np.float32, np.float16)
    assert made.regions.nbytes + made.vectors.nbytes == feature_bytes(len(chips), 1, SPEC)
    first = told[0]
    assert first.startswith("features, ")  # the size comes before any work
    assert first.endswith(" GB")
    plain = chips.pixels.astype(np.float32).reshape(len(chips), -1)
    assert np.array_equal(made.vectors[:, 0, 0], plain[:, :4])
    mirrored = chips.pixels[:, :, ::-1].astype(np.float32).reshape(len(chips), -1)
    turned = (mirrored[:, 4:16].reshape(-1, 3, 2, 2) / 7)[..., ::-1]
    assert np.array_equal(made.regions[:, 0, 1], turned.astype(np.float16))
    again = Counting()
    same = load_features(chips, ("original",), again, tmp_path / "c", 0)
    assert again.seen == 0
    assert np.array_equal(same.vectors, made.vectors)


def test_a_kill_loses_one_block_at_most(chips: Chips, tmp_path: Path) -> None:
    whole = load_features(chips, ("original", "bad"), Counting(), tmp_path / "whole", 0, workers=2)

    class Dying(Counting):
        def encode(self, chips: ByteArray) -> FaceFeatures:
            if self.seen >= 6 * BLOCK:  # in the second block: two views, two orientations each
                raise KeyboardInterrupt
            return super().encode(chips)

    with pytest.raises(KeyboardInterrupt):
        load_features(chips, ("original", "bad"), Dying(), tmp_path / "c", 0)
    rest = Counting()
    resumed = load_features(chips, ("original", "bad"), rest, tmp_path / "c", 0)
    assert rest.seen == 4 * (len(chips) - BLOCK)
    assert np.array_equal(resumed.vectors, whole.vectors)
    assert np.array_equal(resumed.regions, whole.regions)


def test_a_disk_that_is_too_small_is_told_before_any_work(
    chips: Chips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage: Any = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**9, 0, feature_bytes(len(chips), 1, SPEC) // 2))
    encoder = Counting()
    with pytest.raises(TgfrError, match=r"feature cache .*GB free; expected: .*GB"):
        load_features(chips, ("original",), encoder, tmp_path / "c", 0)
    assert encoder.seen == 0
