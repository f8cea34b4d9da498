"""Seeded B-mode phantom scene: a breast that is made once and then rendered, frame by frame, at little cost.

    scene = PhantomScene(PhantomSpec(seed=1))
    picture = scene.render(0)      # pixels, region, lesions, mask

The tissue is made and insonified once, on a grid finer than the picture's and stored with 8 bits. A frame is a window
into it, moved aside as a probe slides and pressed together as tissue is: from then on bytes are only copied, so that
every machine shows the same, and quickly.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.region import Region
from edge.phantom.echo import echo_grey
from edge.phantom.lesions import measure, place_lesions
from edge.phantom.noise import generator
from edge.phantom.probe_geometry import make_probe
from edge.phantom.spec import PhantomLesion, PhantomPicture, PhantomSpec
from edge.phantom.tissue import make_tissue, put_lesion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.phantom.lesions import LesionShape

__all__ = ["PhantomLesion", "PhantomPicture", "PhantomScene", "PhantomSpec"]

LOOP = 120
"""Number of frames until the movement begins anew."""
SLIDE_MM = 2.5
"""How far the probe slides to each side, in millimetres."""
PRESS = 0.04
"""Share by which the tissue becomes thinner under pressure, at most."""
RIM_MM = 3.0
"""How far a lesion changes what is around it, in millimetres."""
NOISE = 8
"""Most grey values of electronic noise, which is new in each frame."""
NOISE_PAD = (37, 32)
"""So many rows and columns at which a frame's noise may begin in the stored noise; no common divisor."""


class PhantomScene:
    """One phantom, ready to render: making it takes some hundred ms. `render` may be called by several threads.

    Raises ValueError for a spec whose millimetres make a scan that no probe has.
    """

    def __init__(self, spec: PhantomSpec) -> None:
        self.spec = spec
        self.probe = probe = make_probe(spec)
        self.region = Region(box=probe.box, mm_x=probe.mm, mm_y=probe.mm, source="phantom")
        self.shapes = place_lesions(spec, probe, SLIDE_MM)
        self._margin = math.ceil(SLIDE_MM / probe.beam_mm)
        self._step = min(probe.row_mm, probe.mm / 2)
        """Distance of two rows of the field: finer than the picture's, so that pressing does not jerk."""
        columns = probe.beams + 2 * self._margin
        rows = math.ceil(probe.depth_mm / (1 - PRESS) / self._step) + 1
        self._u = ((np.arange(columns, dtype=np.float64) + 0.5 - columns / 2) * probe.beam_mm)[None, :]
        self._d = ((np.arange(rows, dtype=np.float64) + 0.5) * self._step)[:, None]
        self._field, self._inside = self._make_field()
        noise = generator(spec.seed, 4).random((probe.rows + NOISE_PAD[0], probe.beams + NOISE_PAD[1]))
        self._noise = np.floor(noise * (NOISE + 1)).astype(np.uint8)

    def render(self, frame_index: int) -> PhantomPicture:
        """Render frame ``frame_index`` (0 or more) with its ground truth. Equal arguments give equal bytes."""
        shift, press = self._motion(frame_index)
        mask = self.probe.convert(self._window(self._inside, shift, press))
        lesions = tuple(self._lesion(shape, shift, press) for shape in self.shapes)
        return PhantomPicture(self.pixels(frame_index), self.region, lesions, mask)

    def pixels(self, frame_index: int) -> NDArray[np.uint8]:
        """Render the picture alone, (H, W) uint8 grey: a tenth of the time."""
        beams = self._window(self._field, *self._motion(frame_index))
        y, x = frame_index * 13 % NOISE_PAD[0], frame_index * 7 % NOISE_PAD[1]
        rows, columns = beams.shape
        return self.probe.convert(cv2.add(beams, self._noise[y : y + rows, x : x + columns]))

    def _motion(self, frame_index: int) -> tuple[int, float]:
        """Movement at a frame: beams that the probe has slid, and how far the tissue is pressed (0 to PRESS)."""
        phase = 2 * math.pi * (frame_index % LOOP) / LOOP
        slide = round(SLIDE_MM / self.probe.beam_mm * (0.85 * math.sin(phase) + 0.15 * math.sin(3 * phase)))
        return slide, PRESS * (0.5 - 0.5 * math.cos(2 * phase))

    def _window(self, field: NDArray[np.uint8], shift: int, press: float) -> NDArray[np.uint8]:
        """Part of ``field`` that the probe sees: (rows, beams)."""
        depth = (np.arange(self.probe.rows) + 0.5) * (self.probe.row_mm / (1 - press) / self._step)
        left = self._margin + shift
        return field[depth.astype(np.intp), left : left + self.probe.beams]

    def _lesion(self, shape: LesionShape, shift: int, press: float) -> PhantomLesion:
        """Ground truth of a lesion in a frame: its outline is moved as `_window` moves pixels."""
        u, d = self.probe.to_beam(*shape.outline())
        x, y = self.probe.to_tissue(u - shift * self.probe.beam_mm, d * (1 - press))
        return measure(*self.probe.to_picture(x, y), self.probe.mm, shape.margin)

    def _make_field(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Grey values, and a mask of 255 inside lesions, both (rows, columns) uint8 of tissue at rest."""
        probe, u, d = self.probe, self._u, self._d
        tissue = make_tissue(self.spec.seed, u, d, probe.depth_mm)
        inside = np.zeros(tissue.mirror.shape, np.uint8)
        for shape in self.shapes:
            rows, columns = self._around(shape)
            distance = shape.inside(*probe.to_tissue(u[:, columns], d[rows]))
            put_lesion(tissue.window(rows, columns), shape, distance)
            inside[rows, columns][distance > 0] = 255
        return echo_grey(self.spec.seed, tissue, d, self._step, probe.beam_mm, NOISE / 2), inside

    def _around(self, shape: LesionShape) -> tuple[slice, slice]:
        """Rows and columns of the field that a lesion and its surroundings take up."""
        u, d = self.probe.to_beam(*shape.outline())
        columns = np.flatnonzero((self._u[0] > u.min() - RIM_MM) & (self._u[0] < u.max() + RIM_MM))
        rows = np.flatnonzero((self._d[:, 0] > d.min() - RIM_MM) & (self._d[:, 0] < d.max() + RIM_MM))
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
