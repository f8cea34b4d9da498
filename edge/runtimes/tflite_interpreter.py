"""TFLite interpreter in this process, with external delegates: what LiteRT and tflite-runtime have in common."""

from __future__ import annotations

import logging
import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar

from edge.contracts.errors import DeviceError, ModelError
from edge.contracts.tensors import RuntimeSpec, Tensor, TensorSpec
from edge.process.stderr_capture import stderr_to_log
from edge.runtimes import external_delegate
from edge.runtimes.model_loading import expect_manifest, expect_tensor, first_line, require_model, thread_count
from edge.runtimes.options_without_files import OPTION
from edge.runtimes.tflite_placement import DelegatedOperators

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from numpy.typing import NDArray

    from edge.config.uri import Uri
    from edge.contracts.manifest import BundleManifest
    from edge.process.sealed_file import SealedFile

log = logging.getLogger(__name__)

PARAMETERS = ("threads", "delegate", external_delegate.PIN)
XNNPACK = "xnnpack"
EXTERNAL = "delegate"
"""Family of everything that an external delegate has a part in."""


class InterpreterRuntime:
    """Runtime with one TFLite interpreter. `submit` fills the input, `wait` invokes.

    In-process, a time limit cannot be kept.
    """

    NAME: ClassVar[str]
    """Scheme of the runtime URI."""
    FAMILY: ClassVar[str]
    """Runtime family, where there is no external delegate."""
    DISTRIBUTION: ClassVar[str]
    """Python package whose version stands in the spec."""

    def __init__(self, uri: Uri, model_path: str | None, manifest: BundleManifest) -> None:
        """Load the model.

        Raises:
            ModelError: the file is no model, or its inputs and outputs are not those of the manifest.
            DeviceError: the library is not installed, or the delegate cannot be used.
            UsageError: a parameter is unknown or not valid.
        """
        options = external_delegate.delegate_options(uri)
        uri.expect(*PARAMETERS, *(OPTION + key for key in options))
        threads, external = uri.get("threads", thread_count, 1), uri.params.get("delegate")
        pinned = external_delegate.pinned_library(uri)
        model = require_model(self.NAME, model_path)
        library = self._library()
        delegated = DelegatedOperators(model.view())
        with stderr_to_log(log):
            delegates = []
            if external:
                delegates = [external_delegate.load_delegate(library.load_delegate, external, options, file=pinned)]
            self._interpreter = self._load(library, model, threads, delegates)
            if external:
                self._expect_taken(delegated, external)
            runner = self._allocate(external)
            delegated.record_taken(self._interpreter, XNNPACK)
        inputs = list(runner.get_input_details().values())
        outputs = runner.get_output_details()
        if len(inputs) != 1:
            raise ModelError(f"expected one input, got {len(inputs)}", hint="export the model with python -m export")
        self._input = inputs[0]["index"]
        self._outputs = {name: detail["index"] for name, detail in outputs.items()}
        placed = delegated.placement
        self.spec = RuntimeSpec(
            name=self.NAME,
            family=EXTERNAL if external else self.FAMILY,
            delegate="+".join(placed.by) or None,
            version=version(self.DISTRIBUTION),
            input=_spec(inputs[0]),
            outputs={name: _spec(detail) for name, detail in outputs.items()},
            placement=placed,
        )
        expect_manifest(self.spec, manifest)

    def submit(self, tensor: Tensor) -> None:
        """Implement `Runtime.submit`: copy ``tensor`` into the interpreter. ValueError on another shape or dtype."""
        expect_tensor(tensor, self.spec)
        self._interpreter.set_tensor(self._input, tensor.values)

    def wait(self, timeout_s: float) -> Mapping[str, NDArray[Any]] | None:
        """Implement `Runtime.wait`: invoke, and copy the raw outputs by head; ``timeout_s`` cannot be kept here."""
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise DeviceError(
                f"{self.NAME} failed: {_delegate_message(error)}", hint="the runtime is replaced"
            ) from error
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}

    def close(self) -> None:
        """Free the interpreter and its model."""
        self._interpreter = None

    def _library(self) -> ModuleType:
        """The module with ``Interpreter`` and ``load_delegate``. Raises `DeviceError` if it cannot be imported."""
        raise NotImplementedError

    def _load(self, library: ModuleType, model: SealedFile, threads: int, delegates: list[Any]) -> Any:
        try:
            return library.Interpreter(model_path=str(model), num_threads=threads, experimental_delegates=delegates)
        except (ValueError, RuntimeError) as error:
            if delegates:
                raise _delegate_error(error) from error
            raise _load_error(self.NAME, error) from error

    def _allocate(self, external: str | None) -> Any:
        try:
            self._interpreter.allocate_tensors()
            return self._interpreter.get_signature_runner()
        except (ValueError, RuntimeError) as error:
            if external:
                raise _delegate_error(error) from error
            raise _load_error(self.NAME, error) from error

    def _expect_taken(self, delegated: DelegatedOperators, external: str) -> None:
        name = external_delegate.delegate_name(external)
        if not delegated.record_taken(self._interpreter, name):
            raise DeviceError(
                f"the delegate {name} takes none of the model's {delegated.placement.ops} operators",
                hint="compile the model for it (an Edge TPU needs edgetpu_compiler's output), or leave delegate= out",
            )


def _delegate_error(error: Exception) -> DeviceError:
    return DeviceError(
        f"the delegate rejects the model: {_delegate_message(error)}",
        hint="its own words are in the log at level debug; leave delegate= out to compute on the CPU",
    )


def _load_error(name: str, error: Exception) -> ModelError:
    return ModelError(
        f"{name} refuses the model: {first_line(error)}",
        hint="check the file with edge-cli model verify, and export it anew",
    )


def _delegate_message(error: Exception) -> str:
    """Message of the delegate or the kernel; TFLite joins its own sentences to it without a space."""
    line = first_line(error)
    return re.split("Restored original|Node number", line)[0].strip() or line


def _spec(detail: Mapping[str, Any]) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    return TensorSpec(
        shape=tuple(int(n) for n in detail["shape"]),
        dtype=detail["dtype"].__name__,
        scale=float(scale) or 1.0,
        zero_point=int(zero_point),
    )
