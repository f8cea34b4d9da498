"""Overload: live frames that are dropped for so long that it is no passing moment any more. Pure: no I/O."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

OVERLOAD = "overload"
"""Reason word for ``state``."""
OVERLOAD_AFTER_S = 30.0
"""Frames that are dropped for so long are an overload."""
QUIET_S = 3.0
"""So long without a dropped frame, and it is over; a drop now and then is none."""


class OverloadWatch:
    """Tells from the count of dropped frames whether this machine is overloaded."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._dropped = 0
        self._since: float | None = None
        self._last = 0.0

    def reasons(self, dropped: int) -> list[str]:
        """Reason words for ``state``, see `overloaded`."""
        return [OVERLOAD] if self.overloaded(dropped) else []

    def overloaded(self, dropped: int) -> bool:
        """Whether frames have been dropped for `OVERLOAD_AFTER_S`; ``dropped``: how many since the start."""
        now = self._now()
        if dropped > self._dropped:
            self._dropped, self._last = dropped, now
            self._since = now if self._since is None else self._since
        elif self._since is not None and now - self._last >= QUIET_S:
            self._since = None
        return self._since is not None and now - self._since >= OVERLOAD_AFTER_S
