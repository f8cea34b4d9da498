"""``litert-npu://``: LiteRT on a neural processor, by its vendor's plugin. Parameters:

    dispatch=DIR    folder with libLiteRtDispatch_*.so, which runs the model there
    compiler=DIR    folder with libLiteRtCompilerPlugin_*.so, which compiles it on the device

Both default to what the LiteRT wheel has of the vendor whose libraries are installed. All of the model runs there, or
it is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.contracts.errors import DeviceError
from edge.models.container import read_file
from edge.models.operators import read_operators
from edge.models.placement import placement
from edge.runtimes.compiled import CompiledRuntime, compiler, last_line
from edge.runtimes.loading import need_model

if TYPE_CHECKING:
    from edge.config.uri import Uri
    from edge.contracts.manifest import ModelManifest
    from edge.contracts.ports import Runtime

NAME = "litert-npu"
DELEGATE = "npu"
HINT = "install the vendor's libraries, and name the folders of its plugins: litert-npu://?dispatch=DIR&compiler=DIR"
PLUGINS = {"dispatch": "libLiteRtDispatch_*.so", "compiler": "libLiteRtCompilerPlugin_*.so"}


def make_litert_npu(uri: Uri, model_path: str | None, manifest: ModelManifest) -> Runtime:
    """Compile the model for the neural processor.

    Raises:
        DeviceError: there is no plugin, it does not load, or it takes not all of the model.
        ModelError, UsageError: as `edge.runtimes.compiled.CompiledRuntime`.
    """
    uri.expect(*PLUGINS)
    folders = {kind: uri.params.get(kind, "") for kind in PLUGINS}
    for kind, folder in folders.items():
        if folder and not list(Path(folder).glob(PLUGINS[kind])):
            raise DeviceError(f"no NPU plugin: {folder} has no {PLUGINS[kind]}", hint=HINT)
    path = need_model(NAME, model_path)
    litert = compiler()

    def make() -> object:
        environment = litert.Environment.create(
            dispatch_library_path=folders["dispatch"], compiler_plugin_path=folders["compiler"]
        )
        options = litert.Options(hardware_accelerators=litert.HardwareAccelerator.NPU)
        return litert.CompiledModel.from_file(path, environment=environment, options=options)

    runtime = CompiledRuntime(path, manifest, make, explain, NAME, "npu")
    if not runtime.fully_accelerated:
        runtime.close()
        raise explain("Some ops are not accelerated")
    operators = read_operators(read_file(Path(path)))
    runtime.claim(DELEGATE, placement(operators, dict.fromkeys(range(len(operators)), DELEGATE), None, "graph"))
    return runtime


def explain(said: str) -> DeviceError:
    """One line for what LiteRT printed and raised."""
    missing = [line.strip("└ ") for line in said.splitlines() if "cannot open shared object file" in line]
    if missing:
        # "Could not load shared library PLUGIN: LIBRARY: cannot open shared object file: …"
        library = missing[-1].split(": cannot open")[0].rpartition(": ")[2]
        return DeviceError(f"the NPU's plugin does not load: {Path(library).name} is missing", hint=HINT)
    if "No compiler plugin found" in said or "could not be loaded and registered" in said:
        return DeviceError("there is no plugin for an NPU here", hint=HINT)
    if "not accelerated" in said:
        return DeviceError("the NPU takes only a part of the model", hint="litert:// computes all of it on the CPU")
    return DeviceError(f"LiteRT cannot use the NPU: {last_line(said)}", hint="all of it is in the log at level debug")
