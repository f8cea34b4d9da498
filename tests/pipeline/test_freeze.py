"""Freeze detection: a scan that stands still is noticed through clocks and codecs, and a probe held still is not."""

from __future__ import annotations

import shutil
import subprocess

import cv2
import numpy as np
import pytest

from edge.contracts.frames import Frame
from edge.contracts.region import Region
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.pipeline.freeze import FreezeDetector

WIDTH, HEIGHT, FPS = 320, 240, 25
BOX = (60, 40, 200, 190)
AREA = (Region(BOX, source="detected"),)
ENCODERS = {
    "mjpeg": ["-c:v", "mjpeg", "-q:v", "5"],
    "h264": ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-pix_fmt", "yuv420p"],
    "vp8": ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M", "-g", "60"],
}
rng = np.random.default_rng(3)
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


def scan():
    """A scan with speckle on a dark screen with a line of text."""
    screen = np.full((HEIGHT, WIDTH), 18, np.uint8)
    grain = cv2.GaussianBlur(rng.rayleigh(60, (BOX[3], BOX[2])).astype(np.float32), (0, 0), 1.2)
    screen[BOX[1] : BOX[1] + BOX[3], BOX[0] : BOX[0] + BOX[2]] = np.clip(grain, 0, 255)
    cv2.putText(screen, "CLINIC", (4, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 220, 1)
    return screen


def ticking(screen, number):
    cv2.putText(screen, f"12:00:{number:02d}", (220, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 220, 1)
    return screen


def moving(count):
    return [np.roll(scan_now, 2 * number, axis=0) for scan_now in [scan()] for number in range(count)]


def held_still(count, sigma=2.0):
    still = scan().astype(np.float32)
    x, y, w, h = BOX
    pictures = []
    for number in range(count):
        noisy = still.copy()
        noisy[y : y + h, x : x + w] += rng.normal(0, sigma, (h, w))
        pictures.append(ticking(np.clip(noisy, 0, 255).astype(np.uint8), number))
    return pictures


def one_pixel_off(count):
    still, pictures = scan(), []
    for number in range(count):
        pictures.append(still.copy())
        pictures[-1][120, 100] ^= number & 1
    return pictures


def frozen_with_a_clock(count):
    still = scan()
    return [ticking(still.copy(), number) for number in range(count)]


def through(codec, pictures):
    """The pictures as they come out of a codec."""
    size = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS)]
    quiet = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1"]
    coded = subprocess.run(
        [*quiet, *size, "-i", "pipe:0", *ENCODERS[codec], "-f", "matroska", "pipe:1"],
        input=b"".join(picture.tobytes() for picture in pictures),
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout
    raw = subprocess.run(
        [*quiet, "-i", "pipe:0", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"],
        input=coded,
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout
    return list(np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT, WIDTH))


def told(pictures, regions=AREA, window_s=0.4, fps=FPS):
    """For each picture whether the detector says that it stands still."""
    detector = FreezeDetector(window_s)
    return [detector.add(Frame("s", n, int(n / fps * 1e9), None, p, regions)) for n, p in enumerate(pictures)]


@pytest.mark.parametrize("regions", [AREA, ()])
@pytest.mark.parametrize("frozen", [frozen_with_a_clock, one_pixel_off])
def test_a_scan_that_stands_still_is_told_within_a_second_of_its_last_movement(frozen, regions):
    answers = told([*moving(20), *frozen(30)], regions)
    assert not any(answers[:20])
    assert answers.index(True) <= 20 + FPS
    assert all(answers[20 + FPS :])


def test_a_probe_held_still_is_live_for_its_noise_alone():
    assert not any(told([*moving(10), *held_still(50, sigma=1.0)]))


def phantom_held_still(count, sigma=2.0):
    """A tissue phantom below a probe that nobody moves: all that changes is the receiver's noise, and the clock."""
    x, y, w, h = BOX
    tissue = PhantomScene(PhantomSpec(seed=4, width=w, height=h)).pixels(0).astype(np.float32)
    pictures = []
    for number in range(count):
        pictures.append(ticking(np.full((HEIGHT, WIDTH), 18, np.uint8), number))
        pictures[-1][y : y + h, x : x + w] = np.clip(tissue + rng.normal(0, sigma, tissue.shape), 0, 255)
    return pictures


@pytest.mark.slow
@needs_ffmpeg
@pytest.mark.parametrize("frozen", [frozen_with_a_clock, one_pixel_off])
@pytest.mark.parametrize("codec", ENCODERS)
def test_through_a_codec_the_same_is_told(codec, frozen):
    answers = told(through(codec, [*moving(20), *frozen(50)]))
    assert answers.index(True) <= 20 + FPS
    assert all(answers[20 + FPS :])


@pytest.mark.slow
@needs_ffmpeg
@pytest.mark.parametrize("still", [held_still, phantom_held_still])
@pytest.mark.parametrize("codec", ENCODERS)
def test_through_a_codec_a_probe_held_still_is_live(codec, still):
    assert not any(told(through(codec, [*moving(20), *still(50)])))


def test_a_probe_held_still_on_a_phantom_is_live():
    assert not any(told([*moving(20), *phantom_held_still(50, sigma=1.0)]))


@pytest.mark.parametrize("scans_per_second", [25, 8, 5])
def test_a_grabber_that_repeats_each_picture_of_a_slow_scanner_is_live(scans_per_second):
    pictures = moving(scans_per_second * 3)
    assert not any(told([pictures[int(n * scans_per_second / 50)] for n in range(150)], fps=50))


@pytest.mark.parametrize("scans_per_second", [4, 3, 2])
def test_a_probe_held_still_is_live_on_a_slow_scanner_behind_a_fast_grabber(scans_per_second):
    pictures = held_still(scans_per_second * 6)
    answers = told([pictures[int(n * scans_per_second / 30)] for n in range(180)], fps=30)
    assert not any(answers)
    still = [pictures[-1]] * 60
    answers = told([*(pictures[int(n * scans_per_second / 30)] for n in range(180)), *still], fps=30)
    assert answers.index(True) <= 180 + 30


def test_key_frames_of_a_frozen_stream_do_not_make_it_a_slow_scanner():
    frozen = scan()
    keys = [np.clip(frozen.astype(int) + rng.integers(-2, 3, frozen.shape), 0, 255).astype(np.uint8) for _ in range(6)]
    answers = told([*moving(20), *(keys[n // 25] for n in range(150))])
    assert all(answers[20 + FPS :])


def test_noise_that_a_grabber_adds_to_everything_is_no_movement():
    still = scan().astype(np.float32) + 20
    noisy = [np.clip(still + rng.normal(0, 1.0, still.shape), 0, 255).astype(np.uint8) for _ in range(40)]
    assert told(noisy)[-1]
    live = [
        np.clip(picture + 20.0 + rng.normal(0, 1.0, still.shape), 0, 255).astype(np.uint8)
        for picture in held_still(40, 3)
    ]
    assert not any(told(live))


def test_a_key_frame_does_not_end_a_freeze_and_movement_does():
    still = scan()
    key = np.clip(still.astype(int) + rng.integers(-2, 3, still.shape), 0, 255).astype(np.uint8)
    pictures = [still] * 28 + [key] * 25 + moving(3)
    answers = told(pictures)
    assert all(answers[FPS:53])
    assert not any(answers[53:])


def test_an_area_that_is_found_anew_does_not_begin_the_window_anew():
    detector, still, answers = FreezeDetector(0.4), scan(), []
    for number in range(30):
        regions = (Region((60, 40, 200, 190 - number % 3), source="detected"),)
        answers.append(detector.add(Frame("s", number, int(number / FPS * 1e9), None, still, regions)))
    assert answers[-1]


def test_frames_that_come_seldom_are_told_after_three():
    assert told([scan_now for scan_now in [scan()] for _ in range(4)], fps=1) == [False, False, True, True]


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (16, 16), (3, 2000), (1080, 1920, 3)])
def test_every_size_has_blocks(size):
    picture = rng.integers(0, 255, size, dtype=np.uint8)
    assert told([picture] * 30, ())[-1]
    assert not any(told([rng.integers(0, 255, size, dtype=np.uint8) for _ in range(25)], ()))
