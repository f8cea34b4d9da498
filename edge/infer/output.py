"""Output of ``edge-cli infer``: answers as JSON lines, as a table for people, as CSV file and as overlay PNGs."""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING, Any

import cv2
import msgspec

from edge.contracts.errors import DeviceError, UsageError
from edge.contracts.results import Lesion, Status
from edge.picture.overlay import draw_overlay
from edge.picture.wording import REASONS, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TextIO

    from edge.contracts.frame_result import Result
    from edge.contracts.manifest import Judges
    from edge.infer.run import FileAnswer

DESCRIPTORS = ("taller_than_wide", "margin_sharpness", "echogenicity", "posterior")
COLUMNS = (
    *("path", "frame", "status", "reason", "malignancy", "suspicious", "lesion", "x", "y", "width", "height", "score"),
    *("long_axis_mm", "area_mm2", *DESCRIPTORS, "total_ms", "call_uncertain"),
)
"""Columns of the CSV file. A new one comes last: whoever reads by position finds the others where they were."""
NAME_WIDTH = 40


def text_of(path: Path) -> str:
    """Text of a path, whatever bytes it has."""
    return os.fsencode(path).decode("utf-8", "replace")


def as_json(answer: FileAnswer) -> str:
    """JSON line of an answer; the keys are a contract."""
    result = answer.result
    reason = answer.reason if result is None else result.reason
    line = {
        "path": text_of(answer.path),
        "frame": answer.frame_index,
        "status": answer.status,
        "reason": reason,
        "malignancy": None if result is None else result.malignancy,
        "suspicious": None if result is None else result.suspicious,
        "call_uncertain": result is not None and result.call_uncertain,
        "lesions": [] if result is None else [_lesion(each) for each in result.lesions],
        **_labels(result),
        "latency_ms": {} if result is None else result.latency_ms,
    }
    return msgspec.json.encode(line).decode()


def _labels(result: Result | None) -> dict[str, Any]:
    """Keys that only a model of another kind than ``lesion`` has."""
    if result is None or result.gated_by is None:
        return {}
    areas = {} if result.areas is None else {"areas": result.areas}
    return {"labels": result.scores, "found": result.given, **areas, "gate": result.gated_by}


def _lesion(lesion: Lesion) -> dict[str, Any]:
    return {
        "box": lesion.box,
        "outline": lesion.outline,
        "score": lesion.score,
        "long_axis_mm": lesion.long_axis_mm,
        "area_mm2": lesion.area_mm2,
        "descriptors": lesion.descriptors,
    }


def _one_word(label: str) -> str:
    """Label without the characters that part a list of labels."""
    return label.replace(" ", "_").replace("=", "_")


def _scores(result: Result) -> str:
    return " ".join(f"{_one_word(each.name)}={each.score}" for each in result.scores)


def _shares(result: Result) -> str:
    return " ".join(f"{_one_word(each.name)}={each.share}" for each in result.areas or ())


def _sizes(result: Result) -> str:
    known = (each for each in result.areas or () if each.area_mm2 is not None)
    return " ".join(f"{_one_word(each.name)}={each.area_mm2}" for each in known)


MORE_COLUMNS: dict[str, dict[str, Callable[[Result], str]]] = {
    "classification": {"labels": _scores},
    "segmentation": {"labels": _scores, "area_shares": _shares, "areas_mm2": _sizes},
}
"""Columns behind `COLUMNS`, by kind of model: label=number, with blanks between."""


class AnswerTable:
    """Text table of answers for people.

    Widths are known before the first answer, so that each is shown as it comes.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._width = min(NAME_WIDTH, max([4, *(len(printable(text_of(path))) for path in paths)]))

    def head(self) -> str:
        """Head line of the table."""
        return f"{'FILE':<{self._width}}  FRAME  RESULT"

    def row(self, answer: FileAnswer) -> str:
        """Line of the table for one answer."""
        name = printable(text_of(answer.path))
        if len(name) > self._width:
            name = "..." + name[3 - self._width :]
        frame = "-" if answer.frame_index is None else str(answer.frame_index)
        return f"{name:<{self._width}}  {frame:>5}  {answer.status.value:<9}  {_result_text(answer)}"


def _result_text(answer: FileAnswer) -> str:
    if answer.result is None:
        return printable(answer.detail) or (REASONS[answer.reason] if answer.reason else "")
    if answer.status is Status.CLEAR and answer.result.malignancy is not None:
        return f"no lesion detected in this frame | malignancy {answer.result.malignancy:.2f}"
    return " | ".join(sentence(answer.result))


def printable(text: str) -> str:
    """Text on one line and without the control characters that terminals act on."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


class AnswerCsv:
    """CSV file of answers, or CSV on stdout: one row a lesion; a frame without one has a row of its own.

    Of a classifier there is a last column with the scores of its labels; of a segmentation network two more, with the
    share of the picture and the square millimetres of each label's area.
    """

    def __init__(self, path: Path, stdout: TextIO | None = None) -> None:
        """Open the file, or take ``stdout`` in its place. Raises `UsageError` if it cannot be written."""
        self._stdout = stdout
        try:
            self._file: TextIO = stdout or path.open("w", newline="", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}", hint="give --csv another place") from None
        self._path = path
        self._writer = csv.writer(self._file)
        self._headed = False
        self.judges: Judges = "lesion"
        """Kind of the model. To be set before the first answer is added."""

    def add(self, answer: FileAnswer) -> None:
        """Write the rows of one answer. Raises `DeviceError` if they cannot be written."""
        self._write_head()
        result = answer.result
        reason = answer.reason if result is None else result.reason
        head = [
            text_of(answer.path),
            answer.frame_index,
            answer.status.value,
            reason and reason.value,
            result and result.malignancy,
            result and result.suspicious,
        ]
        tail: list[Any] = [result and result.latency_ms.get("total"), result is not None and result.call_uncertain]
        tail += [None] * len(self._more) if result is None else [column(result) for column in self._more.values()]
        lesions = result.lesions if result else ()
        rows: list[list[Any]] = []
        for number, lesion in enumerate(lesions, start=1):
            descriptors = [lesion.descriptors.get(name) for name in DESCRIPTORS]
            size = [lesion.long_axis_mm, lesion.area_mm2]
            rows.append([*head, number, *lesion.box, lesion.score, *size, *descriptors, *tail])
        columns = len(COLUMNS) + len(self._more)
        self._write(rows or [[*head, *[None] * (columns - len(head) - len(tail)), *tail]])

    def close(self) -> None:
        """Write what is left and close the file. Raises `DeviceError` if it cannot be written."""
        self._write_head()
        try:
            self._file.flush() if self._stdout else self._file.close()
        except OSError as error:
            raise self._failed(error) from None

    def _write_head(self) -> None:
        if not self._headed:
            self._headed = True
            self._write([(*COLUMNS, *self._more)])

    @property
    def _more(self) -> dict[str, Callable[[Result], str]]:
        """Columns that only models of this kind have, by name."""
        return MORE_COLUMNS.get(self.judges, {})

    def _write(self, rows: Sequence[Sequence[Any]]) -> None:
        try:
            self._writer.writerows(rows)
            if self._stdout is not None:
                self._stdout.flush()  # each answer as it comes
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> OSError | DeviceError:
        if self._stdout is not None:
            return error  # whoever prints tells of it
        return DeviceError(f"{self._path} cannot be written: {error.strerror}", hint="give --csv another place")


class OverlayFolder:
    """Folder of overlays: one PNG a frame (``scan.overlay.png``, ``clip.0007.overlay.png``).

    Never written over another one of the same run.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken: set[str] = set()
        self._owner: dict[Path, str] = {}
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{path} cannot be made: {error.strerror}", hint="give --overlay another place") from None

    def add(self, answer: FileAnswer) -> None:
        """Draw the overlay of one answer and write it as PNG, if there is a frame to draw on.

        Raises `UsageError` or `DeviceError` if it cannot be written.
        """
        if answer.frame is None or answer.result is None:
            return
        index = answer.frame.origin.frame_index
        number = "" if answer.file.scheme == "images" and index == 0 else f".{index:04d}"
        target = self._path / f"{self._stem(answer.path)}{number}.overlay.png"
        picture = draw_overlay(answer.frame.pixels, answer.result)
        written, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        if not written:
            raise DeviceError(f"{target} cannot be made: OpenCV did not encode it", hint="leave out --overlay")
        try:
            target.write_bytes(data.tobytes())
        except OSError as error:
            raise UsageError(
                f"{target} cannot be written: {error.strerror}", hint="give --overlay another place"
            ) from None

    def close(self, whole: bool) -> None:
        """Do nothing: each picture was written as it came."""

    def _stem(self, path: Path) -> str:
        """The file's name without its ending; with a number where two files share it."""
        if path not in self._owner:
            name = "stdin" if str(path) == "-" else path.stem
            stem, count = name, 1
            while stem.lower() in self._taken:
                count += 1
                stem = f"{name}-{count}"
            self._taken.add(stem.lower())
            self._owner[path] = stem
        return self._owner[path]
