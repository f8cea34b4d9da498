"""Warns of SQLite connections that nobody closed, as Python 3.13 does by itself, on the Pythons before it."""

from __future__ import annotations

import functools
import sqlite3
import sys
import warnings


class WatchedConnection(sqlite3.Connection):
    """SQLite connection that warns when it is collected without having been closed."""

    _open = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._open = True

    def close(self):
        super().close()
        self._open = False

    def __del__(self):
        if self._open:
            warnings.warn(f"unclosed database in {self!r}", ResourceWarning, stacklevel=1, source=self)


def watch_connections() -> None:
    """Make all of this process' connections watched ones, where Python itself does not warn."""
    if sys.version_info < (3, 13):
        sqlite3.connect = functools.partial(sqlite3.connect, factory=WatchedConnection)
