"""File of a fitted anatomy gate, for ``export regate``: its layers as JSON, and their weights (docs/training.md)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from training.gate.anatomy_gate import BANDS, LOGIT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from training.gate.anatomy_gate import AnatomyGate


def write_head(gate: AnatomyGate, tensors: Mapping[str, str], path: Path) -> None:
    """Write the layers of a gate: ``tensors`` says by block the name of its map in the graph."""
    layers: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    for block in gate.kernels:
        layers += [
            {"name": block, "kind": "tensor", "tensor": tensors[block]},
            {"name": f"{block}_bands", "kind": "mean", "inputs": [block], "bands": BANDS},
            {"name": f"{block}_units", "kind": "conv", "inputs": [f"{block}_bands"]},
        ]
        kernel = gate.kernels[block]
        arrays[f"{block}_units.weights"] = kernel.reshape(BANDS, 1, -1, kernel.shape[1])
    first, *others = gate.kernels
    arrays[f"{first}_units.bias"] = gate.bias
    total = f"{first}_units"
    for block in others:
        last = {"activation": "relu"} if block == others[-1] else {}
        layers.append({"name": f"to_{block}", "kind": "add", "inputs": [total, f"{block}_units"], **last})
        total = f"to_{block}"
    limits = [-LOGIT_LIMIT, LOGIT_LIMIT]
    layers.append({"name": "logit", "kind": "conv", "inputs": [total], "limits": limits})
    arrays["logit.weights"], arrays["logit.bias"] = gate.weights[None, None, :, None], np.array([gate.offset])
    with path.open("wb") as file:
        np.savez(file, layers=np.array(json.dumps(layers)), **arrays)
