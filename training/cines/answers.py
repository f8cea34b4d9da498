"""The model's answers for each frame of made cines, kept in a file, so that rules are tried without the model."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.errors import ConfigError
from edge.contracts.frame_result import Result
from edge.contracts.frames import Frame
from edge.contracts.results import Lesion, Reason, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edge.contracts.region import Box
    from edge.pipeline.analyser import Analyser
    from training.cines.cine import MakeCine
    from training.cines.sweeps import Sweep


class FoundLesion(msgspec.Struct, frozen=True):
    """One lesion of an answer, as far as tracking and joining need it."""

    box: tuple[int, int, int, int]
    score: float
    sharpness: float


class FrameAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The model's answer for one frame, beside its truth."""

    status: Status
    reason: Reason | None = None
    malignancy: float | None = None
    suspicious: bool | None = None
    lesions: tuple[FoundLesion, ...] = ()
    box: tuple[int, int, int, int] | None = None
    """Truth: where the lesion is."""
    shown: float = 0.0
    steady: bool = False


class CineAnswers(msgspec.Struct, frozen=True):
    """All answers for one cine."""

    name: str
    group: str
    """The patient."""
    label: int
    lesion: bool
    """Whether the tissue has a lesion at all."""
    size: tuple[int, int]
    rate: int
    frames: list[FrameAnswer]

    @property
    def seconds(self) -> float:
        """Length of the cine."""
        return len(self.frames) / self.rate

    def at_rate(self, rate: int) -> CineAnswers:
        """The same cine at a lower frame rate: every n-th frame. ``rate`` divides the cine's own."""
        step = max(1, self.rate // rate)
        return msgspec.structs.replace(self, rate=self.rate // step, frames=self.frames[::step])

    def results(self) -> Iterator[tuple[int, Result]]:
        """Time in nanoseconds and result of each frame, as the analyser gave it, without outlines."""
        for number, answer in enumerate(self.frames):
            at_ns = number * 1_000_000_000 // self.rate
            yield at_ns, _result(answer, number, at_ns, self.size)


def _result(answer: FrameAnswer, number: int, at_ns: int, size: tuple[int, int]) -> Result:
    return Result(
        stream="cine",
        frame_seq=number,
        captured_ns=at_ns,
        image_size=size,
        status=answer.status,
        reason=answer.reason,
        malignancy=answer.malignancy,
        suspicious=answer.suspicious,
        lesions=tuple(_lesion(found) for found in answer.lesions),
    )


def _lesion(found: FoundLesion) -> Lesion:
    x, y, w, h = found.box
    return Lesion(
        box=found.box,
        outline=[],
        centre=(x + w / 2, y + h / 2),
        score=found.score,
        descriptors={"margin_sharpness": found.sharpness},
    )


def ask_about_cine(sweep: Sweep, maker: MakeCine, analyser: Analyser) -> CineAnswers:
    """Make a cine and ask the model about each of its frames; a frozen scanner's picture is judged once."""
    still, answers = sweep.still, []
    last: tuple[object, FrameAnswer] | None = None
    for number, frame in enumerate(maker(still, sweep.seed, sweep.seconds, sweep.rate)):
        if last is None or last[0] is not frame.pixels:
            result = analyser.analyse(Frame("cine", number, number * 1_000_000_000 // sweep.rate, None, frame.pixels))
            last = frame.pixels, answer_of(result, frame.box, frame.shown, frame.steady)
        answers.append(last[1])
    size = (still.pixels.shape[1], still.pixels.shape[0])
    lesion = bool(still.mask.any())
    return CineAnswers(sweep.name, still.group, still.label, lesion, size, sweep.rate, answers)


def answer_of(result: Result, box: Box | None = None, shown: float = 0.0, steady: bool = False) -> FrameAnswer:
    """What is kept of a result, with the frame's truth."""
    found = tuple(
        FoundLesion(each.box, each.score, each.descriptors.get("margin_sharpness", 0.0)) for each in result.lesions
    )
    return FrameAnswer(
        result.status, result.reason, result.malignancy, result.suspicious, found, box, round(shown, 3), steady
    )


def read_answers(path: Path) -> list[CineAnswers]:
    """Read kept answers, one JSON object a cine, a line each; none where there is no file. Half a line is left out.

    Raises `ConfigError` if it is something else.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1] if path.is_file() else []
        return [msgspec.json.decode(line, type=CineAnswers) for line in lines if line]
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}", hint="give another --out") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: no answers of cines: {error}", hint="delete it; it is made anew") from None


def answer_sweeps(
    path: Path, sweeps: Sequence[Sweep], maker: MakeCine, analyser: Callable[[], Analyser], say: Callable[[str], None]
) -> list[CineAnswers]:
    """Answers for all sweeps: those kept in ``path``, and the model's for what is not there, which are kept then."""
    kept = {cine.name: cine for cine in read_answers(path)}
    missing = [sweep for sweep in sweeps if sweep.name not in kept]
    if missing:
        path.parent.mkdir(parents=True, exist_ok=True)
        model = analyser()
        with path.open("wb") as file, closing(model):
            file.writelines(msgspec.json.encode(cine) + b"\n" for cine in kept.values())
            for number, sweep in enumerate(missing, 1):
                cine = kept[sweep.name] = ask_about_cine(sweep, maker, model)
                file.write(msgspec.json.encode(cine) + b"\n")
                file.flush()
                say(f"{path.stem}: {number} of {len(missing)} cines, {sweep.name}")
    return [kept[sweep.name] for sweep in sweeps]
