"""Training layouts: screens that the finder of scan areas was made with. Drawn by OpenCV, in its own fonts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.screens.scan_content import ScreenTissue, place_scan
from benchmarks.screens.screen import RenderedScreen

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge.contracts.region import ScanShape

SHAPES: tuple[ScanShape, ...] = ("sector", "curved", "linear", "trapezoid")
NAMES = ("ANDERSON MARY", "KOWALSKI JAN", "SMITH^JOHN", "GARCIA LUCIA", "MUELLER ANNA")
SETTINGS = (
    "FR 28Hz",
    "RS",
    "2D",
    "HGen",
    "Gn 60",
    "C 56",
    "P Low",
    "MI 1.1",
    "TIS 0.4",
    "DR 65dB",
    "Frq 12.0MHz",
    "Map E",
    "Pwr 100%",
)


def training_screens(count: int, seed: int = 0) -> list[RenderedScreen]:
    """Make ``count`` screens, layouts and shapes in turn."""
    return [LAYOUTS[number % len(LAYOUTS)](number, np.random.default_rng((seed, number))) for number in range(count)]


def _text(
    screen: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    scale: float = 0.5,
    colour: tuple[int, int, int] = (220, 220, 220),
) -> None:
    cv2.putText(screen, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)


def _grey_bar(screen: NDArray[np.uint8], x: int, y: int, w: int, h: int) -> None:
    screen[y : y + h, x : x + w] = np.linspace(255, 0, h).astype(np.uint8)[:, None, None]


def _ticks(screen: NDArray[np.uint8], x: int, y: int, h: int, step: int) -> None:
    for number, at in enumerate(range(y, y + h, step)):
        cv2.line(screen, (x, at), (x + (10 if number % 5 == 0 else 4), at), (200, 200, 200), 1)


def _ecg(y: int, width: int, colour: tuple[int, int, int] = (0, 230, 0)) -> Callable[[NDArray[np.uint8], int], None]:
    def paint(screen: NDArray[np.uint8], frame: int) -> None:
        x = np.arange(40, width - 40)
        beat = 30 * np.exp(-(((((x + 3 * frame) % 160) - 80) / 5.0) ** 2))
        cv2.polylines(screen, [np.stack([x, y - beat], 1).astype(np.int32)], False, colour, 1, cv2.LINE_AA)

    return paint


def _clock(x: int, y: int) -> Callable[[NDArray[np.uint8], int], None]:
    def paint(screen: NDArray[np.uint8], frame: int) -> None:
        _text(screen, f"11:24:{frame // 25 % 60:02d}", (x, y), 0.5)

    return paint


def _tissue(rng: np.random.Generator) -> ScreenTissue:
    return ScreenTissue(rng, floor=rng.uniform(4, 10), gain=rng.uniform(0.8, 1.2))


def _banner_left_menu(number: int, rng: np.random.Generator) -> RenderedScreen:
    """Coloured banner with the name, settings at the left, grey bar and ticks at the right."""
    screen = np.zeros((600, 800, 3), np.uint8)
    screen[:48] = (40, 60, 95)
    _text(screen, NAMES[number % 5], (130, 20), 0.55, (240, 240, 240))
    _text(screen, "ID 11-05-25-1428", (130, 40), 0.5, (240, 240, 240))
    _text(screen, "MI 1.1  TIB 0.2", (500, 20))
    for row, text in enumerate(SETTINGS[: rng.integers(6, 13)]):
        _text(screen, text, (6, 80 + row * 20))
    place = place_scan(SHAPES[number // 5 % 4], (150, 70, 560, 480), rng)
    _grey_bar(screen, 770, 80, 14, 200)
    _ticks(screen, 745, 70, 480, 24)
    return RenderedScreen("banner", screen, [(place, _tissue(rng))], [_clock(650, 40)])


def _ecg_and_colour_bar(number: int, rng: np.random.Generator) -> RenderedScreen:
    """Text in all corners close to the scan, an ECG below it and a colour bar beside it."""
    screen = np.zeros((480, 640, 3), np.uint8)
    for row, text in enumerate(("XMIT:A", "3.5/2.7-L", "PROC 2/0/E/B/B", NAMES[number % 5], "ID: 4471-9")):
        _text(screen, text, (4, 16 + row * 17), 0.45)
    bar = np.linspace(0, 1, 80)[:, None]
    screen[20:100, 600:616] = (np.abs(bar - 0.5) * 2 * np.where(bar < 0.5, [[255, 80, 0]], [[0, 120, 255]]))[:, None]
    _grey_bar(screen, 622, 20, 12, 80)
    place = place_scan(SHAPES[(number // 5 + 1) % 4], (110, 24, 440, 380), rng)
    return RenderedScreen("ecg", screen, [(place, _tissue(rng))], [_ecg(455, 640)], jpeg=88)


def _two_views(number: int, rng: np.random.Generator) -> RenderedScreen:
    """Two views side by side, with a head line, and lines of settings below each."""
    screen = np.zeros((480, 640, 3), np.uint8)
    _text(screen, f"*WESTWAY*  {NAMES[number % 5]}", (40, 15))
    shape = SHAPES[(number // 5 + 2) % 4]
    gap = int(rng.integers(6, 24))
    scans = [(place_scan(shape, (x, 50, 300 - gap, 370), rng), _tissue(rng)) for x in (16, 322)]
    for x in (40, 340):
        _text(screen, "9123 5.0 R15 G66 C6 A2", (x, 445), 0.45)
    screen[455:478] = (45, 45, 70)
    _text(screen, "3:PELVIS", (20, 471), 0.45)
    return RenderedScreen("two views", screen, scans, [])


def _wide_panel(number: int, rng: np.random.Generator) -> RenderedScreen:
    """Full HD with a panel of buttons at the right, a name field in the viewport, a ruler at the scan's edge."""
    screen = np.zeros((1080, 1920, 3), np.uint8)
    screen[:, 1500:] = (38, 38, 42)
    for row in range(9):
        for column in range(2):
            x, y = 1520 + column * 190, 60 + row * 110
            cv2.rectangle(screen, (x, y), (x + 170, y + 90), (70, 72, 80), -1)
            _text(screen, SETTINGS[(row * 2 + column) % 13], (x + 20, y + 50), 0.8)
    _text(screen, f"Name: {NAMES[number % 5]}", (30, 50), 1.0)
    _text(screen, "Gender: F  Age: 54", (30, 90), 0.9)
    place = place_scan(SHAPES[(number // 5 + 3) % 4], (260, 120, 1100, 900), rng)
    _ticks(screen, 1430, 120, 900, 45)
    return RenderedScreen("wide panel", screen, [(place, _tissue(rng))], [_clock(1300, 50)], jpeg=80)


def _colour_box(number: int, rng: np.random.Generator) -> RenderedScreen:
    """Colour box with power Doppler within the scan, bars at both sides that nearly touch it, a caption below."""
    screen = np.zeros((480, 640, 3), np.uint8)
    for row in range(5):
        _text(screen, (NAMES[number % 5], "630P630", "78F78", "44CG43", "IM#2")[row], (6, 16 + row * 17), 0.5)
    place = place_scan(("linear", "curved", "sector", "trapezoid")[number // 5 % 4], (50, 100, 540, 330), rng)
    for x in (20, 604):
        screen[130:230, x : x + 16] = np.linspace(255, 0, 100)[:, None, None] * np.array([1.0, 0.6, 0.1])

    def flow(view: NDArray[np.uint8], frame: int) -> None:
        cv2.rectangle(view, (230, 180), (420, 300), (230, 230, 230), 1)
        for k in range(12):
            x, y = 250 + (k * 37) % 150, 200 + (k * 53) % 80
            cv2.circle(view, (x, y), 5 + (frame + k) % 5, (250, 150, 20), -1)

    _text(screen, "LYMPH NODE", (260, 460))
    return RenderedScreen("colour box", screen, [(place, _tissue(rng))], [flow])


LAYOUTS = (_banner_left_menu, _ecg_and_colour_bar, _two_views, _wide_panel, _colour_box)
