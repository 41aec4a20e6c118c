"""An example's pictures are the faces as they were compared."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines.enrol.batches import encode_crop
from pipelines.measure.data import BenchOptions
from pipelines.measure.examples import write_pictures
from tgfr_search.data.degrade import degrade
from tgfr_search.faces.align import ARCFACE_CHIP, DLIB_CHIP, WIDE_CHIP, Alignment


@pytest.mark.parametrize("alignment", [DLIB_CHIP, WIDE_CHIP, ARCFACE_CHIP], ids=lambda own: own.name)
def test_a_probe_is_shown_as_degraded_as_it_was(alignment: Alignment, tmp_path: Path) -> None:
    chip = np.random.default_rng(4).integers(0, 256, (alignment.size, alignment.size, 3), dtype=np.uint8)
    side: Any = SimpleNamespace(
        names=["a"], chips=SimpleNamespace(pixels=chip[None]), order=[0], sha256=lambda at: "key"
    )
    data: Any = SimpleNamespace(probes=side, templates=SimpleNamespace(names=[]))
    options = BenchOptions(tmp_path, seed=3)
    write_pictures(tmp_path, [{"pictures": {"probe": "p.jpg"}, "level": "bad", "probe": "a"}], data, options)
    expected = degrade(chip, "bad", key="key", seed=3, side=alignment.ladder_side)
    assert (tmp_path / "p.jpg").read_bytes() == encode_crop(expected)
