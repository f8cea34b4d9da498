"""Opening of all sources at a start, and which live streams are lost: absent since the start, or gone later.

What is wrong on this machine (an option, a file, a library) ends the start. A camera or server that is off does not: a
cart is switched on before its scanner, and what comes later shall be seen without anybody's help.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from edge.contracts.errors import EdgeError, SourceError, SourceSetupError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.contracts.ports import Source

log = logging.getLogger(__name__)


def open_all(sources: Mapping[str, Source], *, live_may_be_absent: bool = False) -> None:
    """Open all sources at the same time: a camera in the network takes seconds.

    Args:
        sources: by stream name.
        live_may_be_absent: a live source whose camera or server is not there is left as it is: its `read` says
            ``lost``. The log says what and what to do.

    Raises what the first that failed raised.
    """
    if not sources:
        return
    with ThreadPoolExecutor(len(sources), thread_name_prefix="open") as pool:
        attempts = {name: pool.submit(source.open) for name, source in sources.items()}
    for name, attempt in attempts.items():
        error = attempt.exception()
        if error is None:
            continue
        if not (live_may_be_absent and sources[name].live and is_absence(error)):
            raise error
        log.warning(
            "stream %s cannot be opened yet: %s; it is tried again until it can",
            name,
            "; ".join(filter(None, (error.message, error.hint))) if isinstance(error, EdgeError) else error,
        )


def is_absence(error: BaseException) -> bool:
    """Whether an error of `Source.open` tells of a camera or server, and not of this machine or its configuration."""
    return isinstance(error, SourceError) and not isinstance(error, SourceSetupError)


class LostStreams:
    """The live streams that give no pictures now, and how often one came back. Used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: set[str] = set()
        self.reconnects = 0
        """Times that a stream gave a picture again after it was lost."""

    def names(self) -> list[str]:
        """Names of the streams that are lost now, sorted."""
        with self._lock:
            return sorted(self._names)

    def note_lost(self, name: str) -> None:
        """Note that a stream is lost."""
        with self._lock:
            self._names.add(name)

    def note_frame(self, name: str) -> None:
        """Note that a stream gives pictures."""
        if name in self._names:
            with self._lock:
                self._names.discard(name)
                self.reconnects += 1

    def forget(self, name: str) -> None:
        """Note that nothing is expected of a stream: it was asked to stop."""
        with self._lock:
            self._names.discard(name)
