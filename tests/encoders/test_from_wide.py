"""An encoder of small chips over wide ones reads the very chips that are cut out of them, plain and turned."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tgfr_search.encoders.base import FaceEncoder, encode_both
from tgfr_search.encoders.dlib_resnet import DlibFaceEncoder
from tgfr_search.encoders.from_wide import reading
from tgfr_search.faces.align import DLIB_CHIP, WIDE_CHIP
from tgfr_search.faces.wide import cut


@pytest.fixture(scope="module")
def encoder() -> FaceEncoder:
    return DlibFaceEncoder()


def test_it_reads_what_is_cut_out(encoder: FaceEncoder) -> None:
    wide = np.random.default_rng(0).integers(0, 256, (2, WIDE_CHIP.size, WIDE_CHIP.size, 3), dtype=np.uint8)
    over, chips = reading(encoder, WIDE_CHIP.name), cut(wide, DLIB_CHIP.name)
    assert over.spec.alignment == WIDE_CHIP.name
    assert torch.equal(over.encode(wide).global_, encoder.encode(chips).global_)
    for one, other in zip(encode_both(over, wide), encode_both(encoder, chips), strict=True):
        assert torch.equal(one.global_, other.global_)
        assert torch.equal(one.regions, other.regions)


def test_where_its_own_chips_are_given_it_stays_as_it_is(encoder: FaceEncoder) -> None:
    assert reading(encoder, DLIB_CHIP.name) is encoder
    over = reading(encoder, WIDE_CHIP.name)
    assert reading(over, WIDE_CHIP.name) is over
