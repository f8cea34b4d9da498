"""Unseen layouts: screens that the finder of scan areas is measured on, and was not made with. Drawn by Pillow."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.screens.scan_content import ScreenTissue, place_scan
from benchmarks.screens.screen import RenderedScreen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draw = ImageDraw.ImageDraw
    Colour = tuple[int, int, int]

SHAPES = ("linear", "sector", "trapezoid", "curved")
NAMES = ("Ivanova, Olga", "TANAKA HIROSHI", "O'Neill Siobhan", "Da Silva Joao", "Nguyen Thi Mai", "BRANDT, KLAUS")
VALUES = (
    "Gain 54 %",
    "Depth 4.5 cm",
    "THI off",
    "DR 70",
    "10 MHz",
    "ThyroidSP",
    "MI<0.7",
    "FPS 31",
    "XRES 2",
    "Persist 3",
    "Focus 2.1",
)


def unseen_screens(count: int, seed: int = 0) -> list[RenderedScreen]:
    """Make ``count`` screens, layouts and shapes in turn."""
    made = []
    for number in range(count):
        rng = np.random.default_rng((77, seed, number))
        made.append(LAYOUTS[number % len(LAYOUTS)](SHAPES[number // len(LAYOUTS) % 4], NAMES[number % 6], rng))
    return made


def font(size: int, number: int = 0) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """One of the machine's fonts in ``size`` pixels, else Pillow's own."""
    found = sorted(glob.glob("/usr/share/fonts/truetype/*/*Sans*.ttf"))
    return ImageFont.truetype(found[number % len(found)], size) if found else ImageFont.load_default(size)


def _canvas(width: int, height: int, colour: Colour = (0, 0, 0)) -> tuple[Image.Image, Draw]:
    picture = Image.new("RGB", (width, height), colour)
    return picture, ImageDraw.Draw(picture)


def _tissue(rng: np.random.Generator) -> ScreenTissue:
    return ScreenTissue(rng, floor=rng.uniform(3, 9), gain=rng.uniform(0.7, 1.25))


def _screen(name: str, picture: Image.Image, scans: list, over: list, jpeg: int | None = None) -> RenderedScreen:
    return RenderedScreen(name, np.array(picture), scans, over, jpeg)


def _bar(draw: Draw, box: tuple[int, int, int, int]) -> None:
    x, y, w, h = box
    for row in range(h):
        value = 255 - 255 * row // h
        draw.line((x, y + row, x + w, y + row), fill=(value, value, value))
    draw.rectangle((x - 1, y - 1, x + w + 1, y + h + 1), outline=(120, 120, 120))


def _tablet(shape: str, name: str, rng: np.random.Generator) -> RenderedScreen:
    """Portrait tablet: head line, scan, round buttons and a slider below."""
    picture, draw = _canvas(800, 1180, (12, 12, 14))
    draw.rectangle((0, 0, 800, 64), fill=(28, 30, 36))
    draw.text((24, 18), name, font=font(26, 3), fill=(235, 235, 235))
    draw.text((610, 22), "Thyroid 4.5cm", font=font(20, 3), fill=(150, 200, 255))
    for k in range(4):
        draw.ellipse((60 + k * 180, 1010, 170 + k * 180, 1120), fill=(50 + 20 * (k == 1), 54, 66))
        draw.text((78 + k * 180, 1052), VALUES[k][:9], font=font(17, 5), fill=(230, 230, 230))
    draw.line((60, 960, 740, 960), fill=(110, 110, 120), width=4)
    for k in range(11):
        draw.line((784, 100 + k * 78, 795, 100 + k * 78), fill=(180, 180, 180))
    return _screen("tablet", picture, [(place_scan(shape, (40, 96, 720, 800), rng), _tissue(rng))], [], 90)


def _light_theme(shape: str, name: str, rng: np.random.Generator) -> RenderedScreen:
    """Light grey program window with a black viewport, menus at the top and a report form at the right."""
    picture, draw = _canvas(1366, 768, (236, 238, 241))
    draw.rectangle((0, 0, 1366, 28), fill=(248, 248, 248))
    draw.text((10, 5), "File   Patient   Exam   Measure   Report   Help", font=font(15, 1), fill=(30, 30, 30))
    draw.rectangle((20, 48, 960, 740), fill=(0, 0, 0))
    for row in range(11):
        draw.text((985, 70 + row * 52), ("Name:", "ID:", "Born:", *VALUES)[row], font=font(16, 2), fill=(20, 20, 20))
        draw.rectangle((1080, 64 + row * 52, 1340, 94 + row * 52), fill=(255, 255, 255), outline=(170, 170, 170))
        draw.text(
            (1088, 70 + row * 52),
            (name, "P-002817", "12.04.1961", *VALUES[::-1])[row],
            font=font(16, 2),
            fill=(0, 0, 0),
        )
    return _screen("light theme", picture, [(place_scan(shape, (60, 70, 840, 640), rng), _tissue(rng))], [])


def _thumbnails(shape: str, name: str, rng: np.random.Generator) -> RenderedScreen:
    """Full HD cart: a strip of thumbnails of earlier scans at the left, text blocks at the right, a touch bar below."""
    picture, draw = _canvas(1920, 1080)
    draw.text((420, 14), f"{name}   F 54y   12-Mar-2031 09:41", font=font(30, 7), fill=(255, 255, 255))
    draw.rectangle((0, 1000, 1920, 1080), fill=(34, 40, 52))
    for k in range(8):
        draw.rounded_rectangle((20 + k * 236, 1012, 240 + k * 236, 1068), 12, fill=(62, 72, 92))
        draw.text((44 + k * 236, 1026), VALUES[k], font=font(24, 8), fill=(240, 240, 240))
    for row in range(9):
        draw.text((1640, 120 + row * 40), VALUES[row], font=font(26, 9), fill=(120, 220, 120))
    _bar(draw, (1580, 110, 20, 300))
    furniture = np.array(picture)
    for k in range(4):
        small = place_scan(shape, (30, 90 + k * 220, 240, 180), rng)
        x, y, w, h = small.box
        furniture[y : y + h, x : x + w][small.inside] = _tissue(rng).grey(small)[small.inside][:, None]
    scans = [(place_scan(shape, (360, 80, 1160, 880), rng), _tissue(rng))]
    return RenderedScreen("thumbnails", furniture, scans, [], 75)


def _traces(shape: str, name: str, rng: np.random.Generator) -> RenderedScreen:
    """1024 x 768 with an ECG and a breathing trace that move, dots of a depth scale, callipers within."""
    picture, draw = _canvas(1024, 768)
    for row, text in enumerate((name, "Adult Echo", "S5-1", *VALUES[:7])):
        draw.text((8, 8 + row * 22), text, font=font(17, 11), fill=(200, 210, 220))
    place = place_scan(shape, (190, 40, 700, 560), rng)

    def traces(view: NDArray[np.uint8], frame: int) -> None:
        x = np.arange(60, 960)
        for base, height, colour, step in ((660, 34, (60, 220, 60), 170), (720, 14, (230, 210, 60), 420)):
            y = base - height * np.exp(-(((((x + 5 * frame) % step) - step / 2) / (step / 30)) ** 2))
            cv2.polylines(view, [np.stack([x, y], 1).astype(np.int32)], False, colour, 2)
        for k in range(12):
            cv2.circle(view, (905, 60 + k * 48), 2, (255, 255, 255), -1)
        cv2.drawMarker(view, (500, 300), (255, 255, 0), cv2.MARKER_CROSS, 14, 1)
        cv2.drawMarker(view, (580, 350), (255, 255, 0), cv2.MARKER_CROSS, 14, 1)

    return _screen("traces", picture, [(place, _tissue(rng))], [traces])


def _side_by_side(shape: str, name: str, rng: np.random.Generator) -> RenderedScreen:
    """Two views of a 1280 x 720 grabber, a frame around the active one, captions above, a table below."""
    picture, draw = _canvas(1280, 720, (8, 8, 8))
    draw.text((20, 8), f"{name}  |  Breast L  |  L12-5", font=font(22, 13), fill=(240, 240, 240))
    scans = []
    for k in range(2):
        x = 30 + k * 620
        draw.text((x + 10, 46), ("L 3:00 RAD", "L 3:00 ARAD")[k], font=font(20, 14), fill=(250, 220, 90))
        scans.append((place_scan(shape, (x + 20, 84, 560, 480), rng), _tissue(rng)))
    draw.rectangle((36, 76, 622, 574), outline=(250, 180, 40), width=2)
    for row in range(3):
        draw.text(
            (40, 596 + row * 34),
            f"D{row + 1}  {rng.uniform(0.4, 3):.2f} cm    {VALUES[row]}    {VALUES[row + 4]}",
            font=font(22, 15),
            fill=(220, 220, 220),
        )
    return _screen("side by side", picture, scans, [], 70)


def _old_pal(shape: str, name: str, rng: np.random.Generator) -> RenderedScreen:
    """Old 720 x 576 machine: capitals all around, close to the scan, a grey wedge beside it, a body mark below."""
    picture, draw = _canvas(720, 576, (16, 16, 16))
    typeface = font(19, 17)
    draw.text((20, 8), f"{name.upper()}   CITY HOSPITAL   24-MAY-02", font=typeface, fill=(255, 255, 255))
    for row in range(6):
        draw.text((20, 44 + row * 24), VALUES[row].upper()[:8], font=typeface, fill=(255, 255, 255))
    _bar(draw, (690, 60, 12, 160))
    draw.ellipse((30, 470, 80, 540), outline=(255, 255, 255), width=2)
    draw.line((55, 470, 55, 440), fill=(255, 255, 255), width=2)
    draw.text((240, 540), "RT BREAST UOQ", font=typeface, fill=(255, 255, 255))
    return _screen("old PAL", picture, [(place_scan(shape, (150, 50, 520, 470), rng), _tissue(rng))], [], 85)


def _cut_fan(shape: str, name: str, rng: np.random.Generator) -> RenderedScreen:
    """A scan that the viewport's sides cut off, with its name in a corner of the viewport and a logo."""
    picture, draw = _canvas(960, 720)
    draw.rectangle((0, 0, 120, 720), fill=(44, 44, 48))
    for row in range(10):
        draw.text((8, 20 + row * 60), VALUES[row], font=font(17, 19), fill=(210, 210, 210))
    draw.text((140, 10), name, font=font(20, 20), fill=(255, 200, 120))
    draw.rounded_rectangle((880, 10, 950, 60), 8, fill=(0, 90, 170))
    place = place_scan(shape, (150, 60, 760, 620), rng)
    if shape in ("sector", "curved"):
        w = place.box[2]
        place.inside[:, : w // 8] = place.inside[:, w - w // 8 :] = False
    return _screen("cut fan", picture, [(place, _tissue(rng))], [])


LAYOUTS = (_tablet, _light_theme, _thumbnails, _traces, _side_by_side, _old_pal, _cut_fan)
