"""Rate limit of log lines: one a second at most for each cause, which then says how many were left out.

What fails in a loop (a full disk, a socket that is gone) would otherwise fill the log, and with it the disk.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_S = 1.0
CAUSES_LIMIT = 100
"""Causes that are remembered; of more, the one that was logged longest ago is forgotten."""


class LogLimiter:
    """Writes to one logger, at most a line every so often for each cause."""

    def __init__(
        self, logger: logging.Logger, every_s: float = EVERY_S, now: Callable[[], float] | None = None
    ) -> None:
        """``now`` None: the monotonic clock."""
        self._logger, self._every_s, self._now = logger, every_s, now or time.monotonic
        self._causes: dict[str, tuple[float, int]] = {}
        """By cause, when it was logged last and how often it was left out since."""

    def info(self, cause: str, message: str, *args: object) -> None:
        """Log an information, unless ``cause`` was logged just now."""
        self._log(logging.INFO, cause, message, args)

    def warning(self, cause: str, message: str, *args: object) -> None:
        """Log a warning, unless ``cause`` was logged just now."""
        self._log(logging.WARNING, cause, message, args)

    def error(self, cause: str, message: str, *args: object) -> None:
        """Log an error, unless ``cause`` was logged just now."""
        self._log(logging.ERROR, cause, message, args)

    def _log(self, level: int, cause: str, message: str, args: tuple[object, ...]) -> None:
        now = self._now()
        at, left_out = self._causes.pop(cause, (None, 0))
        if at is not None and now - at < self._every_s:
            self._causes[cause] = (at, left_out + 1)
            return
        if len(self._causes) >= CAUSES_LIMIT:
            del self._causes[min(self._causes, key=lambda one: self._causes[one][0])]
        self._causes[cause] = (now, 0)
        if left_out:
            message, args = message + " (%d more like this were left out)", (*args, left_out)
        self._logger.log(level, message, *args)
