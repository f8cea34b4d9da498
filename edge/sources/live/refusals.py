"""Refusals: a camera that refuses our password is asked seldom, since many lock an account after some attempts.

Other failures are tried again soon: a server that was away is there again at any moment.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.sources.live.network_errors import AccessRefusedError

if TYPE_CHECKING:
    from edge.contracts.errors import EdgeError

PAUSES_S = (5.0, 15.0, 60.0)
"""Pauses after the first, second and each later refusal in a row."""


class Refusals:
    """Memory of the refusals of one stream: until the pause is over, opening fails with the same words."""

    def __init__(self) -> None:
        self._count = 0
        self._error: EdgeError | None = None
        self._until = 0.0

    def check(self) -> None:
        """Raise the last refusal again, if its pause is not over."""
        if self._error is not None and time.monotonic() < self._until:
            raise self._error

    def note(self, error: EdgeError) -> None:
        """Note why the stream could not be opened."""
        if error is self._error:
            return
        if not isinstance(error, AccessRefusedError):
            self._error = None
            return
        self._error = error
        self._until = time.monotonic() + PAUSES_S[min(self._count, len(PAUSES_S) - 1)]
        self._count += 1

    def forget(self) -> None:
        """Note that the stream is open."""
        self._count, self._error = 0, None
