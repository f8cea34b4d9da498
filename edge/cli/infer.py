"""``edge-cli infer``: analyses picture, video and DICOM files and prints an answer for each frame."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.cli.errors import printing, require_stdout
from edge.cli.output import print_json
from edge.cli.progress import FileProgressBar, is_terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.config.settings import Settings
    from edge.contracts.clip_model import RecurrentStep
    from edge.infer.clip_summary import ClipSummary
    from edge.infer.feature_file import FeatureFile
    from edge.infer.film import OverlayFilm
    from edge.infer.inputs import InputFile
    from edge.infer.output import AnswerCsv, OverlayFolder
    from edge.infer.run import FileAnswer
    from edge.pipeline.analyser import Analyser

UNANSWERED = 5
"""Exit code if some input gave no result."""
STDOUT = Path("-")


Csv = Annotated[Path | None, typer.Option(help="Write a table to this file, one row a lesion; - for stdout.")]
Features = Annotated[Path | None, typer.Option(help="Write features of frames and tracked lesions to this .npz.")]


def command(
    paths: Annotated[
        list[Path], typer.Argument(help="Files or folders; - for stdin.", metavar="PATH...", show_default=False)
    ],
    json: Annotated[bool, typer.Option("--json", help="One JSON object a frame, on stdout.")] = False,
    csv: Csv = None,
    overlay: Annotated[
        Path | None,
        typer.Option(help="Write each picture with what was found to this folder; of one clip a film: out.mp4."),
    ] = None,
    features: Features = None,
    model: Annotated[Path | None, typer.Option(help="Model bundle; default: the one that ships.")] = None,
    allow_no_gate: Annotated[
        bool, typer.Option("--allow-no-gate", help="Allow a model without an anatomy gate (gate.none_allowed).")
    ] = False,
) -> int:
    """Analyse pictures, videos, DICOM files or folders.

    Prints a line a frame: finding, clear (no lesion detected in this frame), abstained (seen, but not judged) or
    no_result (could not be computed), with the reason; and at the end of a clip a line a lesion and one for the clip.
    Boxes and outlines are in pixels of the source picture. A film shows a crossed-out frame with the reason where one
    could not be read.

    Exit code 0: all inputs were answered; 5: some were not, and the lines say which.

    Research use only, not a medical device.

    Example:
      edge-cli infer scan.png --overlay out/
      edge-cli infer clip.mp4 --overlay film.mp4
      edge-cli infer study/ clip.mp4 --json > answers.jsonl
      edge-cli infer study/ --csv - | head
      edge-cli infer clip.mp4 --features clip.npz
      edge-cli infer - < scan.png
    """
    import os

    from edge.app.logs import set_up_logs
    from edge.config.load import load_settings
    from edge.infer.inputs import find_inputs

    flags = {"model": str(model) if model else None, "gate.none_allowed": True if allow_no_gate else None}
    settings = load_settings(None, os.environ, flags)
    set_up_logs(settings.log)
    inputs, passed_over = find_inputs(paths)
    try:
        return analyse(settings, inputs, passed_over, csv, overlay, features, as_json=json)
    finally:
        for file in inputs:
            file.close()


def analyse(
    settings: Settings,
    inputs: list[InputFile],
    passed_over: int,
    csv: Path | None,
    overlay: Path | None,
    features: Path | None,
    *,
    as_json: bool,
) -> int:
    """Analyse all inputs and write all that was asked for; the exit code. Raises `EdgeError`."""
    from edge.app.compose import make_analyser
    from edge.infer.run import require_frames, require_inputs

    if as_json or csv == STDOUT:
        require_stdout()
    require_inputs(inputs, passed_over)
    table, pictures = make_files(inputs, csv, overlay, features, as_json=as_json)
    output = AnswerPrinter(inputs, form="json" if as_json else "none" if csv == STDOUT else "table")
    analyser = make_analyser(settings, isolated=False)
    output.clip_step = analyser.clip_step
    if table is not None:
        table.judges = analyser.manifest.judges
    vectors = None if features is None else make_feature_file(features, analyser)
    write_answers(inputs, analyser, output, table, pictures, vectors)
    with printing():
        output.end(passed_over)
    require_frames(output.frames, output.first_problem, output.first_hint)
    return UNANSWERED if output.unanswered else 0


def make_feature_file(path: Path, analyser: Analyser) -> FeatureFile:
    """Make the file of features. Raises `UsageError` if it cannot be written, or the model has no lesions."""
    from edge.contracts.errors import UsageError
    from edge.infer.feature_file import FeatureFile

    if analyser.manifest.judges != "lesion":
        analyser.close()
        raise UsageError(
            f"--features: {analyser.manifest.name} is a model for {analyser.manifest.judges}, and has no lesions",
            hint="leave it out, or give a lesion model",
        )
    return FeatureFile(path)


def make_files(
    inputs: list[InputFile], csv: Path | None, overlay: Path | None, features: Path | None = None, *, as_json: bool
) -> tuple[AnswerCsv | None, OverlayFolder | OverlayFilm | None]:
    """Make the files that answers are written to. Raises `UsageError` if one cannot be written, or is an input."""
    from edge.contracts.errors import UsageError
    from edge.infer.film import OverlayFilm, is_film, require_one_clip
    from edge.infer.output import AnswerCsv, OverlayFolder

    for option, target in (("--csv", csv), ("--overlay", overlay), ("--features", features)):
        if target is not None and target.is_file() and any(_is_same(target, file.path) for file in inputs):
            raise UsageError(f"{option} {target} is an input, and would be written over", hint="give another place")
    if csv == STDOUT and as_json:
        raise UsageError("--json and --csv - both write to stdout", hint="give --csv a file")
    if overlay is not None and is_film(overlay):
        require_one_clip(overlay, inputs)
        pictures: OverlayFolder | OverlayFilm | None = OverlayFilm(overlay, inputs[0])
    else:
        pictures = None if overlay is None else OverlayFolder(overlay)
    table = None if csv is None else AnswerCsv(csv, sys.stdout if csv == STDOUT else None)
    return table, pictures


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _frames_of(inputs: Sequence[InputFile]) -> int:
    """Frames of the one clip that a progress bar is drawn for; 0 for several files, and where nobody sees it."""
    if len(inputs) != 1 or not is_terminal(sys.stderr):
        return 0
    from edge.infer.film import frame_count

    return frame_count(inputs[0])


def write_answers(
    inputs: list[InputFile],
    analyser: Analyser,
    output: AnswerPrinter,
    table: AnswerCsv | None,
    pictures: OverlayFolder | OverlayFilm | None,
    vectors: FeatureFile | None = None,
) -> None:
    """Analyse all inputs and write each answer to every output as it comes; close all of them at the end."""
    from edge.infer.run import answers

    whole = False
    try:
        for answer in answers(inputs, analyser):
            with printing():
                output.add(answer)
                if table is not None:
                    table.add(answer)
            if pictures is not None:
                pictures.add(answer)
            if vectors is not None:
                vectors.add(answer)
        whole = True
    finally:
        output.progress.clear()
        analyser.close()
        if vectors is not None:
            vectors.close()
        if pictures is not None:
            pictures.close(whole)
        if table is not None:
            with printing():
                table.close()


class AnswerPrinter:
    """Prints answers as they come, as a table, as JSON lines or not at all, and counts them."""

    def __init__(self, inputs: Sequence[InputFile], *, form: str) -> None:
        """``form``: ``table``, ``json`` or ``none``; of the last only what goes to stderr is printed."""
        from edge.infer.output import AnswerTable

        self.frames = 0
        self.unanswered = 0
        self.first_problem = self.first_hint = ""
        self.progress = FileProgressBar(len(inputs), frames=_frames_of(inputs))
        self._form = form
        self._table = AnswerTable([file.path for file in inputs])
        self._counts: Counter[str] = Counter()
        self._files: set[Path] = set()
        self._noted: set[tuple[Path, str]] = set()
        self._clip: ClipSummary | None = None
        self.clip_step: RecurrentStep | None = None
        """Of the model's bundle. To be set before the first answer is added."""

    def add(self, answer: FileAnswer) -> None:
        """Print and count one more answer."""
        from edge.infer.output import as_json, printable, text_of

        self.progress.clear()
        self._sum_up(answer)
        if self._form == "table":
            if not self._counts:
                print(self._table.head())
            print(self._table.row(answer), flush=True)
        elif self._form == "json":
            print_json(as_json(answer))
        if self._form != "table" and answer.detail:
            print(f"{printable(text_of(answer.path))}: {printable(answer.detail)}", file=sys.stderr)
        self.frames += answer.frame is not None
        self._counts[answer.status.value] += 1
        if answer.status.value == "no_result":
            self.unanswered += 1
            if not self.first_problem:
                self.first_problem, self.first_hint = f"{answer.path}: {answer.problem}", answer.hint
        for note in answer.notes:
            if (answer.path, note) not in self._noted:
                self._noted.add((answer.path, note))
                print(f"{printable(text_of(answer.path))}: {printable(note)}", file=sys.stderr)
        self._files.add(answer.path)
        self.progress.show(len(self._files) - 1, self.frames)

    def _sum_up(self, answer: FileAnswer | None) -> None:
        """Count an answer for its file; print the summary of the one before, if it is a clip and has ended."""
        from edge.infer.clip_summary import ClipSummary

        if self._clip is not None and (answer is None or answer.path != self._clip.path):
            if self._clip.answers > 1:
                for line in self._clip.lines():
                    print(line, file=sys.stdout if self._form == "table" else sys.stderr, flush=True)
            self._clip = None
        if answer is not None:
            self._clip = self._clip or ClipSummary(answer.path, self.clip_step)
            self._clip.add(answer)

    def end(self, passed_over: int) -> None:
        """Print the sum under the table, and on stderr what was passed over."""
        from edge.picture.wording import counted

        self._sum_up(None)
        if self._form == "table":
            counts = ", ".join(f"{number} {status}" for status, number in self._counts.most_common())
            frames, files = counted(self.frames, "frame"), counted(len(self._files), "file")
            print(f"\n{frames} of {files}: {counts}. Research use only.")
        if passed_over:
            print(f"passed over {counted(passed_over, 'other file')}: no picture, video or DICOM", file=sys.stderr)
