"""``tflite-runtime://?threads=N``: TFLite's interpreter before LiteRT, for boards with delegates built against it.

Python before 3.12 and NumPy before 2, hence an environment of its own (extra ``tflite``). Its XNNPACK knows no 8-bit
operators, so that a quantised model runs on plain kernels: several times slower than ``litert://``. Parameters:
``threads``, ``delegate`` and ``opt.…`` as those of ``litert://``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.errors import DeviceError
from edge.runtimes.tflite_interpreter import InterpreterRuntime

if TYPE_CHECKING:
    from types import ModuleType

INSTALL = "pip install 'sonoedge[tflite]' in an environment of its own: Python < 3.12, numpy < 2"


class TfliteRuntime(InterpreterRuntime):
    """Runtime of tflite-runtime's interpreter, the predecessor of LiteRT."""

    NAME, FAMILY, DISTRIBUTION = "tflite-runtime", "reference", "tflite-runtime"

    def _library(self) -> ModuleType:
        import numpy as np

        # It can be imported beside NumPy 2, and then breaks at the first interpreter with a message that names neither.
        if int(np.__version__.partition(".")[0]) >= 2:
            raise DeviceError(f"tflite-runtime does not run with NumPy {np.__version__}", hint=INSTALL)
        try:
            from tflite_runtime import interpreter
        except ImportError as error:
            raise DeviceError(f"tflite-runtime cannot be loaded: {error}", hint=INSTALL) from error
        return interpreter  # type: ignore[no-any-return]
