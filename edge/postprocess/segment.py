"""Verdict of a segmentation network on one frame: the areas of its labels, with size, outlines and scores.

When a frame is not judged is said in one table: `edge.postprocess.abstention_rules`. Maps say that there is nothing to
find where every one stays under its threshold, and the card says that empty means clear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts import precision
from edge.contracts.labels import LABELS_SENT, LabelScore, LabelVerdict
from edge.contracts.manifest import MASK
from edge.contracts.results import Status
from edge.postprocess.abstention_rules import ANATOMY_RULES, LABEL_RULES
from edge.postprocess.classify import label_probabilities
from edge.postprocess.dequantise import dequantise
from edge.postprocess.frame_context import NOTHING_KNOWN
from edge.postprocess.judged_labels import JudgedLabels, read_anatomy
from edge.postprocess.label_areas import find_area
from edge.postprocess.rule_table import first_reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from edge.contracts.labels import LabelArea
    from edge.contracts.manifest import AreaRules, SegmentationManifest
    from edge.contracts.region import Region
    from edge.postprocess.frame_context import FrameContext
    from edge.postprocess.lesions import PicturePlacement


def segment(
    outputs: Mapping[str, NDArray[Any]],
    manifest: SegmentationManifest,
    placement: PicturePlacement,
    regions: tuple[Region, ...],
    region: Region,
    context: FrameContext = NOTHING_KNOWN,
) -> LabelVerdict:
    """Verdict of a segmentation network on one frame.

    Args:
        outputs: raw (still quantised) outputs by head name, all of them finite.
        manifest: of the model that made them.
        placement: where its tensor lies in the source picture.
        regions: of the frame; only a calibrated one that covers an area gives square millimetres.
        region: what the judgement is about.
        context: what else is known of the frame; the picture beside the crop is measured only for a `clear`.

    Raises:
        ValueError: the head gives something else than the manifest says.
    """
    rules = manifest.areas
    if (reason := first_reason(ANATOMY_RULES, read_anatomy(outputs, manifest, context))) is not None:
        return LabelVerdict(Status.ABSTAINED, reason, region=region)
    head = manifest.heads[MASK]
    maps = label_probabilities(dequantise(outputs[MASK][0], head.tensor), rules)
    names, size = head.class_names, (manifest.recipe.width, manifest.recipe.height)
    seen = _without_padding(maps, placement, size)
    peaks = seen.max(axis=0).max(axis=0).tolist()  # forty times as quick as over both axes at once
    judged = range(1, len(names)) if rules.exclusive else range(len(names))
    scores = sorted((LabelScore(names[i], _score(peaks[i], rules, names[i])) for i in judged), key=lambda s: -s.score)
    over = [i for i in judged if peaks[i] >= rules.threshold_of(names[i])]
    areas = {
        names[i]: area
        for i, field, probability in _fields(maps, over, names, rules)
        if (area := find_area(field, probability, names[i], rules, placement, size, regions)) is not None
    }
    found = tuple(score.name for score in scores if score.name in areas)[:LABELS_SENT]
    told = (*(s for s in scores if s.name in found), *(s for s in scores if s.name not in found))[:LABELS_SENT]
    empty = not over and not (rules.exclusive and _is_rivalled(seen))
    return _verdict(found, areas, tuple(sorted(told, key=lambda s: -s.score)), empty, rules, region, context)


def _without_padding(
    maps: NDArray[np.floating], placement: PicturePlacement, size: tuple[int, int]
) -> NDArray[np.floating]:
    """The part of maps (h, w, n) that lies on the picture; ``size``: (width, height) of the tensor in pixels."""
    (height, width, _), (x, y, w, h) = maps.shape, placement.inner
    left, right = x * width // size[0], -(-(x + w) * width // size[0])
    top, bottom = y * height // size[1], -(-(y + h) * height // size[1])
    return maps[top:bottom, left:right]


def _is_rivalled(maps: NDArray[np.floating]) -> bool:
    """Whether in any place of the maps (h, w, n) another label is likelier than the background, the first."""
    return bool((maps[:, :, 1:].max(axis=2) > maps[:, :, 0]).any())


def _verdict(
    found: tuple[str, ...],
    areas: Mapping[str, LabelArea],
    scores: tuple[LabelScore, ...],
    empty: bool,
    rules: AreaRules,
    region: Region,
    context: FrameContext,
) -> LabelVerdict:
    """The verdict; ``empty``: whether no pixel is at or over its label's threshold, and the background is likeliest."""
    reason = first_reason(LABEL_RULES, JudgedLabels(found, empty and rules.empty_is_clear and not found, context))
    if found:
        found_areas = tuple(areas[name] for name in found)
        return LabelVerdict(Status.FINDING, region=region, scores=scores, given=found, areas=found_areas)
    status = Status.CLEAR if reason is None else Status.ABSTAINED
    return LabelVerdict(status, reason, region=region, scores=scores, areas=())


def _fields(
    maps: NDArray[np.floating], over: list[int], names: list[str], rules: AreaRules
) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.float32]]]:
    """Two maps (h, w) of each label in ``over``: what is not under its threshold in the first is the label's.

    The second is its probability, nearly always the same.

    Where labels exclude each other and the threshold is under a half, two can be over it: the lesser one is brought
    under it, by as much as it is less.
    """
    for i in over:
        field, level = np.ascontiguousarray(maps[:, :, i], np.float32), rules.threshold_of(names[i])
        probability = field
        if rules.exclusive and level < 0.5:
            others = np.delete(maps, i, axis=2).max(axis=2)
            field = np.minimum(field, field - others.astype(np.float32) + np.float32(level))
        yield i, field, probability


def _score(peak: float, rules: AreaRules, name: str) -> float:
    return precision.probability(min(1.0, peak), rules.threshold_of(name))
