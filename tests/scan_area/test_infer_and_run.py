"""`infer` and the daemon look for scans alike: the same files give the same regions, whoever reads them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import cv2

from benchmarks.screens.training_layouts import training_screens
from edge.app.compose import make_analyser
from edge.config.settings import RuntimeSettings, Settings, StreamSettings
from edge.contracts.frames import Frame
from edge.infer.inputs import InputFile
from edge.infer.run import answers
from edge.pipeline.capture import FrameCapture
from edge.pipeline.stream_metadata import add_stream_metadata
from edge.plugins import make_source

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_of_screens_gives_both_the_same_regions(tmp_path: Path) -> None:
    """File by file, and as one stream of files."""
    for number, screen in enumerate(training_screens(4)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), screen.frame()[:, :, ::-1])
    stream = StreamSettings(name="s", source=f"images://{tmp_path}")
    capture = FrameCapture({"s": make_source(stream)}, add_stream_metadata([stream]), [stream])
    ran = []
    give_up = time.monotonic() + 60
    while not capture.exhausted and time.monotonic() < give_up:
        arrival = capture.next(0.2)
        if arrival is not None and isinstance(arrival[1], Frame):
            ran.append(arrival[1].regions)
    capture.close()
    analyser = make_analyser(Settings(runtime=RuntimeSettings(uri="scripted://", isolated=False)))
    files = [InputFile(path, "images") for path in sorted(tmp_path.iterdir())]
    inferred = [answer.frame.regions for answer in answers(files, analyser) if answer.frame is not None]
    analyser.close()
    assert ran == inferred
    assert [len(regions) for regions in ran] == [1, 1, 2, 1]
    assert all(region.outline for regions in ran for region in regions)
