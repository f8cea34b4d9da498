"""Log lines of a simulated device, counted by second and cause."""

from __future__ import annotations

import logging
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulation.world import World

LINES_PER_SECOND = 1
"""Lines of one cause in one second, for each receiver; a process that was started anew may say it again."""
REQUEST = "request for"
"""Each request is logged that is refused; how many there may be is limited elsewhere."""
NUMBER = re.compile(r"\d+(\.\d+)?")
"""Lines that differ in numbers alone are of one cause."""


class LogLines(logging.Handler):
    """Handler that counts the warnings and errors of the product."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self._world = world
        self._counts: Counter[tuple[int, str]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one line."""
        second, cause = int(self._world.time.now), NUMBER.sub("#", f"{record.name}: {record.getMessage()}")
        self._counts[second, cause] += 1
        if self._world.trace is not None:
            self._world.log("log", record.getMessage())
        allowed = LINES_PER_SECOND * len(self._world.brokers) * (1 + self._world.starts_in(second))
        if REQUEST in cause:
            allowed += len(self._world.brokers) * self._world.requests
        if self._counts[second, cause] == allowed + 1:
            self._world.violated("log", f"more than {allowed} lines in one second: {cause}")
