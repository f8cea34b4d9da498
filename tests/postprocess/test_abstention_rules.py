"""The table of abstention rules: complete, in order, and the only place that decides that a frame is not judged."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from edge.contracts.results import Reason, Status
from edge.postprocess import abstention_rules
from edge.postprocess.abstention_rules import (
    ALL_RULES,
    MAX_UNSEEN,
    OUTPUT_RULES,
    PIXEL_RULES,
    SIZE_RULES,
    first_reason,
    pixel_gate,
)
from edge.postprocess.decide import decide
from edge.preprocess.preprocessor import plan

ORDER = [
    Reason.TOO_SMALL,
    Reason.BLACK,
    Reason.NOT_ULTRASOUND,
    Reason.FLAT,
    Reason.WRONG_ANATOMY,
    Reason.HEADS_DISAGREE,
    Reason.TOO_UNCERTAIN,
    Reason.PARTLY_SEEN,
    Reason.SCAN_AREA_UNKNOWN,
]
"""Written down a second time, apart from the table."""
PIXELS = np.random.default_rng(0).integers(20, 200, (480, 640), dtype=np.uint8)
BOX, _ = plan((0, 0, 640, 480), 160, 160)


def abstention_reasons() -> set[Reason]:
    """Those that stand under ``# abstained`` in `Reason`."""
    source = inspect.getsource(Reason)
    block = source[source.index("# abstained:") : source.index("# no_result")]
    return {reason for reason in Reason if f"{reason.name} = " in block}


def outputs(malignancy: float, lesion: bool, anatomy: float = 0.9) -> dict[str, np.ndarray]:
    mask = np.zeros((1, 40, 40, 1), np.uint8)
    mask[0, 15:25, 12:28, 0] = 250 if lesion else 0
    step = round(malignancy * 256)
    return {
        "malignancy": np.array([[256 - step, step]], np.uint8),
        "lesion_mask": mask,
        "anatomy": np.array([[round(anatomy * 256)]], np.uint8),
    }


def test_each_reason_of_an_abstention_has_exactly_one_rule_in_order():
    assert [rule.reason for rule in ALL_RULES] == ORDER
    assert set(ORDER) == abstention_reasons()
    assert (*SIZE_RULES, *PIXEL_RULES, *OUTPUT_RULES) == ALL_RULES


def test_each_rule_says_why_in_a_sentence_and_is_a_documented_function():
    for rule in ALL_RULES:
        assert rule.why.endswith(".")
        assert rule.applies.__module__ == abstention_rules.__name__
        assert rule.applies.__name__ == rule.reason.value
        assert rule.applies.__doc__


def test_the_first_rule_that_applies_gives_the_reason_and_no_later_one_is_asked():
    asked = []

    def row(reason, applies):
        return abstention_rules.AbstentionRule(reason, lambda inputs: asked.append((reason, inputs)) or applies, "x.")

    rules = (row(Reason.BLACK, False), row(Reason.FLAT, True), row(Reason.TOO_SMALL, True))
    assert first_reason(rules, "picture") is Reason.FLAT
    assert asked == [(Reason.BLACK, "picture"), (Reason.FLAT, "picture")]
    assert first_reason(rules[:1], "picture") is None


def test_each_rule_before_the_model_can_be_the_one_that_applies():
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    red = noise.copy()
    red[:, :, 1:] = 0
    pictures = {
        Reason.TOO_SMALL: noise[:15],
        Reason.BLACK: np.zeros((64, 64), np.uint8),
        Reason.NOT_ULTRASOUND: red,
        Reason.FLAT: np.full((64, 64), 128, np.uint8),
    }
    assert list(pictures) == [rule.reason for rule in (*SIZE_RULES, *PIXEL_RULES)]
    for reason, pixels in pictures.items():
        assert pixel_gate(pixels, (0, 0, pixels.shape[1], pixels.shape[0])) is reason
    assert pixel_gate(noise[:, :, 0], (0, 0, 64, 64)) is None


@pytest.mark.parametrize("unseen", [MAX_UNSEEN, 1.0])
def test_each_rule_after_the_model_can_be_the_one_that_applies(kit, unseen):
    manifest = kit.make_manifest(kit.thresholds(uncertain=(0.25, 0.35)))
    cases = {
        Reason.WRONG_ANATOMY: (outputs(0.8, lesion=False, anatomy=0.2), None),
        Reason.HEADS_DISAGREE: (outputs(0.8, lesion=False), "BREAST"),
        Reason.TOO_UNCERTAIN: (outputs(0.3, lesion=False), None),
        Reason.PARTLY_SEEN: (outputs(0.1, lesion=False), None),
        Reason.SCAN_AREA_UNKNOWN: (outputs(0.1, lesion=False), None),
    }
    assert list(cases) == [rule.reason for rule in OUTPUT_RULES]
    for reason, (raw, told) in cases.items():
        unknown = reason is Reason.SCAN_AREA_UNKNOWN
        beside = 0.0 if unknown else unseen
        verdict = decide(raw, manifest, BOX, (), PIXELS, told, lambda beside=beside: beside, scan_unknown=unknown)
        if reason is Reason.PARTLY_SEEN and unseen <= MAX_UNSEEN:
            assert (verdict.status, verdict.reason) == (Status.CLEAR, None)
        else:
            assert (verdict.status, verdict.reason) == (Status.ABSTAINED, reason)


def test_a_lesion_is_never_withheld_because_the_scan_area_is_unknown(kit):
    """Only a `clear` needs to know where the scan is."""
    verdict = decide(outputs(0.8, lesion=True), kit.make_manifest(), BOX, (), PIXELS, scan_unknown=True)
    assert verdict.status is Status.FINDING


def test_the_picture_beside_the_crop_is_measured_only_where_no_lesion_was_found(kit):
    def never() -> float:
        raise AssertionError

    manifest = kit.make_manifest()
    assert decide(outputs(0.8, lesion=True), manifest, BOX, (), PIXELS, None, never).status is Status.FINDING
    assert decide(outputs(0.8, lesion=False), manifest, BOX, (), PIXELS, None, never).reason is Reason.HEADS_DISAGREE
    with pytest.raises(AssertionError):
        decide(outputs(0.1, lesion=False), manifest, BOX, (), PIXELS, None, never)
