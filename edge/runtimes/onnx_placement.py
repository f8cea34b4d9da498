"""Delegate placement in an ONNX graph: which nodes an execution provider took, and their multiply-accumulates.

ONNX Runtime tells the provider of each node, the file how much each computes. The nodes are those after its basic
optimisations (constants folded, doubles removed), so there may be some more or fewer than in the file; those that
multiply keep their names. It tells no shapes, so it cannot be asked for multiply-accumulates: ``python -m export onnx``
writes them into the file's metadata, under `MACS`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.placement import Placement

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD = ("session.record_ep_graph_assignment_info", "1")
"""Session option: without it ONNX Runtime does not record the placement. Versions that do not know it ignore it."""
MACS = "sonoedge.macs"
"""Key in the file's metadata: JSON, name of a node -> its multiply-accumulates for one picture."""


def provider_placement(session: Any, provider: str, name: str) -> Placement | None:
    """Delegate placement of the graph that ``session`` has loaded; None if ONNX Runtime cannot say (before 1.24).

    Args:
        session: made with `RECORD`.
        provider: as ONNX Runtime calls it; empty: none, everything is on the CPU's kernels.
        name: what it is called in the placement.
    """
    ask = getattr(session, "get_provider_graph_assignment_info", None)
    if ask is None:
        return None
    macs = read_node_macs(session.get_modelmeta().custom_metadata_map)
    pieces = [(piece.ep_name == provider, piece.get_nodes()) for piece in ask()]
    taken = [nodes for ours, nodes in pieces if ours]
    left = Counter(node.op_type for ours, nodes in pieces if not ours for node in nodes)
    delegated = sum(map(len, taken))
    # A provider that compiles has its nodes in pieces; one that has a kernel for each is told node by node.
    compiled = delegated > len(taken) or not taken
    return Placement(
        ops=delegated + left.total(),
        delegated_ops=delegated,
        partitions=len(taken) if compiled else None,
        macs=sum(macs.values()),
        delegated_macs=sum(macs.get(node.name, 0) for nodes in taken for node in nodes),
        left=dict(sorted(left.items())),
        source="runtime",
        by={name: delegated} if delegated else {},
    )


def read_node_macs(metadata: Mapping[str, str]) -> dict[str, int]:
    """Multiply-accumulates by node name, of the file's metadata; empty if it has none, or none in our format."""
    try:
        macs = decode_json(metadata.get(MACS, "{}"), dict[str, Any])
    except UnreadableError:
        return {}
    return {name: value for name, value in macs.items() if isinstance(value, int) and value >= 0}
