"""Pictures that other processes make while this one works on those before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
from torch.utils.data import DataLoader


def drawn(loader: DataLoader[Any]) -> Iterator[Any]:
    """What a loader gives; while its workers draw, OpenCV has no threads here.

    A worker is forked from this process, without the threads that OpenCV has in it: the first call that waits for them
    never comes back.
    """
    threads = cv2.getNumThreads()
    if loader.num_workers:
        cv2.setNumThreads(1)
    try:
        yield from loader
    finally:
        cv2.setNumThreads(threads)
