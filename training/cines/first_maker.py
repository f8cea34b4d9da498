"""First cine maker, by which rules for tracks are chosen: a window that moves over one picture.

The probe drifts, tilts, turns and comes nearer: an affine window over a picture that goes on, mirrored and without its
lesion, beyond its edges. The lesion comes in from the side, or is cut by the plane until only its core is left. Speckle
is multiplied; it changes as far as the window has moved. Gain drifts, a shadow stands, contact is lost, the scanner
freezes. `training.cines.second_maker` does all of that in another way, and judges.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.cines.cine import CineFrame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from training.cines.cine import Grey, Still

    Plane = NDArray[np.float32]

MARGIN = 0.45
"""The picture goes on by so much of its size on each side."""
GRAIN = 1.3
"""Standard deviation of a speckle grain in pixels."""
STRENGTH = 0.16
"""Standard deviation of the factor that speckle is."""
TRAVEL = 5.0
"""Pixels of movement after which a speckle pattern is another one."""

LEAST_SHOWN = 0.02
"""A sliver of a lesion that is smaller than this share of it is not there."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Place of the window over the plate at a moment, and what the scanner does there."""

    dx: float
    dy: float
    angle: float
    """In radians."""
    zoom: float
    tilt: float
    """Shear: columns lean by so many pixels a row."""
    cut: float
    """Share of the way from the lesion's rim to its core that the plane has cut away, 0 to 1."""
    gain: float
    contact: float
    """1: full contact, 0: none."""


def make_cine(still: Still, seed: int, seconds: float, rate: float) -> Iterator[CineFrame]:
    """Implement `MakeCine`: the lesion is absent at first, comes, is held, and goes again."""
    rng = np.random.default_rng((seed, 1))
    plate = _Plate(still, rng)
    path = _Path(rng, still, seconds)
    speckle = _Speckle(rng, still.pixels.shape[:2])
    shadow = _shadow(rng, still.pixels.shape[:2])
    shown_last: CineFrame | None = None
    before: Pose | None = None
    for number in range(round(seconds * rate)):
        at = number / rate
        if shown_last is None or not path.frozen(at):
            pose = path.pose(at)
            moved = 0.0 if before is None else _distance(before, pose, still.pixels.shape[1])
            tissue, box, shown = plate.look(pose, path.lesion_is_on(at))
            grey = _as_scanned(tissue, speckle.next(moved), shadow, pose, rng)
            shown = shown if pose.contact > 0.5 and shown > LEAST_SHOWN else 0.0
            steady = path.steady(at) and shown > 0.6
            shown_last, before = CineFrame(grey, box if shown else None, shown, steady), pose
        yield shown_last


def _as_scanned(grey: Plane, speckle: Plane, shadow: Plane, pose: Pose, rng: np.random.Generator) -> Grey:
    """The picture that the scanner would show of a window: speckle, shadow, gain, contact, electronic noise."""
    echo = grey * speckle * shadow * pose.gain
    if pose.contact < 1:  # reverberation stays near the face, below it there is nothing
        depth = np.linspace(0, 1, grey.shape[0], dtype=np.float32)[:, None]
        echo *= pose.contact + (1 - pose.contact) * np.exp(-depth * 25)
    noise = rng.integers(-3, 4, size=(echo.shape[0], 1), dtype=np.int8)
    return np.asarray(np.clip(echo + noise, 0, 255), np.uint8)


def _distance(one: Pose, other: Pose, width: int) -> float:
    """How far speckle has moved between two poses, in pixels; a turn and a cut move it too."""
    turned = abs(one.angle - other.angle) + abs(one.zoom - other.zoom)
    return math.hypot(one.dx - other.dx, one.dy - other.dy) + 0.3 * width * (turned + 0.4 * abs(one.cut - other.cut))


def _shadow(rng: np.random.Generator, shape: tuple[int, ...]) -> Plane:
    """Factor (H, W) of a standing acoustic shadow from a random column and depth on."""
    height, width = shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    centre, half = rng.uniform(0, width), rng.uniform(0.03, 0.1) * width
    top, dark = rng.uniform(0.15, 0.7) * height, rng.uniform(0, 0.5)
    across = np.clip(1.5 - np.abs(x - centre) / half, 0, 1)
    return np.asarray(1 - dark * across * np.clip((y - top) / (0.08 * height), 0, 1), np.float32)


class _Plate:
    """A picture that goes on beyond its edges, with its lesion and without it."""

    def __init__(self, still: Still, rng: np.random.Generator) -> None:
        height, width = still.pixels.shape[:2]
        self._pad = pad = round(MARGIN * max(height, width))
        self._size = (width, height)
        free = _without_lesion(still.pixels, still.mask, rng)
        self._free = cv2.copyMakeBorder(free, pad, pad, pad, pad, cv2.BORDER_REFLECT_101).astype(np.float32)
        self._with = self._free.copy()
        inner = (slice(self._pad, self._pad + height), slice(self._pad, self._pad + width))
        self._with[inner] = still.pixels
        depth = cv2.distanceTransform(still.mask, cv2.DIST_L2, 3)
        self._depth = np.zeros_like(self._free)
        self._depth[inner] = depth / max(1.0, float(depth.max()))
        near = cv2.GaussianBlur(cv2.dilate(still.mask, np.ones((9, 9), np.uint8)).astype(np.float32), (0, 0), 4)
        self._near = np.zeros_like(self._free)
        self._near[inner] = near
        self.area = int(np.count_nonzero(still.mask))

    def look(self, pose: Pose, lesion: bool) -> tuple[Plane, tuple[int, int, int, int] | None, float]:
        """Look at the plate through the window: grey (H, W), box of the lesion in it, and the share of it shown."""
        width, height = self._size
        centre = (self._pad + width / 2, self._pad + height / 2)
        c, s = math.cos(pose.angle) / pose.zoom, math.sin(pose.angle) / pose.zoom
        turn = np.array([[c, -s + pose.tilt], [s, c]])
        start = np.add(centre, (pose.dx, pose.dy)) - turn @ (width / 2, height / 2)
        window = np.column_stack([turn, start])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        free = cv2.warpAffine(self._free, window, self._size, flags=flags, borderMode=cv2.BORDER_REFLECT)
        if not (lesion and self.area):
            return free, None, 0.0
        held = cv2.warpAffine(self._with, window, self._size, flags=flags, borderMode=cv2.BORDER_REFLECT)
        near = cv2.warpAffine(self._near, window, self._size, flags=flags)
        depth = cv2.warpAffine(self._depth, window, self._size, flags=flags)
        inside = (depth > max(0.03, pose.cut)).astype(np.uint8)
        if pose.cut > 0:
            kept = cv2.GaussianBlur((depth > pose.cut).astype(np.float32), (0, 0), 3)
            near = np.minimum(near, np.clip(1.6 * kept, 0, 1))
        count = int(cv2.countNonZero(inside))
        x, y, w, h = cv2.boundingRect(inside)
        shown = float(min(1.0, count / (self.area * pose.zoom * pose.zoom))) if count >= 12 else 0.0
        return held * near + free * (1 - near), (x, y, w, h) if shown else None, shown


def _without_lesion(pixels: Grey, mask: Grey, rng: np.random.Generator) -> Grey:
    """The picture with its lesion painted over from its rim, and tissue from beside it laid over that."""
    if not mask.any():
        return pixels
    wide = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15)))
    small = cv2.resize(pixels, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    hole = cv2.resize(wide, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_NEAREST)
    base = cv2.resize(cv2.inpaint(small, hole, 5, cv2.INPAINT_TELEA), (pixels.shape[1], pixels.shape[0]))
    coarse = cv2.GaussianBlur(pixels, (0, 0), 6).astype(np.float32)
    detail = (pixels.astype(np.float32) + 4) / (coarse + 4)
    detail[wide > 0] = np.nan
    rows = np.arange(pixels.shape[0])
    for row in rows[wide.any(axis=1)]:  # detail of the same depth, from wherever in the row there is some
        free = detail[row][~np.isnan(detail[row])]
        gap = np.flatnonzero(np.isnan(detail[row]))
        start = int(rng.integers(0, 8))
        detail[row, gap] = free[(np.arange(len(gap)) + start) % len(free)] if len(free) else 1.0
    painted = np.clip(base * detail, 0, 255)
    soft = cv2.GaussianBlur(wide.astype(np.float32), (0, 0), 3)
    return np.asarray(pixels * (1 - soft) + painted * soft, np.uint8)


class _Speckle:
    """Factor of speckle for each frame: two patterns, of which one becomes the other as the window moves."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
        self._rng, self._shape = rng, (shape[0], shape[1])
        self._now = self._pattern()

    def _pattern(self) -> Plane:
        grains = cv2.GaussianBlur(self._rng.standard_normal(self._shape, np.float32), (0, 0), GRAIN)
        return np.asarray(grains / grains.std(), np.float32)

    def next(self, moved: float) -> Plane:
        """Factor (H, W) after the window has moved by so many pixels."""
        kept = math.exp(-moved / TRAVEL)
        if kept < 0.999:
            self._now = kept * self._now + math.sqrt(1 - kept * kept) * self._pattern()
        return np.asarray(np.exp(STRENGTH * self._now), np.float32)


class _Path:
    """Poses over time: slow sums of sines, the way in and out of the lesion, and what goes wrong when."""

    def __init__(self, rng: np.random.Generator, still: Still, seconds: float) -> None:
        height, width = still.pixels.shape[:2]
        self._seconds, self._width = seconds, width
        self._sines = rng.uniform(0.06, 0.45, (5, 2)), rng.uniform(0, 2 * math.pi, (5, 2))
        self._size = np.array([0.05 * width, 0.03 * height, math.radians(4), 0.05, 0.05])
        self._has_lesion = bool(still.mask.any())
        if self._has_lesion:
            columns = np.flatnonzero(still.mask.any(axis=0))
            leftwards, rightwards = float(columns[-1]), float(width - columns[0])
            self._side = min(0.8 * width, leftwards) if leftwards < rightwards else -min(0.8 * width, rightwards)
            self._side *= 1.15
        else:
            self._side = float(rng.choice([-1, 1])) * 0.35 * width
        self._sideways = rng.random() < 0.5
        self._in, self._out = 0.22 * seconds, 0.72 * seconds
        self._lost = float(rng.uniform(0.3, 0.7)) * seconds, float(rng.uniform(0.2, 0.7))
        self._stop = float(rng.uniform(0.1, 0.9)) * seconds, float(rng.uniform(0.2, 0.8))
        self._loses = rng.random() < 0.6

    def pose(self, at: float) -> Pose:
        """Pose of the window at a moment, in seconds."""
        pace, phase = self._sines
        dx, dy, angle, zoom, tilt = self._size * np.sin(2 * math.pi * pace * at + phase).mean(axis=1)
        away = self._away(at)
        if self._sideways or not self._has_lesion:
            dx, cut = dx + self._side * away, 0.0
        else:
            dx, cut = dx + 0.25 * self._side * away, 0.98 * away
        contact = 1.0
        if self._loses and self._lost[0] <= at < self._lost[0] + self._lost[1]:
            contact = 0.05 + 0.95 * abs(2 * (at - self._lost[0]) / self._lost[1] - 1)
        gain = 1 + 0.2 * math.sin(2 * math.pi * 0.11 * at + phase[0, 0])
        return Pose(dx, dy, angle, 1.05 + zoom, tilt, cut, gain, contact)

    def _away(self, at: float) -> float:
        """How far the window is from the lesion: 1 at first and at last, 0 while it is held."""
        if not self._has_lesion:
            return math.sin(2 * math.pi * at / 9.0)
        if at < self._in:
            return 1 - max(0.0, at - 0.2 * self._in) / (0.8 * self._in)
        return min(1.0, max(0.0, (at - self._out) / (0.8 * (self._seconds - self._out))))

    def lesion_is_on(self, at: float) -> bool:
        """Whether the lesion is in the tissue: not before the window comes near it, and not after it has left."""
        return self._away(at) < (0.999 if self._has_lesion else 0.0)

    def frozen(self, at: float) -> bool:
        """Whether the scanner shows the last picture again."""
        return self._stop[0] <= at < self._stop[0] + self._stop[1]

    def steady(self, at: float) -> bool:
        """Whether the lesion is held in view."""
        return self._has_lesion and self._in <= at < self._out
