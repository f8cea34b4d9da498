"""Files to answers, one after the other in this process: what ``edge-cli infer`` does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.config.settings import StreamSettings
from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame
from edge.contracts.results import Reason, Status
from edge.picture.wording import counted
from edge.plugins import make_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from edge.contracts.frame_result import Result
    from edge.contracts.ports import Source
    from edge.infer.inputs import Input
    from edge.pipeline.analyser import Analyser

READ_TIMEOUT_S = 1.0
HINT = "give PNG, JPEG, BMP, TIFF, video or DICOM files, or folders of them"
SILENCE_S = 30.0
"""A file that gives neither a frame nor its end for so long is given up."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What is said of one frame, or of a file (or a frame of it) that could not be read."""

    given: Input
    frame: Frame | None
    """None: could not be read."""
    result: Result | None
    """None where there is no frame."""
    reason: Reason | None = None
    """Why there is no frame."""
    detail: str = ""
    """The same in words, with what to do about it where that is known."""

    @property
    def path(self) -> Path:
        """As the user would write it."""
        return self.given.path

    @property
    def status(self) -> Status:
        """One of the four."""
        return Status.NO_RESULT if self.result is None else self.result.status

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out of the file, or read otherwise than its header says, in words."""
        return () if self.frame is None else self.frame.origin.notes

    @property
    def frame_index(self) -> int | None:
        """0-based number in the file."""
        return None if self.frame is None else self.frame.origin.frame_index


def answers(inputs: Iterable[Input], analyser: Analyser) -> Iterator[Answer]:
    """Analyse all frames of all inputs. A bad file costs an answer that says so, and nothing else."""
    for given in inputs:
        if given.scheme is None:
            yield Answer(given, None, None, Reason.DECODE_ERROR, given.problem)
        else:
            yield from _file(given, analyser)


def _file(given: Input, analyser: Analyser) -> Iterator[Answer]:
    source: Source | None = None
    try:
        source = make_source(StreamSettings(name="infer", source=given.uri))
        source.open()
        yield from _frames(given, source, analyser)
    except SourceError as error:
        detail = f"{error.message}; {error.hint}" if error.hint else error.message
        yield Answer(given, None, None, Reason(error.reason), detail)
    finally:
        if source is not None:
            source.close()


def _frames(given: Input, source: Source, analyser: Analyser) -> Iterator[Answer]:
    heard = time.monotonic()
    answered = False
    while True:
        item = source.read(READ_TIMEOUT_S)
        if isinstance(item, Frame):
            yield Answer(given, item, analyser.analyse(item))
        elif item is not None and item.kind != "ended":
            yield Answer(given, None, None, item.reason, item.detail)
            if item.kind == "lost":
                return
        elif item is not None:
            if not answered:
                yield Answer(given, None, None, Reason.DECODE_ERROR, "there is no frame in it")
            return
        elif time.monotonic() - heard > SILENCE_S:
            yield Answer(given, None, None, Reason.SOURCE_LOST, f"nothing came for {SILENCE_S:.0f} s")
            return
        if item is not None:
            heard, answered = time.monotonic(), True


def require_inputs(inputs: list[Input], passed_over: int) -> None:
    """Raise `SourceError` if there is nothing to analyse at all."""
    if not inputs:
        others = f", only {counted(passed_over, 'other file')}" if passed_over else ""
        raise SourceError(f"there is no picture, video or DICOM file in the folder{others}", hint=HINT)


def require_frames(frames: int, first_problem: str) -> None:
    """Raise `SourceError` if not one frame could be read."""
    if not frames:
        raise SourceError(f"nothing could be read: {first_problem}", hint=HINT)
