"""Cache of augmented views on disk: made once, every fold and every experiment learns from the same ones.

The backbone's first blocks are frozen, so their output for a view never changes: it is stored instead of the picture
(`network.TAPS`), and a training step begins at the first layer that learns. One view is one pass over the data, so a
recipe of n epochs has n views and sees each but once. Whose views a model may see is decided when they are read
(`training.breast.loop.batches`).

    <cache>/<digest>/view-00/rows.npz    of each row: item id, what it is, label, weight
                             tap4.npy    (n, h/4, w/4, 24) float16, tap8.npy (n, h/8, w/8, 40)
                             masks.npy   (n, h/4, w/4) uint8: share of lesion in a cell, 255 = all

A view is written into a folder named by its process id, which is then renamed: a killed run leaves whole views and
resumes, and of two runs on one machine that make the same view the first one's stays. What a killed run left half made
is removed by the next that makes this view. Several machines want a cache each.
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

from edge.contracts.errors import ConfigError
from edge.preprocess.preprocessor import Preprocessor
from training.augment.fillings import Fillings, drawn_mask, paste
from training.augment.samples import Sample, augment, lesion_free, replace_pixels, to_sample
from training.datasets import UNLABELLED
from training.phantoms import phantom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from training.augment.fillings import Kind
    from training.datasets import Item
    from training.recipe import Recipe

CELL = 4
"""Side of one cell of the mask head, in pixels of the tensor."""
PHANTOMS = 300
"""Number of different phantoms; each is seen anew through augmentation."""
PHANTOM_WEIGHT = 0.5
"""Weight of a phantom in the mask's loss, beside 1 of a picture: they are easier than real scans."""
CHUNK = 64
MAKERS = (
    *(f"augment/{name}.py" for name in ("samples", "appearance", "geometry", "views", "fillings")),
    *(f"{name}.py" for name in ("phantoms", "network", "weights")),
)
"""Files of the package that the digest of the cache is made from: a change in one of them makes new views."""


@dataclass(frozen=True)
class ViewRow:
    """Plan of one row of a view, before its sample is made."""

    kind: str
    """``picture``; ``crop``, clear of any lesion; ``erased``, its lesion filled with tissue; ``drawn``, with another
    lesion; or ``phantom``."""
    number: int
    """Of the item, or of the phantom."""
    view: int


class Views:
    """All cached views of ``items`` under ``recipe``, below ``cache``. Cheap to make; `ensure` does the work."""

    def __init__(self, items: Sequence[Item], recipe: Recipe, cache: Path) -> None:
        self.items, self.recipe = list(items), recipe
        self.fillings = load_fillings(recipe)
        self.folder = cache / _digest(items, recipe, self.fillings)

    def plan(self, view: int) -> list[ViewRow]:
        """Plan the rows of a view: each picture once, crops of every ``crop_every``-th, some erased, some phantoms."""
        mix = self.recipe.mix
        rows = [ViewRow("picture", i, view) for i in range(len(self.items))]
        if mix.crop_every:
            rows += [ViewRow("crop", i, view) for i in range(view % mix.crop_every, len(self.items), mix.crop_every)]
        if self.fillings is not None:
            rows += self._filled_rows("erased", mix.erased, view) + self._filled_rows("drawn", mix.drawn, view)
        rng = np.random.default_rng((self.recipe.seed, view))
        return rows + [ViewRow("phantom", int(k), view) for k in rng.integers(0, PHANTOMS, mix.phantoms)]

    def _filled_rows(self, kind: Kind, share: float, view: int) -> list[ViewRow]:
        """Rows of pictures that are shown a second time, filled: about ``share`` of those that can be."""
        can = set() if self.fillings is None else self.fillings.items_with(kind)
        chosen = np.random.default_rng((self.recipe.seed, view, 3)).random(len(self.items)) < share
        return [ViewRow(kind, i, view) for i in np.flatnonzero(chosen).tolist() if self.items[i].id in can]

    def place(self, view: int) -> Path:
        """The folder that one view is cached in."""
        return self.folder / f"view-{view:02}"

    def ensure(self, view: int, taps: Callable[[NDArray[np.uint8]], Sequence[Any]], log: Callable[[str], None]) -> Path:
        """Make a view unless it is cached, and return its folder.

        ``taps`` maps tensors (n, h, w, 3) uint8 to the two feature maps of `network.TAPS`, (n, h/4, w/4, 24) and
        (n, h/8, w/8, 40) float.
        """
        place = self.place(view)
        if place.is_dir():
            return place
        _remove_stale_folders(place)
        new = place.with_suffix(f".{os.getpid()}")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        done = self._write(new, self.plan(view), taps)
        try:
            os.replace(new, place)
        except OSError:
            if not place.is_dir():
                raise
            shutil.rmtree(new)  # another run was faster, and made the same
        log(f"view {view}: {done} rows")
        return place

    def _write(self, new: Path, plan: Sequence[ViewRow], taps: Callable[[NDArray[np.uint8]], Sequence[Any]]) -> int:
        """Write every file of a view into the folder ``new``; return the number of rows."""
        shape = self.recipe.preprocess
        size = (len(plan), shape.height, shape.width)
        files: list[Any] = []
        masks = np.lib.format.open_memmap(
            new / "masks.npy", "w+", np.uint8, (size[0], size[1] // CELL, size[2] // CELL)
        )
        rows: dict[str, list[Any]] = {"id": [], "kind": [], "label": [], "weight": []}
        done = 0
        for samples in self._samples(plan):
            maps = taps(np.stack([s.tensor for s in samples]))
            if not files:
                for name, part in zip(("tap4", "tap8"), maps, strict=True):
                    made = (size[0], *np.shape(part)[1:])
                    files.append(np.lib.format.open_memmap(new / f"{name}.npy", "w+", np.float16, made))
            for file, part in zip(files, maps, strict=True):
                file[done : done + len(samples)] = part
            masks[done : done + len(samples)] = np.stack([cell_shares(s.mask) for s in samples])
            for row, sample in zip(plan[done : done + len(samples)], samples, strict=True):
                rows["id"].append("" if row.kind == "phantom" else self.items[row.number].id)
                rows["kind"].append(row.kind)
                rows["label"].append(sample.label)
                rows["weight"].append(sample.mask_weight)
            done += len(samples)
        arrays: dict[str, Any] = {name: np.array(values) for name, values in rows.items()}
        np.savez(new / "rows.npz", **arrays)
        return done

    def _samples(self, plan: Sequence[ViewRow]) -> Iterator[list[Sample]]:
        """Made by other processes, in order, never more than a few chunks ahead."""
        chunks = [plan[i : i + CHUNK] for i in range(0, len(plan), CHUNK)]
        workers = max(1, (os.cpu_count() or 2) - 1)
        with ProcessPoolExecutor(
            workers, get_context("spawn"), initializer=_start, initargs=(self.items, self.recipe, self.fillings)
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


def _start(items: list[Item], recipe: Recipe, fillings: Fillings | None) -> None:
    cv2.setNumThreads(1)
    _shared.update(items=items, recipe=recipe, fillings=fillings)


def _make_all(rows: Sequence[ViewRow]) -> list[Sample]:
    return [make_sample(row, _shared["items"], _shared["recipe"], _shared["fillings"]) for row in rows]


def load_fillings(recipe: Recipe) -> Fillings | None:
    """Read the fillings that a recipe mixes in; None where it mixes in none.

    Raises ConfigError where the recipe names no file, or the file is none.
    """
    mix = recipe.mix
    if not mix.erased and not mix.drawn:
        return None
    if not mix.fillings:
        raise ConfigError(
            f"[mix] erased = {mix.erased:g}, drawn = {mix.drawn:g}, and no fillings",
            hint="python -m training fill --data DATA --out FILE makes them; then [mix] fillings = FILE",
        )
    found = Fillings(Path(mix.fillings))
    wanted: dict[Kind, float] = {"erased": mix.erased, "drawn": mix.drawn}
    for kind, share in wanted.items():
        if share and not found.items_with(kind):
            raise ConfigError(
                f"{mix.fillings} holds nothing {kind}", hint="the generator of its --gan has another task"
            )
    return found


def make_sample(row: ViewRow, items: Sequence[Item], recipe: Recipe, fillings: Fillings | None = None) -> Sample:
    """Make one augmented sample; its appearance depends on the recipe's seed, the item and the view alone."""
    preprocess = Preprocessor(recipe.preprocess)
    if row.kind == "phantom":
        rng = np.random.default_rng((recipe.seed, row.view, 2, row.number))
        return to_sample(augment(rng, phantom(recipe.seed, row.number)), preprocess, PHANTOM_WEIGHT)
    item = items[row.number]
    rng = np.random.default_rng((recipe.seed, row.view, int(row.kind == "crop"), zlib.crc32(item.id.encode())))
    if row.kind == "crop":
        item = lesion_free(rng, item) or item
    elif fillings is not None:
        item = _filled(item, row, fillings, recipe)
    return to_sample(augment(rng, item), preprocess)


def _filled(item: Item, row: ViewRow, fillings: Fillings, recipe: Recipe) -> Item:
    """Item without its lesion, or with another; else, as often as lesions are erased, filled beside its own."""
    if row.kind == "drawn":
        drawn = fillings.get(item.id, "drawn", row.view)
        return (
            item
            if drawn is None
            else replace_pixels(item, paste(item.image, drawn), item.mask | drawn_mask(drawn, item.mask))
        )
    if row.kind == "erased":
        erased = fillings.get(item.id, "erased", row.view)
        if erased is None:
            return item
        return replace_pixels(item, paste(item.image, erased), np.zeros_like(item.mask), UNLABELLED)
    # Numbers of its own: a picture that is not filled looks the same whatever fills the others.
    chance = np.random.default_rng((recipe.seed, row.view, 4, zlib.crc32(item.id.encode()))).random()
    beside = fillings.get(item.id, "beside", row.view) if chance < recipe.mix.erased else None
    return item if beside is None else replace_pixels(item, paste(item.image, beside), item.mask)


def _remove_stale_folders(place: Path) -> None:
    """Remove what processes that have ended left of this view."""
    for left in place.parent.glob(f"{place.name}.*"):
        number = left.suffix[1:]
        if number.isdigit() and not _is_running(int(number)):
            shutil.rmtree(left, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


def cell_shares(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Share of lesion in each cell of a mask: (h, w) uint8 0/1 to (h/4, w/4) uint8, 255 = all."""
    h, w = mask.shape
    share = mask.reshape(h // CELL, CELL, w // CELL, CELL).mean((1, 3))
    cells: NDArray[np.uint8] = (255 * share + 0.5).astype(np.uint8)
    return cells


def _digest(items: Sequence[Item], recipe: Recipe, fillings: Fillings | None) -> str:
    digest = hashlib.sha256(msgspec.json.encode([recipe.preprocess, recipe.seed, recipe.mix]))
    digest.update(b"" if fillings is None else fillings.digest.encode())
    for item in items:
        digest.update(f"{item.source}/{item.id} {item.label}\n".encode())
        for pixels in (item.image, item.mask):
            digest.update(zlib.crc32(pixels.tobytes()).to_bytes(4, "big"))
    for name in MAKERS:
        digest.update((Path(__file__).parents[1] / name).read_bytes())
    return digest.hexdigest()[:16]
