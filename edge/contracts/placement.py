"""Placement of a model's operators: the proof that an accelerator is used, and not only configured."""

from __future__ import annotations

import msgspec


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Operators and multiply-accumulates (MACs, where the work is) of a graph, and how much of both a delegate took."""

    ops: int
    """Number of operators of the graph."""
    delegated_ops: int
    """Number of operators that a delegate computes."""
    partitions: int | None
    """Pieces that the delegated operators lie in; between two of them tensors go back to the CPU. None: not told."""
    macs: int
    """Multiply-accumulates of the graph for one picture. 0: not told, as by an ONNX file that our export did not
    write, and by nothing else."""
    delegated_macs: int
    left: dict[str, int]
    """Operators that stay on the CPU's plain kernels, by their name in TFLite's schema, or in ONNX's."""
    source: str
    """How it is known. ``runtime``: asked of the runtime that has loaded the graph; ``interpreter``: asked of LiteRT's
    interpreter, which has loaded the same graph with the same XNNPACK, where the compiler does not tell; ``graph``: the
    runtime said all or nothing, and the graph was counted; ``op table``: what the maker's table of operators would
    allow."""
    by: dict[str, int] = {}
    """Delegated operators by the delegate that took them: an external one may leave the rest to XNNPACK."""
