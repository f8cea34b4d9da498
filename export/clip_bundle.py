"""Bundle with a recurrent step: the frame model's bundle as it is, and ``clip.tflite`` beside its members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.clip_model import FEATURES_VERSION, ClipManifest
from edge.contracts.errors import UsageError
from edge.models.bundle import Bundle, load_bundle
from edge.models.bundle_file import split_bundle
from edge.models.bundle_writer import append_zip, write_atomically
from edge.models.clip_model import CLIP, write_clip_model
from export.clip_run import ClipRunRecord, open_clip_run
from export.clip_step import FAR, StepDifference, difference, golden_sequence, to_int8

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

DECISIONS = ("new", "malignancy")
MEAN = 0.005
"""Most that int8 should differ from the floats over 120 steps on average, in probability; `FAR` at any."""


@dataclass(frozen=True)
class ClipBundle:
    """A bundle that was written, and how far its step is from the floats."""

    bundle: Bundle
    manifest: ClipManifest
    difference: StepDifference


def make_clip_bundle(
    run: Path,
    out: Path,
    model: Path | None,
    decides: Sequence[str] | None,
    name: tuple[str | None, str | None],
    progress: Callable[[str], None],
) -> ClipBundle:
    """Quantise a run's step and write it into the bundle of its frame model.

    Args:
        run: folder of a clip run.
        out: the bundle to write.
        model: of the frames; None: the one that the run names.
        decides: ``new``, ``malignancy``; None: what the run's recipe says.
        name: of the new bundle, and its version; None: the frame model's.
        progress: told what is done.

    Raises UsageError for another frame model than the run's, and for what the run has not chosen.
    """
    opened = open_clip_run(run)
    record = opened.record
    frames = load_bundle(model or record.recipe.model or None)
    if frames.lesion_manifest.graph_sha256 != record.frame_model_sha256:
        raise UsageError(
            f"{run} joins the answers of another model than {frames.path.name}",
            hint="give --model the bundle that its recipe names, or train again",
        )
    wanted = record.recipe.decides if decides is None else tuple(decides)
    manifest = _manifest(run, record, wanted)
    progress("quantise the step")
    graph = to_int8(opened.weights, opened.x, opened.lengths)
    body = write_clip_model(graph, manifest, golden_sequence(graph, opened.x))
    write_atomically(out, _with_step(frames, body, name))
    return ClipBundle(load_bundle(out), manifest, difference(graph, opened.weights, opened.x, opened.lengths))


def _manifest(run: Path, record: ClipRunRecord, wanted: Sequence[str]) -> ClipManifest:
    if unknown := set(wanted) - set(DECISIONS):
        raise UsageError(f"--decides {', '.join(sorted(unknown))}", hint=f"give {' or '.join(DECISIONS)}, or both")
    if "new" in wanted and record.new_from is None:
        raise UsageError(
            f"{run} has chosen no limit for new",
            hint='write decides = ["new", "malignancy"] into the recipe, and give it clips without a lesion',
        )
    return ClipManifest(
        features_version=FEATURES_VERSION,
        graph_sha256="",
        frame_model_sha256=record.frame_model_sha256,
        new_from=record.new_from if "new" in wanted else None,
        joins="malignancy" in wanted,
        class_names=record.classes,
        method=record.method or f"{record.recipe.name}, {record.created}",
    )


def _with_step(frames: Bundle, body: bytes, name: tuple[str | None, str | None]) -> bytes:
    """Bytes of the frame model's bundle with ``clip.tflite``; every other member stays, the manifest but for a name."""
    parts = split_bundle(frames.model_bytes)
    members = dict(parts.members)
    if name[0] is not None:
        manifest = frames.lesion_manifest
        named = msgspec.structs.replace(manifest, name=name[0], version=name[1] or manifest.version)
        members["manifest.json"] = msgspec.json.format(msgspec.json.encode(named), indent=1)
    others = {key: value for key, value in parts.optional.items() if key != CLIP}
    return append_zip(parts.graph, {**members, **others, CLIP: body})


def as_text(made: ClipBundle) -> str:
    """What was made, for people."""
    off, m = made.difference, made.manifest
    does = ["when a lesion is new"] if m.new_from is not None else []
    does += ["what a clip says"] if m.joins else []
    near = off.mean <= MEAN and off.worst <= FAR
    verdict = "" if near else f"; it should be {MEAN:g} and {FAR:g} at most, and {off.far:.2%} are further off"
    return (
        f"the step decides {' and '.join(does) or 'nothing: the rules do'}\n"
        f"int8 against float over {off.steps} steps: mean {off.mean:.4f}, worst {off.worst:.4f}{verdict}\n"
        f"{made.bundle.path}: {made.bundle.size:,} bytes, sha256 {made.bundle.sha256}"
    )
