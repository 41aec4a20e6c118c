"""What every system of a benchmark can do, and the features that it does it with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Protocol

import numpy as np

from pipelines.measure.data import Side
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import Probes
from tgfr_search.model.tgfr import LineReader
from tgfr_search.types import FloatArray

BATCH = 128

Said = Sequence[tuple[str, ...]]
"""Caption lines of N images, any of them empty."""


class System(Protocol):
    """One row of the comparison.

    Attributes:
        name: As in the report.
        model: What embeds.
        baseline: The caption regime in which this system is one that the others are also reported as differences from;
            None where it is no such baseline.
        prominence: Of several, the report is about the one with most.
        trained: Whether anything of the model but its frozen face encoder counts.
        looks: Whether the probe's photo counts.
    """

    name: str
    model: FaceTextModel
    baseline: ClassVar[str | None]
    prominence: ClassVar[int]
    trained: ClassVar[bool]
    looks: ClassVar[bool]

    @property
    def model_id(self) -> str:
        """What identifies its vectors."""

    def regimes(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The caption regimes in which this system means something."""

    def reads(self, lines: Iterable[str]) -> list[str]:
        """Which lines it will read where those of the data are `lines`: each once, sorted."""

    def templates(self, side: Side, view: int, captions: Said, read: LineReader | None) -> FloatArray:
        """Gallery vectors, float32 [N, D + 1], as `model.probe.dense_rows` has them."""

    def probes(self, side: Side, view: int, captions: Said, read: LineReader | None) -> Probes:
        """Probes of all images of a side; their quality is 0 where the system predicts none."""


def batches(model: FaceTextModel, side: Side, view: int) -> Iterator[tuple[slice, FaceFeatures]]:
    """Rows of a side with their features, as they lie in the cache; both orientations where the model averages them.

    Args:
        model: Whose features.
        side: The faces.
        view: Which view of them.
    """
    flip, spec = model.config["model"]["flip"], model.face_encoder.spec
    for start in range(0, len(side), BATCH):
        rows = side.order[start : start + BATCH]
        features = side.features[spec.weights_key].batch(rows, view, None if flip else np.zeros(len(rows), np.int64))
        yield slice(start, start + BATCH), features
