"""A recurrent step for tests: random weights, 8 units, made by `export.clip_step`; nobody's data are in it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge.models.clip_model import ClipModel, read_clip_model, write_clip_model
from edge.runtimes.clip_step import LiteRtClipStep

FILE = Path(__file__).parent / "recurrent_step.tflite"
MADE_FOR = "0" * 64
"""Hash of the frame model that the file names."""


def clip_model(**changes: object) -> ClipModel:
    """The step's model, with another ``new_from`` or ``joins`` in its manifest."""
    model = read_clip_model(FILE.read_bytes(), MADE_FOR)
    return ClipModel(msgspec.structs.replace(model.manifest, **changes), model.graph, model.golden)


def clip_step(**changes: object) -> LiteRtClipStep:
    """The step itself, loaded."""
    return LiteRtClipStep(clip_model(**changes))


def member(frame_model_sha256: str, **changes: object) -> bytes:
    """Bytes of ``clip.tflite`` for a bundle with this graph."""
    model = clip_model(**changes)
    manifest = msgspec.structs.replace(model.manifest, frame_model_sha256=frame_model_sha256)
    return write_clip_model(model.graph, manifest, model.golden)
