"""Specs that make no phantom are refused, and many lesions fit even a small picture."""

from __future__ import annotations

import cv2
import pytest

from edge.phantom.scene import PhantomScene, PhantomSpec


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"seed": -1}, "seed of 0 or more"),
        ({"width": 20}, "width of 96 to 2048"),
        ({"height": 5000}, "height of 96 to 2048"),
        ({"geometry": "round"}, "linear or sector"),
        ({"lesions": 7}, "0 to 6 lesions"),
        ({"lesions": -1}, "0 to 6 lesions"),
        ({"margin": "hairy"}, "smooth or spiculated"),
        ({"mm_per_px": 0.0}, "mm_per_px over 0"),
        ({"mm_per_px": float("nan")}, "mm_per_px over 0"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PhantomSpec(**{"seed": 1, **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"mm_per_px": 0.5},
        {"mm_per_px": 0.01},
        {"mm_per_px": 0.5, "geometry": "sector"},
        {"mm_per_px": 0.01, "geometry": "sector"},
        {"width": 96, "height": 640},
    ],
)
def test_a_scan_that_no_probe_has_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="mm deep"):
        PhantomScene(PhantomSpec(seed=1, **wrong))


@pytest.mark.parametrize("geometry", ["linear", "sector"])
def test_many_lesions_fit_even_a_small_picture_and_do_not_touch(geometry: str) -> None:
    picture = PhantomScene(PhantomSpec(seed=8, width=320, height=240, geometry=geometry, lesions=6)).render(0)
    assert cv2.connectedComponents(picture.mask)[0] - 1 == 6
