"""``onnx://``: ONNX Runtime in this process, on the CPU or by an execution provider.

Parameters:
    provider=CPUExecutionProvider   CUDA…, TensorrtExecutionProvider, OpenVINO…: whatever this build of it has
    model=FILE                      the same quantised model as ONNX; else the bundle's name with .onnx
    sha256=HASH                     the file is refused unless this is its hash
    threads=1                       of the CPU
    opt.KEY=VALUE                   the provider's own options
    partial=0                       1: what the provider does not take may be computed on the CPU

``python -m export onnx BUNDLE`` writes the file. The golden vectors prove that it is the bundle's model. ONNX Runtime
falls back to the CPU silently, both for a provider that does not load and for operators that it does not take; here
the first is an error, and so is the second unless ``partial=1``.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.contracts.errors import DeviceError, ModelError, UsageError
from edge.contracts.tensors import RuntimeSpec, Tensor, TensorSpec
from edge.process.install import install_command
from edge.process.stderr_capture import stderr_to_log
from edge.runtimes.auxiliary_files import read_pinned
from edge.runtimes.model_loading import expect_manifest, expect_tensor, first_line, require_model, thread_count
from edge.runtimes.onnx_placement import RECORD, provider_placement
from edge.runtimes.options_without_files import OPTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.config.uri import Uri
    from edge.contracts.manifest import BundleManifest

log = logging.getLogger(__name__)

NAME = "onnx"
CPU = "CPUExecutionProvider"
TYPES = {"tensor(uint8)": "uint8", "tensor(int8)": "int8", "tensor(float)": "float32"}
ELSEWHERE = re.compile(rb"(?:\x0a|\x8a\x80*\x00)(?:\x08|\x88\x80*\x00)location|EPContext")
"""How an ONNX file names others, in protobuf: ``external_data`` with the key ``location``, its value before or behind,
and its numbers written short or long; a provider's compiled part."""
EXPORT = "write it with: python -m export onnx BUNDLE --out FILE"


class OnnxRuntime:
    """Runtime with one ONNX Runtime session. `submit` copies the input, `wait` runs.

    In-process, a time limit cannot be kept.
    """

    def __init__(self, uri: Uri, model_path: str | None, manifest: BundleManifest) -> None:
        """Load the model.

        Raises:
            ModelError: there is no ONNX file, or its input and outputs are not those of the manifest.
            DeviceError: ONNX Runtime is not installed, the provider cannot be used or takes only a part.
            UsageError: a parameter is unknown or not valid.
        """
        options = {key.removeprefix(OPTION): value for key, value in uri.params.items() if key.startswith(OPTION)}
        uri.expect("provider", "model", "sha256", "threads", "partial", *(OPTION + key for key in options))
        provider, threads = uri.get("provider", str, CPU), uri.get("threads", thread_count, 1)
        partial = uri.get("partial", int, 0) != 0
        path, source = _model_source(uri, model_path)
        try:
            import onnxruntime
        except ImportError as error:
            raise DeviceError(f"ONNX Runtime cannot be loaded: {error}", hint=install_command("onnx")) from error
        _expect_provider(provider, onnxruntime.get_available_providers())
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
        settings.add_session_config_entry(*RECORD)
        if provider != CPU and not partial:
            settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            with stderr_to_log(log):
                self._session: Any = onnxruntime.InferenceSession(source, settings, providers=[(provider, options)])
        except Exception as error:  # its exceptions have no common base but Exception
            raise _load_error(provider, path, error) from error
        if provider not in self._session.get_providers():
            raise DeviceError(
                f"{provider} does not load: ONNX Runtime would compute on the CPU",
                hint="its libraries are missing or of another version; the log at level debug has its own words",
            )
        self._source, self._heads = _match_heads(self._session, manifest)
        self._values: NDArray[Any] | None = None
        name = provider.removesuffix("ExecutionProvider").lower()
        placed = provider_placement(self._session, "" if provider == CPU else provider, name)
        # Where the placement is known: who has taken something. Else: who has taken all, or it would have been refused.
        presumed = None if provider == CPU or partial else name
        self.spec = RuntimeSpec(
            name=NAME,
            family=NAME,
            delegate=presumed if placed is None else "+".join(placed.by) or None,
            version=str(onnxruntime.__version__),
            input=manifest.input,
            outputs={head: manifest.heads[head].tensor for head in self._heads},
            placement=placed,
        )
        expect_manifest(self.spec, manifest)

    def submit(self, tensor: Tensor) -> None:
        """Implement `Runtime.submit`: keep a copy of ``tensor``. ValueError on another shape or dtype."""
        expect_tensor(tensor, self.spec)
        self._values = tensor.values.copy()

    def wait(self, timeout_s: float) -> Mapping[str, NDArray[Any]] | None:
        """Implement `Runtime.wait`: run, and return the raw outputs by head; ``timeout_s`` cannot be kept here."""
        try:
            values = self._session.run(self._heads, {self._source: self._values})
        except Exception as error:  # as in __init__
            raise DeviceError(f"onnx failed: {first_line(error)}", hint="the runtime is replaced") from error
        return dict(zip(self._heads, values, strict=True))

    def close(self) -> None:
        """Free the ONNX Runtime session."""
        self._session = None


def _model_source(uri: Uri, model_path: str | None) -> tuple[Path, str | bytes]:
    """Path of the ONNX file, and what ONNX Runtime loads: that path, or the bytes of a file that is pinned by hash."""
    given, sha256 = uri.params.get("model"), uri.params.get("sha256")
    path = Path(given) if given else require_model(NAME, model_path).origin.with_suffix(".onnx")
    if not path.is_file():
        raise ModelError(f"there is no ONNX file {path}", hint=f"{EXPORT}, and name it: onnx://?model=FILE")
    if sha256 is None:
        return path, str(path)
    data = bytes(read_pinned(path, sha256, "sha256").view())
    if ELSEWHERE.search(data):
        raise ModelError(
            f"{path} keeps a part of the model in another file, of which its hash says nothing",
            hint=f"{EXPORT}, with all in one",
        )
    return path, data


def _expect_provider(provider: str, available: list[str]) -> None:
    if provider in available:
        return
    if not provider.endswith("ExecutionProvider"):
        raise UsageError(f"onnx:// has no provider {provider!r}", hint=f"there are: {', '.join(available)}")
    raise DeviceError(
        f"this ONNX Runtime has no {provider}",
        hint=f"it has {', '.join(available)}; others come with onnxruntime-gpu, onnxruntime-openvino, JetPack's wheel",
    )


def _match_heads(session: Any, manifest: BundleManifest) -> tuple[str, list[str]]:
    """Names of the input and of the manifest's heads. Raises `ModelError` if one is missing, or not of its type."""
    sources, outputs = session.get_inputs(), {output.name: output for output in session.get_outputs()}
    if len(sources) != 1:
        raise ModelError(f"expected one input in the ONNX file, got {len(sources)}", hint=EXPORT)
    wanted: dict[str, TensorSpec] = {name: head.tensor for name, head in manifest.heads.items()}
    if missing := sorted(set(wanted) - set(outputs)):
        raise ModelError(f"the ONNX file has no output {missing[0]}, but {', '.join(sorted(outputs))}", hint=EXPORT)
    for end, spec in ((sources[0], manifest.input), *((outputs[name], spec) for name, spec in wanted.items())):
        shape, dtype = tuple(end.shape), TYPES.get(end.type, end.type)
        if (shape, dtype) != (spec.shape, spec.dtype):
            raise ModelError(f"expected {end.name} {spec} in the ONNX file, got {shape} {dtype}", hint=EXPORT)
    return sources[0].name, list(wanted)


def _load_error(provider: str, path: Path, error: Exception) -> ModelError | DeviceError:
    if "fallback" in str(error).lower():
        return DeviceError(
            f"{provider} takes only a part of the model", hint="onnx://?partial=1 computes the rest on the CPU"
        )
    return ModelError(f"ONNX Runtime refuses {path.name}: {first_line(error)}", hint=EXPORT)
