"""What is made once, when first asked for, by one thread while the others wait; a fork never leaves it locked."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class Guard:
    """A lock that its own thread may take again, and that is free in a child that another thread forked.

    What it guards must be put in place by one assignment: the child then finds it whole, or not there.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _all.add(self)

    def __enter__(self) -> Self:
        self._lock.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._lock.release()

    def renew(self) -> None:
        """Free the lock of a thread that does not run here: for a child, in which the thread that forked runs alone."""
        if not self._lock._is_owned():  # type: ignore[attr-defined]  # as `threading.Condition` asks
            self._lock = threading.RLock()


class once(Generic[T]):  # noqa: N801 - used as a decorator, as `property` is
    """A property that is computed once, as `functools.cached_property`, of an object that has a `Guard` as `guard`.

    Python 3.11's holds one lock for all objects, later ones none, so that two threads may both read a whole index.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make, self.__doc__ = make, make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: Any, owner: type) -> Self | T:
        if instance is None:
            return self
        kept = instance.__dict__  # found there first the next time, so that this is not called again
        with instance.guard:
            if self._name not in kept:
                kept[self._name] = self._make(instance)
            value: T = kept[self._name]
            return value


_all: weakref.WeakSet[Guard] = weakref.WeakSet()


def _renew_all() -> None:
    for guard in list(_all):
        guard.renew()


os.register_at_fork(after_in_child=_renew_all)
