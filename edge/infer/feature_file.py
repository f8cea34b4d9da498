"""``edge-cli infer --features``: feature vectors of all frames and tracked lesions of the inputs, in one ``.npz``.

features    (n, 7) float32, in the order of ``names``; what each means: `edge.contracts.clip_model.FEATURES`
names       the features; ``version``: of their meaning
path, frame (n,) file, and number of the frame in it
at_s        (n,) place of the frame in its clip, in seconds
clip        (n,) number of the clip among all inputs: nothing of one reaches the next
track       (n,) number of the tracked lesion in its clip; -1: the row is about the frame itself
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.config.tracking_settings import TrackingSettings
from edge.contracts.clip_model import FEATURES, FEATURES_VERSION
from edge.contracts.errors import DeviceError, UsageError
from edge.infer.output import text_of
from edge.pipeline.feature_rows import FRAME, FeatureRows
from edge.pipeline.tracker import Tracker

if TYPE_CHECKING:
    from pathlib import Path

    from edge.infer.run import FileAnswer


class FeatureFile:
    """Collects the vectors of all answers, and writes them at the end."""

    def __init__(self, path: Path) -> None:
        """Raise `UsageError` now if the file cannot be written, not when all was computed."""
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written: {error.strerror}", hint="give --features another place"
            ) from None
        self._path = path
        self._rows = FeatureRows()
        self._tracker = Tracker(TrackingSettings())
        self._last: tuple[Path, int, int | None] | None = None
        self._clip = -1
        self._tracks: dict[str, int] = {}
        self._columns: dict[str, list[Any]] = {
            name: [] for name in ("features", "path", "frame", "at_s", "clip", "track")
        }

    def add(self, answer: FileAnswer) -> None:
        """Add the vectors of one answer; what could not be read has none."""
        frame, result = answer.frame, answer.result
        if frame is None or result is None:
            self._tracker.skip()
            return
        this = answer.path, frame.origin.clip, frame.geometry
        if this != self._last:
            self._last, self._clip, self._tracks = this, self._clip + 1, {}
            self._tracker.end_all("clip_changed")
            self._rows.begin_anew()
        self._tracker.update(result, frame.clip_ns, still=frame.origin.still)
        for name, vector in self._rows.rows(self._tracker, result, frame.clip_ns):
            track = -1 if name == FRAME else self._tracks.setdefault(name, len(self._tracks))
            row = (vector, text_of(answer.path), frame.origin.frame_index, frame.clip_ns / 1e9, self._clip, track)
            for column, value in zip(self._columns.values(), row, strict=True):
                column.append(value)

    def close(self) -> None:
        """Write the file. Raises `DeviceError` if it cannot be written."""
        columns = self._columns
        try:
            with self._file as file:
                np.savez_compressed(
                    file,
                    features=np.array(columns["features"], np.float32).reshape(-1, len(FEATURES)),
                    names=np.array(FEATURES),
                    version=np.array(FEATURES_VERSION),
                    path=np.array(columns["path"], np.str_),
                    frame=np.array(columns["frame"], np.int64),
                    at_s=np.array(columns["at_s"], np.float64),
                    clip=np.array(columns["clip"], np.int64),
                    track=np.array(columns["track"], np.int64),
                )
        except OSError as error:
            raise DeviceError(
                f"{self._path} cannot be written: {error.strerror}", hint="give --features another place"
            ) from None
