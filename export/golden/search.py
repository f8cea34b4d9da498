"""Search of golden pictures by what they notice: of every head, changes of single weights.

Each round begins with a picture that moves much of what no picture shows yet, makes many variants of it, and takes
those that notice most: a change shows where a sum stands close to the edge of rounding, and nothing but trying finds
such a picture. Pictures have few grey levels: noise of 256 would be most of a bundle's bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.region import Region
from edge.preprocess.preprocessor import Preprocessor
from export.golden.coverage import counted_weights
from export.golden.detected_changes import DetectedChanges
from export.golden.feature_pictures import can_wake, logits_of
from export.golden.picture_variants import Open, PictureVariants, coarse
from export.golden.rounding_edges import narrow_layers
from export.golden.starting_pictures import BasePictures
from export.golden.undetected_weights import UndetectedWeights
from export.golden.weight_changes import HeadRunner, draw_changes
from export.head_layers import cut_heads
from export.input_gradient import TracedGraph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from edge.contracts.manifest import ModelManifest
    from export.golden.weight_changes import ChangedWeight
    from export.head_layers import HeadGraph, WeightedLayer

    Picture = NDArray[np.uint8]
    Tensors = Mapping[int, NDArray[Any]]

TARGETS_FROM = 0.6
"""A layer of which a phantom leaves more than this share at zero has weights that must be woken."""
LARGE = 64
"""A head with more outputs is run by LiteRT for each change: fewer of its changes are tried."""
TRIED = 12
"""Pictures that are tried on other kernels at most before a round is given up."""
STEPS_BACK = 6
"""Pictures of a climb, every third from its end, of which the first that fits is taken."""
STILL = 0.02
"""While more than this share of a layer's changes moved nothing in any picture, those are woken, else all left."""
LEAST = 0.002
"""Share of changes that a picture must add: it costs each start of a device some milliseconds."""
WORTH = 0.4
"""A variant that adds less than this share of what the first one of a round did is not taken: another base is."""


@dataclass(frozen=True, slots=True)
class SearchEffort:
    """How long a search goes on: numbers of pictures, steps and weights."""

    drawn: int = 20000
    """Weights of each head that are changed."""
    drawn_of_maps: int = 3000
    """The same of a head that gives a map."""
    scored: int = 1200
    """Of those that are not noticed yet, how many of each head a picture is scored by at most."""
    scored_of_maps: int = 100
    woken: int = 5000
    """Weights that are woken at once."""
    wake_steps: int = 90
    explore_steps: int = 16
    explored: int = 4
    """Phantoms of a round that are altered step by step; four times as many are taken as they are."""
    variants: int = 1500
    """Variants of one picture in each round."""
    guessed: int = 200
    """Of those, of how many it is guessed what they show: for each head, the ones closest to an edge of rounding."""
    finalists: int = 6
    """Of those, how many are scored exactly, by all heads."""
    by_base: int = 3
    """Pictures that one base gives at most."""
    rounds: int = 60


@dataclass(eq=False)
class Candidate:
    """A picture and the raw outputs of all heads."""

    picture: Picture
    """(height, width) uint8, of the tensor's size."""
    outputs: dict[str, NDArray[Any]]
    """By head, (1, …)."""


@dataclass(eq=False)
class HeadState:
    """A head, the changes of its weights, and which of them are noticed by now."""

    head: HeadGraph
    noticing: DetectedChanges
    changes: list[ChangedWeight]
    noticed: NDArray[np.bool_]
    moved: NDArray[np.bool_]
    """Which changes moved something in a picture so far, where channels are mixed."""
    logits: int | None
    gives_map: bool
    sleeping: UndetectedWeights | None = None
    """Of its layer that phantoms leave mostly at zero; None: it has none."""
    woken: NDArray[np.intp] | None = None
    """Numbers of the changes that ``sleeping`` is about."""

    @property
    def share(self) -> float:
        """Share of the changes that are noticed."""
        return float(self.noticed.mean())

    def left(self) -> list[int]:
        """Numbers of the changes that are not noticed yet."""
        return list(map(int, np.flatnonzero(~self.noticed)))

    def worst_layer(self) -> WeightedLayer | None:
        """The layer that most unnoticed changes are in; None: all are noticed."""
        left = [self.changes[i].layer for i in self.left()]
        return max(set(left), key=lambda layer: (left.count(layer), layer.operator)) if left else None


class GoldenSearch:
    """Finds pictures until the changes of all heads' weights are noticed, or the effort is spent."""

    def __init__(
        self,
        graph: bytes,
        manifest: ModelManifest,
        progress: Callable[[str], None],
        silent: Mapping[int, NDArray[np.bool_]] | None = None,
        effort: SearchEffort | None = None,
        seed: int = 1,
    ) -> None:
        """``silent``: channels that do not count, as `silent_channels` finds them; None: all weights count."""
        self.effort, self.rng, self._progress = effort or SearchEffort(), np.random.default_rng(seed), progress
        recipe = manifest.recipe
        self.shape = recipe.height, recipe.width
        whole = (0, 0, recipe.width, recipe.height)
        self.regions = (Region(box=whole, mm_x=None, mm_y=None, source="phantom"),)
        self._preprocess = Preprocessor(recipe)
        self.traced = TracedGraph(graph)
        self.heads = [self._head_state(graph, head, silent or {}) for head in cut_heads(graph)]
        states = [(state.head, state.logits) for state in self.heads]
        self._make = BasePictures(self.traced, states, self.shape, self.tensor, self.rng)
        self._variants = PictureVariants(graph, self.traced, [state.noticing for state in self.heads], self.tensor)
        for state in self.heads:
            self._find_sleeping(state)

    def _head_state(self, graph: bytes, head: HeadGraph, silent: Mapping[int, NDArray[np.bool_]]) -> HeadState:
        gives_map = int(np.prod(self.traced.shape(head.output))) > LARGE
        drawn = self.effort.drawn_of_maps if gives_map else self.effort.drawn
        changes = draw_changes(HeadRunner(head, graph), drawn, self.rng, counted_weights(head, silent))
        noticing = DetectedChanges(graph, self.traced, head)
        noticed, moved = np.zeros((2, len(changes)), np.bool_)
        return HeadState(head, noticing, changes, noticed, moved, logits_of(self.traced, head), gives_map)

    def _find_sleeping(self, state: HeadState) -> None:
        """Set the weights of the head's largest layer that phantoms leave mostly at zero."""
        results = self.traced.run(self.tensor(self._make.phantom()))
        asleep = []
        for layer in state.head.layers:
            values = results[layer.result]
            zero = (values == self.traced.zero(layer.result)).reshape(-1, values.shape[-1]).all(axis=0)
            if can_wake(self.traced, layer) and zero.mean() > TARGETS_FROM:
                asleep.append(layer)
        if asleep:
            layer = max(asleep, key=lambda each: each.size)
            numbers = np.array([i for i, each in enumerate(state.changes) if each.layer == layer], np.intp)
            if not len(numbers):
                return
            state.woken = numbers
            state.sleeping = UndetectedWeights(self.traced, layer, [state.changes[i] for i in numbers.tolist()])

    def tensor(self, picture: Picture) -> NDArray[np.uint8]:
        """Input tensor (1, height, width, channels) of a picture that is all scan area."""
        return self._preprocess(picture, self.regions)[0]

    def candidate(self, picture: Picture) -> Candidate:
        """Run the graph on a picture of the tensor's size."""
        results = self.traced.run(self.tensor(picture))
        return Candidate(picture, {state.head.name: results[state.head.output] for state in self.heads})

    def add(self, tensor: NDArray[np.uint8]) -> None:
        """Count what the case with an input tensor, (1, h, w, channels), notices, of all changes."""
        results = self.traced.run(tensor)
        for state in self.heads:
            left = state.left()
            moved = state.noticing.begin([state.changes[i] for i in left], results)
            for each in moved:
                state.moved[np.array(left)[each.numbers]] = True
            state.noticed[left] = state.noticing.finish(moved, results, len(left))

    def add_if_worthy(self, tensor: NDArray[np.uint8]) -> bool:
        """Count a case as `add` does if a head's share grows by `LEAST` with it; returns whether it does."""
        before = [(state, state.noticed.copy(), state.moved.copy(), state.share) for state in self.heads]
        self.add(tensor)
        worthy = any(state.share - share >= LEAST for state, _, _, share in before)
        if not worthy:
            for state, noticed, moved, _ in before:
                state.noticed, state.moved = noticed, moved
        return worthy

    def run(
        self,
        target: float,
        most: int,
        fits: Callable[[Candidate], bool] = lambda _: True,
        keep: Callable[[Picture], None] = lambda _: None,
    ) -> list[Candidate]:
        """Search up to ``most`` cases, until ``target`` of each head's changes is noticed.

        ``fits``: may refuse one. ``keep``: is given each picture as it is found.
        """
        chosen: list[Candidate] = []
        for number in range(self.effort.rounds):
            states = [state for state in self.heads if state.share < target]
            if not states or len(chosen) >= most:
                break
            for each in self._round(states, number, fits):
                chosen.append(each)
                keep(each.picture)
                if len(chosen) == most:
                    break
        return chosen

    def _round(self, states: list[HeadState], number: int, fits: Callable[[Candidate], bool]) -> Iterator[Candidate]:
        """Pictures of one base, as long as each is worth it; each is counted when the next is asked for."""
        quick = [state for state in states if not state.gives_map]
        worst = min(states, key=lambda state: state.share)
        bases = [coarse(picture) for picture in self._bases(worst, number)]
        if len(bases) > STEPS_BACK:
            bases = [picture for _, picture in self._variants.best(bases, self._open(quick or states))]
        base = next((each for each in bases[:TRIED] if fits(self.candidate(each))), None)
        if base is None:
            return
        pool = self._variants.pool(base, self.effort.variants if quick else 4 * self.effort.finalists, self.rng)
        first = 0.0
        edges = [narrow_layers(self.traced, state.head, layer) for state in quick if (layer := state.worst_layer())]
        near = self._variants.nearest(pool, [each for each in edges if each], self.effort.guessed)
        for _ in range(self.effort.by_base):
            tried = self._variants.guess(near, self._open(quick)) if quick else [each.picture for each in pool]
            scored = self._variants.best(tried[: self.effort.finalists * (1 if quick else 4)], self._open(states))
            found = ((gain, self.candidate(picture)) for gain, picture in scored[:TRIED])
            gain, best = next(((gain, each) for gain, each in found if fits(each)), (0.0, None))
            if best is None or gain <= max(first * WORTH, LEAST):
                break
            first = first or gain
            self.add(self.tensor(best.picture))
            shares = ", ".join(f"{state.head.name} {state.share:.2%}" for state in self.heads)
            self._progress(f"  golden: a picture more; noticed: {shares}")
            yield best

    def _open(self, states: list[HeadState]) -> list[Open]:
        """Changes of some heads that are not noticed yet, as many as a picture is scored by, and their weight."""
        found = []
        for state in states:
            most = self.effort.scored_of_maps if state.gives_map else self.effort.scored
            left = state.left()
            if len(left) > most:
                left = np.sort(self.rng.choice(left, most, replace=False)).tolist()
            if left:
                found.append(Open(state.noticing, [state.changes[i] for i in left], 1 - state.share))
        return found

    def _bases(self, worst: HeadState, number: int) -> Iterator[Picture]:
        """Pictures to begin a round with: one that wakes what sleeps, or phantoms, some altered for the head."""
        if worst.sleeping is not None and worst.woken is not None:
            still = ~worst.moved[worst.woken]
            left = still if still.mean() > STILL else ~worst.noticed[worst.woken]
            worst.sleeping.choose(left, self.effort.woken, self.rng)
            steps = self._make.wake(worst.head, worst.sleeping, self.effort.wake_steps, masks=number % 4 != 3)
            yield from list(steps)[: -3 * STEPS_BACK : -3]
            return
        for _ in range(4 * self.effort.explored):
            yield self._make.phantom()
        layer = worst.worst_layer()
        narrow = [] if layer is None else narrow_layers(self.traced, worst.head, layer)
        for each in range(self.effort.explored):
            sleeping = self._asleep(worst, layer) if layer and each % 3 else None
            behind = narrow[0].result if sleeping and narrow and self.traced.shape(narrow[0].result)[-1] == 1 else None
            count = self.effort.explore_steps * (1 if sleeping is None else 2)
            yield from list(self._make.explore(worst.head, worst.logits, count, sleeping, behind))[::3]

    def _asleep(self, state: HeadState, layer: WeightedLayer) -> UndetectedWeights | None:
        """The layer's weights that moved nothing in any picture, or that no picture shows; None: none can be woken."""
        if not can_wake(self.traced, layer):
            return None
        for left in (~state.moved, ~state.noticed):
            changes = [state.changes[i] for i in np.flatnonzero(left).tolist() if state.changes[i].layer == layer]
            if len(changes) > STILL * layer.size / 10:
                return UndetectedWeights(self.traced, layer, changes)
        return None
