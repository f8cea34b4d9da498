"""Second cine maker, by which tracks are judged: planes through tissue of some thickness, never used to choose a rule.

It shares no function with `training.cines.first_maker`. A picture is taken apart, in logarithmic grey, into tissue
(what is left after smoothing) and speckle (the rest). The plane moves through a depth ``z``: the lesion is a solid
whose cross section shrinks away from its middle plane; speckle is mixed of layers that lie a correlation length apart
along ``z``; within the plane tissue gives way elastically. Beams lose contact, shadow falls, gain drifts, the scanner
freezes.
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

    from training.cines.cine import Still

    Field = NDArray[np.float32]

FLOOR = 6.0
"""Added to grey values before their logarithm: black has no speckle."""
SMOOTH = 2.2
"""Standard deviation of the smoothing that tells tissue from speckle, in pixels of a picture of 400."""
LAYERS = 7
"""Speckle layers along ``z``, used in turn: a layer comes back after so many correlation lengths."""
CORRELATION = 0.16
"""Distance along ``z`` after which speckle is new, in half lengths of the lesion."""
TURNOVER = 4.0
"""Distance along ``z`` after which tissue without a lesion has become its mirror image, in the same unit."""
KNOTS = 5
"""Knots, across and down, of the field by which tissue gives way."""


@dataclass(frozen=True)
class _Tissue:
    """A picture taken apart, all (H, W) float32."""

    background: Field
    """Logarithmic grey without lesion, smooth."""
    lesion: Field
    """Logarithmic grey with the lesion, smooth."""
    speckle: list[Field]
    inside: Field
    """1 in the lesion, 0 outside."""
    middle: tuple[float, float]
    area: float


def make_cine(still: Still, seed: int, seconds: float, rate: float) -> Iterator[CineFrame]:
    """Implement `MakeCine`: the plane goes through the lesion once, or through tissue without one."""
    rng = np.random.default_rng((seed, 2))
    tissue = _take_apart(still, rng)
    course = _Course(rng, seconds, bool(still.mask.any()))
    giving = _GivingTissue(rng, still.pixels.shape[:2])
    beams = _Beams(rng, still.pixels.shape[:2], seconds)
    frozen: CineFrame | None = None
    for number in range(round(seconds * rate)):
        at = number / rate
        if frozen is not None and course.is_frozen(at):
            yield frozen
            continue
        frozen = _frame(tissue, course, giving, beams, rng, at)
        yield frozen


def _frame(
    tissue: _Tissue,
    course: _Course,
    giving: _GivingTissue,
    beams: _Beams,
    rng: np.random.Generator,
    at: float,
) -> CineFrame:
    z = course.depth(at)
    columns, rows = giving.places(course.effort(at))
    if tissue.area:
        plane, inside = _cross_section(tissue, math.sqrt(max(0.0, 1.0 - z * z)), columns, rows)
    else:
        turned = math.sin(0.5 * math.pi * z / TURNOVER) ** 2
        smooth = tissue.background * (1 - turned) + tissue.background[:, ::-1] * turned
        plane, inside = cv2.remap(smooth, columns, rows, cv2.INTER_LINEAR), tissue.inside
    plane = plane + cv2.remap(_speckle_at(tissue.speckle, z / CORRELATION), columns, rows, cv2.INTER_LINEAR)
    plane += np.log(beams.gain(at))
    grey = np.exp(plane) - FLOOR
    grey += 1.6 * rng.standard_normal(grey.shape, np.float32)
    seen = inside * (beams.contact(at) > 0.4)
    box, shown = _truth(seen, tissue.area)
    return CineFrame(np.clip(grey, 0, 255).astype(np.uint8), box, shown, course.is_steady(at) and shown > 0.6)


def _truth(seen: Field, area: float) -> tuple[tuple[int, int, int, int] | None, float]:
    hit = (seen > 0.5).astype(np.uint8)
    count = cv2.countNonZero(hit)
    if count < 12 or not area:
        return None, 0.0
    x, y, w, h = cv2.boundingRect(hit)
    return (x, y, w, h), min(1.0, count / area)


def _take_apart(still: Still, rng: np.random.Generator) -> _Tissue:
    logs = np.log(still.pixels.astype(np.float32) + FLOOR)
    height, width = logs.shape
    sigma = SMOOTH * max(height, width) / 400
    smooth = cv2.GaussianBlur(logs, (0, 0), sigma)
    speckle = logs - smooth
    inside = still.mask.astype(np.float32)
    background = _heal(smooth, inside, rng)
    layers = [speckle]
    healed = _heal(speckle, inside, rng, smooth_only=False)
    for _ in range(LAYERS - 1):  # own speckle from elsewhere at the same depth, mirrored at will
        layer = np.roll(healed, int(rng.integers(width // 6, width - width // 6)), axis=1)
        layers.append(np.ascontiguousarray(layer[:, ::-1]) if rng.random() < 0.5 else layer)
    area = float(inside.sum())
    where = np.nonzero(inside)
    middle = (float(where[1].mean()), float(where[0].mean())) if area else (width / 2, height / 2)
    return _Tissue(background, smooth, layers, inside, middle, area)


def _heal(field: Field, inside: Field, rng: np.random.Generator, *, smooth_only: bool = True) -> Field:
    """Fill a lesion with what lies beside it at the same depth, fitted to the rim: same shape, float32."""
    if not inside.any():
        return field
    rows = np.flatnonzero(inside.any(axis=1))
    size = max(3.0, 0.08 * len(rows))
    wide = cv2.dilate(inside, np.ones((3, 3), np.uint8), iterations=max(2, round(size)))
    free = 1.0 - wide
    levels: Field = np.zeros_like(field)
    weight = np.full_like(field, 1e-6)
    sigma = max(4.0, 0.2 * len(rows))
    while weight.min() < 1e-4 and sigma < 4 * max(field.shape):  # normalised averages of ever wider surroundings
        far = cv2.GaussianBlur(free, (0, 0), sigmaX=sigma * 2, sigmaY=sigma / 2)
        levels += cv2.GaussianBlur(field * free, (0, 0), sigmaX=sigma * 2, sigmaY=sigma / 2)
        weight += far
        sigma *= 2
    filled = levels / weight if smooth_only else np.roll(field, int(rng.integers(5, 40)) + len(rows), axis=1)
    if not smooth_only:
        filled = np.where(np.roll(wide, field.shape[1] // 2, axis=1) > 0.5, field.mean(), filled).astype(np.float32)
    edge = cv2.GaussianBlur(wide, (0, 0), size / 2)
    return np.asarray(field * (1 - edge) + filled * edge, np.float32)


def _cross_section(tissue: _Tissue, cut: float, columns: Field, rows: Field) -> tuple[Field, Field]:
    """Smooth tissue at a plane where the lesion has ``cut`` of its full diameter, and where the lesion is."""
    background = cv2.remap(tissue.background, columns, rows, cv2.INTER_LINEAR)
    if cut < 0.12:
        return background, np.zeros_like(background)
    x0, y0 = tissue.middle
    near_x, near_y = x0 + (columns - x0) / cut, y0 + (rows - y0) / cut
    inside = cv2.remap(tissue.inside, near_x, near_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    lesion = cv2.remap(tissue.lesion, near_x, near_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(cv2.dilate(inside, np.ones((5, 5), np.uint8)), (0, 0), 2.5) * min(1.0, 2.2 * cut)
    return background * (1 - soft) + lesion * soft, inside


def _speckle_at(layers: list[Field], place: float) -> Field:
    """Speckle at a place along ``z`` counted in correlation lengths; its power is the same everywhere."""
    low = math.floor(place)
    turn = 0.5 * math.pi * (place - low)
    first, second = layers[low % len(layers)], layers[(low + 1) % len(layers)]
    return np.asarray(first * math.cos(turn) + second * math.sin(turn), np.float32)


class _Course:
    """How the plane moves along ``z``: in, held in the middle with a tremor, out; and when the scanner is frozen."""

    def __init__(self, rng: np.random.Generator, seconds: float, lesion: bool) -> None:
        self._seconds = seconds
        self._enter, self._hold = 0.22 * seconds, 0.62 * seconds
        self._still = float(rng.uniform(-0.35, 0.35))
        self._tremor = rng.uniform(0.01, 0.05), rng.uniform(0.4, 1.3), rng.uniform(0, 2 * math.pi)
        self._speed = float(rng.uniform(0.25, 0.8)) * (1 if rng.random() < 0.5 else -1)
        self._lesion = lesion
        self._freeze = self._enter + float(rng.uniform(0.1, 0.8)) * (self._hold - self._enter)
        self._freeze_s = float(rng.uniform(0.2, 0.7))
        self._phase = float(rng.uniform(0, 100))

    def depth(self, at: float) -> float:
        """Place of the plane along ``z``; beyond 1 and -1 there is no lesion."""
        size, pace, phase = self._tremor
        tremor = size * math.sin(2 * math.pi * pace * at + phase)
        if not self._lesion:
            return self._phase + self._speed * at + 2 * tremor + 0.4 * math.sin(0.5 * at + phase)
        if at < self._enter:
            return self._ease(-1.5, self._still, at / self._enter) + tremor
        if at < self._hold:
            return self._still + tremor
        return self._ease(self._still, 1.5, (at - self._hold) / (0.9 * self._seconds - self._hold)) + tremor

    @staticmethod
    def _ease(start: float, end: float, share: float) -> float:
        share = min(1.0, max(0.0, share))
        return start + (end - start) * share * share * (3 - 2 * share)

    def effort(self, at: float) -> float:
        """Time of the field by which tissue gives way, which stands still while frozen."""
        return at

    def is_frozen(self, at: float) -> bool:
        """Whether the scanner shows the last picture again."""
        return self._freeze <= at < self._freeze + self._freeze_s

    def is_steady(self, at: float) -> bool:
        """Whether the plane is held in the lesion."""
        return self._lesion and self._enter + 0.2 <= at < self._hold


class _GivingTissue:
    """Elastic displacement of tissue within the plane, smooth in space and time, and a slow drift aside."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
        height, width = shape
        self._size = (width, height)
        self._x, self._y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self._amount = rng.normal(0.0, 1.0, (2, 3, KNOTS, KNOTS)).astype(np.float32)
        self._pace, self._phase = rng.uniform(0.1, 0.7, 3), rng.uniform(0, 2 * math.pi, 3)
        self._reach = 0.012 * max(width, height)
        self._drift = 0.06 * width * float(rng.uniform(-1, 1)), float(rng.uniform(0.03, 0.12))

    def places(self, at: float) -> tuple[Field, Field]:
        """Columns and rows of the tissue that each pixel shows, (H, W) float32 each."""
        waves = np.sin(2 * math.pi * self._pace * at + self._phase).astype(np.float32)
        moved = np.tensordot(self._amount, waves, axes=(1, 0)) * self._reach
        dx, dy = (cv2.resize(part, self._size, interpolation=cv2.INTER_CUBIC) for part in moved)
        aside = self._drift[0] * math.sin(2 * math.pi * self._drift[1] * at)
        last_x, last_y = self._size[0] - 1, self._size[1] - 1
        return np.clip(self._x + dx + aside, 0, last_x), np.clip(self._y + dy, 0, last_y)


class _Beams:
    """What happens along beams: gain by depth, shadow below a bright spot, contact that some of them lose."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...], seconds: float) -> None:
        height, width = shape
        self._across, self._down = np.linspace(0, 1, width), np.linspace(0, 1, height)
        self._slope, self._level = rng.uniform(-0.25, 0.25), rng.uniform(0.8, 1.2)
        self._pace = float(rng.uniform(0.05, 0.2))
        self._shadow = rng.uniform(0.1, 0.9), rng.uniform(0.03, 0.09), rng.uniform(0.1, 0.55), rng.uniform(0.1, 0.6)
        self._losses = [
            (float(rng.uniform(0.1, 0.9) * seconds), float(rng.uniform(0.15, 0.6)), float(rng.uniform(-0.2, 1.2)))
            for _ in range(max(1, round(seconds / 9)))
        ]
        self._width = float(rng.uniform(0.15, 0.5))

    def contact(self, at: float) -> Field:
        """Share of each beam's echo that comes through, (1, W) float32: 1 in contact, near 0 in air."""
        through = np.ones_like(self._across)
        for begin, lasts, place in self._losses:
            if begin <= at < begin + lasts:
                depth = math.sin(math.pi * (at - begin) / lasts)
                through *= 1 - 0.95 * depth * np.exp(-(((self._across - place) / self._width) ** 2))
        return through[None, :].astype(np.float32)

    def gain(self, at: float) -> Field:
        """Factor of each pixel's echo, (H, W) float32."""
        swing = math.sin(2 * math.pi * self._pace * at)
        depth = self._level * (1 + 0.12 * swing) * (1 + self._slope * swing * (self._down - 0.5))
        place, width, strength, below = self._shadow
        dark = strength * np.exp(-(((self._across - place - 0.1 * swing) / width) ** 2))
        falls = 1 / (1 + np.exp(-(self._down - below) / 0.03))
        return np.asarray(
            np.clip(depth[:, None] * (1 - falls[:, None] * dark[None, :]) * self.contact(at), 0.02, 3), np.float32
        )
