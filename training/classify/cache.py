"""Cache of preprocessed tensors on disk, by number: made once, read again each epoch, never all in memory.

A record is one byte that says whether it is there, then the tensor and its mask. The byte is written last, so that a
kill leaves no half of one. Reads go through the file, not through a memory map, whose pages would count as the
process's own.
"""

from __future__ import annotations

import hashlib
import os
import weakref
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from training.augment.samples import Sample
from training.classify.item_sample import make_preprocessor, make_sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from training.classify.recipe import ClassifierRecipe
    from training.classify.split import ListedPicture


class SampleCache:
    """Cached samples of pictures, preprocessed as on the device, without augmentation.

    Indexing makes a sample or reads it; several threads may do so at once.
    """

    def __init__(self, pictures: Sequence[ListedPicture], recipe: ClassifierRecipe, folder: Path) -> None:
        preprocess = recipe.preprocess
        self.pictures, self._recipe = pictures, recipe
        self._shape = (preprocess.height, preprocess.width, preprocess.channels)
        self._grid = (preprocess.height, preprocess.width)
        self._sizes = int(np.prod(self._shape)), int(np.prod(self._grid))
        self._record = 1 + sum(self._sizes)
        folder.mkdir(parents=True, exist_ok=True)
        # 0o600: pictures of patients may be in it.
        self._file = os.open(folder / f"{self._digest()}.tensors", os.O_RDWR | os.O_CREAT, 0o600)
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, number: int) -> Sample:
        picture, place = self.pictures[number], number * self._record
        raw = os.pread(self._file, self._record, place)
        if len(raw) == self._record and raw[0] == 1:
            values = np.frombuffer(raw, np.uint8, offset=1)
            tensor, mask = values[: self._sizes[0]].reshape(self._shape), values[self._sizes[0] :].reshape(self._grid)
            return Sample(tensor, mask, picture.label)
        sample = make_sample(picture.load(), make_preprocessor(self._recipe))
        os.pwrite(self._file, sample.tensor.tobytes() + sample.mask.tobytes(), place + 1)
        os.pwrite(self._file, b"\x01", place)
        return sample

    def _digest(self) -> str:
        """Of the recipe and of each file's name, size and time: other pictures get another file."""
        digest = hashlib.sha256(self._recipe.preprocess.digest().encode())
        digest.update(f"{self._recipe.colour} {[(p.mask_class, p.mask_numbers) for p in self.pictures]}".encode())
        for picture in self.pictures:
            for path in (picture.path, picture.mask):
                stat = None if path is None else path.stat()
                digest.update(msgspec.json.encode([str(path), stat and (stat.st_size, stat.st_mtime_ns)]))
        return digest.hexdigest()[:24]
