"""Weight cache, ``litert://?weight_cache=DIR``: XNNPACK's packed weights in a file, mapped instead of packed anew.

Without it they are packed at each start. LiteRT has it only in its compiler, which does not tell which operator is
computed by what: neither its API nor its log has that. So LiteRT's interpreter is asked, which is the same library in
this process and has the same XNNPACK: it loads the graph before the compiler does, says which operators XNNPACK took,
and is freed. That is one load more, and is done at each start: whether XNNPACK works at all depends on the machine (a
sandbox that hides the CPUs), not on the file.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from edge.contracts.errors import DeviceError
from edge.process.stderr_capture import stderr_to_log
from edge.runtimes.litert_compiled import CompiledModelRuntime, innermost_error, load_compiler
from edge.runtimes.model_loading import require_model, thread_count
from edge.runtimes.tflite_interpreter import XNNPACK
from edge.runtimes.tflite_placement import DelegatedOperators

if TYPE_CHECKING:
    from edge.config.uri import Uri
    from edge.contracts.manifest import ModelManifest
    from edge.contracts.placement import Placement
    from edge.process.sealed_file import SealedFile

log = logging.getLogger(__name__)


class WeightCacheRuntime(CompiledModelRuntime):
    """Runtime of LiteRT on the CPU by XNNPACK, with a weight cache in a file."""

    def __init__(self, uri: Uri, model_path: str | None, manifest: ModelManifest) -> None:
        """Load the model; the cache file is made if it is missing.

        Raises:
            DeviceError: LiteRT's compiler is not there, or the folder cannot be written.
            ModelError, UsageError: as `edge.runtimes.litert_compiled.CompiledModelRuntime`.
        """
        uri.expect("threads", "weight_cache")
        threads = uri.get("threads", thread_count, 1)
        model = require_model("litert", model_path)
        litert = load_compiler()
        cache = cache_file(Path(uri.params["weight_cache"]), model.sha256)
        placed = placement_by_interpreter(model, threads)

        def make() -> object:
            cpu = litert.CpuOptions(num_threads=threads, xnnpack_weight_cache_path=str(cache))
            options = litert.Options(hardware_accelerators=litert.HardwareAccelerator.CPU, cpu_options=cpu)
            return litert.CompiledModel.from_file(str(model), options=options)

        super().__init__(model, manifest, make, explain_failure, "litert", "xnnpack")
        # Only XNNPACK writes the file: without it the compiler did not do as the interpreter did: no placement.
        if placed is not None and (cache.is_file() or not placed.delegated_ops):
            self.set_placement("+".join(placed.by) or None, placed)


def placement_by_interpreter(model: SealedFile, threads: int) -> Placement | None:
    """Delegate placement of the model in LiteRT's interpreter: what XNNPACK takes. None if that cannot load it."""
    from ai_edge_litert.interpreter import Interpreter

    delegated = DelegatedOperators(model.view(), source="interpreter")
    try:
        with stderr_to_log(log):
            interpreter = Interpreter(model_path=str(model), num_threads=threads)
            interpreter.allocate_tensors()
            delegated.record_taken(interpreter, XNNPACK)
    except (ValueError, RuntimeError) as error:
        log.debug("the interpreter does not load the model: %s", error)
        return None
    return delegated.placement


def cache_file(folder: Path, sha256: str) -> Path:
    """Path of the weight cache file for the model with this hash and this version of LiteRT; makes the folder.

    XNNPACK knows weights by their place in the graph, not by their values: with the file of another model of the same
    build it would compute with that one's weights. Hence a name for each.

    Raises `DeviceError` if ``folder`` cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise DeviceError(
            f"the weight cache {folder} cannot be made: {error.strerror}", hint="name a folder that can be written"
        ) from error
    return folder / f"{sha256[:16]}-{version('ai-edge-litert')}.xnnpack"


def explain_failure(output: str) -> DeviceError:
    """One-line error for ``output``, what LiteRT printed and raised."""
    return DeviceError(
        f"LiteRT cannot load the model with a weight cache: {innermost_error(output)}",
        hint="check the file with edge-cli model verify; leave weight_cache= out",
    )
