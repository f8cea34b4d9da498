"""``litert-npu://``: LiteRT on a neural processor, by its vendor's plugin.

Parameters:
    dispatch=DIR    folder with libLiteRtDispatch_*.so, which runs the model there
    compiler=DIR    folder with libLiteRtCompilerPlugin_*.so, which compiles it on the device
    dispatch_sha256=H, compiler_sha256=H    the one library in that folder is refused unless this is its hash
    device=npu      of Intel's plugin alone, which computes by OpenVINO: npu, gpu or cpu

The folders default to what the LiteRT wheel has for this machine: on x86 Intel's, which wants ``pip install openvino``
of its own version. All of the model runs there, or it is refused.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edge.contracts.errors import DeviceError, UsageError
from edge.models.delegate_placement import graph_placement
from edge.models.operators import read_operators
from edge.runtimes.auxiliary_files import NPU_PLUGINS as PLUGINS
from edge.runtimes.auxiliary_files import PINS, auxiliary_files, loaded_library
from edge.runtimes.litert_compiled import CompiledModelRuntime, innermost_error, load_compiler
from edge.runtimes.model_loading import require_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.config.uri import Uri
    from edge.contracts.manifest import BundleManifest
    from edge.contracts.ports import Runtime

NAME = "litert-npu"
DEVICES = ("cpu", "gpu", "npu")
"""As Intel's plugin counts them."""
HINT = "install the vendor's libraries, and name the folders of its plugins: litert-npu://?dispatch=DIR&compiler=DIR"
PARTITIONS = re.compile(r"selected (\d+) ops, from a total of \d+ ops\. resulted in (\d+) partitions")
"""How many operators and partitions the plugin took: LiteRT tells it nowhere but in its log."""


def make_litert_npu(uri: Uri, model_path: str | None, manifest: BundleManifest) -> Runtime:
    """Make a LiteRT runtime that runs the whole model on the neural processor (NPU).

    Raises:
        DeviceError: there is no plugin, it does not load, or it takes not all of the model.
        ModelError, UsageError: as `edge.runtimes.litert_compiled.CompiledModelRuntime`; ``device`` is not valid.
    """
    uri.expect(*PLUGINS, *PINS[NAME].values(), "device")
    device = uri.params.get("device")
    if device is not None and device not in DEVICES:
        raise UsageError(f"{NAME}:// has no device {device!r}", hint=f"there are: {', '.join(DEVICES)}")
    for kind in PLUGINS:
        folder = uri.params.get(kind, "")
        if folder and not list(Path(folder).glob(PLUGINS[kind])):
            raise DeviceError(f"no NPU plugin: {folder} has no {PLUGINS[kind]}", hint=HINT)
    model = require_model(NAME, model_path)
    litert = load_compiler()
    load_openvino()

    with plugin_folders(uri) as folders:

        def make() -> object:
            environment = litert.Environment.create(
                dispatch_library_path=folders["dispatch"], compiler_plugin_path=folders["compiler"]
            )
            options = litert.Options(hardware_accelerators=litert.HardwareAccelerator.NPU)
            if device is not None:
                options.intel_openvino_options.graph_backend = DEVICES.index(device)
            return litert.CompiledModel.from_file(str(model), environment=environment, options=options)

        runtime = CompiledModelRuntime(model, manifest, make, explain_failure, NAME, "npu")
    if not runtime.fully_accelerated:
        runtime.close()
        raise explain_failure("Some ops are not accelerated")
    operators = read_operators(model.view())
    found = PARTITIONS.search(runtime.printed)
    delegate = f"openvino-{device}" if device else "npu"
    takers = dict.fromkeys(range(len(operators)), delegate)
    runtime.set_placement(delegate, graph_placement(operators, takers, int(found[2]) if found else None, "graph"))
    return runtime


@contextlib.contextmanager
def plugin_folders(uri: Uri) -> Iterator[dict[str, str]]:
    """Context manager: folders to load the plugins from, by their parameter; empty: LiteRT's own.

    A plugin that is pinned by its hash is linked into sealed memory from a folder of our own. Its library's own folder
    (``$ORIGIN``) is unknown to it. Raises as `edge.runtimes.auxiliary_files.read_pinned`.
    """
    folders = {kind: uri.params.get(kind, "") for kind in PLUGINS}
    pins = {pin: kind for kind, pin in PINS[NAME].items() if pin in uri.params}
    if missing := [kind for kind in pins.values() if not folders[kind]]:
        raise UsageError(f"{NAME}:// pins a plugin, and names no folder", hint=f"{missing[0]}=/full/path of the folder")
    with contextlib.ExitStack() as stack:
        for found in auxiliary_files(uri, None) if pins else ():
            if found.pin in pins:
                file = loaded_library(found.path, uri.params[found.pin], found.pin)
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sonoedge-npu-"))
                (Path(folder) / found.path.name).symlink_to(str(file))
                folders[pins[found.pin]] = folder
        yield folders


def load_openvino() -> None:
    """Load OpenVINO's library if its wheel is installed: Intel's plugin asks the linker, which does not look there."""
    wheel = importlib.util.find_spec("openvino")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        for library in sorted(Path(folder).glob("libs/libopenvino.so.*")):
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)


def explain_failure(output: str) -> DeviceError:
    """One-line error for ``output``, what LiteRT printed and raised."""
    lines = [line.strip("└ ") for line in output.splitlines()]
    missing = [line for line in lines if "Could not load shared library" in line and "cannot open" in line]
    if "Exception in compilation" in output:
        # One exception inside another, the innermost last, up to the next line of the log.
        exceptions = re.split(r"\n(?:INFO|WARNING|ERROR)", output.partition("Exception in compilation: ")[2])[0]
        return DeviceError(
            f"the NPU's compiler fails: {innermost_error(exceptions)}",
            hint="is its driver installed, and the chip there?",
        )
    if missing:
        # "Could not load shared library PLUGIN: LIBRARY: cannot open shared object file: …"
        library = missing[-1].split(": cannot open")[0].rpartition(": ")[2]
        return DeviceError(f"the NPU's plugin does not load: {Path(library).name} is missing", hint=HINT)
    if "No compiler plugin found" in output or "could not be loaded and registered" in output:
        return DeviceError("there is no plugin for an NPU here", hint=HINT)
    if "not accelerated" in output:
        return DeviceError("the NPU takes only a part of the model", hint="litert:// computes all of it on the CPU")
    return DeviceError(
        f"LiteRT cannot use the NPU: {innermost_error(output)}", hint="all of it is in the log at level debug"
    )
