"""Measures the finder of scan areas (make scan-area): rendered screens, real screens where they are, cost of a frame.

Rendered screens of unseen layouts: overlap of what is found with the truth, and shapes. Real screens (shared sets and
pydicom's own files): drawn into a folder to be judged by eye, for there is no truth for them. Cost: processor time of a
stream's frames, the searches among them included.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from pydicom.data import get_testdata_file

from benchmarks.screens.scan_content import ScreenTissue, place_scan
from benchmarks.screens.screen import RenderedScreen
from benchmarks.screens.training_layouts import SHAPES, training_screens
from benchmarks.screens.unseen_layouts import unseen_screens
from edge.config.settings import StreamSettings
from edge.contracts.frames import Frame
from edge.pipeline.stream_metadata import add_stream_metadata
from edge.plugins import make_source
from edge.scan_area.blackout import black_out, outline_mask
from edge.scan_area.finder import find_scan_regions, find_scans
from edge.scan_area.texture import reduced, reduction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DICOM = (
    *("OBXXXX1A_rle_2frame.dcm", "US-PAL-8-10x-echo", "US-RGB-8-epicard", "US-YBR_FULL_422-EVRLE.dcm", "YBR_422.dcm"),
    *("gdcm-US-ALOKA-16.dcm", "no-pixel-spacing.dcm", "sonoque_anechoic-3mm-3mm.dcm"),
)
CLIPS = ("butterfly-ocular-phantom.mp4", "clarius-ocular-short.mp4")
PYDICOM = ("examples_ybr_color.dcm", "examples_palette.dcm", "examples_rgb_color.dcm", "examples_jpeg2k.dcm")
FRAMES = 90
"""Frames of a real clip that are read: three searches."""


def main() -> None:
    """Print the tables; draw the real screens."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--screens", type=int, default=140, help="rendered screens of unseen layouts")
    parser.add_argument("--out", type=Path, default=None, help="folder for pictures of the real screens")
    parser.add_argument(
        "--figure", type=Path, default=None, help="PNG file for the figure of the docs, of rendered screens"
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for frames in (3, 1):
        rendered("unseen layouts", unseen_screens(options.screens), frames)
    rendered("training layouts", training_screens(100), 3)
    real_screens(options.out)
    if options.figure is not None:
        figure(options.figure)
    depths()
    cost()


def depths() -> None:
    """Print how far the depth in pixels is off, which millimetres are made of, on plain screens of each shape."""
    for shape in SHAPES:
        errors, count = [], 25
        for seed in range(count):
            rng = np.random.default_rng(seed)
            place = place_scan(shape, (150, 60, 400, 380), rng)
            screen = RenderedScreen("plain", np.zeros((480, 640, 3), np.uint8), [(place, ScreenTissue(rng, 8))]).frame()
            rows = np.flatnonzero(place.inside[:, place.box[2] // 2])
            found = find_scans(screen, [reduced(screen, reduction(480, 640))])
            if found and found[0].sharp:
                errors.append(abs(found[0].depth_px / (rows[-1] - rows[0] + 1) - 1))
        print(
            f"depth of {shape} scans: measured on {len(errors)} of {count}, within 1 % on "
            f"{sum(error <= 0.01 for error in errors)}, largest error {max(errors):.2%}"
        )


def figure(target: Path) -> None:
    """Write a figure of rendered screens: what the screen shows, outlined, and what the blackout leaves."""
    tiles = []
    for screen in [unseen_screens(14)[number] for number in (0, 8, 3, 11)]:
        picture = screen.frame()
        regions = find_scan_regions([picture])
        outlined = picture.copy()
        for region in regions:
            cv2.polylines(outlined, [np.array(region.outline)], True, (0, 255, 0), max(2, picture.shape[1] // 300))
        both = [
            cv2.resize(each, (400, 300), interpolation=cv2.INTER_AREA)
            for each in (outlined, black_out(picture, regions))
        ]
        tiles.append(np.concatenate(both, axis=1))
    rows = [np.concatenate(tiles[at : at + 2], axis=1) for at in (0, 2)]
    cv2.imwrite(str(target), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])


def rendered(name: str, screens: Sequence[RenderedScreen], count: int) -> None:
    """Print how well the scans of rendered screens are found, with ``count`` frames of each."""
    overlaps, shapes, outside = [], 0, 0
    for screen in screens:
        frames = [screen.frame(3 * number) for number in range(count)]
        found = find_scan_regions(frames)
        truth = screen.mask() > 0
        mask = outline_mask(found, truth.shape[1], truth.shape[0]) > 0
        overlaps.append(float((mask & truth).sum() / (mask | truth).sum()))
        shapes += sorted(region.shape or "" for region in found) == sorted(screen.shapes)
        outside += bool(mask[~cv2.dilate(truth.astype(np.uint8), np.ones((25, 25), np.uint8)).astype(bool)].any())
    values = np.array(overlaps)
    print(
        f"{name}, {count} frame{'s' * (count > 1)}: overlap >= 0.95 on {(values >= 0.95).mean():.1%} of {len(values)}, "
        f"median {np.median(values):.3f}, least {values.min():.3f}; views and shapes right on {shapes}; "
        f"more than 12 pixels outside on {outside}"
    )


def real_screens(folder: Path | None) -> None:
    """Print what is found on each real screen that is here; draw it into ``folder``."""
    data = Path(os.environ.get("SONOEDGE_DATA", "../shared/data"))
    uris = [f"dicom://{data.resolve() / 'dicom' / name}" for name in DICOM]
    uris += [f"video://{data.resolve() / 'clips' / name}?pace=max" for name in CLIPS]
    uris += [f"dicom://{path}" for name in PYDICOM if (path := get_testdata_file(name, download=False))]
    here = [uri for uri in uris if Path(uri.partition("://")[2].partition("?")[0]).is_file()]
    print(f"real screens: {len(here)} of {len(DICOM) + len(CLIPS) + len(PYDICOM)} are here")
    for uri in here:
        frame = last_frame(uri)
        found = [region for region in frame.regions if region.outline is not None]
        share = (outline_mask(found, frame.pixels.shape[1], frame.pixels.shape[0]) > 0).mean()
        name = Path(uri.partition("?")[0]).name
        print(f"  {name:32} {', '.join(r.shape or '' for r in found) or 'not found':20} {share:6.1%} of the screen")
        if folder is not None:
            draw(folder / f"{name}.png", frame)


def last_frame(uri: str) -> Frame:
    """The newest of a source's first `FRAMES` frames, with its regions, as `infer` and the daemon see it."""
    stream = StreamSettings(name="bench", source=uri)
    source, enrich, frame = make_source(stream), add_stream_metadata([stream]), None
    source.open()
    for _ in range(FRAMES):
        item = source.read(5.0)
        if not isinstance(item, Frame):
            break
        frame = enrich(item)
    source.close()
    assert frame is not None
    return frame


def draw(target: Path, frame: Frame) -> None:
    """Write a screen with its outlines, and beside it what the blackout leaves."""
    picture = frame.pixels if frame.pixels.ndim == 3 else cv2.cvtColor(frame.pixels, cv2.COLOR_GRAY2RGB)
    outlined: NDArray[np.uint8] = np.ascontiguousarray(picture).copy()
    for region in frame.regions:
        if region.outline is not None:
            cv2.polylines(outlined, [np.array(region.outline)], True, (0, 255, 0), max(1, picture.shape[1] // 400))
    target.parent.mkdir(parents=True, exist_ok=True)
    both = np.concatenate([outlined, black_out(picture, frame.regions)], axis=1)
    cv2.imwrite(str(target), cv2.cvtColor(both, cv2.COLOR_RGB2BGR))


def cost() -> None:
    """Print the processor time that a frame costs in a stream of a minute, by the size of the screen."""
    for screen in training_screens(5)[:4:3]:
        pictures = [screen.frame(number) for number in range(4)]
        stream = StreamSettings(name="bench", source="camera://0")
        enrich, spent = add_stream_metadata([stream]), []
        for number in range(60 * 30):
            frame = Frame("bench", number, number * 33_333_333, None, pictures[number % 4])
            began = time.thread_time_ns()
            enrich(frame)
            spent.append((time.thread_time_ns() - began) / 1e6)
        height, width = pictures[0].shape[:2]
        values = np.array(spent)
        print(
            f"cost at {width} x {height}, 30 frames a second: mean {values.mean():.3f} ms a frame, "
            f"median {np.median(values):.3f}, largest {values.max():.1f}"
        )


if __name__ == "__main__":
    main()
