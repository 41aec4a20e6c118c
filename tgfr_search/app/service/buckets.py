"""Token buckets: a burst is served at once, what goes on for longer is slowed down."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

KEPT = 10_000
"""Keys that are remembered; those that are full again go first."""


class Buckets:
    """A bucket for each key.

    Args:
        burst: Tokens of a full bucket.
        a_minute: Tokens that come back each minute.
        clock: Seconds.
    """

    def __init__(self, burst: int, a_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._rate, self._clock = float(burst), a_minute / 60.0, clock
        self._lock, self._levels = Lock(), dict[str, tuple[float, float]]()

    def take(self, key: str) -> float:
        """Takes a token; returns 0, or for how many seconds there is none."""
        with self._lock:
            now = self._clock()
            level, at = self._levels.pop(key, (self._burst, now))
            level = min(self._burst, level + (now - at) * self._rate)
            if len(self._levels) >= KEPT:
                self._forget(now)
            wait = 0.0 if level >= 1.0 else (1.0 - level) / self._rate
            self._levels[key] = (level if wait else level - 1.0, now)
            return wait

    def _forget(self, now: float) -> None:
        full = [k for k, (level, at) in self._levels.items() if level + (now - at) * self._rate >= self._burst]
        for key in full or list(self._levels)[: KEPT // 10]:
            del self._levels[key]
