"""Features of the anatomy gate from an existing bundle: maps of its int8 graph, as the device computes them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import ModelError
from training.gate.anatomy_gate import BANDS, BLOCKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

MARKS = {"block15": "block15_project_conv"}
"""What the name of a block's map has in it, where it is no sum but a convolution."""


class BundleFeatures:
    """Runs a bundle's graph on tensors and gives the means of its maps in depth bands."""

    def __init__(self, graph: bytes, threads: int = 1) -> None:
        """Raises ModelError for a graph of another backbone."""
        from ai_edge_litert.interpreter import Interpreter

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # all tensors are kept on purpose
            self._runner: Any = Interpreter(
                model_content=graph, experimental_preserve_all_tensors=True, num_threads=threads
            )
        self._runner.allocate_tensors()
        details = [
            each for each in self._runner.get_tensor_details() if len(each["shape"]) == 4 and each["shape"][1] > 1
        ]
        self._input = self._runner.get_input_details()[0]
        self.names = {block: tensor_name(block, [each["name"] for each in details]) for block in BLOCKS}
        """By block: the name of its map's tensor."""
        self._maps = {
            block: next(each for each in details if each["name"] == name) for block, name in self.names.items()
        }

    def __call__(self, tensors: NDArray[np.uint8]) -> dict[str, Floats]:
        """Features of tensors (n, height, width, channels) uint8, by block: (n, `BANDS` * channels)."""
        rows: dict[str, list[Floats]] = {block: [] for block in BLOCKS}
        for tensor in tensors:
            self._runner.set_tensor(self._input["index"], tensor[None])
            self._runner.invoke()
            for block, each in self._maps.items():
                scale, zero = each["quantization"]
                values = (self._runner.get_tensor(each["index"])[0].astype(np.float32) - zero) * scale
                height, width, channels = values.shape
                bands = values.reshape(BANDS, height // BANDS * width, channels).mean(axis=1)
                rows[block].append(bands.reshape(-1))
        return {block: np.stack(values) for block, values in rows.items()}


def tensor_name(block: str, names: list[str]) -> str:
    """Name of the tensor that holds a block's map, among the ``names`` of a graph. Raises ModelError for none."""
    for name in names:
        if block in MARKS and MARKS[block] in name:
            return name
        if block not in MARKS and name.endswith((f"/{block}/Add", f"/{block}_1/Add")):
            return name
    raise ModelError(f"the graph has no map of {block}", hint="the gate is fitted on the breast model's backbone")
