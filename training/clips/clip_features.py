"""Features of clips as the device's step would be given them, computed once for each clip and model, and kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.config.tracking_settings import TrackingSettings
from edge.contracts.clip_model import FEATURES, FEATURES_VERSION
from edge.contracts.results import Status
from edge.infer.inputs import find_inputs
from edge.infer.run import answers
from edge.pipeline.tracker import Tracker
from training.clips.sequences import StepRecorder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.pipeline.analyser import Analyser


@dataclass(frozen=True, eq=False)
class ClipFeatures:
    """Features of one clip: of its frames, and of each track in it."""

    frames: NDArray[np.float32]
    """(steps, 7); of a file that holds several clips, one after the other."""
    tracks: tuple[NDArray[np.float32], ...]
    """(steps, 7) each, the longest first."""
    judged: int
    """Frames that were judged: findings and clear ones."""
    problem: str = ""
    """Why nothing of it could be read; empty if something could."""


def features_of(path: Path, analyser: Analyser, cache: Path) -> ClipFeatures:
    """Features of a clip, from ``cache`` if they are there. What could not be read is not kept."""
    place = cache / f"{_key(path, analyser.manifest.graph_sha256)}.npz"
    if place.is_file():
        return _read(place)
    found = _compute(path, analyser)
    if not found.problem:
        _write(place, found)
    return found


def _key(path: Path, model_sha256: str) -> str:
    """Name of a clip's features: its bytes, the model, and what the features mean."""
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else None
        digest = content.hexdigest() if content else hashlib.sha256(file.read()).hexdigest()
    return hashlib.sha256(f"{digest} {model_sha256} {FEATURES_VERSION}".encode()).hexdigest()[:32]


def _compute(path: Path, analyser: Analyser) -> ClipFeatures:
    recorder = StepRecorder()
    tracker = Tracker(TrackingSettings(), recorder)
    clip, judged, problem, frames = None, 0, "", 0
    for answer in answers(find_inputs([path])[0], analyser):
        if answer.frame is None or answer.result is None:
            tracker.skip()
            problem = problem or answer.problem
            continue
        this = answer.frame.origin.clip, answer.frame.geometry
        if clip is not None and this != clip:
            tracker.end_all("clip_changed")
        clip, frames = this, frames + 1
        tracker.update(answer.result, answer.frame.clip_ns, still=answer.frame.origin.still)
        judged += answer.result.status in (Status.FINDING, Status.CLEAR)
    rows = [np.array(each, np.float32).reshape(-1, len(FEATURES)) for each in recorder.seen]
    # The frames' own rows begin a state before the tracks that they begin; anew after each clip of the file.
    whole = [rows[k] for k in recorder.frame_numbers]
    tracks = sorted((rows[k] for k in range(len(rows)) if k not in recorder.frame_numbers), key=lambda x: -len(x))
    joined = np.concatenate(whole) if whole else np.zeros((0, len(FEATURES)), np.float32)
    return ClipFeatures(joined, tuple(tracks), judged, "" if frames else problem or "it holds no frame")


def _write(place: Path, found: ClipFeatures) -> None:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lengths = np.array([len(each) for each in found.tracks], np.int64)
    tracks = np.concatenate([*found.tracks, np.zeros((0, len(FEATURES)), np.float32)])
    new = place.with_name(f".new-{place.name}")
    np.savez_compressed(new, frames=found.frames, tracks=tracks, lengths=lengths, judged=np.array(found.judged))
    new.replace(place)


def _read(place: Path) -> ClipFeatures:
    with np.load(place) as file:
        ends = np.cumsum(file["lengths"])
        tracks = np.split(file["tracks"], ends)[: len(ends)]
        return ClipFeatures(file["frames"], tuple(tracks), int(file["judged"]))
