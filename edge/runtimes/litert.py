"""``litert://?threads=N``: LiteRT on the CPU by XNNPACK, in this process."""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.contracts.errors import DeviceError, ModelError
from edge.contracts.tensors import RuntimeSpec, Tensor, TensorSpec
from edge.models.container import read_file
from edge.process.native_output import native_output_to_log
from edge.runtimes.proof import Proof

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.config.uri import Uri
    from edge.contracts.manifest import ModelManifest

log = logging.getLogger(__name__)


class LiteRtRuntime:
    """One interpreter. `submit` fills the input, `wait` invokes: in-process, a time limit cannot be kept."""

    def __init__(self, uri: Uri, model_path: str | None, manifest: ModelManifest) -> None:
        """Load the model.

        Raises:
            ModelError: the file is no model, or its inputs and outputs are not those of the manifest.
            DeviceError: LiteRT is not installed.
        """
        uri.expect("threads")
        threads = uri.get("threads", int, 1)
        if model_path is None:
            raise ModelError("litert:// needs a model", hint="give --model FILE, or use scripted:// without one")
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise DeviceError(
                f"LiteRT cannot be loaded: {error}", hint="pip install ai-edge-litert (64-bit only)"
            ) from error
        proof = Proof(read_file(Path(model_path)))
        try:
            with native_output_to_log(log):
                self._interpreter: Any = Interpreter(model_path=model_path, num_threads=threads)
                self._interpreter.allocate_tensors()
                runner = self._interpreter.get_signature_runner()
                taken = proof.look(self._interpreter, "xnnpack")
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"LiteRT refuses the model: {_first_line(error)}",
                hint="check the file with edge-cli model verify, and export it anew",
            ) from error
        inputs = list(runner.get_input_details().values())
        outputs = runner.get_output_details()
        if len(inputs) != 1:
            raise ModelError(f"expected one input, got {len(inputs)}", hint="export the model with python -m export")
        self._input = inputs[0]["index"]
        self._outputs = {name: detail["index"] for name, detail in outputs.items()}
        self.spec = RuntimeSpec(
            name="litert",
            family="xnnpack",
            delegate="xnnpack" if taken else None,
            version=version("ai-edge-litert"),
            input=_spec(inputs[0]),
            outputs={name: _spec(detail) for name, detail in outputs.items()},
            placement=proof.placement,
        )
        expect_manifest(self.spec, manifest)

    def submit(self, tensor: Tensor) -> None:
        """Copy ``tensor`` into the interpreter."""
        if tensor.spec.shape != self.spec.input.shape or tensor.spec.dtype != self.spec.input.dtype:
            raise ValueError(f"expected {self.spec.input}, got {tensor.spec}")
        self._interpreter.set_tensor(self._input, tensor.values)

    def wait(self, timeout_s: float) -> Mapping[str, NDArray[Any]] | None:
        """Invoke, and copy the outputs; ``timeout_s`` cannot be kept here."""
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise DeviceError(f"LiteRT failed: {_first_line(error)}", hint="the runtime is replaced") from error
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}

    def close(self) -> None:
        """Let go of the interpreter."""
        self._interpreter = None


def expect_manifest(spec: RuntimeSpec, manifest: ModelManifest) -> None:
    """Raise `ModelError` unless what the runtime loaded has the input and heads that the manifest names."""
    if spec.input != manifest.input:
        raise ModelError(
            f"the manifest says input {manifest.input}, the model has {spec.input}",
            hint="the bundle is inconsistent: export it anew",
        )
    for name, head in manifest.heads.items():
        got = spec.outputs.get(name)
        if got != head.tensor:
            raise ModelError(
                f"the manifest says head {name} {head.tensor}, the model has {got or sorted(spec.outputs)}",
                hint="the bundle is inconsistent: export it anew",
            )


def _spec(detail: Mapping[str, Any]) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    return TensorSpec(
        shape=tuple(int(n) for n in detail["shape"]),
        dtype=detail["dtype"].__name__,
        scale=float(scale) or 1.0,
        zero_point=int(zero_point),
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
