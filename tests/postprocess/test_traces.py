"""Traces have names: M-mode and spectral Doppler are told from scans, from each other, and below a scan."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.contracts.results import Reason, Status
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.postprocess.abstention_rules import pixel_gate
from edge.postprocess.decide import decide
from edge.postprocess.frame_context import FrameContext
from edge.postprocess.tissue_view import TissueView
from edge.postprocess.traces import shows_m_mode, shows_spectrum
from edge.preprocess.crop import find_crop
from edge.preprocess.preprocessor import plan

HEIGHT, WIDTH = 120, 160


def speckle(rng, height, width):
    grain = rng.standard_normal((2, height, width)).astype(np.float32)
    envelope = np.hypot(*(cv2.GaussianBlur(each, (0, 0), sigmaX=1.0, sigmaY=0.8) for each in grain))
    return envelope / envelope.mean()


def layers(seed, height=HEIGHT, moved=0.04):
    """M-mode: layers that go up and down with the heart, each in its own way."""
    rng = np.random.default_rng(seed)
    time, depth = np.arange(WIDTH) / rng.uniform(25, 60), np.arange(height)[:, None]
    trace = np.full((height, WIDTH), 15.0)
    for _ in range(14):
        lag, swing = rng.uniform(0, 0.3), rng.uniform(0, moved) * height
        at = rng.uniform(0, height) + swing * np.sin(2 * np.pi * (time - lag))
        trace += rng.uniform(40, 200) * np.exp(-(((depth - at) / rng.uniform(1, 3)) ** 2))
    return np.clip(trace * (0.5 + 0.5 * speckle(rng, height, WIDTH)), 0, 255).astype(np.uint8)


def spectrum(seed, height=HEIGHT, *, up=True):
    """Spectral Doppler: a steep rise with each heartbeat and a slow fall, filled with grain, on a base line."""
    rng = np.random.default_rng(seed)
    beat = (np.arange(WIDTH) / rng.uniform(25, 60) + rng.random()) % 1
    speed = (0.2 + 0.8 * np.exp(-4 * beat) * np.minimum(1, 12 * beat)) * height * rng.uniform(0.5, 0.8)
    above = np.arange(height)[::-1, None] - height // 8
    trace = np.where((above > 0) & (above < speed), 110 * speckle(rng, height, WIDTH), 4 * speckle(rng, height, WIDTH))
    trace[height - height // 8 - 1] = 170
    return np.clip(trace if up else trace[::-1], 0, 255).astype(np.uint8)


def tissue(seed):
    scan = PhantomScene(PhantomSpec(seed=seed, lesions=seed % 3)).pixels(0)
    x, y, w, h = find_crop(scan, 12)
    return cv2.resize(scan[y : y + h, x : x + w], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def below_a_scan(trace):
    return np.vstack((tissue(1)[: HEIGHT // 2], trace))


@pytest.mark.parametrize("seed", range(6))
def test_each_is_told_from_the_other(seed):
    assert shows_m_mode(layers(seed))
    assert not shows_spectrum(layers(seed))
    for up in (True, False):
        assert shows_spectrum(spectrum(seed, up=up))


@pytest.mark.parametrize("seed", range(3))
def test_a_trace_below_a_scan_is_one(seed):
    assert shows_m_mode(below_a_scan(layers(seed, HEIGHT // 2, moved=0.02)))
    assert shows_spectrum(below_a_scan(spectrum(seed, HEIGHT // 2)))


@pytest.mark.parametrize("seed", range(8))
def test_a_scan_is_none(seed):
    for grey in (tissue(seed), tissue(seed) // 3):
        assert not shows_m_mode(grey)
        assert not shows_spectrum(grey)


@pytest.mark.parametrize("grey", [0, 90, 255])
@pytest.mark.parametrize("shape", [(16, 16), (16, 160), (120, 16), (120, 160), (39, 40)])
def test_flat_and_small_pictures_are_none(shape, grey):
    flat = np.full(shape, grey, np.uint8)
    assert not shows_m_mode(flat)
    assert not shows_spectrum(flat)


def test_layers_that_stand_still_are_an_m_mode_and_echoes_of_the_probe_are_no_contact():
    rng = np.random.default_rng(2)
    still = np.repeat(rng.uniform(20, 220, (HEIGHT, 1)), WIDTH, axis=1) + rng.uniform(0, 12, (HEIGHT, WIDTH))
    picture = cv2.resize(np.clip(still, 0, 255).astype(np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
    echoes = (picture * np.linspace(1.2, 0.05, 480)[:, None] ** 2).clip(0, 255).astype(np.uint8)
    for pixels, reason in ((picture, Reason.M_MODE), (echoes, Reason.NO_CONTACT)):
        small = cv2.resize(pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        view = TissueView(small, (0, 0, 640, 480), (640, 480))
        assert pixel_gate(pixels, (0, 0, 640, 480), None, view) is reason


@pytest.mark.parametrize(("anatomy", "named"), [(0.2, True), (0.9, False)])
def test_a_trace_is_named_unless_the_anatomy_head_takes_it_for_the_models_organ(kit, anatomy, named):
    """Only where a picture is refused anyway the name costs time."""
    pixels = np.full((480, 640), 90, np.uint8)
    for grey, reason in ((layers(1), Reason.M_MODE), (spectrum(1), Reason.SPECTRAL_DOPPLER)):
        context = FrameContext(view=TissueView(grey, (0, 0, 640, 480), (640, 480)))
        mask = np.zeros((1, kit.cells, kit.cells, 1), np.uint8)
        heads = {"malignancy": np.array([[200, 56]], np.uint8), "lesion_mask": mask}
        raw = {**heads, "anatomy": np.array([[round(256 * anatomy)]], np.uint8)}
        placed, _ = plan((0, 0, 640, 480), kit.side, kit.side)
        verdict = decide(raw, kit.make_manifest(), placed, (), pixels, context)
        assert verdict.status in (Status.ABSTAINED, Status.CLEAR)
        assert (verdict.reason is reason) is named
