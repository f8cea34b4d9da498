"""Distances in millimetres: of a real file's pixels, and of lesions in rendered phantoms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest

from edge.config.settings import StreamSettings
from edge.contracts.frames import Frame
from edge.phantom.scene import PhantomScene, PhantomSpec
from edge.plugins import make_source
from edge.postprocess.measure import measure

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.filterwarnings("ignore:Unknown encoding")
def test_distances_of_a_real_file_are_those_of_its_header(data_dir: Path) -> None:
    """Within a hundredth; the file says centimetres a pixel."""
    path = data_dir / "dicom" / "sonoque_anechoic-3mm-3mm.dcm"
    source = make_source(StreamSettings(name="s", source=f"dicom://{path}"))
    source.open()
    frame = source.read(30.0)
    source.close()
    assert isinstance(frame, Frame)
    said = pydicom.dcmread(path, stop_before_pixels=True).SequenceOfUltrasoundRegions[0]
    region = frame.regions[0]
    line = np.array([(100.0, 100.0), (900.0, 700.0), (900.0, 701.0)])
    got = measure(line, region.mm_x or 0.0, region.mm_y or 0.0, (1.0, 1.0), 0.0, 1.0).long_axis_mm
    true = 10 * np.hypot(800 * said.PhysicalDeltaX, 601 * said.PhysicalDeltaY)
    assert got == pytest.approx(true, rel=0.01)


@pytest.mark.parametrize("geometry", ["linear", "sector"])
@pytest.mark.parametrize("depth_mm", [30.0, 60.0])
def test_axes_of_phantom_lesions_are_those_that_were_rendered(geometry: str, depth_mm: float) -> None:
    """By the region that the phantom's frames have, at several depths: within a hundredth."""
    depth_mm += 20 * (geometry == "sector")
    spec = PhantomSpec(seed=4, width=400, height=320, geometry=geometry, mm_per_px=depth_mm / 320)  # type: ignore[arg-type]
    picture = PhantomScene(spec).render(7)
    true, region = picture.lesions[0], picture.region
    got = measure(true.outline_px, region.mm_x or 0.0, region.mm_y or 0.0, (1.0, 1.0), 0.0, 1.0)
    assert got.long_axis_mm == pytest.approx(true.long_axis_mm, rel=0.01)
    assert got.short_axis_mm == pytest.approx(true.short_axis_mm, rel=0.01)
