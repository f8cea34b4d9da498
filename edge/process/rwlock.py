"""A lock with two ways in: alone, or together with others who come that way. Who wants to be alone comes first."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class RWLock:
    """Who wants to be alone waits for those inside; nobody joins them meanwhile, or the wait might never end.

    A thread that is alone may come in again, either way. One that is inside together with others must leave first.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        """Threads that are in together."""
        self._waiting = 0
        """Threads that want to be alone."""
        self._owner: int | None = None
        self._depth = 0
        """How often the thread that is alone has come in."""

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """While inside, no other thread is."""
        me = threading.get_ident()
        with self._changed:
            if self._owner != me:
                self._waiting += 1
                try:
                    self._changed.wait_for(lambda: self._owner is None and not self._inside)
                finally:
                    self._waiting -= 1
                    self._changed.notify_all()  # an interrupted wait must not keep the others out
                self._owner = me
            self._depth += 1
        try:
            yield
        finally:
            with self._changed:
                self._depth -= 1
                if not self._depth:
                    self._owner = None
                    self._changed.notify_all()

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """While inside, no thread is alone."""
        if self._owner == threading.get_ident():
            with self.exclusive():
                yield
            return
        with self._changed:
            self._changed.wait_for(lambda: self._owner is None and not self._waiting)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()
