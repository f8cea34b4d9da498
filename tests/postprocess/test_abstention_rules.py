"""The table of abstention rules: complete, in order, and the only place that decides that a frame is not judged."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge
from edge.contracts.results import Reason, Status
from edge.postprocess import abstention_rules
from edge.postprocess.abstention_rules import (
    ANATOMY_RULES,
    LABEL_RULES,
    LESION_MODEL_RULES,
    MAX_UNSEEN,
    OUTPUT_RULES,
    PIXEL_RULES,
    SCORE_MODEL_RULES,
    SIZE_RULES,
    pixel_gate,
)
from edge.postprocess.decide import decide
from edge.postprocess.frame_context import FrameContext
from edge.postprocess.rule_table import AbstentionRule, first_reason
from edge.postprocess.tissue_view import TissueView
from edge.preprocess.preprocessor import plan, to_grey

ORDER = [
    Reason.TOO_SMALL,
    Reason.BLACK,
    Reason.NO_SIGNAL,
    Reason.REPORT,
    Reason.MENU,
    Reason.NOT_ULTRASOUND,
    Reason.COLOUR_DOPPLER,
    Reason.FLAT,
    Reason.INTERLACED,
    Reason.M_MODE,
    Reason.NO_CONTACT,
    Reason.BLURRED,
    Reason.NO_SIGNAL,
    Reason.SPECTRAL_DOPPLER,
    Reason.M_MODE,
    Reason.WRONG_ANATOMY,
    Reason.COLOUR_DOPPLER,
    Reason.HEADS_DISAGREE,
    Reason.TOO_UNCERTAIN,
    Reason.PARTLY_SEEN,
    Reason.TISSUE_NOT_SEEN,
    Reason.SCAN_AREA_UNKNOWN,
]
"""Written down a second time, apart from the table."""
SCORES_ORDER = [
    *ORDER[: ORDER.index(Reason.BLURRED) + 1],
    Reason.WRONG_ANATOMY,
    Reason.TOO_UNCERTAIN,
    Reason.HEADS_DISAGREE,
    Reason.PARTLY_SEEN,
    Reason.TISSUE_NOT_SEEN,
    Reason.SCAN_AREA_UNKNOWN,
]
PIXELS = np.random.default_rng(0).integers(20, 200, (480, 640), dtype=np.uint8)
SNOW = np.random.default_rng(0).integers(0, 256, (480, 640), dtype=np.uint8)
BY_TWO_RULES = {
    "snow": Reason.NO_SIGNAL,
    "doppler_lesion": Reason.COLOUR_DOPPLER,
    "even_layers": Reason.M_MODE,
    "no_label": Reason.TOO_UNCERTAIN,
    "labels_disagree": Reason.HEADS_DISAGREE,
}
"""Rules after the model with a reason that another rule has, too."""
TIME, DEPTH = np.arange(160), np.arange(120)[:, None]
BEAT = 20 + 60 * (1 - TIME % 40 / 40)
TRACES = {
    Reason.SPECTRAL_DOPPLER: np.where((DEPTH < 100) & (DEPTH > 100 - BEAT), 150, 2).astype(np.uint8),
    Reason.M_MODE: (90 + 80 * np.sin((DEPTH + 4 * np.sin(TIME / 8)) / 3 + np.sin(DEPTH / 9))).astype(np.uint8),
}
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


def test_each_reason_of_an_abstention_has_its_rule_in_order():
    assert [rule.reason for rule in LESION_MODEL_RULES] == ORDER
    assert [rule.reason for rule in SCORE_MODEL_RULES] == SCORES_ORDER
    assert set(ORDER) == abstention_reasons()
    assert (*SIZE_RULES, *PIXEL_RULES, *OUTPUT_RULES) == LESION_MODEL_RULES
    assert (*SIZE_RULES, *PIXEL_RULES, *ANATOMY_RULES, *LABEL_RULES) == SCORE_MODEL_RULES


def test_no_other_module_of_the_device_gives_the_reason_of_an_abstention():
    names = "|".join(reason.name for reason in abstention_reasons() - {Reason.WRONG_ANATOMY, Reason.NOT_ULTRASOUND})
    given = re.compile(rf"\bReason\.({names})\b")
    root = Path(edge.__file__).parent
    told = {str(path.relative_to(root)) for path in root.rglob("*.py") if given.search(path.read_text("utf-8"))}
    assert told == {
        "postprocess/abstention_rules.py",
        "picture/wording.py",  # in words
        "schema/examples.py",
        "fleet/simulated_device.py",
    }


def test_each_rule_says_why_in_a_sentence_and_is_a_documented_function():
    for rule in {*LESION_MODEL_RULES, *SCORE_MODEL_RULES}:
        assert rule.why.endswith(".")
        assert rule.applies.__module__ == abstention_rules.__name__
        name = rule.applies.__name__
        assert BY_TWO_RULES.get(name, Reason(name) if name not in BY_TWO_RULES else None) is rule.reason
        assert rule.applies.__doc__


def test_the_first_rule_that_applies_gives_the_reason_and_no_later_one_is_asked():
    asked = []

    def row(reason, applies):
        return AbstentionRule(reason, lambda inputs: asked.append((reason, inputs)) or applies, "x.")

    rules = (row(Reason.BLACK, False), row(Reason.FLAT, True), row(Reason.TOO_SMALL, True))
    assert first_reason(rules, "picture") is Reason.FLAT
    assert asked == [(Reason.BLACK, "picture"), (Reason.FLAT, "picture")]
    assert first_reason(rules[:1], "picture") is None


def view_of(grey):
    """The small picture of a whole picture, made as the model's is."""
    return TissueView(cv2.resize(grey, (160, 120), interpolation=cv2.INTER_AREA), whole(grey), grey.shape[::-1])


def whole(pixels):
    return (0, 0, pixels.shape[1], pixels.shape[0])


def test_each_rule_before_the_model_can_be_the_one_that_applies():
    noise = np.random.default_rng(1).integers(60, 180, (240, 320, 3), dtype=np.uint8)
    grain = cv2.GaussianBlur(noise, (0, 0), 1.2)
    red, doppler = grain.copy(), cv2.cvtColor(grain[:, :, 0], cv2.COLOR_GRAY2RGB)
    red[:, :, 1:] = 0
    doppler[60:120, 100:180] = (200, 40, 20)
    blue = np.zeros((240, 320, 3), np.uint8)
    blue[:, :, 2] = 200
    page = np.full((240, 320), 235, np.uint8)
    for line in range(12, 240, 14):
        cv2.putText(page, "Breast left, 2 o'clock, 12 x 8 mm, BI-RADS 3", (2, line), 0, 0.4, 20, 1)
    smooth = cv2.GaussianBlur(noise[:, :, 0].astype(np.float32), (0, 0), 3) * 6
    woven = smooth.copy()
    woven[1::2] = np.roll(smooth, 12, axis=1)[1::2]
    woven = cv2.normalize(woven, None, 20, 240, cv2.NORM_MINMAX).astype(np.uint8)
    echoes = np.repeat(cv2.GaussianBlur(noise[:, :1, 0], (0, 0), 3), 320, axis=1)
    echoes = np.clip(echoes * 4.0 - 400, 20, 255).astype(np.uint8)
    fading = (np.linspace(1, 0, 240)[:, None] ** 3 * echoes).astype(np.uint8)
    pictures = {
        Reason.TOO_SMALL: noise[:15],
        Reason.BLACK: np.zeros((64, 64), np.uint8),
        Reason.NO_SIGNAL: blue,
        Reason.REPORT: page,
        Reason.MENU: 255 - page,
        Reason.NOT_ULTRASOUND: red,
        Reason.COLOUR_DOPPLER: doppler,
        Reason.FLAT: np.full((64, 64), 128, np.uint8),
        Reason.INTERLACED: woven,
        Reason.M_MODE: cv2.add(echoes, noise[:, :, 0] // 16),
        Reason.NO_CONTACT: cv2.add(fading, noise[:, :, 0] // 16),
        Reason.BLURRED: cv2.normalize(cv2.GaussianBlur(noise[:, :, 0], (0, 0), 6), None, 0, 255, cv2.NORM_MINMAX),
    }
    assert list(pictures) == [rule.reason for rule in (*SIZE_RULES, *PIXEL_RULES)]
    for reason, pixels in pictures.items():
        view = view_of(to_grey(pixels)) if min(pixels.shape[:2]) > 100 else None
        assert pixel_gate(pixels, whole(pixels), None, view) is reason, reason
    grey = grain[:, :, 0].copy()
    assert pixel_gate(grey, whole(grey), None, view_of(grey)) is None


@pytest.mark.parametrize("unseen", [MAX_UNSEEN, 1.0])
def test_each_rule_after_the_model_can_be_the_one_that_applies(kit, unseen):
    manifest = kit.make_manifest(kit.thresholds(uncertain=(0.25, 0.35)))
    cases = {
        Reason.NO_SIGNAL: (outputs(0.8, lesion=False, anatomy=0.2), None),
        Reason.SPECTRAL_DOPPLER: (outputs(0.8, lesion=False, anatomy=0.2), None),
        Reason.M_MODE: (outputs(0.8, lesion=False, anatomy=0.2), None),
        Reason.WRONG_ANATOMY: (outputs(0.8, lesion=False, anatomy=0.2), None),
        Reason.COLOUR_DOPPLER: (outputs(0.8, lesion=True), None),
        Reason.HEADS_DISAGREE: (outputs(0.8, lesion=False), "BREAST"),
        Reason.TOO_UNCERTAIN: (outputs(0.3, lesion=False), None),
        Reason.PARTLY_SEEN: (outputs(0.1, lesion=False), None),
        Reason.TISSUE_NOT_SEEN: (outputs(0.1, lesion=False), None),
        Reason.SCAN_AREA_UNKNOWN: (outputs(0.1, lesion=False), None),
    }
    assert list(cases) == [rule.reason for rule in OUTPUT_RULES]
    for reason, (raw, told) in cases.items():
        pixels, view = (SNOW, None) if reason is Reason.NO_SIGNAL else (PIXELS, None)
        if reason is Reason.COLOUR_DOPPLER:
            pixels = np.zeros((480, 640, 3), np.uint8)
            pixels[:, :, 0] = 200
        if reason in TRACES:
            view = TissueView(TRACES[reason], (0, 0, 640, 480), (640, 480))
        if reason is Reason.TISSUE_NOT_SEEN:
            half = np.zeros((160, 160), np.uint8)
            half[:, :80] = 100
            view = TissueView(half, (0, 0, 640, 480), (640, 480))
        unknown = reason is Reason.SCAN_AREA_UNKNOWN
        share = 0.0 if unknown or reason is Reason.TISSUE_NOT_SEEN else unseen
        context = FrameContext(told, unseen=lambda beside=share: beside, scan_unknown=unknown, view=view)
        verdict = decide(raw, manifest, BOX, (), pixels, context)
        if reason is Reason.PARTLY_SEEN and unseen <= MAX_UNSEEN:
            assert (verdict.status, verdict.reason) == (Status.CLEAR, None)
        else:
            assert (verdict.status, verdict.reason) == (Status.ABSTAINED, reason)


def test_a_lesion_is_never_withheld_because_the_scan_area_is_unknown(kit):
    """Only a `clear` needs to know where the scan is."""
    verdict = decide(outputs(0.8, lesion=True), kit.make_manifest(), BOX, (), PIXELS, FrameContext(scan_unknown=True))
    assert verdict.status is Status.FINDING


def test_the_picture_beside_the_crop_is_measured_only_where_no_lesion_was_found(kit):
    def never() -> float:
        raise AssertionError

    def judged(malignancy: float, lesion: bool):
        raw = outputs(malignancy, lesion=lesion)
        return decide(raw, kit.make_manifest(), BOX, (), PIXELS, FrameContext(unseen=never))

    assert judged(0.8, lesion=True).status is Status.FINDING
    assert judged(0.8, lesion=False).reason is Reason.HEADS_DISAGREE
    with pytest.raises(AssertionError):
        judged(0.1, lesion=False)
