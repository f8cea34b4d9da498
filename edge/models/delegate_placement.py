"""Delegate placement: from the operators that delegates took to their share of the graph's multiply-accumulates."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from edge.contracts.placement import Placement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge.models.operators import Operator


def graph_placement(
    operators: Sequence[Operator], takers: Mapping[int, str], partitions: int | None, source: str
) -> Placement:
    """Delegate placement of a graph: how many operators and multiply-accumulates were taken, what was left.

    Args:
        operators: the graph's, in order.
        takers: number of an operator -> name of the delegate that computes it, the first delegate's first.
        partitions: see `Placement`.
        source: see `Placement`.
    """
    return Placement(
        ops=len(operators),
        delegated_ops=len(takers),
        partitions=partitions,
        macs=sum(operator.macs for operator in operators),
        delegated_macs=sum(operators[number].macs for number in takers),
        left=count_by_kind(operator for number, operator in enumerate(operators) if number not in takers),
        source=source,
        by=dict(Counter(takers.values())),
    )


def count_by_kind(operators: Iterable[Operator]) -> dict[str, int]:
    """Number of operators of each kind, by the kind's name."""
    return dict(sorted(Counter(operator.kind for operator in operators).items()))


def describe_placement(placed: Placement) -> str:
    """One line for people: which delegate took how much, and what is left."""
    took = ", ".join(f"{name} {number}" for name, number in placed.by.items()) or "no delegate"
    share = f", {placed.delegated_macs / placed.macs:.1%} of MACs" if placed.macs else ""
    pieces = "" if placed.partitions is None else f" in {placed.partitions} piece{'s' * (placed.partitions != 1)}"
    left = ", ".join(f"{number} {kind}" for kind, number in placed.left.items()) or "nothing"
    return f"{took} of {placed.ops} operators{pieces}{share}; left on plain kernels: {left} ({placed.source})"


def operators_between(operators: Sequence[Operator], given: Iterable[int], wanted: Iterable[int]) -> set[int]:
    """Numbers of the operators that compute the tensors ``wanted`` from the tensors ``given``.

    A delegate's node names the tensors that it reads and writes; what lies between them is what it computes.
    """
    maker = {tensor: number for number, operator in enumerate(operators) for tensor in operator.outputs}
    ends, todo, found = set(given), list(wanted), set[int]()
    while todo:
        tensor = todo.pop()
        number = maker.get(tensor)
        if number is None or number in found or tensor in ends:
            continue
        found.add(number)
        todo += operators[number].inputs
    return found
