"""Data set of rendered phantoms, as a folder like any other: ``benign``, ``malignant``, ``empty`` and ``other``.

Or of ten kinds, which look so different that a small network tells them apart: `training.classify.phantom_kinds`. What
is called malignant is a spiculated margin, a property of the phantom: nothing of it holds for patients.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cv2
import msgspec
import numpy as np
from tqdm import tqdm

from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from training.classify.folder import GROUPS, write_groups
from training.classify.phantom_kinds import KINDS, render_kind
from training.gate.synthetic_negatives import test_card
from training.phantoms import DEPTH_MM, FIRST_SEED

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.phantom.spec import Geometry, Margin
    from training.classify.recipe import RenderSection

DONE = "rendered.json"
UNSEEN = 900_000
"""First number of phantoms that no run trains on."""
MARGINS: dict[str, Margin] = {"benign": "smooth", "malignant": "spiculated"}


def render_dataset(folder: Path, section: RenderSection, seed: int) -> Path:
    """Render the data set into ``folder`` unless that was done before with the same numbers; return the folder.

    Each phantom is its own group.
    """
    wanted = {"seed": seed, **msgspec.to_builtins(section)}
    mark = folder / DONE
    if mark.is_file() and json.loads(mark.read_text(encoding="utf-8")) == wanted:
        return folder
    rows = _render_ten(folder, section, seed) if section.kinds == "ten" else _render_lesions(folder, section, seed)
    write_groups(folder / GROUPS, rows)
    mark.write_text(json.dumps(wanted), encoding="utf-8")  # last: a kill before it renders anew
    return folder


def _render_ten(folder: Path, section: RenderSection, seed: int) -> list[tuple[str, str]]:
    """Render phantoms of the ten kinds in turn; the path and group of each."""
    rows = []
    for number in tqdm(range(section.phantoms), desc="render phantoms", mininterval=2):
        kind = KINDS[number % len(KINDS)]
        name = _write(folder, kind, f"{number:04d}", render_kind(seed, number, kind), None)
        rows.append((name, f"phantom-{number}"))
    return rows


def _render_lesions(folder: Path, section: RenderSection, seed: int) -> list[tuple[str, str]]:
    """Render phantoms with a lesion of either margin, with none, and other pictures; the path and group of each."""
    rows: list[tuple[str, str]] = []
    total = section.phantoms + section.empty
    for number in tqdm(range(total), desc="render phantoms", mininterval=2):
        kind = ("benign", "malignant")[number % 2] if number < section.phantoms else "empty"
        image, mask = render_phantom(seed, number, kind)
        rows.append((_write(folder, kind, f"{number:04d}", image, mask), f"phantom-{number}"))
    rng = np.random.default_rng((seed, total))
    for number in range(section.other):
        other = render_phantom(seed, total + number, "other")[0] if number % 2 else _card(rng)
        name = _write(folder, "other", f"{number:04d}", other, None)
        rows.append((name, f"other-{number}"))
    return rows


def render_unseen(folder: Path, section: RenderSection, seed: int) -> None:
    """Render phantoms that no run trains on into ``folder``, some of each kind, named by it: something to infer."""
    folder.mkdir(parents=True, exist_ok=True)
    if section.kinds == "ten":
        for number, kind in enumerate(2 * KINDS):
            picture = render_kind(seed, UNSEEN + number, kind)
            cv2.imwrite(str(folder / f"{kind}-{number // len(KINDS)}.png"), picture)
        return
    for number in range(16):
        kind = ("benign", "malignant", "empty", "other")[number % 4]
        cv2.imwrite(str(folder / f"{kind}-{number // 4}.png"), render_phantom(seed, UNSEEN + number, kind)[0])


def render_phantom(seed: int, number: int, kind: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Render one phantom with a lesion of the kind, or with none if it is ``empty``: picture and mask.

    Both are (H, W) uint8, grey and 0/1.
    All are linear scans; ``other`` is a sector scan, which stands for another part of the body.
    """
    rng = np.random.default_rng((seed, number))
    geometry: Geometry = "sector" if kind == "other" else "linear"
    height = int(rng.integers(170, 260))
    spec = PhantomSpec(
        seed=FIRST_SEED + number,
        width=int(height * rng.uniform(1.1, 1.4)),
        height=height,
        geometry=geometry,
        lesions=int(rng.integers(0, 2)) if kind == "other" else int(kind != "empty"),
        margin=MARGINS.get(kind),
        mm_per_px=float(rng.uniform(*DEPTH_MM[geometry])) / height,
    )
    picture = PhantomScene(spec).render(int(rng.integers(0, 30)))
    return picture.pixels, (picture.mask > 0).astype(np.uint8)


def _card(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Test card (H, W) uint8 grey that is not all of one value."""
    while True:
        card = test_card(rng)
        if int(card.max()) > int(card.min()):
            return card


def _write(folder: Path, kind: str, name: str, image: NDArray[np.uint8], mask: NDArray[np.uint8] | None) -> str:
    place = folder / kind
    place.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(place / f"{name}.png"), image)
    if mask is not None and mask.any():
        cv2.imwrite(str(place / f"{name}_mask.png"), mask * 255)
    return f"{kind}/{name}.png"
