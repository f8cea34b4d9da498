"""Run of recipe ``clip`` from beginning to end: READ `run_clips`, it is the whole of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from edge.app.compose import make_analyser
from edge.config.settings import Settings
from edge.contracts.errors import ConfigError, UsageError
from edge.models.bundle import load_bundle
from edge.process.git_revision import git_revision
from training.classify.folder import has_groups
from training.classify.metrics import class_metrics, confusion, confusion_text, table
from training.classify.predictions_file import write_predictions
from training.clips.clip_features import ClipFeatures, features_of
from training.clips.clip_folder import list_clips
from training.clips.fit import fit
from training.clips.gru import run, scaled, sigmoid
from training.clips.recipe import ClipRecord
from training.clips.sequences import FeatureSequence
from training.clips.store import write_run
from training.run_record import next_commands, write_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from training.classify.split import ListedPicture
    from training.clips.gru import Weights
    from training.clips.recipe import ClipRecipe

KEPT = 0.97
"""Share of the validation clips with a lesion in which it must be told of, where the step decides what is new."""
SHOWN = 20


@dataclass(frozen=True, eq=False)
class Clip:
    """One clip of the data set, with its features."""

    listed: ListedPicture
    features: ClipFeatures


def run_clips(
    recipe: ClipRecipe, data: Path | None, out: Path, log: Callable[[str], None], *, skip_broken: bool = False
) -> None:
    """Run it: list the clips, ask the frame model about each, fit the network, evaluate, write what export reads."""
    if data is None:
        raise UsageError(
            f"the recipe {recipe.name} wants a folder of clips",
            hint="python -m training run --recipe clip DIR --out RUN",
        )
    manifest = load_bundle(recipe.model or None).lesion_manifest
    listed, classes = list_clips(data, recipe)
    if not has_groups(data, recipe) and not any(each.split for each in listed):
        log("no groups: each clip counts as its own patient. If some show the same patient, figures are too good.")
    out.mkdir(parents=True, exist_ok=True)
    clips = read_clips(listed, recipe, out / "cache", log, skip_broken)
    log(_counts(clips, classes))
    weights = fit_clips(clips, recipe, log)
    figures = evaluate(weights, clips, classes, out, log)
    new_from = choose_new_from(weights, clips) if "new" in recipe.decides else None
    write_run(out, weights, [each for clip in clips if clip.listed.split == "train" for each in sequences(clip)])
    (out / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    record = ClipRecord(
        recipe=recipe,
        git_revision=git_revision(Path(__file__).parent.parent),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        classes=classes,
        frame_model_sha256=manifest.graph_sha256,
        new_from=new_from,
        joins="malignancy" in recipe.decides,
        method=f"learnt from {len(clips)} clips of {len({c.listed.group for c in clips})} groups",
    )
    write_record(out, record)  # last: a run that has one is whole
    log(f"done: {out}\n{next_commands(out)}")


def read_clips(
    listed: Sequence[ListedPicture], recipe: ClipRecipe, cache: Path, log: Callable[[str], None], skip_broken: bool
) -> list[Clip]:
    """Features of all clips; one that cannot be read is an error, or left out with ``skip_broken``.

    Raises ConfigError if the frame model judges no frame of any.
    """
    analyser = make_analyser(Settings(model=recipe.model or None))
    try:
        clips = [
            Clip(each, features_of(each.path, analyser, cache))
            for each in tqdm(listed, desc="ask the frame model", mininterval=2)
        ]
    finally:
        analyser.close()
    broken = [clip for clip in clips if clip.features.problem]
    for clip in broken[:SHOWN]:
        log(f"broken: {clip.listed.path}: {clip.features.problem}")
    if broken and not skip_broken:
        raise ConfigError(
            f"{len(broken)} of {len(clips)} clips cannot be read, the first: {broken[0].listed.path}",
            hint="mend them or take them out, or leave them out with --skip-broken",
        )
    clips = [clip for clip in clips if not clip.features.problem]
    unseen = [clip for clip in clips if not clip.features.judged]
    if len(unseen) == len(clips):
        raise ConfigError(
            "the frame model judged no frame of any clip: it refuses them, as another body part for one",
            hint="name a model that is for these clips in the recipe (model = ...); edge-cli infer CLIP says why",
        )
    if unseen:
        log(f"of {len(unseen)} clips no frame was judged, the first: {unseen[0].listed.path}")
    return clips


def sequences(clip: Clip) -> list[FeatureSequence]:
    """Sequences to learn from: of the clip's frames, and of its tracks.

    Which track is the lesion's nobody has said: in a clip with one, the longest counts, and of the others nothing is
    known. At which frame it is first seen nobody has said either: the clip's last step counts.
    """
    label = float(clip.listed.label) if clip.listed.label >= 0 else -1.0
    there = clip.listed.label >= 0
    found = []
    frames = clip.features.frames
    if len(frames):
        present = np.full(len(frames), -1.0 if there else 0.0, np.float32)
        present[-1] = float(there)
        found.append(FeatureSequence(clip.listed.group, 0, frames, label, present))
    for number, track in enumerate(clip.features.tracks):
        if len(track) and (number == 0 or not there):
            present = np.full(len(track), float(there), np.float32)
            found.append(FeatureSequence(clip.listed.group, 0, track, label, present, 0.5))
    return found


def fit_clips(clips: Sequence[Clip], recipe: ClipRecipe, log: Callable[[str], None]) -> Weights:
    """Fit the network to the training clips."""
    learnt = [each for clip in clips if clip.listed.split == "train" for each in sequences(clip)]
    if not learnt:
        raise ConfigError("no training clip has a frame that says anything", hint="look at one: edge-cli infer CLIP")
    return fit(learnt, recipe.network, recipe.seed, log)


def score(weights: Weights, clip: Clip) -> float:
    """Malignancy that the network says of a clip at its end, 0 to 1; a clip of which nothing is seen says nothing."""
    if not len(clip.features.frames):
        return 0.5
    return float(sigmoid(run(weights, scaled(clip.features.frames)[None])[0, -1, :1])[0])


def evaluate(
    weights: Weights, clips: Sequence[Clip], classes: list[str], out: Path, log: Callable[[str], None]
) -> dict[str, Any]:
    """Judge the held-back clips, and write ``predictions.csv``; the figures of both sides."""
    rows: list[list[object]] = []
    figures: dict[str, Any] = {}
    for side in ("val", "test"):
        held = [clip for clip in clips if clip.listed.split == side and clip.listed.label >= 0]
        p = np.array([score(weights, clip) for clip in held])
        scores: NDArray[np.float64] = np.column_stack([1 - p, p])
        labels = np.array([clip.listed.label for clip in held])
        figures[side] = class_metrics(scores, labels, [clip.listed.group for clip in held], classes)
        log(f"{side}:\n{table(figures[side])}")
        counts = confusion(labels, scores.argmax(axis=1), len(classes))
        figures[f"{side}_confusion"] = counts.tolist()
        if side == "test":
            log(confusion_text(counts, classes))
        rows += [
            [clip.listed.id, clip.listed.group, classes[clip.listed.label], side, *np.round(row, 6).tolist()]
            for clip, row in zip(held, scores, strict=True)
        ]
    write_predictions(out, classes, rows)
    return figures


def choose_new_from(weights: Weights, clips: Sequence[Clip]) -> float:
    """Presence from which a lesion is new: what nearly all validation clips with a lesion reach in their longest track.

    Raises ConfigError where no clip without a lesion taught the network what is none.
    """
    if not any(clip.listed.label < 0 for clip in clips):
        raise ConfigError(
            "what is new cannot be learnt without clips that have no lesion",
            hint='name their folder: unlabelled = ["normal"], or leave new out of decides',
        )
    reached = [
        float(sigmoid(run(weights, scaled(clip.features.tracks[0])[None])[0, :, 1]).max())
        for clip in clips
        if clip.listed.split == "val" and clip.listed.label >= 0 and clip.features.tracks
    ]
    return round(float(np.quantile(reached, 1 - KEPT)), 4) if reached else 0.5


def _counts(clips: Sequence[Clip], classes: Sequence[str]) -> str:
    names = dict(enumerate(classes))
    counts: dict[str, int] = {}
    for clip in clips:
        key = f"{clip.listed.split} {names.get(clip.listed.label, 'without a lesion')}"
        counts[key] = counts.get(key, 0) + 1
    return "clips: " + ", ".join(f"{number} {key}" for key, number in sorted(counts.items()))
