"""Pictures that a search begins with: phantoms, and phantoms altered so that heads are undecided and features wake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.phantom.scene import PhantomScene
from edge.phantom.spec import MIN_SIDE, PhantomSpec
from export.golden.feature_pictures import balance_seed, climb
from export.head_layers import head_operators

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from export.golden.undetected_weights import UndetectedWeights
    from export.head_layers import HeadGraph
    from export.input_gradient import TracedGraph

    Picture = NDArray[np.uint8]
    Tensors = Mapping[int, NDArray[Any]]
    Seeds = list[tuple[float, dict[int, NDArray[Any]]]]

PHANTOM_SEEDS = (60, 500)
"""Seeds of phantoms to begin with: neither training's nor those that thresholds are chosen by."""
FULL_MASK = 5.0
"""Logit of a mask that covers the picture; its negative: of one that is empty. Rims are where kernels differ most."""
STRONG = 3.0
"""Weight of keeping another head undecided while features are woken: it is lost easily."""
STARTS = 24
"""Phantoms of which the least decided one is taken to begin with."""


class BasePictures:
    """Makes pictures, (height, width) uint8, for heads of one graph."""

    def __init__(
        self,
        graph: TracedGraph,
        heads: Sequence[tuple[HeadGraph, int | None]],
        shape: tuple[int, int],
        tensor: Callable[[Picture], NDArray[np.uint8]],
        rng: np.random.Generator,
    ) -> None:
        """``heads``: each with its tensor of logits. ``tensor``: makes the input of a picture. ``shape``: of both."""
        self._graph, self._heads, self._shape, self._tensor, self._rng = graph, heads, shape, tensor, rng
        operators = head_operators(graph.model)
        self._made = {
            head.name: [int(t) for n in operators[head.name] for t in graph.subgraph.operators[n].outputs]
            for head, _ in heads
        }

    def phantom(self) -> Picture:
        """A phantom of the tensor's size, at any gain, with a lesion or without."""
        seed, lesions = int(self._rng.integers(*PHANTOM_SEEDS)), int(self._rng.integers(0, 2))
        height, width = self._shape
        rows = max(MIN_SIDE, height)
        # At a fixed depth; a scan far narrower than deep would be refused.
        spec = PhantomSpec(seed=seed, width=max(MIN_SIDE, width, rows // 2), height=rows, lesions=lesions)
        pixels = PhantomScene(spec).pixels(0)[:height, :width] * float(self._rng.choice([0.5, 0.7, 1.0, 1.4]))
        picture: Picture = np.clip(pixels, 0, 255).astype(np.uint8)
        return picture

    def explore(
        self, head: HeadGraph, logits: int | None, steps: int, sleeping: UndetectedWeights | None, behind: int | None
    ) -> Iterator[Picture]:
        """Alter a phantom so that one single value within a head rises or falls, while the head stays undecided.

        ``sleeping``: weights that are to show. ``behind``: tensor of the single value that rises, where it is not to be
        drawn by chance.
        """
        side = self._side(head) if behind is None else {behind: np.ones(self._graph.shape(behind))}

        def seeds(results: Tensors) -> Seeds:
            balance = [] if logits is None else [balance_seed(self._graph, logits, results)]
            woken = [] if sleeping is None else [(1.0, sleeping.seed(results))]
            return [(1.0, side), *woken, *balance]

        yield from self._climb(self.phantom(), seeds, steps, set(self._made[head.name]))

    def _side(self, head: HeadGraph) -> dict[int, NDArray[Any]]:
        """Gradient at one single value within a head, up or down by chance.

        Where a head takes the larger of two values, or the smaller, the weights behind the other do not show.
        """
        sums = [layer.result for layer in head.layers if max(self._graph.shape(layer.result)) <= 2]
        tensor = int(self._rng.choice(sums or [head.output]))
        way = np.full(self._graph.shape(tensor), float(self._rng.choice([-1, 1])))
        way[..., 1:] *= -1  # of two classes, one against the other
        return {tensor: way}

    def wake(self, head: HeadGraph, sleeping: UndetectedWeights, steps: int, *, masks: bool) -> Iterator[Picture]:
        """Alter a phantom so that a head's sleeping weights show while the head stays undecided.

        ``masks``: with masks that cover the picture, for a head may weigh features by them; else without any, and other
        heads of a whole picture stay undecided too. Both at once no picture does.
        """
        single = [other for other, logits in self._heads if other is not head and self._single(logits)]
        others = set() if masks else {tensor for other in single for tensor in self._made[other.name]}
        sides = [] if masks else [(1.0, self._side(other)) for other in single]

        def seeds(results: Tensors) -> Seeds:
            return [(1.0, sleeping.seed(results)), *sides, *self._balance(head, results, masks)]

        yield from self._climb(self._undecided(head), seeds, steps, others)

    def _climb(
        self, start: Picture, seeds: Callable[[Tensors], Seeds], steps: int, revived: set[int]
    ) -> Iterator[Picture]:
        self._graph.revived = revived
        try:
            yield from climb(self._graph, start, self._tensor, seeds, steps)
        finally:
            self._graph.revived = set()

    def _balance(self, head: HeadGraph, results: Tensors, masks: bool) -> Seeds:
        found: Seeds = []
        for other, logits in self._heads:
            if logits is None or (masks and other is not head and self._single(logits)):
                continue
            target = 0.0 if self._single(logits) else FULL_MASK if masks else -FULL_MASK
            weight, seed = balance_seed(self._graph, logits, results, target)
            found.append((weight * (1.0 if masks or other is head else STRONG), seed))
        return found

    def _single(self, logits: int | None) -> bool:
        """Whether logits are those of a whole picture, not of its pixels."""
        return logits is not None and max(self._graph.shape(logits)) <= 2

    def _undecided(self, head: HeadGraph) -> Picture:
        """The phantom of several on which the other heads are least decided."""
        found: list[tuple[float, int, Picture]] = []
        for number in range(STARTS):
            picture = self.phantom()
            results = self._graph.run(self._tensor(picture))
            off = 0.0
            for other, logits in self._heads:
                if other is not head and logits is not None and self._single(logits):
                    off += balance_seed(self._graph, logits, results)[0]
            found.append((off, number, picture))
        return min(found)[2]
