"""``edge-cli infer``: analyses picture, video and DICOM files and prints an answer for each frame."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.cli.errors import printing
from edge.cli.progress import FileProgressBar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.infer.inputs import InputFile
    from edge.infer.output import AnswerCsv, OverlayFolder
    from edge.infer.run import FileAnswer
    from edge.pipeline.analyser import Analyser

UNANSWERED = 5
"""Exit code if some input gave no result."""


def command(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.", metavar="PATH...", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="One JSON object a frame, on stdout.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write a table to this file, one row a lesion.")] = None,
    overlay: Annotated[Path | None, typer.Option(help="Write each picture with what was found to this folder.")] = None,
    model: Annotated[Path | None, typer.Option(help="Model bundle; default: the one that ships.")] = None,
) -> int:
    """Analyse pictures, videos, DICOM files or folders.

    Prints a line a frame: finding, clear (no lesion detected in this frame), abstained (seen, but not judged) or
    no_result (could not be computed), with the reason. Boxes and outlines are in pixels of the source picture.

    Exit code 0: all inputs were answered; 5: some were not, and the lines say which.

    Research use only, not a medical device.

    Example:
      edge-cli infer scan.png --overlay out/
      edge-cli infer study/ clip.mp4 --json > answers.jsonl
    """
    import os

    from edge.app.compose import make_analyser
    from edge.app.logs import set_up_logs
    from edge.config.load import load_settings
    from edge.infer.inputs import find_inputs
    from edge.infer.output import AnswerCsv, OverlayFolder
    from edge.infer.run import require_frames, require_inputs

    settings = load_settings(None, os.environ, {"model": str(model)} if model else {})
    set_up_logs(settings.log)
    inputs, passed_over = find_inputs(paths)
    require_inputs(inputs, passed_over)
    table = None if csv is None else AnswerCsv(csv)
    folder = None if overlay is None else OverlayFolder(overlay)
    output = AnswerPrinter([file.path for file in inputs], as_json=json)
    write_answers(inputs, make_analyser(settings, isolated=False), output, table, folder)
    with printing():
        output.end(passed_over)
    require_frames(output.frames, output.first_problem)
    return UNANSWERED if output.unanswered else 0


def write_answers(
    inputs: list[InputFile],
    analyser: Analyser,
    output: AnswerPrinter,
    table: AnswerCsv | None,
    folder: OverlayFolder | None,
) -> None:
    """Analyse all inputs and write each answer to every output as it comes; close analyser and table at the end."""
    from edge.infer.run import answers

    try:
        for answer in answers(inputs, analyser):
            with printing():
                output.add(answer)
            if table is not None:
                table.add(answer)
            if folder is not None:
                folder.add(answer)
    finally:
        output.progress.clear()
        analyser.close()
        if table is not None:
            table.close()


class AnswerPrinter:
    """Prints answers as they come, as a table or as JSON lines, and counts them."""

    def __init__(self, paths: Sequence[Path], *, as_json: bool) -> None:
        from edge.infer.output import AnswerTable

        self.frames = 0
        self.unanswered = 0
        self.first_problem = ""
        self.progress = FileProgressBar(len(paths))
        self._table = None if as_json else AnswerTable(paths)
        self._counts: Counter[str] = Counter()
        self._files: set[Path] = set()
        self._noted: set[tuple[Path, str]] = set()

    def add(self, answer: FileAnswer) -> None:
        """Print and count one more answer."""
        from edge.infer.output import as_json, printable, text_of

        self.progress.clear()
        if self._table is None:
            print(as_json(answer), flush=True)
            if answer.detail:
                print(f"{printable(text_of(answer.path))}: {printable(answer.detail)}", file=sys.stderr)
        else:
            if not self._counts:
                print(self._table.head())
            print(self._table.row(answer), flush=True)
        self.frames += answer.frame is not None
        self._counts[answer.status.value] += 1
        if answer.status.value == "no_result":
            self.unanswered += 1
            self.first_problem = self.first_problem or f"{answer.path}: {answer.detail}"
        for note in answer.notes:
            if (answer.path, note) not in self._noted:
                self._noted.add((answer.path, note))
                print(f"{printable(text_of(answer.path))}: {printable(note)}", file=sys.stderr)
        self._files.add(answer.path)
        self.progress.show(len(self._files) - 1, self.frames)

    def end(self, passed_over: int) -> None:
        """Print the sum under the table, and on stderr what was passed over."""
        from edge.picture.wording import counted

        if self._table is not None:
            counts = ", ".join(f"{number} {status}" for status, number in self._counts.most_common())
            frames, files = counted(self.frames, "frame"), counted(len(self._files), "file")
            print(f"\n{frames} of {files}: {counts}. Research use only.")
        if passed_over:
            print(f"passed over {counted(passed_over, 'other file')}: no picture, video or DICOM", file=sys.stderr)
