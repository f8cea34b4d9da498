"""Variants of a picture, single pixels moved by chance, and how much of what is not noticed yet each would notice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from export.golden.rounding_edges import edge_distance
from export.input_gradient import TracedGraph

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from export.golden.detected_changes import DetectedChanges
    from export.golden.weight_changes import ChangedWeight
    from export.head_layers import WeightedLayer

    Picture = NDArray[np.uint8]
    Tensors = dict[int, NDArray[Any]]

STEP, LEVELS = 16, 16
"""Grey values between two levels of a picture, and the number of levels."""
MOVED = 30
"""Pixels that are moved at once. Fewer bring sums no closer to an edge: one pixel that is moved by one grey value moves
rounded features everywhere, and the sums behind them by a whole step."""
SMALL = 4096
"""Results with at most so many values are kept of each variant."""


@dataclass(frozen=True, slots=True, eq=False)
class Open:
    """Changes of one head's weights that no picture shows yet, and what showing them all is worth."""

    noticing: DetectedChanges
    changes: list[ChangedWeight]
    worth: float


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """A picture and the small results that it gives, by tensor number."""

    picture: Picture
    results: Tensors


def coarse(picture: Picture) -> Picture:
    """The picture with `LEVELS` grey levels."""
    levels = np.clip(np.rint(picture / STEP), 0, LEVELS - 1)
    return np.asarray(levels * STEP, np.uint8)


class PictureVariants:
    """Makes variants of a picture, and finds those that notice most."""

    def __init__(
        self,
        graph: bytes,
        traced: TracedGraph,
        noticing: Sequence[DetectedChanges],
        tensor: Callable[[Picture], NDArray[np.uint8]],
    ) -> None:
        """``traced`` keeps all results; ``tensor`` makes the input of a picture."""
        wanted = set[int]().union(*(each.tensors for each in noticing))
        small = {number for number in wanted if int(np.prod(traced.shape(number))) <= SMALL}
        self._all, self._tensor, self._small = traced, tensor, TracedGraph(graph, small)

    def pool(self, base: Picture, count: int, rng: np.random.Generator) -> list[Variant]:
        """The picture itself, then ``count`` variants of it with some pixels moved by a level or two."""
        found = [Variant(base, self._small.run(self._tensor(base)))]
        for _ in range(count):
            moved = base.astype(np.int16)
            moved.flat[rng.integers(0, moved.size, MOVED)] += STEP * rng.integers(-2, 3, MOVED).astype(np.int16)
            picture = np.clip(moved, 0, STEP * (LEVELS - 1)).astype(np.uint8)
            found.append(Variant(picture, self._small.run(self._tensor(picture))))
        return found

    def nearest(self, pool: list[Variant], edges: Sequence[Sequence[WeightedLayer]], most: int) -> list[Variant]:
        """The first of a pool, and for each group of narrow layers those whose sums stand closest to an edge."""
        found = {0}
        for layers in edges:
            distances = [edge_distance(self._all, list(layers), each.results) for each in pool]
            found |= set(np.argsort(distances, kind="stable")[:most].tolist())
        return [pool[i] for i in sorted(found)]

    def guess(self, pool: list[Variant], left: list[Open]) -> list[Picture]:
        """Pictures of a pool by what each probably notices of ``left``, the best first.

        That a change moves as many steps in a variant as in the first picture is nearly always so.
        """
        base = self._all.run(self._tensor(pool[0].picture))
        gains = np.zeros(len(pool))
        for each in left:
            moved = each.noticing.begin(each.changes, base)
            for number, variant in enumerate(pool):
                guessed = each.noticing.carry(moved, base, variant.results)
                seen = each.noticing.finish(guessed, variant.results, len(each.changes))
                gains[number] += each.worth * seen.mean()
        return [pool[i].picture for i in np.argsort(-gains, kind="stable").tolist()]

    def best(self, pictures: Sequence[Picture], left: list[Open]) -> list[tuple[float, Picture]]:
        """What each picture notices of ``left``, weighed by its worth, the best first."""
        scored = []
        for picture in pictures:
            results = self._all.run(self._tensor(picture))
            gain = sum(each.worth * float(each.noticing.noticed(each.changes, results).mean()) for each in left)
            scored.append((gain, picture))
        return sorted(scored, key=lambda each: -each[0])
