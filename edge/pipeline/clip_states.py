"""States of a recurrent step between frames: one of each lesion's track, and one of the stream's frames.

They live here, on the host: a step is given them and gives them back. They begin anew with each exam and each clip.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.clip_model import STEP_NS
from edge.pipeline.video_features import FeatureMemory, has_features, surest_lesion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.clip_model import RecurrentStep
    from edge.contracts.frame_result import Result
    from edge.contracts.results import Lesion


@dataclass(slots=True)
class ClipState:
    """State of one track or of the frames: what the step keeps, and what it said last."""

    memory: FeatureMemory = field(default_factory=FeatureMemory)
    state: NDArray[np.int8] | None = None
    """None: no step was taken yet."""
    malignancy: float | None = None
    presence: float | None = None


class ClipStates:
    """Takes the steps of one stream, all states of a frame in one batch. `begin_anew` between two exams or clips."""

    def __init__(self, step: RecurrentStep) -> None:
        self._step = step
        self.manifest = step.manifest
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget the frames' state. Those of tracks are forgotten with their tracks."""
        self.frame = ClipState()
        self._last_ns: int | None = None

    def advance(self, tracks: Sequence[tuple[ClipState, Lesion | None]], result: Result, at_ns: int) -> None:
        """Take a step with the next frame, unless the last is too short ago or the frame says nothing.

        ``tracks``: state of each open track, and its lesion where this frame shows it.
        """
        if not has_features(result) or (self._last_ns is not None and 0 <= at_ns - self._last_ns < STEP_NS):
            return
        self._last_ns = at_ns
        rows = [(self.frame, surest_lesion(result)), *tracks]
        features = np.array([state.memory.vector(result, lesion, at_ns) for state, lesion in rows], np.float32)
        states = np.stack([self._step.begin() if each.state is None else each.state for each, _ in rows])
        after, malignancy, presence = self._step.step(features, states)
        said = zip(rows, after, malignancy.tolist(), presence.tolist(), strict=True)
        for (each, _), state, one, other in said:
            each.state, each.malignancy, each.presence = state, one, other
