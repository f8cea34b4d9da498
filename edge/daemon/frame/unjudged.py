"""Counts what got no result of the sources that end by themselves: whoever waits for the end wants to know of it.

Live sources do not count: they have no end, and the coverage tells of their gaps.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.contracts.ports import Source
    from edge.contracts.results import Reason
    from edge.daemon.frame.open_files import OpenFiles

log = logging.getLogger("edge.daemon.frame")


class UnjudgedCounter:
    """Counter of the files and frames of one run that got no result, by reason."""

    def __init__(self, sources: Mapping[str, Source], open_files: OpenFiles | None) -> None:
        """``open_files``: knows what the frame processes before this one have counted; None: nobody does."""
        self._finite = {name for name, source in sources.items() if not source.live}
        self._open_files = open_files
        self._counts: Counter[str] = Counter({} if open_files is None else open_files.unjudged)

    def add(self, stream: str, reason: Reason) -> None:
        """Count a file or frame of ``stream`` that got no result."""
        if stream not in self._finite:
            return
        self._counts[reason.value] += 1
        if self._open_files is not None:
            self._open_files.note_unjudged(self._counts)

    def report(self) -> bool:
        """Log the counts if there are any; whether there are."""
        if self._counts:
            counted = ", ".join(f"{number} {reason}" for reason, number in self._counts.most_common())
            log.warning("not everything was judged; without a result: %s", counted)
        return bool(self._counts)
