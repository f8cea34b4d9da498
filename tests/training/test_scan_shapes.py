"""Scan shapes: bending keeps what is scanned, straightening undoes it; the second bender is no part of training."""

from __future__ import annotations

import ast
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.gate import scan_shapes

TRAINING = Path(__file__).parents[2] / "training"


def scan(height: int = 300, width: int = 240) -> np.ndarray:
    """Four bright layers, each a little brighter than the last."""
    rows = np.repeat(np.array([60, 100, 140, 180], np.uint8), height // 4)
    return np.repeat(rows[:, None], width, axis=1)


def share(picture: np.ndarray, level: int) -> float:
    """Share of the scan that lies near one grey value."""
    return float((np.abs(picture.astype(int) - level) < 8).sum() / (picture > 30).sum())


@pytest.mark.parametrize("bend", scan_shapes.SHAPES, ids=lambda each: each.__name__)
def test_a_bent_scan_shows_all_layers_on_black(bend):
    for seed in range(8):
        out = bend(np.random.default_rng(seed), scan())
        assert out.dtype == np.uint8
        assert out.ndim == 2
        assert 0.05 < (out == 0).mean() < 0.9
        assert all(share(out, level) > 0.02 for level in (60, 100, 140, 180))


def test_a_sector_is_wider_below_and_black_in_its_corners():
    out = scan_shapes.to_sector(np.random.default_rng(0), scan())
    assert out[-1, 0] == out[-1, -1] == out[0, 0] == 0


def test_a_trapezoid_is_wider_below():
    for seed in range(8):
        out = scan_shapes.to_trapezoid(np.random.default_rng(seed), scan())
        widths = (out > 30).sum(axis=1)
        assert widths[len(out) // 20] < widths[len(out) // 2]


@pytest.mark.parametrize("bend", scan_shapes.SHAPES, ids=lambda each: each.__name__)
def test_what_was_bent_is_straightened(bend):
    """The layers lie across again, and hardly any black is left."""
    for seed in range(8):
        out = scan_shapes.straighten(bend(np.random.default_rng(seed), scan()))
        assert (out < 30).mean() < 0.25, seed
        thirds = [float(np.median(part)) for part in np.array_split(out[:, out.shape[1] // 4 : -out.shape[1] // 4], 4)]
        assert thirds[0] < thirds[-1], (seed, thirds)


def test_words_beside_a_scan_are_left_out():
    screen = np.zeros((400, 500), np.uint8)
    screen[60:360, 120:360] = scan()
    cv2.putText(screen, "12 MHz", (400, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1)
    out = scan_shapes.straighten(screen)
    assert (out < 30).mean() < 0.1
    assert out.max() < 200  # the brightest layer: no letter


def test_a_black_picture_comes_back_as_it_is():
    black = np.zeros((100, 120), np.uint8)
    assert scan_shapes.straighten(black) is black


def test_the_second_bender_is_never_used_in_training():
    """Only the evaluation of the gate knows it, and no module that makes examples or fits knows the evaluation's."""
    users = set()
    for path in TRAINING.rglob("*.py"):
        names = {
            alias
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
            for alias in (node.module or "", *(f"{node.module}.{each.name}" for each in node.names))
        }
        if "training.evaluation.second_bender" in names:
            users.add(path.relative_to(TRAINING).as_posix())
        if path.parent.name in ("gate", "augment"):
            assert not any(name.startswith("training.evaluation.gate") for name in names), path
    assert users == {"evaluation/gate_pictures.py"}


def test_the_second_bender_shows_all_layers_on_black():
    pytest.importorskip("scipy")
    from training.evaluation.second_bender import BENDINGS

    for name, bend in BENDINGS.items():
        for seed in range(4):
            out = bend(np.random.default_rng(seed), scan())
            assert out.dtype == np.uint8
            assert 0.03 < (out == 0).mean() < 0.7, name
            assert all(share(out, level) > 0.05 for level in (60, 100, 140, 180)), name
            assert not np.array_equal(out, bend(np.random.default_rng(seed + 9), scan()))
