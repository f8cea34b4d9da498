"""Run the same graph in other runtimes: tflite-runtime in an environment of its own, ONNX Runtime after conversion."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import DeviceError, EdgeError
from edge.models.graph import read_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPSET = 18
"""Operator set version of the ONNX file: the newest that tf2onnx writes for quantised TFLite graphs."""
RUN_TFLITE = """
import sys
import numpy as np
from tflite_runtime.interpreter import Interpreter

model, tensors, out, names = sys.argv[1:]
interpreter = Interpreter(model_path=model, num_threads=1)
interpreter.allocate_tensors()
source = interpreter.get_input_details()[0]["index"]
outputs = dict(zip(names.split(","), interpreter.get_output_details()))
rows = {name: [] for name in outputs}
for tensor in np.load(tensors):
    interpreter.set_tensor(source, tensor[None])
    interpreter.invoke()
    for name, detail in outputs.items():
        rows[name].append(interpreter.get_tensor(detail["index"])[0])
np.savez(out, **{name: np.stack(values) for name, values in rows.items()})
"""


def run_tflite_runtime(python: Path, graph: bytes, tensors: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Run ``graph`` in tflite-runtime, which ``python`` has, and return its raw outputs by head, (n, …) uint8.

    ``tensors``: (n, height, width, channels) uint8. Raises DeviceError if it cannot run.

    The graph's outputs must stand in the order of its signature, as `export.converted_graph.order_outputs` leaves them.
    """
    with tempfile.TemporaryDirectory() as folder:
        model, source, out = (Path(folder) / name for name in ("model.tflite", "tensors.npy", "out.npz"))
        model.write_bytes(graph)
        np.save(source, tensors)
        names = ",".join(read_graph(graph).outputs)
        done = subprocess.run(
            [str(python), "-c", RUN_TFLITE, str(model), str(source), str(out), names],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise DeviceError(
                f"{python} cannot run tflite-runtime: {(done.stderr.strip().splitlines() or ['no words'])[-1]}",
                hint="make test-tflite-runtime makes an environment that can; give its Python",
            )
        with np.load(out) as file:
            return {name: file[name] for name in file.files}


def to_onnx(graph: bytes, out: Path) -> None:
    """Convert a TFLite graph, with its integers, to an ONNX file. Raises EdgeError if tf2onnx refuses it."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.tflite"
        model.write_bytes(graph)
        command = ["-m", "tf2onnx.convert", "--tflite", str(model), "--output", str(out), "--opset", str(OPSET)]
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    if done.returncode != 0 or not out.is_file():
        raise EdgeError(
            f"tf2onnx refuses the model: {(done.stderr.strip().splitlines() or ['no words'])[-1]}",
            hint="pip install tf2onnx onnx onnxruntime",
        )
    from export.onnx_macs import write_macs  # onnx is there, or tf2onnx would have failed

    write_macs(out)


def run_onnx(path: Path, graph: bytes, tensors: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Run an ONNX file made from ``graph`` in ONNX Runtime on one thread, and return its raw outputs by head, (n, …).

    ``tensors``: (n, height, width, channels) uint8. Raises DeviceError where ONNX Runtime cannot be loaded, and
    EdgeError for a file with another number of outputs.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise DeviceError(f"ONNX Runtime cannot be loaded: {error}", hint="pip install onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = list(read_graph(graph).outputs)
    source = session.get_inputs()[0].name
    wanted = [output.name for output in session.get_outputs()]
    if len(wanted) != len(names):
        raise EdgeError(f"expected {len(names)} outputs in {path.name}, got {len(wanted)}", hint="convert it again")
    rows: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for tensor in tensors:
        for name, value in zip(names, session.run(wanted, {source: tensor[None]}), strict=True):
            rows[name].append(value[0])
    return {name: np.stack(values) for name, values in rows.items()}


def largest_differences(outputs: dict[str, NDArray[Any]], wanted: dict[str, NDArray[Any]]) -> dict[str, int]:
    """Largest absolute difference of each head between two sets of raw outputs (n, …), in quantised steps.

    Floats are counted in steps of 1/256, rounded up. Raises EdgeError where a head is missing or not comparable.
    """
    return {name: _difference(name, outputs.get(name), values) for name, values in wanted.items()}


def _difference(head: str, got: NDArray[Any] | None, wanted: NDArray[Any]) -> int:
    if got is None or (got.shape, got.dtype) != (wanted.shape, wanted.dtype):
        found = "nothing" if got is None else f"{got.shape} {got.dtype.name}"
        raise EdgeError(
            f"head {head}: expected {wanted.shape} {wanted.dtype.name}, got {found}", hint="convert the model again"
        )
    if wanted.dtype.kind != "f":
        return int(np.abs(got.astype(np.int64) - wanted.astype(np.int64)).max(initial=0))
    difference = float(np.abs(got.astype(np.float64) - wanted.astype(np.float64)).max(initial=0.0))
    if not math.isfinite(difference):
        raise EdgeError(f"head {head} holds a value that is not finite", hint="no tolerance allows for that")
    return math.ceil(difference * 256)
