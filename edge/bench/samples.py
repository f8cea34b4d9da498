"""Raw samples of a benchmark run: one row a frame, how long each stage took, in milliseconds.

NaN stands where a stage did not happen or was not measured.
"""

from __future__ import annotations

import csv
import math
from array import array
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import TextIO

    from numpy.typing import NDArray

STAGES = ("capture", "decode", "queue", "crop", "resize", "quantise", "invoke", "post", "turn", "handover", "ack")
"""In the order in which a frame goes through them; ``turn`` is the sum of the waits between the others."""
SPANS = ("age", "result", "path")
"""From the capture to the moment when the loop takes the frame, to its result, and to the broker's acknowledgement."""
TIMES = (*STAGES, *SPANS)
WARM_UP, STEADY = 0, 1


class Samples:
    """Table of raw samples that grows by a row a frame.

    Columns are plain arrays: a long run costs about 150 bytes a frame.
    """

    def __init__(self) -> None:
        self.times = {name: array("d") for name in TIMES}
        self.captured_s = array("d")
        """Seconds since the first frame's capture."""
        self.answered_s = array("d")
        """The same of the result."""
        self.phase = array("b")
        self.stream = array("h")
        self.seq = array("q")
        self.computed = array("b")
        """1: the runtime computed it and it was judged. 0: refused before, or no result: it counts in no number."""
        self.result_index = array("h")
        """Index into `results`: the frame's result, with the reason where it has one."""
        self.results: list[str] = []

    def __len__(self) -> int:
        return len(self.seq)

    def add(
        self, stream: int, seq: int, captured_s: float, answered_s: float, result: str, times: Mapping[str, float]
    ) -> int:
        """Add a frame and return the number of its row; what ``times`` (milliseconds by stage) does not name is NaN."""
        if result not in self.results:
            self.results.append(result)
        self.stream.append(stream)
        self.seq.append(seq)
        self.captured_s.append(captured_s)
        self.answered_s.append(answered_s)
        self.phase.append(STEADY)
        self.result_index.append(self.results.index(result))
        self.computed.append("invoke" in times and not result.startswith("no_result"))
        for name, column in self.times.items():
            column.append(times.get(name, math.nan))
        return len(self.seq) - 1

    def rows(self, phase: int | None = STEADY) -> NDArray[np.bool_]:
        """Mask of the rows of ``phase``, (rows,) bool; None: all."""
        if phase is None:
            return np.ones(len(self), bool)
        found: NDArray[np.bool_] = np.equal(np.array(self.phase, np.int8), phase)
        return found

    def countable(self, phase: int | None = STEADY) -> NDArray[np.bool_]:
        """Mask of the rows of ``phase`` that were computed to their end, (rows,) bool.

        A failure must not read as a fast result.
        """
        computed: NDArray[np.bool_] = np.array(self.computed, bool)
        return computed & self.rows(phase)

    def column(self, name: str, phase: int | None = STEADY) -> NDArray[np.float64]:
        """Measured times of stage or span ``name`` of the `countable` frames: (n,) float64 milliseconds, in order."""
        values = np.array(self.times[name], np.float64)[self.countable(phase)]
        return values[~np.isnan(values)]

    def counts(self, phase: int | None = STEADY) -> dict[str, int]:
        """Number of frames by their result, computed or not."""
        found = np.bincount(np.array(self.result_index, np.int64)[self.rows(phase)], minlength=len(self.results))
        return {result: int(number) for result, number in zip(self.results, found, strict=True) if number}

    def as_columns(self) -> dict[str, list[float | int | str | None]]:
        """All rows as columns for JSON and CSV: NaN becomes None."""
        columns: dict[str, list[float | int | str | None]] = {
            "phase": ["warm-up" if phase == WARM_UP else "steady" for phase in self.phase],
            "stream": list(self.stream),
            "frame": list(self.seq),
            "captured_s": [round(value, 6) for value in self.captured_s],
            "answered_s": [round(value, 6) for value in self.answered_s],
            "computed": list(self.computed),
            "result": [self.results[index] for index in self.result_index],
        }
        for name, column in self.times.items():
            columns[f"{name}_ms"] = [None if math.isnan(value) else round(value, 4) for value in column]
        return columns


def write_rows(file: TextIO, columns: Mapping[str, Iterable[float | int | str | None]]) -> None:
    """Write raw samples as CSV, as `write_csv`, to an open file. Raises OSError if it cannot be written."""
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))


def write_csv(path: Path, columns: Mapping[str, Iterable[float | int | str | None]]) -> None:
    """Write raw samples as CSV, a row a frame, an empty field where nothing was measured. Raises `DeviceError`."""
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            write_rows(file, columns)
    except OSError as error:
        raise DeviceError(f"{path} cannot be written: {error.strerror}", hint="give another place") from None
