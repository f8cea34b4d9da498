"""Pictures to judge the anatomy gate by: breasts and other organs, as they are and bent by the second bender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.second_bender import BENDINGS
from training.gate.file_views import scan_of, smaller
from training.gate.scan_shapes import straighten

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from edge.preprocess.preprocessor import Preprocessor
    from training.datasets import Item
    from training.gate.file_negatives import FileNegative

    Picture = tuple[NDArray[np.uint8], str, str, str, str]
    """Tensor, kind, group, source and id."""

AS_IT_IS, STRAIGHTENED = "as they are", "straightened"
SHAPES_PER_FAMILY = 80
"""Frames of a family, evenly spread, that are also judged in other shapes."""


@dataclass(frozen=True, eq=False)
class JudgedPictures:
    """Pictures to judge the gate by."""

    tensors: NDArray[np.uint8]
    """(n, height, width, channels)."""
    kinds: NDArray[np.str_]
    """(n,) `AS_IT_IS`, `STRAIGHTENED`, or the name of a bending."""
    groups: NDArray[np.str_]
    """(n,) patient, or family of files."""
    sources: NDArray[np.str_]
    """(n,) data set, or file."""
    ids: NDArray[np.str_]
    """(n,) id of the picture; empty for files."""


def breasts(items: Sequence[Item], preprocess: Preprocessor, seed: int) -> JudgedPictures:
    """Each breast as it is, and bent in one of the second bender's ways: a third of them in each."""
    return _joined(_breasts(items, preprocess, seed))


def other_organs(files: Sequence[FileNegative], preprocess: Preprocessor, seed: int) -> JudgedPictures:
    """Every frame of the evaluated files as it is; some of each family straightened, and then bent in all ways."""
    return _joined(_other_organs([each for each in files if each.evaluated], preprocess, seed))


def _breasts(items: Sequence[Item], preprocess: Preprocessor, seed: int) -> Iterable[Picture]:
    names = list(BENDINGS)
    for number, item in enumerate(items):
        yield preprocess(item.image)[0][0], AS_IT_IS, item.group, item.source, item.id
        name = names[number % len(names)]
        bent = BENDINGS[name](np.random.default_rng((seed, 991, number)), item.image)
        yield preprocess(bent)[0][0], name, item.group, item.source, item.id


def _other_organs(files: Sequence[FileNegative], preprocess: Preprocessor, seed: int) -> Iterable[Picture]:
    for family in sorted({each.family for each in files}):
        members = [each for each in files if each.family == family]
        step = max(1, len(members) // SHAPES_PER_FAMILY)
        for number, each in enumerate(members):
            yield preprocess(each.pixels, each.regions)[0][0], AS_IT_IS, family, each.file, ""
            if number % step:
                continue
            straight = straighten(smaller(scan_of(each, preprocess)))
            yield preprocess(straight)[0][0], STRAIGHTENED, family, each.file, ""
            for way, (name, bend) in enumerate(BENDINGS.items()):
                bent = bend(np.random.default_rng((seed, 992, number, way)), straight)
                yield preprocess(bent)[0][0], name, family, each.file, ""


def _joined(pictures: Iterable[Picture]) -> JudgedPictures:
    tensors, *columns = zip(*pictures, strict=True)
    return JudgedPictures(np.stack(tensors), *(np.array(column) for column in columns))
