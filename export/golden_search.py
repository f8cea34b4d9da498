"""Search of golden pictures by what they notice: of every head, changes of single weights.

Each round makes pictures for the head that is noticed least, takes the one that notices most of what none did yet, and
alters single pixels of it by chance until no better is found: a change shows where a sum stands close to the edge of
rounding, and nothing but trying finds such a picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.region import Region
from edge.preprocess.preprocessor import Preprocessor
from export.golden_bases import BasePictures
from export.golden_coverage import counted_weights
from export.golden_pictures import can_wake, logits_of
from export.head_layers import cut_heads
from export.input_gradient import TracedGraph
from export.rounding_edges import NARROW, edge_distance, narrow_layers
from export.sleeping_weights import SleepingWeights
from export.weight_changes import HeadRunner, draw_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from edge.contracts.manifest import ModelManifest
    from export.head_layers import HeadGraph, WeightedLayer
    from export.weight_changes import ChangedWeight

    Picture = NDArray[np.uint8]
    Tensors = dict[int, NDArray[Any]]
    Left = dict[str, NDArray[np.intp]]

TARGETS_FROM = 0.6
"""A layer of which a phantom leaves more than this share at zero has weights that must be woken."""
WIDE, NEAR = 30, 4
"""Pixels that are moved at once: to find a side of the edges of rounding, and to come closer to it."""
TRIED = 48
"""Candidates that are tried on other kernels at most before a picture is given up."""


@dataclass(frozen=True, slots=True)
class SearchEffort:
    """How long a search goes on: numbers of pictures, steps and weights."""

    drawn: int = 1500
    """Weights of each head that are changed."""
    scored: int = 300
    """Of those that are not noticed yet, how many of each head a picture is scored by at most."""
    woken: int = 20000
    """Weights of a layer that are looked at to wake them."""
    wake_steps: int = 70
    explore_steps: int = 16
    explored: int = 6
    """Phantoms of a round that are altered step by step; twice as many are taken as they are."""
    variants: int = 1500
    """Variants of one picture in each round of altering single pixels."""
    finalists: int = 48
    """Of those, how many are scored: the ones whose sums stand closest to an edge."""
    rounds: int = 40


@dataclass(eq=False)
class Candidate:
    """A picture with what the trunk makes of it."""

    picture: Picture
    """(height, width) uint8, of the tensor's size."""
    trunk: Tensors
    """What the heads read, by tensor number."""
    outputs: dict[str, NDArray[Any]]
    """Raw, by head, (1, …)."""


@dataclass(eq=False)
class HeadState:
    """A head, the changes of its weights, and which of them are noticed by now."""

    head: HeadGraph
    runner: HeadRunner
    changes: list[ChangedWeight]
    noticed: NDArray[np.bool_]
    logits: int | None
    sleeping: SleepingWeights | None = None
    """Of its layer that phantoms leave mostly at zero; None: it has none."""
    by_case: list[NDArray[np.bool_]] = field(default_factory=list)
    """What each case notices, in the order that they were added."""

    @property
    def missing(self) -> float:
        """Share of the changes that are not noticed."""
        return 1 - self.share

    @property
    def share(self) -> float:
        """Share of the changes that are noticed."""
        return float(self.noticed.mean())

    def open(self, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Numbers of changes that are not noticed yet, ``most`` of them at most, by chance."""
        left = np.flatnonzero(~self.noticed)
        return left if len(left) <= most else np.sort(rng.choice(left, most, replace=False))

    def worst_layer(self) -> WeightedLayer | None:
        """The layer that most unnoticed changes are in; None: all are noticed."""
        left = [self.changes[i].layer for i in np.flatnonzero(~self.noticed).tolist()]
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
        heads = cut_heads(graph)
        kept = {n for head in heads for n in (*head.sources, head.output)}
        kept |= {layer.source for head in heads for layer in head.layers if layer.shape[0] <= NARROW}
        self._forward = TracedGraph(graph, kept)
        self.heads = [self._head_state(graph, head, silent or {}) for head in heads]
        states = [(state.head, state.logits) for state in self.heads]
        self._make = BasePictures(self.traced, states, self.shape, self.tensor, self.rng)
        for state in self.heads:
            state.sleeping = self._sleeping(state, silent or {})

    def _sleeping(self, state: HeadState, silent: Mapping[int, NDArray[np.bool_]]) -> SleepingWeights | None:
        """Weights of the head's largest layer that phantoms leave mostly at zero."""
        results = self.traced.run(self.tensor(self._make.phantom()))
        asleep = []
        for layer in state.head.layers:
            values = results[layer.result]
            zero = (values == self.traced.zero(layer.result)).reshape(-1, values.shape[-1]).all(axis=0)
            if can_wake(self.traced, layer) and zero.mean() > TARGETS_FROM:
                asleep.append(layer)
        if not asleep:
            return None
        layer = max(asleep, key=lambda each: each.size)
        counted = counted_weights(state.head, silent)
        counted = {tensor: each & (tensor == layer.weights) for tensor, each in counted.items()}
        changes = draw_changes(state.runner, self.effort.woken, self.rng, counted)
        return SleepingWeights(self.traced, layer, changes) if changes else None

    def _head_state(self, graph: bytes, head: HeadGraph, silent: Mapping[int, NDArray[np.bool_]]) -> HeadState:
        runner = HeadRunner(head, graph)
        changes = draw_changes(runner, self.effort.drawn, self.rng, counted_weights(head, silent))
        return HeadState(head, runner, changes, np.zeros(len(changes), np.bool_), logits_of(self.traced, head))

    def tensor(self, picture: Picture) -> NDArray[np.uint8]:
        """Input tensor (1, height, width, channels) of a picture that is all scan area."""
        return self._preprocess(picture, self.regions)[0]

    def candidate(self, picture: Picture, tensor: NDArray[np.uint8] | None = None) -> Candidate:
        """Run the graph on a picture, or on the tensor that stands for it, and keep what the heads read and give."""
        return self._keep(picture, self._forward.run(self.tensor(picture) if tensor is None else tensor))

    def _keep(self, picture: Picture, results: Mapping[int, NDArray[Any]]) -> Candidate:
        trunk = {number: results[number] for state in self.heads for number in state.head.sources}
        return Candidate(picture, trunk, {state.head.name: results[state.head.output] for state in self.heads})

    def add(self, candidate: Candidate) -> None:
        """Count what a case notices, of all changes."""
        for state in self.heads:
            seen = state.runner.noticed(state.changes, [candidate.trunk])[:, 0]
            state.noticed |= seen
            state.by_case.append(seen)

    def run(self, target: float, most: int, fits: Callable[[Candidate], bool] = lambda _: True) -> list[Candidate]:
        """Search up to ``most`` cases, until ``target`` of each head's changes is noticed. ``fits``: may refuse one."""
        chosen: list[Candidate] = []
        for number in range(self.effort.rounds):
            left = [state for state in self.heads if state.share < target]
            if not left or len(chosen) >= most:
                break
            for each in self._round(left, number, fits)[: most - len(chosen)]:
                chosen.append(each)
                self.add(each)
            shares = ", ".join(f"{state.head.name} {state.share:.1%}" for state in self.heads)
            self._progress(f"  golden: {len(chosen)} pictures more, noticed: {shares}")
        return chosen

    def _round(self, states: list[HeadState], number: int, fits: Callable[[Candidate], bool]) -> list[Candidate]:
        """One or two pictures: the best variant of the best picture, and one that notices what it misses."""
        edges = self._edges(states)
        left = {state.head.name: state.open(self.effort.scored, self.rng) for state in states}
        base = self._best(states, left, [self.candidate(picture) for picture in self._bases(states, number)])[0]
        wide = [base, *self._closest(base.picture, WIDE, edges)]
        found: list[Candidate] = []
        first = 0.0
        while len(found) < 2:
            start = self._best(states, left, wide)[0]
            near = self._best(states, left, [start, *self._closest(start.picture, NEAR, edges)])
            best = next((each for each in near[:TRIED] if fits(each)), None)
            gain = 0.0 if best is None else float(self._gains(states, left, [best])[0])
            if best is None or gain <= first / 2:
                break
            first = first or gain
            found.append(best)
            for state in states:
                seen = state.runner.noticed([state.changes[i] for i in left[state.head.name]], [best.trunk])[:, 0]
                left[state.head.name] = left[state.head.name][~seen]
        return found

    def _edges(self, states: list[HeadState]) -> list[WeightedLayer]:
        """Narrow layers behind those with most unnoticed changes, of all heads."""
        found = []
        for state in states:
            layer = state.worst_layer()
            found += [] if layer is None else narrow_layers(self.traced, state.head, layer)
        return found

    def _best(self, states: list[HeadState], left: Left, pool: list[Candidate]) -> list[Candidate]:
        """Candidates by what each notices that is left, the best first."""
        gains = self._gains(states, left, pool)
        return [pool[i] for i in np.argsort(-gains, kind="stable").tolist()]

    def _gains(self, states: list[HeadState], left: Left, pool: list[Candidate]) -> NDArray[np.float64]:
        """What each candidate would add to the shares of the heads, (candidates,), by the changes in ``left``."""
        gains = np.zeros(len(pool))
        for state in states:
            numbers = left[state.head.name]
            if len(numbers):
                seen = state.runner.noticed([state.changes[i] for i in numbers], [each.trunk for each in pool])
                gains += seen.sum(axis=0) * (state.missing / min(self.effort.scored, int((~state.noticed).sum())))
        return gains

    def _closest(self, picture: Picture, amount: int, edges: list[WeightedLayer]) -> list[Candidate]:
        """Variants of a picture with ``amount`` pixels moved a little, those whose sums stand closest to an edge."""
        found: list[tuple[float, Candidate]] = []
        for _ in range(self.effort.variants if edges else self.effort.finalists):
            moved = picture.astype(np.int16)
            moved.flat[self.rng.integers(0, moved.size, amount)] += self.rng.integers(-2, 3, amount).astype(np.int16)
            variant = np.clip(moved, 0, 255).astype(np.uint8)
            results = self._forward.run(self.tensor(variant))
            found.append((edge_distance(self.traced, edges, results), self._keep(variant, results)))
            if len(found) >= 4 * self.effort.finalists:
                found = sorted(found, key=lambda each: each[0])[: self.effort.finalists]
        return [each for _, each in sorted(found, key=lambda each: each[0])[: self.effort.finalists]]

    def _bases(self, states: list[HeadState], number: int) -> Iterator[Picture]:
        """Pictures to begin a round with: one that wakes what sleeps, every fourth time phantoms for another head."""
        worst = max(states, key=lambda state: state.missing)
        asleep = max((state for state in states if state.sleeping), key=lambda state: state.missing, default=None)
        if asleep is not None and asleep.sleeping is not None and (number % 4 != 3 or asleep is worst):
            *_, last = self._make.wake(asleep.head, asleep.sleeping, self.effort.wake_steps, masks=number % 4 == 1)
            asleep.sleeping.see(self.traced.run(self.tensor(last)))
            yield last
            return
        for _ in range(2 * self.effort.explored):
            yield self._make.phantom()
        for _ in range(self.effort.explored):
            yield from list(self._make.explore(worst.head, worst.logits, self.effort.explore_steps))[::3]
