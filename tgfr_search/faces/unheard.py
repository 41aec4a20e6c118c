"""Silence for the warnings of one block of code in one thread, whatever the process has chosen for all others.

`warnings.catch_warnings` replaces the process's list of filters and puts it back: of two threads, one may put back what
the other had replaced, and a warning of a third is lost meanwhile.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_silent: ContextVar[bool] = ContextVar("silent", default=False)


class _OnlyHere(type):
    """Makes every warning one of `_Unheard` where, and as long as, silence was asked for."""

    def __subclasscheck__(cls, category: type) -> bool:
        return _silent.get()


class _Unheard(Warning, metaclass=_OnlyHere):
    """What the filter of this module ignores."""


@contextmanager
def unheard() -> Iterator[None]:
    """Ignores what is warned of in this block, in this thread alone."""
    # First in the list, or a filter that turns warnings into errors would come before it. It says nothing of any
    # warning elsewhere, so that it may stay there.
    if not warnings.filters or warnings.filters[0][2] is not _Unheard:
        warnings.filterwarnings("ignore", category=_Unheard)
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)
