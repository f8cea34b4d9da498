"""Analyses input files one after the other in this process and gives an answer for each frame."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.config.settings import StreamSettings
from edge.contracts.errors import ConfigError, SourceError, UsageError
from edge.contracts.frames import Frame
from edge.contracts.results import Reason, Status
from edge.picture.wording import counted
from edge.pipeline.stream_metadata import add_stream_metadata
from edge.plugins import make_source
from edge.sources.file_source import ends_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from edge.contracts.frame_result import Result
    from edge.contracts.ports import Source
    from edge.infer.inputs import InputFile
    from edge.pipeline.analyser import Analyser

READ_TIMEOUT_S = 1.0
DECODE_TIMEOUT_S = 10.0
"""For one picture in the decoder process: nobody waits for the next frame here, and a slow board may need it."""
HINT = "give PNG, JPEG, BMP, TIFF, video or DICOM files, or folders of them"
SILENCE_S = 30.0
"""A file that gives neither a frame nor its end for so long is given up."""


@dataclass(frozen=True, slots=True, eq=False)
class FileAnswer:
    """Answer for one frame, or for a file (or a frame of it) that could not be read."""

    file: InputFile
    frame: Frame | None
    """None: could not be read."""
    result: Result | None
    """None where there is no frame."""
    reason: Reason | None = None
    """Why there is no frame."""
    problem: str = ""
    """The same in words."""
    hint: str = ""
    """What to do about it, where that is known."""

    @property
    def detail(self) -> str:
        """Problem and hint in one text."""
        return f"{self.problem}; {self.hint}" if self.hint else self.problem

    @property
    def path(self) -> Path:
        """Path of the file, as the user would write it."""
        return self.file.path

    @property
    def status(self) -> Status:
        """Status of the result; ``no_result`` where there is none."""
        return Status.NO_RESULT if self.result is None else self.result.status

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out of the file, or read otherwise than its header says, in words."""
        return () if self.frame is None else self.frame.origin.notes

    @property
    def frame_index(self) -> int | None:
        """Number of the frame in the file, from 0; None: it could not be read."""
        return None if self.frame is None else self.frame.origin.frame_index


def answers(inputs: Iterable[InputFile], analyser: Analyser) -> Iterator[FileAnswer]:
    """Analyse all frames of all inputs. A bad file costs an answer that says so, and nothing else."""
    for file in inputs:
        if file.scheme is None:
            yield FileAnswer(file, None, None, Reason.DECODE_ERROR, file.problem)
        else:
            yield from _file(file, analyser)


def _file(file: InputFile, analyser: Analyser) -> Iterator[FileAnswer]:
    source: Source | None = None
    try:
        stream = StreamSettings(name="infer", decode_timeout_s=DECODE_TIMEOUT_S, source=file.uri)
        source = make_source(stream)
        source.open()
    except SourceError as error:
        yield FileAnswer(file, None, None, Reason(error.reason), error.message, error.hint)
        return
    except (UsageError, ConfigError):
        raise
    except BaseException as error:
        yield _failed(file, error)
        return
    try:
        yield from _frames(file, source, analyser, add_stream_metadata([stream]))
    finally:
        source.close()


def _failed(file: InputFile, error: BaseException) -> FileAnswer:
    """Answer for a file (or the rest of it) that a source failed to read, by a bug or a native panic."""
    if ends_thread(error):
        raise error
    return FileAnswer(file, None, None, Reason.DECODE_ERROR, f"cannot be read: {type(error).__name__}")


def split_detail(detail: str) -> tuple[str, str]:
    """Problem and hint of an event's detail, which joins them by a semicolon."""
    problem, _, hint = detail.partition("; ")
    return problem, hint


def _frames(
    file: InputFile, source: Source, analyser: Analyser, enrich: Callable[[Frame], Frame]
) -> Iterator[FileAnswer]:
    last_item = time.monotonic()
    answered = False
    while True:
        try:
            item = source.read(READ_TIMEOUT_S)
        except BaseException as error:
            yield _failed(file, error)
            return
        if isinstance(item, Frame):
            item = enrich(item)
            yield FileAnswer(file, item, analyser.analyse(item))
        elif item is not None and item.kind != "ended":
            yield FileAnswer(file, None, None, item.reason, *split_detail(item.detail))
            if item.kind == "lost":
                return
        elif item is not None:
            if not answered:
                yield FileAnswer(file, None, None, Reason.DECODE_ERROR, "there is no frame in it")
            return
        elif time.monotonic() - last_item > SILENCE_S:
            yield FileAnswer(file, None, None, Reason.SOURCE_LOST, f"nothing came for {SILENCE_S:.0f} s")
            return
        if item is not None:
            last_item, answered = time.monotonic(), True


def require_inputs(inputs: list[InputFile], passed_over: int) -> None:
    """Raise `SourceError` if there is nothing to analyse at all."""
    if not inputs:
        others = f", only {counted(passed_over, 'other file')}" if passed_over else ""
        raise SourceError(f"there is no picture, video or DICOM file in the folder{others}", hint=HINT)


def require_frames(frames: int, first_problem: str, hint: str = "") -> None:
    """Raise `SourceError` if not one frame could be read; ``hint``: what to do about the first problem, if known."""
    if not frames:
        raise SourceError(f"nothing could be read: {first_problem}", hint=hint or HINT)
