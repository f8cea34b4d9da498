"""Features of a frame over time, and the recurrent step that joins them: ``clip.tflite`` in a bundle, and its port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEATURES = ("logit", "presence", "area", "sharpness", "motion", "seconds", "anatomy")
"""Features of a lesion in one frame, or of the frame itself, by its surest lesion. All come from the frame's result
alone (`edge.pipeline.video_features`), so that they mean the same whatever model gave it:

logit       log odds of the calibrated malignancy; 0 where the frame has none
presence    score of the lesion, 0 to 1; like the next three, 0 where the frame does not show it
area        square root of the share of the judged picture that its box fills, 0 to 1
sharpness   sharpness of its margin, 0 to 1
motion      how far its centre has moved since the frame before, as a share of the picture's longer side
seconds     since the frame before; 0 for the first
anatomy     1: the gate let the frame pass; 0: it was refused as another body part, or as no ultrasound
"""
FEATURES_VERSION = 1
"""Changes with the meaning of any feature: a step that learnt from others is refused."""
SCALES = (6.0, 1.0, 1.0, 1.0, 0.25, 0.5, 1.0)
"""By these each feature is divided, and kept within -1 and 1, before the step sees it."""
STEP_NS = 60_000_000
"""The step is taken at most once in so many nanoseconds of the clip: faster frames say nothing more."""
GOLDEN_STEPS = 120
"""Number of steps of a golden sequence, each fed with the state of the one before."""

Probability = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class ClipManifest(msgspec.Struct, frozen=True, kw_only=True):
    """Description of a recurrent step, ``clip.json`` behind its graph: what it was made for, and what it decides."""

    clip_version: Literal[1] = 1
    features_version: int
    graph_sha256: str
    """SHA-256, hex, of the step's flatbuffer."""
    frame_model_sha256: str
    """``graph_sha256`` of the frame model whose answers it joins: with another one it is refused."""
    new_from: Probability | None = None
    """Presence from which a lesion is new, in place of the rule of ``[tracking] confirm``. None: the rule stays."""
    joins: bool = False
    """Whether its malignancy is the clip's, in place of the rule that joins the frames."""
    class_names: list[str] = []
    """For people: of which two classes the malignancy is the second."""
    method: str = ""
    """For people: what it learnt from, and how it was judged."""


class RecurrentStep(Protocol):
    """One step of a recurrent network over several states at once; it keeps none of them."""

    @property
    def manifest(self) -> ClipManifest:
        """Description: what the step decides."""

    def begin(self) -> NDArray[np.int8]:
        """State of a track of which nothing is known yet, (units,) int8."""

    def step(
        self, features: NDArray[np.float32], states: NDArray[np.int8]
    ) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
        """New states (n, units), malignancy (n,) and presence (n,), 0 to 1, of features (n, 7) and states (n, units).

        A row's answer does not depend on the other rows.
        """
