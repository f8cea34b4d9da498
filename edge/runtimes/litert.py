"""``litert://``: LiteRT interpreter on the CPU by XNNPACK, in this process.

Parameters:
threads=1           of XNNPACK
delegate=LIBRARY    an external delegate computes what it takes, and XNNPACK the rest; opt.KEY=VALUE are its own
delegate_sha256=H   the library is refused unless this is its hash; LIBRARY is a full path then
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.errors import DeviceError, UsageError
from edge.process.install import pip_install
from edge.runtimes.tflite_interpreter import InterpreterRuntime

if TYPE_CHECKING:
    from types import ModuleType

    from edge.config.uri import Uri
    from edge.contracts.manifest import BundleManifest
    from edge.contracts.ports import Runtime


class LiteRtRuntime(InterpreterRuntime):
    """Runtime of LiteRT's interpreter, on the CPU by XNNPACK."""

    NAME, FAMILY, DISTRIBUTION = "litert", "xnnpack", "ai-edge-litert"

    def _library(self) -> ModuleType:
        try:
            from ai_edge_litert import interpreter
        except ImportError as error:
            raise DeviceError(
                f"LiteRT cannot be loaded: {error}", hint=f"on a 64-bit system: {pip_install('ai-edge-litert')}"
            ) from error
        return interpreter  # type: ignore[no-any-return]


def make_litert(uri: Uri, model_path: str | None, manifest: BundleManifest) -> Runtime:
    """Make a LiteRT runtime. Raises `UsageError` for ``weight_cache``, beside what `LiteRtRuntime` raises."""
    if "weight_cache" in uri.params:
        raise UsageError(
            "litert:// keeps no weight cache: a file of weights that was swapped would change the answers",
            hint="leave weight_cache= out; it saved neither time nor memory",
        )
    return LiteRtRuntime(uri, model_path, manifest)
