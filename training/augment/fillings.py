"""Fillings of pictures: tissue in a lesion's place, and the same beside lesions that stay; how they enter training.

A network finds traces of filling before it finds tissue. So for each filling that removes a lesion there is one of the
same kind that removes none: pictures that keep their lesion are filled elsewhere, at the same rate and sizes.

    fillings.npz    x, y, shapes, starts, pixels, weights, lesions: the patches, one after another; names: item id,
                    kind, variant; method; learnt_from: ids of the pictures that the generator saw
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from edge.contracts.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Kind = Literal["erased", "beside", "drawn"]
"""Lesion removed; tissue beside the lesion filled; another lesion drawn beside it, of the picture's own class."""
HINT = "make one with: python -m training fill --data DATA --out FILE"


@dataclass(frozen=True, eq=False)
class Filling:
    """A patch that is laid over a picture, in the picture's own pixels."""

    x: int
    y: int
    pixels: NDArray[np.uint8]
    """(h, w) uint8 grey."""
    weight: NDArray[np.uint8]
    """(h, w) uint8: 255 where the patch is seen alone, 0 where the picture is."""
    lesion: NDArray[np.uint8] | None = None
    """(h, w) uint8 0/1: the lesion that was drawn; None: there is none."""


def paste(image: NDArray[np.uint8], filling: Filling) -> NDArray[np.uint8]:
    """Copy of a picture (H, W) uint8 with the filling laid over it."""
    h, w = filling.pixels.shape
    place = np.s_[filling.y : filling.y + h, filling.x : filling.x + w]
    share = filling.weight.astype(np.float32) / 255
    out: NDArray[np.uint8] = image.copy()
    out[place] = np.rint(image[place] * (1 - share) + filling.pixels * share)
    return out


def drawn_mask(filling: Filling, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mask (H, W) uint8 0/1 of the lesion that was drawn alone, of the size of the picture's ``mask``."""
    out = np.zeros_like(mask)
    h, w = filling.pixels.shape
    if filling.lesion is not None:
        out[filling.y : filling.y + h, filling.x : filling.x + w] = filling.lesion
    return out


class Fillings:
    """Fillings of many pictures, read from one file: by item id, kind and variant."""

    def __init__(self, path: Path) -> None:
        """Read ``fillings.npz``. Raises ConfigError where it is missing or another file."""
        if not path.is_file():
            raise ConfigError(f"{path} is missing", hint=HINT)
        try:
            with np.load(path) as file:
                arrays = dict(file)
            self.method = str(arrays["method"])
            self.learnt_from = frozenset(arrays["learnt_from"].tolist())
            self._arrays = arrays
            self._rows = {(str(i), str(k), int(v)): n for n, (i, k, v) in enumerate(arrays["names"].tolist())}
        except (KeyError, ValueError, OSError) as error:
            raise ConfigError(f"{path} holds no fillings: {error}", hint=HINT) from error
        self.variants = 1 + max((variant for _, _, variant in self._rows), default=-1)
        self.digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]

    def get(self, item: str, kind: Kind, variant: int) -> Filling | None:
        """The filling of an item; None where the picture had no room for it, or was not to be filled."""
        row = self._rows.get((item, kind, variant % max(1, self.variants)))
        if row is None:
            return None
        arrays = self._arrays
        (h, w), start = arrays["shapes"][row], int(arrays["starts"][row])
        parts = [arrays[name][start : start + h * w].reshape(h, w) for name in ("pixels", "weights", "lesions")]
        lesion = parts[2] if kind == "drawn" else None
        return Filling(int(arrays["x"][row]), int(arrays["y"][row]), parts[0], parts[1], lesion)

    def items_with(self, kind: Kind) -> set[str]:
        """Ids of all items that have a filling of this kind."""
        return {item for item, of, _ in self._rows if of == kind}


def write_fillings(
    path: Path, found: Mapping[tuple[str, Kind, int], Filling], method: str, learnt_from: Sequence[str]
) -> None:
    """Write fillings by (item id, kind, variant). Raises ConfigError where there are none."""
    if not found:
        raise ConfigError("no picture could be filled", hint="give pictures with masks, and tissue beside the lesion")
    all_of = list(found.values())
    sizes = np.array([one.pixels.size for one in all_of])
    arrays: dict[str, Any] = {
        "names": np.array([(item, kind, str(variant)) for item, kind, variant in found]),
        "x": np.array([one.x for one in all_of]),
        "y": np.array([one.y for one in all_of]),
        "shapes": np.array([one.pixels.shape for one in all_of]),
        "starts": np.concatenate([[0], np.cumsum(sizes)[:-1]]),
        "pixels": np.concatenate([one.pixels.reshape(-1) for one in all_of]),
        "weights": np.concatenate([one.weight.reshape(-1) for one in all_of]),
        "lesions": np.concatenate([_lesion_of(one).reshape(-1) for one in all_of]),
        "method": np.array(method),
        "learnt_from": np.array(sorted(learnt_from), dtype=str),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def _lesion_of(filling: Filling) -> NDArray[np.uint8]:
    return np.zeros_like(filling.pixels) if filling.lesion is None else filling.lesion
