"""Synthetic superficial organs as negatives of the anatomy gate: skin and fat of a breast picture over other layers.

Lung, thyroid, muscle, tendon, vessel, bone, gland without fat, fluid: what a linear probe sees elsewhere. No physics,
only the order and the echo of the layers. Pictures are (H, W) uint8 grey; each function takes the generator first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]
    Layer = NDArray[np.floating]


def muscle(rng: np.random.Generator, picture: Grey) -> Grey:
    """Draw muscle under skin and fat: slanting bright streaks in the dark, fasciae between two or three such layers."""
    h, w = picture.shape
    slope, bow = rng.uniform(-0.2, 0.2), rng.uniform(-0.1, 0.1)
    x, y = _axes(h, w)
    along = y - slope * x - bow * x * x
    body: Layer = np.zeros((h, w))
    edge = rng.uniform(0.05, 0.2)
    first = edge
    for _ in range(int(rng.integers(1, 4))):
        layer = rng.uniform(10, 60) * _speckle(rng, h, w) + rng.uniform(50, 150) * _streaks(rng, h, w)
        body = np.where(along > edge, layer * rng.uniform(0.5, 1.0), body)
        body += rng.uniform(60, 180) * _line(rng, along - edge, 0.014)
        edge += rng.uniform(0.2, 0.45)
    if rng.random() < 0.3:
        body = _shadowed(rng, body, along - edge)
    return _under_skin(rng, picture, body, along, first)


def consolidation(rng: np.random.Generator, picture: Grey) -> Grey:
    """Draw lung with pneumonia: below the pleural line uneven grey without layers, bright specks, shadows of ribs."""
    h, w = picture.shape
    x, y = _axes(h, w)
    pleura, depth = _pleura(rng, x, y)
    cloud = _cloud(rng, h, w)
    texture = 0.5 * _speckle(rng, h, w) + 0.7 * _streaks(rng, h, w, 90 + rng.uniform(-25, 25)) * rng.uniform(0, 1)
    dots = (rng.random((h, w)) > 0.998).astype(float)
    specks = cv2.GaussianBlur(dots, (0, 0), sigmaX=rng.uniform(1.5, 4), sigmaY=1.2)
    body = rng.uniform(40, 120) * cloud * texture * np.exp(-np.maximum(pleura, 0) * rng.uniform(0.2, 3.0))
    return _lung(rng, picture, body + rng.uniform(0, 900) * specks * cloud, pleura, x, y > 0.6 * depth)


def haze(rng: np.random.Generator, picture: Grey) -> Grey:
    """Draw lung as haze: below the pleural line the picture's grain without its layers, with repeats of the line."""
    h, w = picture.shape
    x, y = _axes(h, w)
    pleura, depth = _pleura(rng, x, y)
    grain = picture.astype(np.float32) / (cv2.GaussianBlur(picture, (0, 0), rng.uniform(3, 8)).astype(np.float32) + 12)
    grain = grain[::-1, ::-1] if rng.random() < 0.5 else grain
    beams = 1 + rng.uniform(0, 0.6) * cv2.resize(rng.uniform(-1, 1, (1, int(rng.integers(5, 30)))), (w, h))
    repeats = np.ones((h, w))
    for number in range(1, int(rng.integers(1, 5)) + 1):
        echo = _line(rng, pleura - number * rng.uniform(0.05, 0.2), 0.012)
        repeats += rng.uniform(0.1, 0.8) * 0.7**number * echo
    body = rng.uniform(40, 140) * _cloud(rng, h, w) * np.clip(grain, 0.2, 2.5) * beams * repeats
    body *= np.exp(-np.maximum(pleura, 0) * rng.uniform(0.2, 2.5))
    return _lung(rng, picture, body, pleura, x, y > 0.6 * depth)


def tendon(rng: np.random.Generator, picture: Grey) -> Grey:
    """Draw a tendon: a bright band of fine parallel fibres, with muscle or fluid around it, often over bone."""
    h, w = picture.shape
    x, y = _axes(h, w)
    along = y - rng.uniform(-0.2, 0.2) * x - rng.uniform(-0.2, 0.2) * x * x
    middle, half = rng.uniform(0.25, 0.5), rng.uniform(0.06, 0.16)
    band = 1 / (1 + np.exp((np.abs(along - middle) - half) / 0.008))
    fibres = rng.uniform(90, 170) * (0.5 + 0.8 * _fibres(rng, along, x, rng.uniform(35, 80)))
    body: Layer = rng.uniform(15, 70) * _speckle(rng, h, w) * (1 - band) + fibres * band * _speckle(rng, h, w)
    if rng.random() < 0.7:
        body = _shadowed(rng, body, along - middle - half - rng.uniform(0.02, 0.25))
    return _under_skin(rng, picture, body, along)


def thyroid(rng: np.random.Generator, picture: Grey) -> Grey:
    """Draw a thyroid: even lobes beside the shadow of the trachea, the carotids dark and round, flat muscles above."""
    h, w = picture.shape
    x, y = _axes(h, w)
    body = rng.uniform(25, 70) * _speckle(rng, h, w) + rng.uniform(20, 50) * _fibres(rng, y - 0.1 * x * x, x, 20)
    centre, grey = rng.uniform(-0.5, 0.5), rng.uniform(80, 150)
    top, size = rng.uniform(0.2, 0.35), rng.uniform(0.14, 0.26)
    for side in (-1, 1):
        away = np.hypot((x - centre - side * rng.uniform(0.4, 0.6)) / rng.uniform(0.35, 0.5), (y - top - size) / size)
        lobe = 1 / (1 + np.exp((away - 1) / 0.04))
        body = body * (1 - lobe) + lobe * grey * (0.6 + 0.4 * _speckle(rng, h, w))
        round_ = np.hypot((x - centre - side * rng.uniform(0.95, 1.2)) * 0.5, y - top - rng.uniform(0.1, 0.3))
        body = _hollow(rng, body, round_ - rng.uniform(0.05, 0.1))
    reach = np.hypot((x - centre) * 0.5, y - top - rng.uniform(0.12, 0.2)) - rng.uniform(0.08, 0.13)
    body += rng.uniform(80, 170) * np.exp(-((reach / 0.012) ** 2)) * (y < top + 0.2)
    air = (np.abs(x - centre) < rng.uniform(0.12, 0.22)) & (y > top + 0.08)
    body = np.where(air, body * rng.uniform(0.1, 0.5) * np.exp(-2 * (y - top)), body)
    return _under_skin(rng, picture, body, y)


def vessel(rng: np.random.Generator, picture: Grey) -> Grey:
    """Draw vessels: one dark tube with bright walls that runs along, or two or three dark circles side by side."""
    h, w = picture.shape
    x, y = _axes(h, w)
    body = rng.uniform(40, 90) * _speckle(rng, h, w) + rng.uniform(20, 60) * _fibres(rng, y, x, rng.uniform(8, 25))
    if rng.random() < 0.5:
        along = y - rng.uniform(-0.2, 0.2) * x - rng.uniform(-0.1, 0.1) * x * x
        body = _hollow(rng, body, np.abs(along - rng.uniform(0.3, 0.6)) - rng.uniform(0.05, 0.15))
    else:
        for _ in range(int(rng.integers(2, 4))):
            away = np.hypot((x - rng.uniform(-0.8, 0.8)) * 0.5, y - rng.uniform(0.3, 0.65))
            body = _hollow(rng, body, away - rng.uniform(0.05, 0.14))
    return _under_skin(rng, picture, body, y)


def bone(rng: np.random.Generator, picture: Grey) -> Grey:
    """Draw bone close under the skin: one bright curved line, and below it nothing but shadow and repeats."""
    h, w = picture.shape
    x, y = _axes(h, w)
    surface = y - rng.uniform(0.2, 0.5) - rng.uniform(-0.2, 0.2) * x - rng.uniform(-0.1, 0.35) * x * x
    body = _shadowed(rng, picture.astype(float), surface)
    return _under_skin(rng, picture, body, y)


def parenchyma(rng: np.random.Generator, picture: Grey) -> Grey:
    """Draw an even gland without layers, as liver, testis or thyroid: speckle all over, a few dark vessels."""
    h, w = picture.shape
    x, y = _axes(h, w)
    fade = np.exp(-rng.uniform(-0.2, 1.2) * y)
    body = rng.uniform(70, 160) * (0.55 + 0.45 * _speckle(rng, h, w)) * fade
    for _ in range(int(rng.integers(0, 6))):
        turn = rng.uniform(0, np.pi)
        dx, dy = (x - rng.uniform(-0.9, 0.9)) / 2, y - rng.uniform(0.2, 0.95)
        across, length = dx * np.sin(turn) - dy * np.cos(turn), dx * np.cos(turn) + dy * np.sin(turn)
        body = _hollow(rng, body, np.hypot(across, length * rng.uniform(0.1, 1)) - rng.uniform(0.01, 0.04))
    return _under_skin(rng, picture, body, y, rng.uniform(0.02, 0.2))


def fluid(rng: np.random.Generator, picture: Grey) -> Grey:
    """Draw a bladder or an effusion: an echo-free space from side to side, an even bright tissue below it."""
    h, w = picture.shape
    x, y = _axes(h, w)
    top, bottom = rng.uniform(0.15, 0.35), rng.uniform(0.5, 0.9)
    upper = y - top - rng.uniform(-0.1, 0.1) * x - rng.uniform(-0.05, 0.2) * x * x
    lower = y - bottom + rng.uniform(-0.1, 0.1) * x + rng.uniform(-0.05, 0.3) * x * x
    body = rng.uniform(60, 150) * (0.5 + 0.5 * _speckle(rng, h, w))
    body = _hollow(rng, body, np.maximum(-upper, lower))
    return _under_skin(rng, picture, body, y)


ORGANS = {
    "haze": haze,
    "consolidation": consolidation,
    "muscle": muscle,
    "tendon": tendon,
    "thyroid": thyroid,
    "vessel": vessel,
    "bone": bone,
    "parenchyma": parenchyma,
    "fluid": fluid,
}
"""By family: drawings of other organs; each takes (generator, grey breast picture, whose skin they keep)."""


def _pleura(rng: np.random.Generator, x: Layer, y: Layer) -> tuple[Layer, float]:
    """Depth below a pleural line at every place, and the line's depth in the middle."""
    depth = float(rng.uniform(0.1, 0.4))
    line: Layer = y - depth - rng.uniform(-0.1, 0.1) * x - rng.uniform(-0.05, 0.17) * x * x
    return line, depth


def _cloud(rng: np.random.Generator, h: int, w: int) -> Layer:
    """Smooth uneven brightness, (h, w)."""
    knots = rng.uniform(0.1, 1.2, (int(rng.integers(3, 8)), int(rng.integers(3, 8))))
    cloud: Layer = np.clip(cv2.resize(knots, (w, h), interpolation=cv2.INTER_CUBIC), 0.05, 2)
    return cloud


def _lung(
    rng: np.random.Generator, picture: Grey, body: Layer, pleura: Layer, x: Layer, shadowed: NDArray[np.bool_]
) -> Grey:
    """Put a lung under the pleural line of a picture: half of them with a rib's shadow, where ``shadowed`` is."""
    h, w = picture.shape
    shine = cv2.resize(rng.uniform(0.2, 1, (1, 9)), (w, h))
    body = body + rng.uniform(50, 180) * _line(rng, pleura, 0.015) * shine
    if rng.random() < 0.5:
        rib = 1 / (1 + np.exp((np.abs(x - rng.uniform(-1, 1)) - rng.uniform(0.12, 0.45)) / 0.07))
        body = body * (1 - rng.uniform(0.4, 0.95) * rib * shadowed)
    below = 1 / (1 + np.exp(np.clip(-pleura / 0.008, -50, 50)))
    out = picture * rng.uniform(0.5, 1.0) * (1 - below) + body * below
    lungs: Grey = cv2.GaussianBlur(np.clip(out, 0, 255).astype(np.uint8), (0, 0), rng.uniform(0.4, 1.3))
    return lungs


def _axes(h: int, w: int) -> tuple[Layer, Layer]:
    """Places in the picture: x from -1 to 1, y from 0 (the skin) to 1."""
    y, x = np.mgrid[0 : 1 : h * 1j, -1 : 1 : w * 1j]
    return x, y


def _speckle(rng: np.random.Generator, h: int, w: int) -> Layer:
    """Speckle of mean 1, (h, w): Rayleigh distributed, wider than it is high."""
    grain = rng.uniform(0.6, 2.2)
    parts = [
        cv2.GaussianBlur(rng.normal(0, 1, (h, w)), (0, 0), sigmaX=grain * rng.uniform(1, 2.5), sigmaY=grain)
        for _ in range(2)
    ]
    amplitude = np.hypot(*parts)
    log = np.log1p(3 * amplitude / amplitude.mean())
    speckle: Layer = log / log.mean()
    return speckle


def _fibres(rng: np.random.Generator, along: Layer, x: Layer, count: float) -> Layer:
    """Bright thin lines at random depths that break up along their way, 0 to 1."""
    profile = rng.uniform(0, 1, max(8, int(2 * count))) ** 3
    depth = np.clip((along + 0.5) / 2, 0, 1) * (len(profile) - 1)
    lines = np.interp(depth.ravel(), np.arange(len(profile)), profile).reshape(along.shape)
    gaps = cv2.resize(rng.uniform(0.2, 1, (int(count) + 2, 6)), along.shape[::-1], interpolation=cv2.INTER_LINEAR)
    broken: Layer = lines * gaps
    return broken


def _streaks(rng: np.random.Generator, h: int, w: int, angle: float | None = None) -> Layer:
    """Broken bright streaks in one direction, 0 to about 1: noise that is blurred along it. ``angle`` in degrees."""
    angle = rng.uniform(-30, 30) if angle is None else angle
    side = 2 * max(h, w)
    length, thickness = rng.uniform(8, 30), rng.uniform(0.8, 2.2)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (side, side)).astype(np.float32), (0, 0), sigmaX=length, sigmaY=thickness)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1.0)
    turned = cv2.warpAffine(noise, turn, (side, side))[side // 2 - h // 2 :, side // 2 - w // 2 :][:h, :w]
    streaks: Layer = np.clip(turned / turned.std() * 0.5, 0, 1.5)
    return streaks


def _line(rng: np.random.Generator, away: Layer, thickness: float) -> Layer:
    return np.asarray(np.exp(-((away / (thickness * rng.uniform(0.5, 1.5))) ** 2)))


def _shadowed(rng: np.random.Generator, body: Layer, surface: Layer) -> Layer:
    """Put a bright surface into the picture, where ``surface`` is 0, and its shadow below."""
    rest = rng.uniform(0.02, 0.35) * np.exp(-np.maximum(surface, 0) * rng.uniform(1, 6))
    dark: Layer = np.where(surface > 0, body * rest, body) + rng.uniform(120, 220) * _line(rng, surface, 0.02)
    return dark


def _hollow(rng: np.random.Generator, body: Layer, away: Layer) -> Layer:
    """Make the picture echo-free where ``away`` is negative, with a bright wall around."""
    inside = 1 / (1 + np.exp(np.clip(away / 0.006, -50, 50)))
    hollow: Layer = body * (1 - inside) + inside * rng.uniform(0, 14) + rng.uniform(0, 90) * _line(rng, away, 0.01)
    return hollow


def _under_skin(rng: np.random.Generator, picture: Grey, body: Layer, along: Layer, depth: float | None = None) -> Grey:
    """Keep skin and fat of the picture down to a random depth; the drawn layers begin below, at a fascia."""
    depth = rng.uniform(0.05, 0.3) if depth is None else depth
    skin = 1 / (1 + np.exp((along - depth) / 0.01))
    fascia = _line(rng, along - depth, 0.01) * rng.uniform(0, 110)
    fade = np.exp(-rng.uniform(0, 1.5) * np.clip(along, 0, 1))
    out = picture * skin + body * fade * (1 - skin) + fascia
    blurred: Grey = cv2.GaussianBlur(np.clip(out, 0, 255).astype(np.uint8), (0, 0), rng.uniform(0.4, 1.2))
    return blurred
