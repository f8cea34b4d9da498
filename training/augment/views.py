"""Augmented pictures, made once and kept: every fold and every experiment learns from the same ones.

The backbone's first blocks are frozen, so what they say of a view never changes: it is stored instead of the picture
(`network.TAPS`), and a training step begins where learning begins. One view is one pass over the data, so a recipe of
n epochs has n views and sees each but once. Whose views a model may see is decided when they are read (`batches`).

    <cache>/<digest>/view-00/rows.npz    of each row: item id, what it is, label, weight
                             tap4.npy    (n, h/4, w/4, 24) float16, tap8.npy (n, h/8, w/8, 40)
                             masks.npy   (n, h/4, w/4) uint8: share of lesion in a cell, 255 = all

A view is written beside its place, in a folder that bears its process's number, and renamed: a killed run leaves whole
ones and goes on, and of two runs on one machine that make the same view the first one's stays. What a killed run left
half made is removed by the next that makes this view. Several machines want a cache each.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import msgspec
import numpy as np

from edge.preprocess.preprocessor import Preprocessor
from training.augment.samples import Sample, augment, lesion_free, plain
from training.phantoms import phantom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from training.datasets import Item
    from training.recipe import Recipe

CELL = 4
"""Tensor pixels for one cell of the mask head, to a side."""
PHANTOMS = 300
"""Different ones; each is seen anew through augmentation."""
PHANTOM_WEIGHT = 0.5
"""Of a phantom in the mask's loss, beside 1 of a picture: they are easier than life."""
CHUNK = 64
MAKERS = (
    *(f"augment/{name}.py" for name in ("samples", "appearance", "geometry", "views")),
    *(f"{name}.py" for name in ("phantoms", "network", "weights")),
)
"""Files of the package whose change makes other views."""


@dataclass(frozen=True)
class ViewRow:
    """One row of a view, before it is made."""

    kind: str
    """``picture``, ``crop`` (clear of any lesion) or ``phantom``."""
    number: int
    """Of the item, or of the phantom."""
    view: int


class Views:
    """All views of ``items`` under ``recipe``, below ``cache``. Cheap to make; `ensure` does the work."""

    def __init__(self, items: Sequence[Item], recipe: Recipe, cache: Path) -> None:
        self.items, self.recipe = list(items), recipe
        self.folder = cache / _digest(items, recipe)

    def orders(self, view: int) -> list[ViewRow]:
        """What stands in a view: each picture once, crops of every ``crop_every``-th, some phantoms."""
        mix = self.recipe.mix
        rows = [ViewRow("picture", i, view) for i in range(len(self.items))]
        if mix.crop_every:
            rows += [ViewRow("crop", i, view) for i in range(view % mix.crop_every, len(self.items), mix.crop_every)]
        rng = np.random.default_rng((self.recipe.seed, view))
        return rows + [ViewRow("phantom", int(k), view) for k in rng.integers(0, PHANTOMS, mix.phantoms)]

    def place(self, view: int) -> Path:
        """The folder of one view."""
        return self.folder / f"view-{view:02}"

    def ensure(self, view: int, taps: Callable[[NDArray[np.uint8]], Sequence[Any]], log: Callable[[str], None]) -> Path:
        """Make a view unless it is there. ``taps``: (n, h, w, 3) uint8 to the two tapped feature maps."""
        place = self.place(view)
        if place.is_dir():
            return place
        _clear(place)
        new = place.with_suffix(f".{os.getpid()}")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        orders = self.orders(view)
        shape = self.recipe.preprocess
        size = (len(orders), shape.height, shape.width)
        files: list[Any] = []
        masks = np.lib.format.open_memmap(
            new / "masks.npy", "w+", np.uint8, (size[0], size[1] // CELL, size[2] // CELL)
        )
        rows: dict[str, list[Any]] = {"id": [], "kind": [], "label": [], "weight": []}
        done = 0
        for samples in self._samples(orders):
            maps = taps(np.stack([s.tensor for s in samples]))
            if not files:
                for name, part in zip(("tap4", "tap8"), maps, strict=True):
                    made = (size[0], *np.shape(part)[1:])
                    files.append(np.lib.format.open_memmap(new / f"{name}.npy", "w+", np.float16, made))
            for file, part in zip(files, maps, strict=True):
                file[done : done + len(samples)] = part
            masks[done : done + len(samples)] = np.stack([in_cells(s.mask) for s in samples])
            for order, sample in zip(orders[done : done + len(samples)], samples, strict=True):
                rows["id"].append("" if order.kind == "phantom" else self.items[order.number].id)
                rows["kind"].append(order.kind)
                rows["label"].append(sample.label)
                rows["weight"].append(sample.mask_weight)
            done += len(samples)
        np.savez(new / "rows.npz", **{name: np.array(values) for name, values in rows.items()})
        try:
            os.replace(new, place)
        except OSError:
            if not place.is_dir():
                raise
            shutil.rmtree(new)  # another run was faster, and made the same
        log(f"view {view}: {done} rows")
        return place

    def _samples(self, orders: Sequence[ViewRow]) -> Iterator[list[Sample]]:
        """Made by other processes, in order, never more than a few chunks ahead."""
        chunks = [orders[i : i + CHUNK] for i in range(0, len(orders), CHUNK)]
        workers = max(1, (os.cpu_count() or 2) - 1)
        with ProcessPoolExecutor(
            workers, get_context("spawn"), initializer=_start, initargs=(self.items, self.recipe)
        ) as pool:
            waiting = [pool.submit(_make_all, chunk) for chunk in chunks[: workers + 2]]
            for ahead in range(workers + 2, len(chunks) + workers + 2):
                if not waiting:
                    return
                ready = waiting.pop(0).result()
                if ahead < len(chunks):
                    waiting.append(pool.submit(_make_all, chunks[ahead]))
                yield ready


_shared: dict[str, Any] = {}


def _start(items: list[Item], recipe: Recipe) -> None:
    cv2.setNumThreads(1)
    _shared.update(items=items, recipe=recipe)


def _make_all(orders: Sequence[ViewRow]) -> list[Sample]:
    return [make(order, _shared["items"], _shared["recipe"]) for order in orders]


def make(order: ViewRow, items: Sequence[Item], recipe: Recipe) -> Sample:
    """One sample; its looks depend on the recipe's seed, the item and the view alone."""
    preprocess = Preprocessor(recipe.preprocess)
    if order.kind == "phantom":
        rng = np.random.default_rng((recipe.seed, order.view, 2, order.number))
        return plain(augment(rng, phantom(recipe.seed, order.number)), preprocess, PHANTOM_WEIGHT)
    item = items[order.number]
    rng = np.random.default_rng((recipe.seed, order.view, int(order.kind == "crop"), zlib.crc32(item.id.encode())))
    if order.kind == "crop":
        item = lesion_free(rng, item) or item
    return plain(augment(rng, item), preprocess)


def _clear(place: Path) -> None:
    """Remove what processes that are gone left of this view."""
    for left in place.parent.glob(f"{place.name}.*"):
        number = left.suffix[1:]
        if number.isdigit() and not _lives(int(number)):
            shutil.rmtree(left, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


def in_cells(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w) 0/1 to the share of lesion in each cell (h/4, w/4), 255 = all."""
    h, w = mask.shape
    share = mask.reshape(h // CELL, CELL, w // CELL, CELL).mean((1, 3))
    return (255 * share + 0.5).astype(np.uint8)


def _digest(items: Sequence[Item], recipe: Recipe) -> str:
    said = hashlib.sha256(msgspec.json.encode([recipe.preprocess, recipe.seed, recipe.mix]))
    for item in items:
        said.update(f"{item.source}/{item.id} {item.label}\n".encode())
        for pixels in (item.image, item.mask):
            said.update(zlib.crc32(pixels.tobytes()).to_bytes(4, "big"))
    for name in MAKERS:
        said.update((Path(__file__).parents[1] / name).read_bytes())
    return said.hexdigest()[:16]
