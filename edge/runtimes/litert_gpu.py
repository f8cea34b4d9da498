"""``litert-gpu://``: LiteRT on a GPU, by WebGPU over Vulkan: Raspberry Pi 5, Jetson, Intel and AMD carts.

Parameters:
    precision=f32    of the arithmetic inside; f16 is faster where the GPU has it, and must pass the golden vectors too

The GPU computes an int8 graph in floats and rounds where the graph says so, hence a family of its own. A model that it
takes only a part of is refused: the rest would fall to plain kernels, and the whole be slower than XNNPACK.
"""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING

from edge.contracts.errors import DeviceError, UsageError
from edge.models.delegate_placement import graph_placement
from edge.models.operators import read_operators
from edge.runtimes.litert_compiled import CompiledModelRuntime, innermost_error, load_compiler
from edge.runtimes.model_loading import require_model

if TYPE_CHECKING:
    from edge.config.uri import Uri
    from edge.contracts.manifest import BundleManifest
    from edge.contracts.ports import Runtime

NAME = "litert-gpu"
DELEGATE = "webgpu"
PRECISIONS = ("f32", "f16")


def make_litert_gpu(uri: Uri, model_path: str | None, manifest: BundleManifest) -> Runtime:
    """Make a LiteRT runtime that runs the whole model on the GPU.

    Raises:
        DeviceError: LiteRT has no GPU support here, there is no GPU that it can use, or it takes not all of the model.
        ModelError, UsageError: as `edge.runtimes.litert_compiled.CompiledModelRuntime`; ``precision`` is not valid.
    """
    uri.expect("precision")
    precision = uri.get("precision", str, PRECISIONS[0])
    if precision not in PRECISIONS:
        raise UsageError(f"{NAME}:// has no precision {precision!r}", hint=f"there are: {', '.join(PRECISIONS)}")
    model = require_model(NAME, model_path)
    litert = load_compiler()

    def make() -> object:
        options = litert.Options(
            hardware_accelerators=litert.HardwareAccelerator.GPU,
            gpu_options=litert.GpuOptions(enforce_f32=precision == "f32"),
        )
        return litert.CompiledModel.from_file(str(model), options=options)

    runtime = CompiledModelRuntime(model, manifest, make, explain_failure, NAME, "gpu")
    if not runtime.fully_accelerated:
        runtime.close()
        raise explain_failure("Some ops are not accelerated")
    operators = read_operators(model.view())
    runtime.set_placement(
        DELEGATE, graph_placement(operators, dict.fromkeys(range(len(operators)), DELEGATE), None, "graph")
    )
    return runtime


def explain_failure(output: str, dri: str = "/dev/dri") -> DeviceError:
    """One-line error for ``output``, what LiteRT printed and raised. ``dri``: where the nodes of GPUs are."""
    nodes = sorted(glob.glob(f"{dri}/renderD*"))
    closed = [node for node in nodes if not os.access(node, os.R_OK | os.W_OK, effective_ids=True)]
    if "not accelerated" in output:
        return DeviceError(
            "the GPU takes only a part of the model", hint="litert:// computes all of it on the CPU, faster than both"
        )
    if "libvulkan" in output:
        return DeviceError("no GPU: the Vulkan loader is missing (libvulkan.so.1)", hint="apt install libvulkan1")
    if "No adapters found" in output:
        if closed:
            return DeviceError(
                f"no GPU: no permission on {', '.join(closed)}", hint="add this user to the group that owns it: render"
            )
        return DeviceError(
            "no GPU that Vulkan can use: No adapters found",
            hint="install its Vulkan driver (apt install mesa-vulkan-drivers) and look at vulkaninfo --summary",
        )
    return DeviceError(
        f"LiteRT cannot use the GPU: {innermost_error(output)}", hint="all of it is in the log at level debug"
    )
