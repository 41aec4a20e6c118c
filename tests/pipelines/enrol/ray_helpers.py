"""Finders for Ray's workers: one whose process dies once, one whose process dies at every try."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from tgfr_search.faces.finder import FaceFinder
from tgfr_search.types import AlignedFace, Record


@dataclass(frozen=True, slots=True)
class DyingFinder(FaceFinder):
    """Kills its own process at a photo: once where there is a file to remember it by, else at every try."""

    photo: str = ""
    memory: str | None = None

    def find(self, source: Record | str | Path | bytes) -> AlignedFace:
        if (
            isinstance(source, Record)
            and source.name == self.photo
            and not (self.memory and Path(self.memory).exists())
        ):
            if self.memory:
                Path(self.memory).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return FaceFinder.find(self, source)  # `super()` does not survive the way to a worker
