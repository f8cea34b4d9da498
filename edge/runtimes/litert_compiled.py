"""LiteRT's ``CompiledModel``: the whole model compiled for one kind of hardware (CPU, GPU, NPU), in this process.

Only that hardware is allowed. With the CPU allowed as well LiteRT would compute there what the accelerator refuses,
everything if need be, and say nothing. Alone, it raises; so what is made here runs on the accelerator, all of it.
"""

from __future__ import annotations

import logging
import math
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.contracts.errors import DeviceError
from edge.contracts.tensors import RuntimeSpec, Tensor, TensorSpec
from edge.models.graph import read_graph
from edge.process.install import pip_install
from edge.process.stderr_capture import capture_stderr
from edge.runtimes.model_loading import expect_manifest, expect_tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from numpy.typing import NDArray

    from edge.contracts.manifest import BundleManifest
    from edge.contracts.placement import Placement
    from edge.process.sealed_file import SealedFile

log = logging.getLogger(__name__)


def load_compiler() -> ModuleType:
    """Import LiteRT's module with ``CompiledModel`` and its options; `DeviceError` if this version has none."""
    try:
        from ai_edge_litert import compiled_model

        compiled_model.Options, compiled_model.Environment, compiled_model.CpuOptions  # noqa: B018  (are they there?)
    except (ImportError, AttributeError) as error:
        raise DeviceError(
            f"LiteRT's compiler cannot be loaded: {error}",
            hint=f"on a 64-bit system: {pip_install('ai-edge-litert>=2.3')}",
        ) from error
    return compiled_model  # type: ignore[no-any-return]


class CompiledModelRuntime:
    """Runtime with one compiled model. `submit` fills the input, `wait` runs.

    In-process, a time limit cannot be kept.
    """

    def __init__(
        self,
        model: SealedFile,
        manifest: BundleManifest,
        make: Callable[[], Any],
        explain_failure: Callable[[str], DeviceError],
        name: str,
        family: str,
    ) -> None:
        """Compile the model.

        Args:
            model: the bundle's bytes, kept as long as the runtime: LiteRT maps them.
            manifest: what its input and heads must be.
            make: makes LiteRT's ``CompiledModel``.
            explain_failure: makes the user's error of all that LiteRT printed and raised.
            name: scheme of the URI.
            family: of the runtime.

        Raises:
            DeviceError: what ``explain_failure`` makes.
            ModelError: the file is no model, or its inputs and outputs are not those of the manifest.
        """
        self._file = model
        graph = read_graph(model.view())
        printed, failure = _PrintedOutput(), ""
        with printed:
            try:
                self._model = make()
                self._inputs: list[Any] = self._model.create_input_buffers(0)
                self._outputs: list[Any] = self._model.create_output_buffers(0)
                signature = next(iter(self._model.get_signature_list().values()))
                self._warm_up(graph.inputs[signature["inputs"][0]])
            except (RuntimeError, ValueError) as error:
                failure = str(error)  # and what the error holds is freed here: LiteRT prints when that happens
        if failure:
            raise explain_failure(f"{printed.text}\n{failure}")
        # In the order of the buffers.
        self._heads = [(head, graph.outputs[head]) for head in signature["outputs"]]
        self.fully_accelerated: bool = self._model.is_fully_accelerated()
        self.printed: str = printed.text
        self.spec = RuntimeSpec(
            name=name,
            family=family,
            delegate=None,
            version=version("ai-edge-litert"),
            input=graph.inputs[signature["inputs"][0]],
            outputs=dict(self._heads),
        )
        expect_manifest(self.spec, manifest)

    def set_placement(self, delegate: str | None, placement: Placement | None) -> None:
        """Set delegate and delegate placement in the spec, once the caller knows which part runs where."""
        self.spec = msgspec.structs.replace(self.spec, delegate=delegate, placement=placement)

    def submit(self, tensor: Tensor) -> None:
        """Implement `Runtime.submit`: copy ``tensor`` into the input buffer. ValueError on another shape or dtype."""
        expect_tensor(tensor, self.spec)
        self._inputs[0].write(tensor.values)

    def wait(self, timeout_s: float) -> Mapping[str, NDArray[Any]] | None:
        """Implement `Runtime.wait`: run, and copy the raw outputs by head; ``timeout_s`` cannot be kept here."""
        try:
            self._model.run_by_index(0, self._inputs, self._outputs)
            return {name: _read(buffer, spec) for (name, spec), buffer in zip(self._heads, self._outputs, strict=True)}
        except RuntimeError as error:
            raise DeviceError(
                f"{self.spec.name} failed: {innermost_error(str(error))}", hint="the runtime is replaced"
            ) from error

    def _warm_up(self, source: TensorSpec) -> None:
        """The first run may compile more, and prints."""
        self._inputs[0].write(np.zeros(source.shape, source.dtype))
        self._model.run_by_index(0, self._inputs, self._outputs)

    def close(self) -> None:
        """Free the model and its buffers. LiteRT prints when it does."""
        with _PrintedOutput():
            self._inputs = self._outputs = []
            self._model = None


class _PrintedOutput:
    """Context manager: what LiteRT prints to stderr goes to the log at level debug; ``text`` has it afterwards."""

    text = ""

    def __enter__(self) -> None:
        self._captured = capture_stderr()
        self._output = self._captured.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._captured.__exit__(*error)
        self.text = self._output.data.decode("utf-8", "replace")
        for line in self.text.splitlines():
            log.debug("%s", line)


def innermost_error(text: str) -> str:
    """The last line of LiteRT's error text, the innermost cause: LiteRT prints a tree of errors, outermost first."""
    lines = [line.strip("└ \t") for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def _read(buffer: Any, spec: TensorSpec) -> NDArray[Any]:
    values: NDArray[Any] = buffer.read(math.prod(spec.shape), np.dtype(spec.dtype))
    return values.reshape(spec.shape)
