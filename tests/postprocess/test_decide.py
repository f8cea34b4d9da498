"""Every rule of the verdict, and that no output can make an inconsistent one."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.contracts.errors import ModelError
from edge.contracts.frame_result import Result
from edge.contracts.manifest import Calibration
from edge.contracts.region import Region
from edge.contracts.results import Reason, Status
from edge.postprocess.decide import decide, judged_region
from edge.postprocess.frame_context import FrameContext
from edge.postprocess.model_outputs import calibrate
from edge.preprocess.preprocessor import plan

PIXELS = np.random.default_rng(0).integers(20, 200, (480, 640), dtype=np.uint8)
BOX, _ = plan((0, 0, 640, 480), 160, 160)
CALIBRATED = (Region((0, 0, 640, 480), 0.1, 0.1, "dicom"),)


def outputs(malignancy=0.2, anatomy=0.9, lesion=True):
    """As a quantised model gives them; one lesion in the middle, or none."""
    mask = np.zeros((1, 40, 40, 1), np.uint8)
    if lesion:
        mask[0, 15:25, 12:28, 0] = 250
    step = round(malignancy * 256)
    return {
        "malignancy": np.array([[256 - max(step, 1), min(step, 255)]], np.uint8),
        "lesion_mask": mask,
        "anatomy": np.array([[min(255, round(anatomy * 256))]], np.uint8),
    }


def judge(kit, told=None, limits=None, calibration=None, regions=(), disputed=False, **what):
    manifest = kit.make_manifest(kit.thresholds(**(limits or {})), calibration)
    return decide(outputs(**what), manifest, BOX, regions, PIXELS, FrameContext(told, disputed))


def test_a_lesion_is_a_finding_benign_or_not(kit):
    benign = judge(kit, malignancy=0.2)
    assert (benign.status, benign.suspicious) == (Status.FINDING, False)
    assert benign.malignancy == pytest.approx(0.2, abs=0.01)
    malignant = judge(kit, malignancy=0.8, regions=CALIBRATED)
    assert (malignant.status, malignant.suspicious) == (Status.FINDING, True)
    (lesion,) = malignant.lesions
    assert lesion.box == pytest.approx((192, 160, 256, 160), abs=12)
    assert lesion.long_axis_mm == pytest.approx(math.hypot(25.6, 16), abs=2 * lesion.mm_uncertainty)
    assert {"taller_than_wide", "echogenicity"} <= lesion.descriptors.keys()
    assert malignant.region == CALIBRATED[0]


def test_a_lesion_that_is_painted_flow_is_left_out_and_one_in_a_tinted_scan_is_not(kit):
    manifest = kit.make_manifest(kit.thresholds())
    grey = cv2.GaussianBlur(PIXELS, (0, 0), 2)
    doppler = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    doppler[160:320, 192:448] = (200, 40, 20)
    ice = np.stack([grey * 0.55, grey * 0.7, grey], axis=2).astype(np.uint8)
    painted, tinted = (decide(outputs(), manifest, BOX, (), pixels) for pixels in (doppler, ice))
    assert (painted.status, painted.reason) == (Status.ABSTAINED, Reason.COLOUR_DOPPLER)
    assert tinted.status is Status.FINDING


def test_no_lesion_is_clear_with_a_number(kit):
    verdict = judge(kit, malignancy=0.1, lesion=False)
    assert (verdict.status, verdict.reason, verdict.suspicious) == (Status.CLEAR, None, None)
    assert verdict.malignancy == pytest.approx(0.1, abs=0.01)
    assert verdict.region == Region(BOX.crop, source="detected")


def test_the_threshold_itself_is_suspicious(kit):
    assert judge(kit, malignancy=0.5, limits={"malignancy": 0.5}).suspicious is True


def test_a_finding_says_how_likely_its_call_is_wrong(kit):
    limits = {"malignancy": 0.4}
    told = {q: judge(kit, malignancy=q, limits=limits) for q in (0.1, 0.375, 0.4375, 0.9)}
    assert [v.suspicious for v in told.values()] == [False, False, True, True]
    assert [v.uncertainty for v in told.values()] == pytest.approx([0.1, 0.375, 0.5625, 0.1], abs=0.01)
    calibrated = judge(kit, malignancy=0.5, calibration=Calibration(slope=1.0, intercept=-1.0))
    assert calibrated.uncertainty == calibrated.malignancy  # of the calibrated probability, not of the head's output
    for other in (judge(kit, lesion=False), judge(kit, lesion=False, malignancy=0.8), judge(kit, anatomy=0.1)):
        assert other.uncertainty is None  # no call, nothing to be wrong about


def test_malignant_without_a_lesion_is_a_disagreement(kit):
    verdict = judge(kit, malignancy=0.8, lesion=False)
    assert (verdict.status, verdict.reason, verdict.malignancy) == (Status.ABSTAINED, Reason.HEADS_DISAGREE, None)


def test_without_a_lesion_uncertainty_is_strictly_inside_the_interval(kit):
    ends = tuple(calibrate(q, Calibration(), 1 / 256) for q in (0.25, 0.375))
    limits = {"uncertain": ends}
    inside = judge(kit, malignancy=0.3, lesion=False, limits=limits)
    assert (inside.status, inside.reason, inside.malignancy) == (Status.ABSTAINED, Reason.TOO_UNCERTAIN, None)
    assert inside.call_uncertain is False
    for outside in (0.2, 0.25, 0.375):
        assert judge(kit, malignancy=outside, lesion=False, limits=limits).status is Status.CLEAR


@pytest.mark.parametrize("point", [0.22, 0.3, 0.9])
def test_with_a_lesion_an_uncertain_call_is_a_finding_with_all_that_a_finding_has(kit, point):
    """The operating point may lie inside the interval, or on either side of it: the call is its own."""
    ends = tuple(calibrate(q, Calibration(), 1 / 256) for q in (0.25, 0.375))
    limits = {"uncertain": ends, "malignancy": point}
    for malignancy, uncertain in ((0.2, False), (0.25, False), (0.3, True), (0.375, False), (0.5, False)):
        verdict = judge(kit, malignancy=malignancy, limits=limits, regions=CALIBRATED)
        assert (verdict.status, verdict.reason, verdict.call_uncertain) == (Status.FINDING, None, uncertain)
        assert verdict.suspicious == (malignancy >= point)
        assert verdict.uncertainty == pytest.approx(
            1 - verdict.malignancy if verdict.suspicious else verdict.malignancy
        )
        (lesion,) = verdict.lesions
        assert len(lesion.outline) > 3
        assert lesion.long_axis_mm > lesion.short_axis_mm > 0
        assert {"taller_than_wide", "echogenicity"} <= lesion.descriptors.keys()


def test_a_number_on_the_rim_of_the_interval_is_not_rounded_over_it(kit):
    """p is 0.29999…: rounded it would be 0.3, at the rim, and the call would look certain."""
    calibration = Calibration(slope=1.0, intercept=math.log(0.29999 / 0.70001))
    verdict = judge(kit, malignancy=0.5, calibration=calibration, limits={"uncertain": (0.2, 0.3)})
    assert verdict.call_uncertain
    assert 0.2 < verdict.malignancy < 0.3


def test_malignant_without_a_lesion_is_a_disagreement_first(kit):
    limits = {"uncertain": (0.25, 0.375), "malignancy": 0.3}
    assert judge(kit, malignancy=0.33, lesion=False, limits=limits).reason is Reason.HEADS_DISAGREE
    assert judge(kit, malignancy=0.28, lesion=False, limits=limits).reason is Reason.TOO_UNCERTAIN


def test_a_lesion_too_faint_to_be_reported_is_none(kit):
    limits = {"uncertain": (0.25, 0.375), "lesion_score": 0.99}
    assert judge(kit, malignancy=0.3, limits=limits).reason is Reason.TOO_UNCERTAIN


def test_another_organ_is_refused_by_its_looks(kit):
    verdict = judge(kit, anatomy=0.49, malignancy=0.9)
    assert (verdict.status, verdict.reason, verdict.lesions) == (Status.ABSTAINED, Reason.WRONG_ANATOMY, ())
    assert judge(kit, anatomy=0.51).status is Status.FINDING


@pytest.mark.parametrize("told", ["CHEST", "HEART", "chest", "THYROID", "OTHER"])
def test_another_organ_is_refused_by_its_name_whatever_it_looks_like(kit, told):
    assert judge(kit, told=told, anatomy=1.0).reason is Reason.WRONG_ANATOMY


@pytest.mark.parametrize("told", ["BREAST", "breast", " Breast ", "MAMMA", "", None, "UNKNOWN", "Right_Breast"])
def test_the_right_organ_or_none_is_no_objection(kit, told):
    assert judge(kit, told=told).status is Status.FINDING


def test_saying_the_right_organ_does_not_overrule_the_picture(kit):
    assert judge(kit, told="BREAST", anatomy=0.1).reason is Reason.WRONG_ANATOMY
    assert judge(kit, told="BREAST", anatomy=0.49).reason is Reason.WRONG_ANATOMY, "one limit, where there is no other"


@pytest.mark.parametrize("told", ["BREAST", "breast", " Breast ", "MAMMA", "Right_Breast"])
def test_the_second_limit_holds_where_the_body_part_is_stated(kit, told):
    limits = {"anatomy_stated": 0.1875}
    assert judge(kit, told=told, anatomy=0.3, limits=limits).status is Status.FINDING
    assert judge(kit, told=told, anatomy=0.1875, limits=limits).status is Status.FINDING, "at the limit"
    assert judge(kit, told=told, anatomy=0.18, limits=limits).reason is Reason.WRONG_ANATOMY


def test_the_second_limit_does_not_hold_where_the_file_contradicts_the_configuration(kit):
    limits = {"anatomy_stated": 0.1875}
    assert judge(kit, "BREAST", limits, anatomy=0.3, disputed=True).reason is Reason.WRONG_ANATOMY
    assert judge(kit, "BREAST", limits, anatomy=0.51, disputed=True).status is Status.FINDING, "as without a word"


@pytest.mark.parametrize("told", [None, "", "  ", "UNKNOWN", "unspecified", "N/A"])
def test_saying_nothing_is_no_statement(kit, told):
    limits = {"anatomy_stated": 0.2}
    assert judge(kit, told=told, anatomy=0.3, limits=limits).reason is Reason.WRONG_ANATOMY
    assert judge(kit, told=told, anatomy=0.51, limits=limits).status is Status.FINDING


@pytest.mark.parametrize("told", ["CHEST", "THYROID", "OTHER"])
def test_another_organ_is_refused_by_its_name_whatever_the_second_limit(kit, told):
    assert judge(kit, told=told, anatomy=1.0, limits={"anatomy_stated": 0.0}).reason is Reason.WRONG_ANATOMY


@pytest.mark.parametrize("head", ["malignancy", "lesion_mask", "anatomy"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_is_no_result_in_any_head(kit, head, value):
    floats = {name: (array / 256).astype(np.float32) for name, array in outputs().items()}
    manifest = kit.make_manifest()
    assert decide(floats, manifest, BOX, (), PIXELS).status is Status.FINDING
    floats[head].flat[-1] = value
    verdict = decide(floats, manifest, BOX, (), PIXELS, FrameContext("CHEST"))
    assert (verdict.status, verdict.reason) == (Status.NO_RESULT, Reason.NAN_OUTPUT)


def test_a_missing_head_is_the_models_fault(kit):
    partial = outputs()
    del partial["anatomy"]
    with pytest.raises(ModelError, match=r"expected outputs .*anatomy.*, got \['lesion_mask', 'malignancy'\]"):
        decide(partial, kit.make_manifest(), BOX, (), PIXELS)


def test_calibration_shifts_the_malignancy(kit):
    verdict = judge(kit, malignancy=0.5, calibration=Calibration(slope=1.0, intercept=-1.0))
    assert verdict.malignancy == pytest.approx(1 / (1 + math.e), abs=0.001)
    assert calibrate(0.8, Calibration(slope=0.5, intercept=0.0), 0.0) == pytest.approx(2 / 3)


def test_the_judged_region_is_the_largest_and_within_the_picture():
    small, large = Region((0, 0, 50, 50), 0.3, 0.3, "dicom"), Region((-10, 20, 900, 900), 0.1, 0.1, "dicom")
    assert judged_region((0, 0, 640, 480), (small, large), 640, 480) == Region((0, 20, 640, 460), 0.1, 0.1, "dicom")
    outside = Region((700, 0, 50, 50), 0.1, 0.1, "dicom")
    assert judged_region((8, 8, 99, 99), (outside,), 640, 480) == Region((8, 8, 99, 99), source="detected")


@settings(max_examples=150, deadline=None)
@given(
    malignancy=arrays(np.uint8, (1, 2)),
    anatomy=st.integers(0, 255),
    coarse=arrays(np.uint8, (8, 8)),
    uncertain=st.one_of(st.none(), st.tuples(st.floats(0, 1), st.floats(0, 1)), st.just((0.0, 1.0))),
    lesion_score=st.floats(0, 1),
    threshold=st.floats(0, 1),
    told=st.sampled_from([None, "BREAST", "CHEST"]),
    regions=st.sampled_from([(), CALIBRATED, (Region((100, 0, 300, 480), 0.2, 0.1, "dicom"),)]),
)
def test_every_verdict_is_a_consistent_result(
    kit, malignancy, anatomy, coarse, uncertain, lesion_score, threshold, told, regions
):
    limits = kit.thresholds(uncertain=uncertain, lesion_score=lesion_score, malignancy=threshold)
    raw = {
        "malignancy": malignancy,
        "anatomy": np.array([[anatomy]], np.uint8),
        "lesion_mask": np.repeat(np.repeat(coarse, 5, axis=0), 5, axis=1)[None, :, :, None],
    }
    verdict = decide(raw, kit.make_manifest(limits), BOX, regions, PIXELS, FrameContext(told))
    result = Result(
        stream="s",
        frame_seq=0,
        captured_ns=0,
        status=verdict.status,
        reason=verdict.reason,
        malignancy=verdict.malignancy,
        suspicious=verdict.suspicious,
        uncertainty=verdict.uncertainty,
        lesions=verdict.lesions,
        region=verdict.region,
        call_uncertain=verdict.call_uncertain,
    )
    inside = uncertain is not None and result.malignancy is not None and uncertain[0] < result.malignancy < uncertain[1]
    assert result.call_uncertain == (result.status is Status.FINDING and inside)
    assert not (result.status is Status.CLEAR and inside)
    for lesion in result.lesions:
        x, y, w, h = lesion.box
        assert 0 <= x < x + w <= 640
        assert 0 <= y < y + h <= 480
        assert 0 <= lesion.score <= 1
        assert all(math.isfinite(value) for value in lesion.descriptors.values())
        assert (lesion.long_axis_mm is None) == (lesion.area_mm2 is None) == (lesion.mm_uncertainty is None)
    scores = [lesion.score for lesion in result.lesions]
    assert scores == sorted(scores, reverse=True)
    assert (result.uncertainty is not None) == (result.status is Status.FINDING)
    if result.uncertainty is not None:
        assert 0 <= result.uncertainty <= 1
    if result.suspicious is not None:
        assert result.suspicious == (result.malignancy >= threshold)


@settings(max_examples=150, deadline=None)
@given(
    malignancy=arrays(np.uint8, (1, 2)),
    coarse=arrays(np.uint8, (8, 8)),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    lesion_score=st.floats(0, 1),
    threshold=st.floats(0, 1),
)
def test_uncertainty_withholds_no_lesion_and_clears_no_picture(kit, malignancy, coarse, ends, lesion_score, threshold):
    """Whatever the outputs: the same verdict as without an interval, but for the two things that it changes."""
    raw = {
        "malignancy": malignancy,
        "anatomy": np.array([[255]], np.uint8),
        "lesion_mask": np.repeat(np.repeat(coarse, 5, axis=0), 5, axis=1)[None, :, :, None],
    }
    limits = {"lesion_score": lesion_score, "malignancy": threshold}
    plain = decide(raw, kit.make_manifest(kit.thresholds(**limits)), BOX, (), PIXELS)
    manifest = kit.make_manifest(kit.thresholds(**limits, uncertain=tuple(ends)))
    verdict = decide(raw, manifest, BOX, (), PIXELS)
    p = calibrate(float(malignancy[0, 1]) / 256, manifest.calibration, 1 / 256)
    inside = ends[0] < p < ends[1]
    if plain.status is Status.FINDING:
        assert (verdict.status, verdict.lesions, verdict.suspicious) == (plain.status, plain.lesions, plain.suspicious)
        assert verdict.call_uncertain == inside
    elif plain.status is Status.CLEAR and inside:
        assert (verdict.status, verdict.reason) == (Status.ABSTAINED, Reason.TOO_UNCERTAIN)
    else:
        assert (verdict.status, verdict.reason) == (plain.status, plain.reason)
