"""The overlay shows where the lesion is, says what was found, and hides nothing of the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.contracts.frame_result import Result
from edge.contracts.results import Lesion, Reason, Status
from edge.picture.overlay import AMBER, MIN_WIDTH, STATUS_COLOUR, WHITE, draw_overlay
from edge.picture.wording import REASONS, sentence, size

rng = np.random.default_rng(5)


def lesion(cx, cy, a, b, **more) -> Lesion:
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    outline = [(cx + a * np.cos(t), cy + b * np.sin(t)) for t in turn]
    box = (round(cx - a), round(cy - b), round(2 * a), round(2 * b))
    return Lesion(box=box, outline=outline, centre=(cx, cy), score=0.93, **more)


def result(
    status=Status.FINDING, lesions=(), reason=None, malignancy=None, suspicious=None, call_uncertain=False
) -> Result:
    return Result(
        stream="s",
        frame_seq=0,
        captured_ns=0,
        status=status,
        reason=reason,
        lesions=tuple(lesions),
        malignancy=malignancy,
        suspicious=suspicious,
        call_uncertain=call_uncertain,
    )


def finding(*lesions: Lesion, suspicious=False, call_uncertain=False) -> Result:
    return result(lesions=lesions, malignancy=0.41, suspicious=suspicious, call_uncertain=call_uncertain)


def picture(width, height, colour=False):
    return rng.integers(0, 255, (height, width, 3) if colour else (height, width), dtype=np.uint8)


MEASURED = {"long_axis_mm": 12.44, "short_axis_mm": 8.06, "area_mm2": 80.0, "mm_uncertainty": 0.5}


@pytest.mark.parametrize(("width", "height"), [(200, 150), (640, 480), (2000, 1400)])
@pytest.mark.parametrize("colour", [False, True])
def test_the_lesion_and_all_but_thin_lines_stay_as_they_were(width, height, colour):
    pixels = picture(width, height, colour)
    before = pixels.copy()
    found = lesion(width * 0.5, height * 0.5, width * 0.15, height * 0.15)
    drawn = draw_overlay(pixels, finding(found))
    assert np.array_equal(pixels, before)
    assert drawn.dtype == np.uint8
    assert drawn.shape[1:] == (width, 3)
    assert drawn.shape[0] > height
    source = pixels if colour else np.repeat(pixels[:, :, None], 3, axis=2)
    changed = (drawn[:height] != source).any(axis=2)
    core = np.zeros((height, width), np.uint8)
    cv2.fillPoly(core, [np.array(found.outline).astype(np.int32)], 1)
    core = cv2.erode(core, np.ones((3, 3)), iterations=4 + width // 200)
    assert np.count_nonzero(core) > 100
    assert not changed[core > 0].any()
    assert 0 < changed.mean() < 0.06


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_the_outline_is_seen_on_any_grey(grey):
    flat = np.full((300, 400), grey, np.uint8)
    drawn = draw_overlay(flat, finding(lesion(200, 150, 60, 40)))[:300]
    for x, y in lesion(200, 150, 60, 40).outline:
        near = drawn[round(y) - 2 : round(y) + 2, round(x) - 2 : round(x) + 2].astype(int)
        assert np.abs(near - grey).max() > 100


def test_the_outline_lies_where_the_lesion_is():
    flat = np.zeros((300, 400), np.uint8)
    drawn = draw_overlay(flat, finding(lesion(200, 150, 60, 40)))[:300]
    white = (drawn.min(axis=2) > 90).astype(np.uint8)
    across, down = np.nonzero(white[150])[0], np.nonzero(white[:, 200])[0]
    assert (across.min(), across.max()) == pytest.approx((140, 259), abs=1.5)
    assert (down.min(), down.max()) == pytest.approx((110, 189), abs=1.5)


@pytest.mark.parametrize("status", list(Status))
def test_each_status_has_its_colour_and_no_picture_is_written_on_without_a_lesion(status):
    pixels = picture(320, 240, True)
    judged = {
        Status.FINDING: finding(lesion(100, 100, 30, 20)),
        Status.CLEAR: result(Status.CLEAR, malignancy=0.1),
        Status.ABSTAINED: result(Status.ABSTAINED, reason=Reason.WRONG_ANATOMY),
        Status.NO_RESULT: result(Status.NO_RESULT, reason=Reason.RUNTIME_HUNG),
    }[status]
    drawn = draw_overlay(pixels, judged)
    assert tuple(drawn[-3, 1]) == STATUS_COLOUR[status]
    if status is not Status.FINDING:
        assert np.array_equal(drawn[:240], pixels)
    assert len({STATUS_COLOUR[each] for each in Status}) == 4


@pytest.mark.parametrize("width", [200, 640, 2000])
@pytest.mark.parametrize("reason", list(Reason))
def test_words_stay_inside_the_strip(width, reason):
    drawn = draw_overlay(np.zeros((100, width), np.uint8), result(Status.ABSTAINED, reason=reason))
    strip = drawn[100:]
    paper = strip[0, -1]
    assert (strip[:, -2:] == paper).all()  # nothing runs out at the right
    assert (strip[-2:, width // 50 :] == paper).all()  # or at the bottom
    assert (strip.max(axis=2) > 200).any()


def test_tiny_pictures_get_room_for_words():
    drawn = draw_overlay(picture(24, 20, True), result(Status.ABSTAINED, reason=Reason.TOO_SMALL))
    assert drawn.shape[1] == MIN_WIDTH


def test_several_lesions_are_numbered_outside_all_of_them():
    pixels = np.full((480, 640), 90, np.uint8)
    many = [lesion(150, 150, 60, 40), lesion(420, 300, 80, 60), lesion(40, 440, 30, 30)]
    one_by_one = pixels[:, :, None].repeat(3, axis=2)
    for each in many:
        alone = draw_overlay(pixels, finding(each))[:480]
        one_by_one = np.where(alone != 90, alone, one_by_one)
    together = draw_overlay(pixels, finding(*many))[:480]
    numbers = (together != one_by_one).any(axis=2)
    assert np.count_nonzero(numbers) > 60
    for each in many:
        x, y, w, h = each.box
        assert not numbers[y : y + h, x : x + w].any()


def test_lesions_over_the_edge_do_not_break_it():
    assert draw_overlay(picture(300, 200), finding(lesion(2, 2, 40, 30), lesion(299, 199, 20, 20))).shape[1] == 300


def test_the_words():
    assert sentence(finding(lesion(9, 9, 5, 5, **MEASURED))) == ["lesion 0.93", "malignancy 0.41", "12.4 x 8.1 mm"]
    assert sentence(finding(lesion(9, 9, 5, 5), suspicious=True))[-2:] == ["suspicious", "no calibration"]
    assert sentence(finding(lesion(9, 9, 5, 5), lesion(9, 9, 5, 5)))[0] == "2 lesions"
    for suspicious, call in ((True, "suspicious, uncertain call"), (False, "not suspicious, uncertain call")):
        doubtful = finding(lesion(9, 9, 5, 5, **MEASURED), suspicious=suspicious, call_uncertain=True)
        assert sentence(doubtful) == ["lesion 0.93", "malignancy 0.41", call, "12.4 x 8.1 mm"]
        several = finding(lesion(9, 9, 5, 5), lesion(9, 9, 5, 5), suspicious=suspicious, call_uncertain=True)
        assert sentence(several) == ["2 lesions", "malignancy 0.41", call]
    assert sentence(result(Status.CLEAR, malignancy=0.1)) == ["no lesion detected in this frame"]
    assert size(lesion(9, 9, 5, 5)) == "no calibration"


def test_every_reason_has_words_in_ascii_and_none_says_healthy():
    assert set(REASONS) == set(Reason)
    for reason in Reason:
        (words,) = sentence(result(Status.ABSTAINED, reason=reason))
        assert words.startswith("not judged: ")
        assert words.isascii()
        assert "healthy" not in words
        assert sentence(result(Status.NO_RESULT, reason=reason))[0].startswith("no result: ")


@pytest.mark.parametrize("suspicious", [True, False])
@pytest.mark.parametrize(("width", "height", "a", "b"), [(400, 300, 60, 40), (320, 240, 8, 5), (1400, 1000, 300, 200)])
def test_an_uncertain_call_is_as_plain_as_the_call_itself(suspicious, width, height, a, b):
    """In the picture as well as below it: the box is a broken line all around, in the colour of the call."""
    flat = np.zeros((height, width), np.uint8)
    found = lesion(width / 2, height / 2, a, b)
    certain, doubtful = (
        draw_overlay(flat, finding(found, suspicious=suspicious, call_uncertain=unsure)) for unsure in (False, True)
    )
    assert not np.array_equal(certain[height:], doubtful[height:]), "the words"
    line = max(1, round(min(width, height) / 300))
    x, y, w, _ = found.box
    beyond = y - line - 2  # rows that the outline does not reach
    above = [drawn[:beyond, x + w // 4 : x + w - w // 4].max(axis=(0, 2)) > 100 for drawn in (certain, doubtful)]
    assert not above[0].any(), "between two corners there is nothing"
    assert 0.1 < above[1].mean() < 0.9, "here there are dashes, and gaps"
    colours = {tuple(colour) for colour in doubtful[:beyond].reshape(-1, 3)} - {(0, 0, 0)}
    assert colours == {tuple(AMBER if suspicious else WHITE)}
    assert not (doubtful[:height] != certain[:height])[y : y + 2 * b, x : x + w].any(), "nothing is drawn on the lesion"
