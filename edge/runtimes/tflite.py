"""``tflite-runtime://?threads=N``: TFLite's interpreter before LiteRT, for boards with delegates built against it.

Python before 3.12 and NumPy before 2, hence an environment of its own (extra ``tflite``). Its XNNPACK knows no 8-bit
operators, so that a quantised model runs on plain kernels: several times slower than ``litert://``. Parameters:
``threads``, ``delegate`` and ``opt.…`` as those of ``litert://``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.errors import DeviceError
from edge.process.install import extra_argument
from edge.runtimes.tflite_interpreter import InterpreterRuntime

if TYPE_CHECKING:
    from types import ModuleType


class TfliteRuntime(InterpreterRuntime):
    """Runtime of tflite-runtime's interpreter, the predecessor of LiteRT."""

    NAME, FAMILY, DISTRIBUTION = "tflite-runtime", "reference", "tflite-runtime"

    def _library(self) -> ModuleType:
        import numpy as np

        # It can be imported beside NumPy 2, and then breaks at the first interpreter with a message that names neither.
        if int(np.__version__.partition(".")[0]) >= 2:
            raise DeviceError(f"tflite-runtime does not run with NumPy {np.__version__}", hint=_install_hint())
        try:
            from tflite_runtime import interpreter
        except ImportError as error:
            raise DeviceError(f"tflite-runtime cannot be loaded: {error}", hint=_install_hint()) from error
        return interpreter  # type: ignore[no-any-return]


def _install_hint() -> str:
    """Commands that install it beside what runs now, which it may not share a NumPy with."""
    argument = extra_argument("tflite")
    return f"it wants Python < 3.12 and NumPy < 2: python3.11 -m venv tflite && tflite/bin/pip install {argument}"
