"""Search of golden pictures by what they notice: of every head, changes of single weights.

Each round makes pictures for the head that is noticed least, takes the one that notices most of what none did yet, and
alters single pixels of it by chance until no better is found: a change shows where a sum stands close to the edge of
rounding, and nothing but trying finds such a picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.region import Region
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.preprocess.preprocessor import Preprocessor
from export.golden_coverage import counted_weights
from export.golden_pictures import balance_seed, can_wake, climb, logits_of, rough_picture, waking_seed
from export.head_layers import cut_heads, head_operators
from export.input_gradient import TracedGraph
from export.weight_changes import HeadRunner, draw_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from edge.contracts.manifest import ModelManifest
    from export.head_layers import HeadGraph, WeightedLayer
    from export.weight_changes import ChangedWeight

    Picture = NDArray[np.uint8]
    Tensors = dict[int, NDArray[Any]]

PHANTOM_SEEDS = (60, 500)
"""Seeds of phantoms to begin with: neither training's nor those that thresholds are chosen by."""
FULL_MASK = 2.5
"""Logit that masks are drawn to while another head's features are woken: features count where a lesion is."""


@dataclass(frozen=True, slots=True)
class SearchEffort:
    """How long a search goes on: numbers of pictures, steps and weights."""

    drawn: int = 1500
    """Weights of each head that are changed."""
    scored: tuple[int, int] = (40, 400)
    """Of those that are not noticed yet, how many each picture is scored by, and then each of the best."""
    finalists: int = 32
    wake_steps: int = 60
    explore_steps: int = 16
    explored: int = 6
    """Phantoms of a round that are altered step by step."""
    variants: int = 400
    """Variants of the two best pictures in each of two rounds of altering single pixels."""
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
    way: str = ""
    """How the picture was made: ``explore`` or ``wake``."""


@dataclass(eq=False)
class HeadState:
    """A head, the changes of its weights, and which of them are noticed by now."""

    head: HeadGraph
    runner: HeadRunner
    changes: list[ChangedWeight]
    noticed: NDArray[np.bool_]
    logits: int | None
    ways: tuple[str, ...] = ("explore", "wake")
    """Ways to make pictures for it that are tried: after a round the one that was of use."""

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

    def need(self, layer: WeightedLayer) -> NDArray[np.float32]:
        """How much each channel of a layer is to be woken, (channels,) float32: the share that is not noticed."""
        channels = layer.shape[layer.channel_axis]
        left, all_ = np.zeros(channels, np.float32), np.zeros(channels, np.float32)
        for change, seen in zip(self.changes, self.noticed.tolist(), strict=True):
            if change.layer == layer:
                all_[layer.channel_of(change.index)] += 1
                left[layer.channel_of(change.index)] += not seen
        return np.asarray((left + 0.2 * (all_ > 0)) / (all_ + 0.2), np.float32)


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
        self._forward = TracedGraph(graph, {n for head in heads for n in (*head.sources, head.output)})
        self.heads = [self._head_state(graph, head, silent or {}) for head in heads]
        self._operators = head_operators(self.traced.model)
        self._kept: list[Candidate] = []

    def _head_state(self, graph: bytes, head: HeadGraph, silent: Mapping[int, NDArray[np.bool_]]) -> HeadState:
        runner = HeadRunner(head, graph)
        changes = draw_changes(runner, self.effort.drawn, self.rng, counted_weights(head, silent))
        return HeadState(head, runner, changes, np.zeros(len(changes), np.bool_), logits_of(self.traced, head))

    def tensor(self, picture: Picture) -> NDArray[np.uint8]:
        """Input tensor (1, height, width, channels) of a picture that is all scan area."""
        return self._preprocess(picture, self.regions)[0]

    def candidate(self, picture: Picture, tensor: NDArray[np.uint8] | None = None, way: str = "") -> Candidate:
        """Run the graph on a picture, or on the tensor that stands for it, and keep what the heads read and give."""
        results = self._forward.run(self.tensor(picture) if tensor is None else tensor)
        trunk = {number: results[number] for state in self.heads for number in state.head.sources}
        outputs = {state.head.name: results[state.head.output] for state in self.heads}
        return Candidate(picture, trunk, outputs, way)

    def add(self, candidate: Candidate) -> None:
        """Count what a case notices, of all changes."""
        for state in self.heads:
            seen = state.runner.noticed(state.changes, [candidate.trunk])[:, 0]
            state.noticed |= seen

    def run(self, target: float, most: int, fits: Callable[[Candidate], bool] = lambda _: True) -> list[Candidate]:
        """Search up to ``most`` cases, until ``target`` of each head's changes is noticed. ``fits``: may refuse one."""
        chosen: list[Candidate] = []
        for number in range(self.effort.rounds):
            if len(chosen) >= most or min(state.share for state in self.heads) >= target:
                break
            worst = min(self.heads, key=lambda state: state.share)
            bases = [*self._kept, *(self.candidate(picture, way=way) for way, picture in self._bases(worst))]
            best = self._refine(self._ranked(bases, target), target, fits)
            # Every third round both ways are tried again: what helped at first may be spent.
            worst.ways = HeadState.ways if best is None or number % 3 == 2 else (best.way,)
            if best is None:
                continue
            chosen.append(best)
            self.add(best)
            shares = ", ".join(f"{state.head.name} {state.share:.1%}" for state in self.heads)
            self._progress(f"  golden: {len(chosen)} pictures more, noticed: {shares}")
        return chosen

    def _refine(self, ranked: list[Candidate], target: float, fits: Callable[[Candidate], bool]) -> Candidate | None:
        """The best variant that fits; the next best are kept for later rounds."""
        for amount in (30, 8):
            bases = ranked[:2]
            variants = [
                self.candidate(each, way=base.way) for base in bases for each in self._variants(base.picture, amount)
            ]
            ranked = self._ranked([*bases, *variants], target)
        for number, each in enumerate(ranked[:20]):
            if fits(each):
                self._kept = [*ranked[number + 1 : number + 20], *self._kept][:60]
                return each
        return None

    def _variants(self, picture: Picture, amount: int) -> Iterator[Picture]:
        """A picture with ``amount`` pixels moved by up to two grey values, again and again."""
        for _ in range(self.effort.variants // 2):
            moved = picture.astype(np.int16)
            moved.flat[self.rng.integers(0, moved.size, amount)] += self.rng.integers(-2, 3, amount).astype(np.int16)
            yield np.clip(moved, 0, 255).astype(np.uint8)

    def _ranked(self, candidates: list[Candidate], target: float) -> list[Candidate]:
        """Candidates by what they notice that is not noticed yet, the best first."""
        some, more = self.effort.scored
        for scored, number in ((some, len(candidates)), (more, self.effort.finalists)):
            gain = self._gain(candidates[:number], target, scored)
            order = np.argsort(-gain, kind="stable").tolist()
            candidates = [*(candidates[i] for i in order), *candidates[len(order) :]]
        return candidates

    def _gain(self, candidates: list[Candidate], target: float, scored: int) -> NDArray[np.float64]:
        """What each candidate would add to the shares of the heads, (candidates,), by ``scored`` changes in all."""
        gain = np.zeros(len(candidates))
        missing = {state.head.name: 1 - state.share for state in self.heads if state.share < target}
        for state in self.heads:
            if state.head.name in missing:
                part = missing[state.head.name]
                left = state.open(math.ceil(scored * part / sum(missing.values())), self.rng)
                seen = state.runner.noticed([state.changes[i] for i in left], [each.trunk for each in candidates])
                gain += seen.mean(axis=0) * part
        return gain

    def _bases(self, state: HeadState) -> Iterable[tuple[str, Picture]]:
        """Pictures made for one head, with how: phantoms, phantoms altered for it, one that wakes its features."""
        if "explore" in state.ways:
            for _ in range(2 * self.effort.explored):
                yield "explore", self._phantom()
            for _ in range(self.effort.explored):
                yield from (("explore", picture) for picture in self._explore(state))
        layer = state.worst_layer()
        if "wake" in state.ways and layer is not None and can_wake(self.traced, layer):
            yield from (("wake", picture) for picture in self._wake(state, layer))

    def _phantom(self) -> Picture:
        seed, lesions = int(self.rng.integers(*PHANTOM_SEEDS)), int(self.rng.integers(0, 2))
        height, width = self.shape
        spec = PhantomSpec(seed=seed, width=max(96, width), height=max(96, height), lesions=lesions, mm_per_px=0.2)
        pixels = PhantomScene(spec).pixels(0)[:height, :width] * float(self.rng.choice([0.5, 0.7, 1.0, 1.4]))
        return np.clip(pixels, 0, 255).astype(np.uint8)

    def _explore(self, state: HeadState) -> Iterator[Picture]:
        """Alter a phantom so that one single value within the head rises or falls, while the head stays undecided."""
        operators = self._operators[state.head.name]
        made = [int(tensor) for n in operators for tensor in self.traced.subgraph.operators[n].outputs]
        self.traced.revived = set(made)
        single = [tensor for tensor in made if max(self.traced.shape(tensor)) <= 2] or [state.head.output]
        tensor = int(self.rng.choice(single))
        way = np.full(self.traced.shape(tensor), float(self.rng.choice([-1, 1])))
        way[..., 1:] *= -1  # of two classes, one against the other

        def seeds(results: Mapping[int, NDArray[Any]]) -> list[tuple[float, dict[int, NDArray[Any]]]]:
            balance = [] if state.logits is None else [balance_seed(self.traced, state.logits, results)]
            return [(1.0, {tensor: way}), *balance]

        pictures = list(climb(self.traced, self._phantom(), self.tensor, seeds, self.effort.explore_steps))
        self.traced.revived = set()
        yield from pictures[::3]

    def _wake(self, state: HeadState, layer: WeightedLayer) -> Iterator[Picture]:
        """Alter a random picture so that the layer's channels with unnoticed weights wake, and heads stay undecided."""
        need = state.need(layer)
        others = [each.logits for each in self.heads if each is not state and each.logits is not None]
        masks = [logits for logits in others if max(self.traced.shape(logits)) > 2]

        def seeds(results: Mapping[int, NDArray[Any]]) -> list[tuple[float, dict[int, NDArray[Any]]]]:
            found = [(1.0, waking_seed(self.traced, layer, need, results))]
            if state.logits is not None:
                found.append(balance_seed(self.traced, state.logits, results))
            return found + [balance_seed(self.traced, logits, results, FULL_MASK) for logits in masks]

        start = rough_picture(self.shape, self.rng)
        pictures = list(climb(self.traced, start, self.tensor, seeds, self.effort.wake_steps))
        yield from pictures[-1 : len(pictures) // 2 : -10]
