"""Native objects that only one thread at a time may use: each user gets one of its own, made when none is idle."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Lent:
    """Copies of one native object.

    Nobody waits for a copy, and no lock is held while one is used, so that a process may fork at any moment.

    Args:
        make: Makes the original; called once, when the first copy is asked for.
        copy: Makes a copy of the original, which itself is never used.
    """

    def __init__(self, make: Callable[[], Any], copy: Callable[[Any], Any]) -> None:
        self._make, self._copy = make, copy
        self._original: Any = None
        self._idle: deque[Any] = deque(maxlen=os.cpu_count())  # its appends and pops are atomic
        self._renew()
        os.register_at_fork(after_in_child=self._renew)  # another thread may have held the lock

    def _renew(self) -> None:
        self._making = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[Any]:
        """A copy that nobody else uses as long as the block runs."""
        try:
            own = self._idle.pop()
        except IndexError:
            own = self._copy(self._whole())
        yield own
        self._idle.append(own)  # one that has raised is not used again

    def _whole(self) -> Any:
        if self._original is None:
            with self._making:
                if self._original is None:
                    self._original = self._make()
        return self._original
