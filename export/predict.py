"""Run a TFLite graph over many tensors in LiteRT, one picture at a time as a device would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import UsageError
from edge.contracts.manifest import ANATOMY, LESION_MASK, MALIGNANCY
from edge.postprocess.model_outputs import dequantise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.contracts.tensors import TensorSpec

KERNELS = {"xnnpack": "AUTO", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}
"""Kernels by their name here, with LiteRT's name for them. ``xnnpack`` is what devices run."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Predictions of a model for n pictures, as real values from 0 to 1."""

    malignancy: NDArray[np.float64]
    """(n,) probability of malignancy, not calibrated."""
    mask: NDArray[np.float32]
    """(n, h, w) presence of lesion, at a part of the tensor's resolution."""
    anatomy: NDArray[np.float64]
    """(n,) probability that the picture is of the body part; NaN where the model has no such head: a fold of a
    cross-validation needs none."""


def run_graph(graph: bytes, tensors: NDArray[np.uint8], kernels: str = "xnnpack") -> dict[str, NDArray[Any]]:
    """Run a graph in LiteRT and return its raw outputs by head, (n, …), in the graph's own dtype.

    ``tensors``: (n, height, width, channels) uint8; float graphs take them as floats. ``kernels``: one of `KERNELS`.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=graph, num_threads=1, experimental_op_resolver_type=OpResolverType[KERNELS[kernels]]
    )
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner()
    source = next(iter(runner.get_input_details().values()))
    heads = {name: detail["index"] for name, detail in runner.get_output_details().items()}
    del runner  # LiteRT refuses to invoke while another object holds its interpreter
    rows: dict[str, list[NDArray[Any]]] = {name: [] for name in heads}
    for tensor in tensors:
        interpreter.set_tensor(source["index"], tensor[None].astype(source["dtype"], copy=False))
        interpreter.invoke()
        for name, index in heads.items():
            rows[name].append(interpreter.get_tensor(index)[0])
    return {name: np.stack(values) for name, values in rows.items()}


def as_predictions(raw: Mapping[str, NDArray[Any]], specs: Mapping[str, TensorSpec]) -> Predictions:
    """Dequantise raw outputs, (n, …) by head, to predictions; floats stay as they are.

    Raises UsageError without the two heads that judge.
    """
    if missing := [name for name in (MALIGNANCY, LESION_MASK) if name not in raw]:
        raise UsageError(
            f"the model has no head {', '.join(missing)}, only {', '.join(sorted(raw))}",
            hint="a breast model is made with: python -m training run",
        )
    real = {name: dequantise(values, specs[name]) for name, values in raw.items()}
    anatomy = real[ANATOMY].reshape(-1) if ANATOMY in real else np.full(len(real[MALIGNANCY]), np.nan)
    return Predictions(
        malignancy=real[MALIGNANCY][:, 1].astype(np.float64),
        mask=real[LESION_MASK][..., 0],
        anatomy=anatomy.astype(np.float64),
    )
