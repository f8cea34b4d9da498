"""Readers-writer lock (shared and exclusive); writers have priority."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class RWLock:
    """Readers-writer lock: any number of readers (shared), or one writer (exclusive); writers have priority.

    A writer waits for the readers inside; no reader joins them meanwhile, or the wait might never end. A thread that
    holds the lock as writer may take it again, either way. A reader must release it first.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        """Threads that hold the lock as readers."""
        self._waiting_writers = 0
        """Threads that wait to hold it as writer."""
        self._writer: int | None = None
        self._depth = 0
        """How often the writer has taken the lock."""

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock as writer (context manager): no other thread holds it."""
        me = threading.get_ident()
        with self._changed:
            if self._writer != me:
                self._waiting_writers += 1
                try:
                    self._changed.wait_for(lambda: self._writer is None and not self._readers)
                finally:
                    self._waiting_writers -= 1
                    self._changed.notify_all()  # an interrupted wait must not keep the others out
                self._writer = me
            self._depth += 1
        try:
            yield
        finally:
            with self._changed:
                self._depth -= 1
                if not self._depth:
                    self._writer = None
                    self._changed.notify_all()

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the lock as reader (context manager): other readers may, no writer does."""
        if self._writer == threading.get_ident():
            with self.exclusive():
                yield
            return
        with self._changed:
            self._changed.wait_for(lambda: self._writer is None and not self._waiting_writers)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()
