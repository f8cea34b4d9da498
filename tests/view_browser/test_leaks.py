"""What leaves the viewer: no name beside a scan can be read in it, on 200 screens of layouts that nobody tuned for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra viewer is not installed")

from PIL import Image, ImageDraw
from viewer_page import ViewerPage, connected
from viewer_rig import Scene, ViewerRig

from benchmarks.screens.unseen_layouts import font, unseen_screens
from edge.contracts.results import Status
from edge.scan_area.finder import find_scan_regions

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.opt_in,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(shutil.which("tesseract") is None, reason="needs tesseract: apt install tesseract-ocr"),
]
SCREENS = int(os.environ.get("SONOEDGE_LEAK_SCREENS", "200"))
NAMES = ("ANDERSON", "KOWALSKI", "MUELLER", "GARCIA", "TANAKA", "BRANDT", "IVANOVA", "JOHNSON", "PETERSEN", "ROSSI")


def read(strips: list[np.ndarray], folder: Path) -> str:
    """Text that tesseract reads in pictures, put below each other."""
    width = max(strip.shape[1] for strip in strips)
    page = np.concatenate([np.pad(strip, ((8, 8), (8, width - strip.shape[1] + 8), (0, 0))) for strip in strips])
    large = cv2.resize(page, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(folder / "read.png"), 255 - cv2.cvtColor(large, cv2.COLOR_RGB2GRAY))
    told = subprocess.run(
        ["tesseract", str(folder / "read.png"), "-", "--psm", "6"],
        capture_output=True, text=True, timeout=300, check=True, env={**os.environ, "OMP_THREAD_LIMIT": "1"},
    )  # fmt: skip
    return told.stdout.upper()


def name_on(screen: Any, rng: np.random.Generator) -> tuple[np.ndarray, str, tuple[slice, slice]] | None:
    """A screen with a name outside of its scans, and where it stands; None: there is no room for one."""
    picture = Image.fromarray(screen.frame())
    width, height = picture.size
    size = max(24, height // 22)
    near = cv2.dilate(screen.mask(), np.ones((9, 9), np.uint8))
    name = str(rng.choice(NAMES))
    for _ in range(800):
        x, y = int(rng.integers(4, max(5, width - 8 * size))), int(rng.integers(4, height - 2 * size))
        place = (slice(y - 4, y + size + 10), slice(x - 4, x + 7 * size))
        if not near[place].any() and np.asarray(picture)[place].max() < 60:
            ImageDraw.Draw(picture).text((x, y), name, font=font(size), fill=(235, 235, 235))
            return np.array(picture), name, place
    return None


def shown(page: ViewerPage, size: tuple[int, int]) -> np.ndarray:
    """Picture that the page is sent, put back to its place on a black screen."""
    header, pictures = page.until(lambda got: bool(got["frame"]) and tuple(got["frame"]["size"]) == size)
    screen = np.zeros((size[1], size[0], 3), np.uint8)
    if header["frame"]["box"] is not None:
        x, y, w, h = header["frame"]["box"]
        screen[y : y + h, x : x + w] = cv2.imdecode(np.frombuffer(pictures[0], np.uint8), cv2.IMREAD_COLOR)
    assert not any(name in json.dumps(header).upper() for name in NAMES)
    return screen


def test_no_name_can_be_read_in_what_leaves_the_viewer(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    rig = ViewerRig()
    names, before, after, pictures = [], [], [], 0
    try:
        for number, screen in enumerate(unseen_screens(SCREENS, seed=9)):
            found = name_on(screen, rng)
            if found is None:
                continue
            # Each screen has a size of its own, by which its frame is known among those on their way.
            pixels, name, place = found
            pixels = np.pad(pixels, ((0, 0), (0, number % 97 + 1), (0, 0)))
            rig.show("cart", Scene(Status.CLEAR, pixels=pixels, regions=tuple(find_scan_regions([pixels]))))
            with connected(rig.address) as page:
                sent = shown(page, (pixels.shape[1], pixels.shape[0]))
            pictures += bool(sent.any())
            names.append(name)
            before.append(pixels[place])
            after.append(sent[place])
    finally:
        rig.close()
    assert len(names) >= 0.5 * SCREENS
    assert pictures >= 0.5 * len(names)  # else it says little that nothing is read
    readable, leaked = 0, []
    for start in range(0, len(names), 20):
        part = slice(start, start + 20)
        text = read(before[part], tmp_path)
        readable += sum(name in text for name in names[part])
        if any(strip.any() for strip in after[part]):
            leaked += [name for name in names[part] if name in read(after[part], tmp_path)]
    print(f"{len(names)} names, {pictures} pictures shown, {readable} read before, {len(leaked)} after")
    assert readable >= 0.9 * len(names)
    assert leaked == []
