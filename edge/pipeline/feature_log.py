"""File of feature vectors that a running daemon writes for research, where the configuration asks for it.

One CSV a stream, readable by its owner only, of limited size. It is never sent anywhere.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from edge.contracts.clip_model import FEATURES, FEATURES_VERSION
from edge.pipeline.feature_rows import FeatureRows

if TYPE_CHECKING:
    from typing import TextIO

    from edge.config.settings import ResearchSettings
    from edge.contracts.frame_result import Result
    from edge.pipeline.tracker import Tracker

log = logging.getLogger(__name__)

HEAD = ",".join(("version", "exam", "frame", "at_s", "track", *FEATURES)) + "\n"


class FeatureLog:
    """Writes the vectors of one stream. What cannot be written is said once, and costs no frame."""

    def __init__(self, settings: ResearchSettings, stream: str) -> None:
        """``settings`` name the folder, which is made if it is not there."""
        assert settings.features is not None  # noqa: S101  (else nobody makes one)
        self._path = Path(settings.features) / f"features-{stream}.csv"
        self._most = int(settings.max_mb * 5e5)  # the file before it is kept, too
        self._rows = FeatureRows()
        self._file: TextIO | None = None
        self._file = self._open()

    def begin_anew(self) -> None:
        """Forget all that was seen: another exam or clip begins."""
        self._rows.begin_anew()

    def add(self, tracker: Tracker, result: Result, at_ns: int, exam_id: str) -> None:
        """Write the vectors of a frame that ``tracker`` has been given."""
        if self._file is None:
            return
        head = f"{FEATURES_VERSION},{exam_id},{result.frame_seq},{at_ns / 1e9:.3f},"
        try:
            for name, vector in self._rows.rows(tracker, result, at_ns):
                self._file.write(head + name + "," + ",".join(f"{value:.5g}" for value in vector) + "\n")
            if self._file.tell() >= self._most:
                self._file.close()
                os.replace(self._path, self._path.with_suffix(".old.csv"))
                self._file = self._open()
        except (OSError, ValueError) as error:
            self._give_up(error)

    def close(self) -> None:
        """Write what is left."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._give_up(error)
            self._file = None

    def _open(self) -> TextIO | None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8")
            if not file.tell():
                file.write(HEAD)
        except OSError as error:
            self._give_up(error)
            return None
        return file

    def _give_up(self, error: Exception) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._file = None
        log.warning("research.features: %s cannot be written (%s): no more features are kept", self._path, error)
