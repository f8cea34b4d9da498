"""The page's SVG and OpenCV draw one list of shapes: at the same places, to a pixel or two of the source picture."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import cv2
import msgspec
import numpy as np
import pytest
from PIL import Image
from view_browser.conftest import open_page, until
from viewer_rig import Scene, ViewerRig

from edge.picture.shapes import Shape, draw_shapes

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.opt_in, pytest.mark.timeout(300)]


@pytest.mark.parametrize("uncertain", [False, True])
@pytest.mark.parametrize("lesions", [1, 2])
def test_both_draw_the_same(browser: Any, fresh: ViewerRig, tmp_path: Path, lesions: int, uncertain: bool) -> None:
    page = open_page(browser, fresh, (1920, 1080))
    fresh.show(
        "cart", Scene(lesions=lesions, uncertain=uncertain, suspicious=False, pixels=np.zeros((360, 480), np.uint8))
    )
    until(page, "(n) => document.querySelectorAll('#shapes g[data-kind=outline]').length === n", lesions)
    page.click("#freeze")
    until(page, "() => document.getElementById('live-word').textContent === 'FROZEN HERE'")
    page.click("#report")
    with page.expect_download() as download:
        page.click("#report-json")
    download.value.save_as(tmp_path / "report.json")
    page.click("#report-close")
    page.evaluate("() => document.querySelectorAll('#shapes g').forEach((group) => group.classList.remove('fast'))")
    frame = json.loads((tmp_path / "report.json").read_text())["frame"]
    shapes = [
        shape for shape in msgspec.convert(frame["shapes"], list[Shape]) if shape.kind in ("outline", "long_axis")
    ]
    page.evaluate(
        "() => document.querySelectorAll('#shapes g').forEach((group) => {"
        " if (!['outline', 'long_axis'].includes(group.dataset.kind)) group.remove(); })"
    )
    stage = page.locator("#shapes").bounding_box()
    x, y, w, h = frame["box"]
    scale = min(stage["width"] / w, stage["height"] / h)
    clip = {
        "x": stage["x"] + (stage["width"] - w * scale) / 2, "y": stage["y"] + (stage["height"] - h * scale) / 2,
        "width": w * scale, "height": h * scale,
    }  # fmt: skip
    page.wait_for_timeout(300)  # outlines that were dimmed come back slowly
    seen = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("L").resize((w, h), Image.BOX))
    drawn = np.zeros((h, w, 3), np.uint8)
    draw_shapes(drawn, shapes, (x, y))
    ours = drawn[:, :, 0] > 100
    theirs = seen > 60
    reach = np.ones((7, 7), np.uint8)
    # Dashes begin at other places, so each is compared with the other's lines, made wider.
    near_theirs = cv2.dilate(theirs.astype(np.uint8), reach, iterations=2 if uncertain else 1) > 0
    near_ours = cv2.dilate(ours.astype(np.uint8), reach, iterations=2 if uncertain else 1) > 0
    assert ours.sum() > 200
    assert theirs.sum() > 200
    assert near_theirs[ours].mean() > 0.97
    assert near_ours[theirs].mean() > 0.97
    page.context.close()
