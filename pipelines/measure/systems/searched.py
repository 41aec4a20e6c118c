"""The default as a search uses it: with how a probe and a record stand to the model's cohort."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from pipelines.measure.data import Side
from pipelines.measure.systems.protocol import Said
from pipelines.measure.systems.trained import Default
from pipelines.search.answers.typical import Typical
from pipelines.search.evidence import Judge
from tgfr_search.errors import InputError
from tgfr_search.files import cache_key
from tgfr_search.forensic.correction import as_product
from tgfr_search.model.probe import Probes
from tgfr_search.model.tgfr import LineReader
from tgfr_search.types import FloatArray

MODES = ("image", "fused")


class Searched(Default):
    """The default's score raised by its calibration's correction, as the head of every list is scored.

    A correction is an inner product too: its parts stand in further columns of the vectors, those of a picture alone
    and those of picture and words beside each other, and zero in a probe of the other mode.
    """

    prominence: ClassVar[int] = 0

    @cached_property
    def typical(self) -> Typical:
        """The cohort and the corrections that come with the model; a benchmark may set those that it was given.

        Raises:
            InputError: None come with it.
        """
        found = Judge.of(self.model, self.model.find_with().detector).typical
        if found is None:
            expected = "a model with a cohort and a calibration"
            raise InputError(f"system {self.name!r}", found=self.model.model_id, expected=expected)
        return found

    @property
    def model_id(self) -> str:
        """The model's, and that of the cohort with its corrections."""
        own = cache_key(cohort=self.typical.cohort.sha256, corrections=dict(self.typical.corrections))
        return f"{super().model_id}+cohort-{own[:8]}"

    def templates(self, side: Side, view: int, captions: Said, read: LineReader | None) -> FloatArray:
        """See `System`."""
        dense = super().templates(side, view, captions, read)
        rows, cohort = dense[:, :-1], self.typical.cohort
        terms = [cohort.of_records(rows, mode).transpose(1, 0, 2).reshape(len(rows), -1) for mode in MODES]
        return np.concatenate([rows, *(own.astype(np.float32) for own in terms), dense[:, -1:]], axis=1)

    def probes(self, side: Side, view: int, captions: Said, read: LineReader | None) -> Probes:
        """See `System`."""
        made = super().probes(side, view, captions, read)
        cohort, width = self.typical.cohort, 2 * len(self.typical.cohort.levels)
        stands, quality = cohort.of_probes(made), made.quality.astype(np.float64)
        offsets, columns = made.offsets.copy(), np.zeros((len(made), len(MODES) * width), np.float32)
        for mode, count in sorted({(mode, len(own)) for mode, own in zip(made.modes, captions, strict=True)}):
            rule = self.typical.correction(mode, count)
            if rule is None:
                continue
            told = zip(made.modes, captions, strict=True)
            rows = np.array([(own, len(lines)) == (mode, count) for own, lines in told])
            own, by_level = as_product(rule, stands[rows], cohort.levels, quality[rows])
            at = MODES.index(mode) * width
            offsets[rows] += own
            columns[rows, at : at + width] = by_level
        return replace(made, queries=np.concatenate([made.queries, columns], axis=1), offsets=offsets)
