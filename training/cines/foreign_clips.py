"""Answers for clips of other organs: nothing in them may be told as a lesion of the model's."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from edge.infer.inputs import find_inputs
from edge.infer.run import answers
from training.cines.answers import CineAnswers, answer_of, read_answers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.pipeline.analyser import Analyser


def foreign_answers(
    data: Path | None, path: Path, analyser: Callable[[], Analyser], say: Callable[[str], None]
) -> list[CineAnswers]:
    """Answers for all clips in ``data/clips``, kept in ``path``; none without data."""
    if data is None or not (data / "clips").is_dir():
        return []
    kept = read_answers(path)
    if not kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(analyser()) as model:
            kept = [_clip(clip, model) for clip in sorted((data / "clips").iterdir())]
        path.write_bytes(b"".join(msgspec.json.encode(cine) + b"\n" for cine in kept))
        say(f"{path.stem}: {len(kept)} clips of other organs")
    return kept


def _clip(path: Path, model: Analyser) -> CineAnswers:
    found, times = [], []
    size = (1, 1)
    for answer in answers(find_inputs([path])[0], model):
        if answer.result is not None and answer.frame is not None:
            found.append(answer_of(answer.result))
            times.append(answer.frame.clip_ns)
            size = answer.result.image_size
    rate = round((len(times) - 1) * 1e9 / max(1, times[-1] - times[0])) if len(times) > 1 else 25
    return CineAnswers(path.name, path.name, -1, False, size, max(1, rate), found)
