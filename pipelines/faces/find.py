"""Photos → aligned faces on several processes, in order, with a bounded number of photos in flight.

This module never imports torch: its workers are spawned and would pay for it.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice

from tgfr_search.errors import FaceError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.types import AlignedFace, Record

Found = tuple[Record, AlignedFace | FaceError]
Faces = list[AlignedFace | FaceError]
"""Of one photo: its face, or faces, or why there is none."""

INLINE_BELOW = 24
"""Fewer photos than this are not worth starting processes for (a worker needs about half a second to start)."""

CHUNK = 4
"""Photos a task: enough to make the queue's cost small, few enough that the first batch comes soon."""

CHUNKS_AHEAD = 16
"""Tasks of each worker that are queued or done: enough to keep it busy while a batch is encoded or committed."""

_finder: FaceFinder


def _start_worker(finder: FaceFinder, parent: int) -> None:
    global _finder
    _finder = finder

    def watch() -> None:
        # A killed parent cannot tell its workers; they would wait for work for ever.
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _find(finder: FaceFinder, record: Record) -> Faces:
    try:
        return [*finder.find_all(record)]
    except FaceError as error:
        return [error]


def _find_chunk(records: list[Record]) -> list[Faces]:
    return [_find(_finder, record) for record in records]


def worker_count(workers: int | None) -> int:
    """How many processes that is: None is one for each core that this process may use."""
    return len(os.sched_getaffinity(0)) if workers is None else workers


def find_faces(records: Iterable[Record], finder: FaceFinder, workers: int | None = None) -> Iterator[Found]:
    """Finds the face of every record, in the order given; a photo that gives none yields its error.

    A finder that gives all faces yields a record once for each of them, one after another.

    Args:
        records: May be a stream; at most `CHUNK * CHUNKS_AHEAD` photos a worker are held at once.
        finder: How photos become faces.
        workers: Processes; None is one a core, 0 works in this process.

    Raises:
        MissingPartError: The detector is not installed.
    """
    count = worker_count(workers)
    stream = iter(records)
    head = list(islice(stream, INLINE_BELOW))
    if count == 0 or len(head) < INLINE_BELOW:
        for record in chain(head, stream):
            yield from ((record, face) for face in _find(finder, record))
        return
    stream = chain(head, stream)
    pool = ProcessPoolExecutor(
        count, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(finder, os.getpid())
    )
    waiting: deque[tuple[list[Record], Future[list[Faces]]]] = deque()
    try:
        while True:
            while len(waiting) < CHUNKS_AHEAD * count and (chunk := list(islice(stream, CHUNK))):
                waiting.append((chunk, pool.submit(_find_chunk, chunk)))
            if not waiting:
                return
            chunk, future = waiting.popleft()
            for record, faces in zip(chunk, future.result(), strict=True):
                yield from ((record, face) for face in faces)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
