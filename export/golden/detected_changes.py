"""Changes of a head's weights (mutations) that one picture detects, for all changes at once instead of one run each.

Of each change, integer arithmetic follows the one channel that it moves; where channels are mixed, what is left of the
head is run by LiteRT, once for each result that differs. That is what `export.golden.weight_changes` finds by running
the whole head with every change, a hundred times faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from export.golden.head_tail import VECTOR, Tail
from export.golden.single_channel import LAYERS, Dense, LayerArithmetic, Single, product, spatial
from export.head_layers import head_operators

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from export.golden.weight_changes import ChangedWeight
    from export.head_layers import HeadGraph
    from export.input_gradient import TracedGraph

    Tensors = Mapping[int, NDArray[Any]]
    State = dict[int, Single | Dense]
    Sums = dict[int, NDArray[np.int32]]


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """What changes of weights move in a picture, of those that move the same tensors."""

    numbers: NDArray[np.intp]
    """Which changes these are, of all that were asked about."""
    state: State
    """Changed tensors, by number."""


class DetectedChanges:
    """Finds which changes of one head's weights a picture shows; for int8 heads."""

    def __init__(self, graph: bytes, traced: TracedGraph, head: HeadGraph) -> None:
        self._data, self._graph, self.head = graph, traced, head
        self._numbers = head_operators(traced.model)[head.name]
        self._operators = {n: traced.subgraph.operators[n] for n in self._numbers}
        self._arithmetic = {
            n: LayerArithmetic(traced, graph, each)
            for n, each in self._operators.items()
            if traced.kind(each) in LAYERS
        }
        made = {int(t) for each in traced.subgraph.operators for t in each.outputs}
        read = {int(t) for each in self._operators.values() for t in (*each.inputs, *each.outputs)}
        self.tensors = read & made
        """Numbers of the results that the head reads and makes."""
        self._inputs = {n: {int(t) for t in each.inputs} for n, each in self._operators.items()}
        self._tails: dict[tuple[int, ...], tuple[list[int], Tail | None]] = {}

    def noticed(self, changes: Sequence[ChangedWeight], results: Tensors) -> NDArray[np.bool_]:
        """Which changes a picture shows, (changes,). ``results``: of the whole graph, all tensors."""
        return self.finish(self.begin(changes, results), results, len(changes))

    def begin(self, changes: Sequence[ChangedWeight], results: Tensors) -> list[Moved]:
        """What changes move, followed to where the channels of a vector are mixed."""
        by_layer: dict[int, list[int]] = {}
        for number, change in enumerate(changes):
            by_layer.setdefault(change.layer.operator, []).append(number)
        found: dict[tuple[int, ...], list[Moved]] = {}
        sums: Sums = {}
        for operator, numbers in by_layer.items():
            layer = self._arithmetic[operator]
            index = np.array([changes[i].index for i in numbers])
            value = np.array([changes[i].value for i in numbers], np.int32)
            start = layer.change(results[layer.source], self._sums(operator, results, sums), index, value)
            state: State = {layer.result: start}
            behind = self._follow(state, results, sums, mix=False)
            read = {int(t) for n in behind for t in self._operators[n].inputs} | {self.head.output}
            kept = {tensor: each for tensor, each in sorted(state.items()) if tensor in read}
            moved = np.zeros(len(numbers), np.bool_)
            for tensor, each in kept.items():
                moved |= self._moved(tensor, each, results)
            part = Moved(np.array(numbers)[moved], {tensor: _part(each, moved) for tensor, each in kept.items()})
            found.setdefault(tuple(kept), []).append(part)
        return [_joined(parts) for parts in found.values()]

    def finish(self, moved: Sequence[Moved], results: Tensors, count: int) -> NDArray[np.bool_]:
        """Which of ``count`` changes reach the head's output, (count,), from what `begin` found, or `carry` made."""
        found = np.zeros(count, np.bool_)
        sums: Sums = {}
        for each in moved:
            state = dict(each.state)
            if len(each.numbers):
                behind = self._follow(state, results, sums, mix=True)
                found[each.numbers] = self._compare(tuple(each.state), state, behind, results, len(each.numbers))
        return found

    def carry(self, moved: Sequence[Moved], before: Tensors, after: Tensors) -> list[Moved]:
        """What changes would move in a picture that differs little: as many steps as before.

        A guess, and for vectors alone: what moved a map is left out.
        """
        found = []
        for each in moved:
            state: State = {}
            for tensor, changed in each.state.items():
                if isinstance(changed, Single) and spatial(self._graph.shape(tensor)) == (1, 1):
                    steps = (after[tensor].astype(np.int32) - before[tensor]).reshape(-1)[changed.channel]
                    values = np.clip(changed.values + steps[:, None, None], -128, 127)
                    state[tensor] = Single(changed.channel, values)
            if len(state) == len(each.state):
                found.append(Moved(each.numbers, state))
        return found

    def _sums(self, operator: int, results: Tensors, sums: Sums) -> NDArray[np.int32]:
        """Sums of a layer for this picture, checked against what LiteRT made of them."""
        if operator not in sums:
            layer = self._arithmetic[operator]
            found = layer.sums(results[layer.source])
            if not np.array_equal(layer.round(found).reshape(-1), results[layer.result].reshape(-1)):
                raise ArithmeticError(f"operator {operator} rounds otherwise than it is followed")
            sums[operator] = found
        return sums[operator]

    def _follow(self, state: State, results: Tensors, sums: Sums, *, mix: bool) -> list[int]:
        """Follow changed tensors, which are added to ``state``; returns the operators that were not followed.

        ``mix``: through the layers too that mix the channels of a vector.
        """
        behind: list[int] = []
        loose: set[int] = set()
        for number in self._numbers:
            operator = self._operators[number]
            inputs = self._inputs[number]
            if int(operator.outputs[0]) in state or inputs.isdisjoint(state.keys() | loose):
                continue
            stopped = inputs & loose or (not mix and number in self._arithmetic and self._arithmetic[number].plain)
            made = None if stopped else self._step(number, operator, state, results, sums)
            if made is None:
                behind.append(number)
                loose |= {int(t) for t in operator.outputs}
            else:
                state[int(operator.outputs[0])] = made
        return behind

    def _step(self, number: int, operator: Any, state: State, results: Tensors, sums: Sums) -> Single | Dense | None:
        """Result of one operator where inputs are changed; None: not followed here."""
        graph, kind = self._graph, self._graph.kind(operator)
        changed = [int(t) for t in operator.inputs if int(t) in state]
        each, made = state[changed[0]], int(operator.outputs[0])
        if len(changed) > 1:
            return None
        if number in self._arithmetic:
            layer = self._arithmetic[number]
            small = layer.plain and int(np.prod(layer.shape)) <= VECTOR and spatial(graph.shape(changed[0])) == (1, 1)
            if not (small or (layer.depthwise and isinstance(each, Single))):
                return None
            return layer.follow(each, results[layer.source], self._sums(number, results, sums))
        same = all(
            graph.scale(t)[0] == graph.scale(made)[0] and graph.zero(t) == graph.zero(made)
            for t in (int(t) for t in operator.inputs)
            if results.get(t) is not None
        )
        if kind == "RESHAPE" and spatial(graph.shape(changed[0])) == (1, 1):
            return each
        if kind == "CONCATENATION" and isinstance(each, Single) and same:
            before = [int(t) for t in operator.inputs][: [int(t) for t in operator.inputs].index(changed[0])]
            return Single(each.channel + sum(graph.shape(t)[-1] for t in before), each.values)
        if kind == "MUL" and isinstance(each, Single) and graph.shape(changed[0]) == graph.shape(made):
            one, other = (int(t) for t in operator.inputs)
            if changed[0] != one or graph.shape(other)[-1] != 1:
                return None
            return Single(each.channel, product(graph, operator, each.values, results[other][..., 0].astype(np.int32)))
        return None

    def _compare(
        self, first: tuple[int, ...], state: State, behind: list[int], results: Tensors, count: int
    ) -> NDArray[np.bool_]:
        """Which changes reach the head's output, (count,)."""
        output = self.head.output
        if output in state:
            return np.asarray(
                (self._rows(output, state[output], results) != results[output].reshape(1, -1)).any(axis=1)
            )
        if first not in self._tails:
            read = {int(t) for n in behind for t in self._operators[n].inputs}
            inputs = sorted(read & state.keys())
            self._tails[first] = inputs, (Tail(self._data, behind, inputs, output) if inputs else None)
        inputs, tail = self._tails[first]
        if tail is None:
            return np.zeros(count, np.bool_)
        tail.begin(results)
        moved = np.zeros(count, np.bool_)
        for tensor in inputs:
            moved |= self._moved(tensor, state[tensor], results)
        keys = np.concatenate([self._key(state[tensor]) for tensor in inputs], axis=1)[moved]
        found = np.zeros(count, np.bool_)
        if moved.any():
            where, back = _distinct(keys)
            which = np.flatnonzero(moved)
            shown = []
            for i in which[where].tolist():
                values = [self._whole(tensor, state[tensor], i, results) for tensor in inputs]
                shown.append(not np.array_equal(tail.run(values), results[output]))
            found[which] = np.array(shown)[back.reshape(-1)]
        return found

    def _moved(self, tensor: int, changed: Single | Dense, results: Tensors) -> NDArray[np.bool_]:
        if isinstance(changed, Dense):
            return np.asarray((changed.values != results[tensor].reshape(1, -1)).any(axis=1))
        maps = results[tensor].reshape(*spatial(results[tensor].shape), -1)
        return np.asarray((changed.values != np.moveaxis(maps, -1, 0)[changed.channel]).any(axis=(1, 2)))

    def _key(self, changed: Single | Dense) -> NDArray[np.int32]:
        if isinstance(changed, Dense):
            return changed.values
        return np.concatenate(
            (changed.channel[:, None].astype(np.int32), changed.values.reshape(len(changed.values), -1)), axis=1
        )

    def _rows(self, tensor: int, changed: Single | Dense, results: Tensors) -> NDArray[np.int32]:
        count = len(changed.values)
        rows = [self._whole(tensor, changed, i, results).reshape(-1) for i in range(count)]
        return np.stack(rows).astype(np.int32)

    def _whole(self, tensor: int, changed: Single | Dense, number: int, results: Tensors) -> NDArray[Any]:
        """The whole tensor of one change."""
        base = results[tensor]
        if isinstance(changed, Dense):
            return np.asarray(changed.values[number].astype(base.dtype).reshape(base.shape))
        found = base.copy()
        found.reshape(*spatial(base.shape), -1)[..., changed.channel[number]] = changed.values[number]
        return np.asarray(found)


def _distinct(rows: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each distinct row is first, and which of these every row is."""
    if rows.shape[1] * 8 < 64 and rows.min() >= -128 and rows.max() < 128:
        packed = ((rows.astype(np.int64) + 128) << (8 * np.arange(rows.shape[1]))).sum(axis=1)
        _, where, back = np.unique(packed, return_index=True, return_inverse=True)
    else:
        _, where, back = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return where, back.reshape(-1)


def _part(changed: Single | Dense, which: NDArray[np.bool_]) -> Single | Dense:
    if isinstance(changed, Dense):
        return Dense(changed.values[which])
    return Single(changed.channel[which], changed.values[which])


def _joined(parts: list[Moved]) -> Moved:
    """What changes of several layers move, of the same tensors."""
    state: State = {}
    for tensor, first in parts[0].state.items():
        all_of_it = [part.state[tensor] for part in parts]
        values = np.concatenate([each.values for each in all_of_it])
        if isinstance(first, Single):
            channels = np.concatenate([each.channel for each in all_of_it if isinstance(each, Single)])
            state[tensor] = Single(channels, values)
        else:
            state[tensor] = Dense(values)
    return Moved(np.concatenate([part.numbers for part in parts]), state)
