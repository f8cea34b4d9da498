"""Placement of a model's operators: the proof that an accelerator is used, and not only configured."""

from __future__ import annotations

import msgspec


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Operators and multiply-accumulates (MACs, where the work is) of a graph, and how much of both a delegate took."""

    ops: int
    """Operators of the graph."""
    delegated_ops: int
    """Of these, how many a delegate computes."""
    partitions: int | None
    """Pieces that the delegated operators lie in; between two of them tensors go back to the CPU. None: not told."""
    macs: int
    """Of the graph, for one picture. 0: not told, which only an ONNX file does that was not written by our export."""
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
