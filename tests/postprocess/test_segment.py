"""A segmentation network's answer becomes a verdict: areas on the source picture, and the four states."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from edge.contracts.frame_result import Result
from edge.contracts.labels import LabelArea, LabelScore
from edge.contracts.manifest import ANATOMY, MASK, AreaRules, Golden, HeadSpec, SegmentationManifest
from edge.contracts.picture_recipe import PictureRecipe
from edge.contracts.region import Region
from edge.contracts.results import Reason, Status
from edge.contracts.tensors import TensorSpec
from edge.postprocess.decide import decide
from edge.postprocess.frame_context import FrameContext
from edge.preprocess.letterbox import fit
from edge.preprocess.recipes import make_preprocessor

SIDE = 64
PLACED = fit((0, 0, SIDE, SIDE), SIDE, SIDE)
PIXELS = np.zeros((SIDE, SIDE), np.uint8)


def segmenter(names=("cyst",), gate=False, recipe=None, step=1, dtype="float32", **rules) -> SegmentationManifest:
    recipe = recipe or PictureRecipe(width=SIDE, height=SIDE, channels=1, colour="grey")
    shape = (1, recipe.height // step, recipe.width // step, len(names))
    spec = TensorSpec(shape, dtype) if dtype == "float32" else TensorSpec(shape, dtype, 1 / 256, 0)
    heads = {MASK: HeadSpec(tensor=spec, class_names=list(names))}
    if gate:
        heads[ANATOMY] = HeadSpec(tensor=TensorSpec((1, 1), "float32"))
        rules |= {"anatomy": 0.5}
    return SegmentationManifest(
        judges="segmentation",
        name="organ",
        version="1",
        task="test",
        body_part="",
        licence="",
        input=TensorSpec((1, recipe.height, recipe.width, recipe.channels)),
        recipe=recipe,
        recipe_sha256=recipe.digest(),
        heads=heads,
        golden=Golden(max_abs_diff={"xnnpack": 0}),
        training_data=[],
        metrics=[],
        not_shown=[],
        git_revision="",
        created="",
        areas=AreaRules(**{"output": "probabilities", "exclusive": len(names) > 1, "threshold": 0.5, **rules}),
    )


def judge(maps, manifest=None, regions=(), anatomy=None, **more):
    maps = np.asarray(maps)
    outputs = {MASK: (maps[:, :, None] if maps.ndim == 2 else maps)[None]}
    if anatomy is not None:
        outputs[ANATOMY] = np.array([[anatomy]], np.float32)
    return decide(outputs, manifest or segmenter(), PLACED, regions, PIXELS, FrameContext(**more))


def disc(value=0.9, centre=(30, 30), radius=10, rest=0.05, side=SIDE):
    """A disc in a map: pixels, continuous centre (x, y)."""
    y, x = np.mgrid[:side, :side] + 0.5
    return np.where(np.hypot(x - centre[0], y - centre[1]) <= radius, value, rest).astype(np.float32)


def test_an_area_has_size_box_outline_and_mean_score_and_never_malignancy():
    verdict = judge(disc())
    (area,) = verdict.areas
    assert (verdict.status, verdict.given, verdict.scores) == (Status.FINDING, ("cyst",), (LabelScore("cyst", 0.9),))
    assert (verdict.malignancy, verdict.suspicious, verdict.lesions) == (None, None, ())
    assert (area.name, area.pieces, len(area.outlines), area.area_mm2) == ("cyst", 1, 1, None)
    assert area.share == pytest.approx(math.pi * 100 / SIDE**2, rel=0.03)
    assert area.score == pytest.approx(0.9)
    x, y, w, h = area.box
    assert abs(x - 20) <= 1
    assert abs(y - 20) <= 1
    assert abs(w - 20) <= 2
    assert abs(h - 20) <= 2
    outline = np.array(area.outlines[0])
    assert cv2.contourArea(outline.astype(np.float32)) == pytest.approx(math.pi * 100, rel=0.1), "between pixels"
    assert (outline >= (x, y)).all()
    assert (outline <= (x + w, y + h)).all()


@pytest.mark.parametrize("how", ["letterbox", "stretch", "centre-crop"])
@pytest.mark.parametrize("step", [1, 2])
def test_outlines_lie_on_the_source_picture_however_it_was_fitted(how, step):
    """The network is the brightness of its input: what it outlines can be told from the picture."""
    width, height = 300, 180
    pixels = np.full((height, width), 40, np.uint8)
    cv2.ellipse(pixels, (150, 80), (30, 40), 0, 0, 360, 220, -1)
    recipe = PictureRecipe(width=SIDE, height=48, channels=1, colour="grey", fit=how)
    manifest = segmenter(recipe=recipe, step=step)
    tensor, placed = make_preprocessor(manifest)(pixels)
    maps = cv2.resize(tensor[0, :, :, 0], (SIDE // step, 48 // step), interpolation=cv2.INTER_AREA) / np.float32(255)
    verdict = decide({MASK: maps[None, :, :, None]}, manifest, placed, (), pixels)
    (area,) = verdict.areas
    cell = step * max(1 / s for s in placed.scale) + 1
    for got, expected in zip(area.box, (120, 40, 61, 81), strict=True):
        assert abs(got - expected) <= cell, (area.box, cell)
    _, _, crop_w, crop_h = placed.crop
    assert area.share * crop_w * crop_h == pytest.approx(math.pi * 30 * 40, rel=0.12)


def test_square_millimetres_only_where_one_calibration_holds_for_all_of_it():
    whole = Region(box=(0, 0, SIDE, SIDE), mm_x=0.5, mm_y=0.25, source="config")
    (area,) = judge(disc(), regions=(whole,)).areas
    assert area.area_mm2 == pytest.approx(area.share * SIDE**2 * 0.125, abs=0.02)
    (area,) = judge(np.maximum(disc(), disc(centre=(54, 54), radius=5)), regions=(whole,)).areas
    assert area.pieces == 2
    assert area.area_mm2 == pytest.approx(area.share * SIDE**2 * 0.125, abs=0.02)
    half = replace_box(whole, (0, 0, 30, SIDE))
    assert judge(disc(), regions=(half,)).areas[0].area_mm2 is None
    inset = Region(box=(0, 0, SIDE, SIDE), mm_x=0.1, mm_y=0.1, source="config")
    assert judge(disc(), regions=(whole, inset)).areas[0].area_mm2 is None


def replace_box(region, box):
    import msgspec

    return msgspec.structs.replace(region, box=box)


def test_holes_are_not_counted_and_small_pieces_left_out():
    ring = np.where(disc(radius=12) > 0.5, np.where(disc(radius=6) > 0.5, 0.1, 0.8), 0.1).astype(np.float32)
    (area,) = judge(ring).areas
    assert area.share == pytest.approx(math.pi * (144 - 36) / SIDE**2, rel=0.05)
    spots = disc()
    spots[2, 2] = spots[60, 60] = 0.99
    (area,) = judge(spots, segmenter(min_area=0.002)).areas
    assert (area.pieces, area.box[0] > 10) == (1, True)
    assert judge(spots).scores[0].score == 0.99, "the score of a label is its map's highest"


def test_a_map_that_falls_to_pieces_has_eight_outlines_and_all_of_its_size():
    maps = np.full((SIDE, SIDE), 0.1, np.float32)
    for number in range(16):
        y, x = divmod(number, 4)
        maps[y * 16 + 2 : y * 16 + 8, x * 16 + 2 : x * 16 + 8] = 0.9
    (area,) = judge(maps).areas
    assert (area.pieces, len(area.outlines)) == (16, 8)
    assert area.share == pytest.approx(16 * 36 / SIDE**2, rel=0.05)
    assert area.box[2] >= 52


@pytest.mark.parametrize(
    ("maps", "rules", "status", "reason"),
    [
        (disc(0.4), {}, "abstained", "too_uncertain"),
        (disc(0.4), {"empty_is_clear": True}, "clear", None),
        (disc(0.9), {"empty_is_clear": True}, "finding", None),
        (disc(0.6), {"thresholds": {"cyst": 0.7}}, "abstained", "too_uncertain"),
        (disc(0.9, radius=0.8), {"empty_is_clear": True, "min_area": 0.01}, "abstained", "too_uncertain"),
        (disc(np.nan), {"empty_is_clear": True}, "no_result", "nan_output"),
        (np.full((SIDE, SIDE), np.nan, np.float32), {"empty_is_clear": True}, "no_result", "nan_output"),
        (disc(4.0, rest=-4.0), {"output": "logits"}, "finding", None),
        (
            disc(4.0, rest=-4.0),
            {"output": "logits", "temperature": 90.0, "threshold": 0.6},
            "abstained",
            "too_uncertain",
        ),
        (np.full((SIDE, SIDE), -900.0, np.float32), {"output": "logits", "empty_is_clear": True}, "clear", None),
    ],
)
def test_the_four_states_hold(maps, rules, status, reason):
    verdict = judge(maps, segmenter(**rules))
    assert (verdict.status.value, verdict.reason and verdict.reason.value) == (status, reason)
    assert bool(getattr(verdict, "scores", ())) == (status != "no_result")
    assert bool(getattr(verdict, "areas", ())) == (status == "finding")


@pytest.mark.parametrize("step", [1, 2, 4])
def test_what_a_network_sees_in_the_padding_is_nothing(step):
    recipe = PictureRecipe(width=SIDE, height=SIDE, channels=1, colour="grey", fit="letterbox")
    manifest = segmenter(("background", "cyst"), recipe=recipe, step=step, empty_is_clear=True)
    _, placed = make_preprocessor(manifest)(np.full((120, 240), 90, np.uint8))
    _, y, w, h = placed.inner
    assert (w, h) == (SIDE, 32)
    cyst = np.full((SIDE // step, SIDE // step), 0.97, np.float32)
    cyst[y // step : (y + h) // step] = 0.1
    verdict = decide(
        {MASK: np.stack([1 - cyst, cyst], axis=2)[None]}, manifest, placed, (), np.zeros((120, 240), np.uint8)
    )
    assert (verdict.status, verdict.scores) == (Status.CLEAR, (LabelScore("cyst", 0.1),))


def test_what_is_not_seen_is_not_clear_and_another_body_part_is_refused():
    clear = segmenter(empty_is_clear=True)
    assert judge(disc(0.1), clear, unseen=lambda: 0.9).reason is Reason.PARTLY_SEEN
    assert judge(disc(0.1), clear, scan_unknown=True).reason is Reason.SCAN_AREA_UNKNOWN
    assert judge(disc(0.9), clear, scan_unknown=True).status is Status.FINDING
    assert judge(disc(), segmenter(gate=True), anatomy=0.4).reason is Reason.WRONG_ANATOMY
    assert judge(disc(), segmenter(gate=True), anatomy=0.6).status is Status.FINDING


def test_of_labels_that_exclude_each_other_each_pixel_has_its_likeliest():
    first, second = disc(0.8, (20, 30), 8, 0.0), disc(0.9, (44, 30), 8, 0.0)
    maps = np.stack([1 - first - second, first, second], axis=2)
    three = segmenter(("background", "cyst", "solid"), empty_is_clear=True)
    verdict = judge(maps, three)
    assert verdict.given == ("solid", "cyst")
    assert [area.name for area in verdict.areas] == ["solid", "cyst"]
    assert [score.name for score in verdict.scores] == ["solid", "cyst"], "the background is no label"
    nothing = np.stack([np.ones((SIDE, SIDE)), *[np.zeros((SIDE, SIDE))] * 2], axis=2).astype(np.float32)
    assert judge(nothing, three).status is Status.CLEAR
    half = np.stack([np.full((SIDE, SIDE), v) for v in (0.3, 0.36, 0.34)], axis=2).astype(np.float32)
    assert judge(half, three).reason is Reason.TOO_UNCERTAIN
    (area,) = judge(half, segmenter(("background", "cyst", "solid"), threshold=0.32)).areas
    assert (area.name, area.score) == ("cyst", 0.36), "one label a pixel, and its own probability"


def test_labels_for_themselves_may_overlap():
    both = np.stack([disc(0.9), disc(0.8, radius=5)], axis=2)
    manifest = segmenter(("cyst", "solid"), exclusive=False)
    assert [area.name for area in judge(both, manifest).areas] == ["cyst", "solid"]


def test_quantised_maps_are_judged_as_floats_are():
    stored = np.rint(disc() * 256).astype(np.uint8)
    (area,), (real,) = judge(stored, segmenter(dtype="uint8")).areas, judge(disc()).areas
    assert (area.box, area.share) == (real.box, real.share)


def test_probabilities_that_are_none_are_a_fault_and_no_area():
    with pytest.raises(ValueError, match="expected probabilities"):
        judge(disc(7.0))


AREA = LabelArea(name="a", score=0.9, share=0.1, pieces=1, box=(0, 0, 9, 9), outlines=[[(0, 0), (9, 0), (9, 9)]])


@pytest.mark.parametrize(
    "wrong",
    [
        {"malignancy": 0.5},
        {"areas": ()},
        {"given": ()},
        {"given": ("b",)},
        {"status": Status.CLEAR},
        {"status": Status.CLEAR, "given": ()},
        {"status": Status.ABSTAINED, "reason": Reason.TOO_UNCERTAIN},
        {"status": Status.NO_RESULT, "reason": Reason.FAILED},
        {"scores": (LabelScore("a", math.nan),)},
    ],
)
def test_results_that_contradict_themselves_are_refused(wrong):
    fields = {"status": Status.FINDING, "scores": (LabelScore("a", 0.9),), "given": ("a",), "areas": (AREA,)}
    Result(stream="s", frame_seq=0, captured_ns=0, **fields)
    with pytest.raises(ValueError, match=r"with|areas of"):
        Result(stream="s", frame_seq=0, captured_ns=0, **{**fields, **wrong})
