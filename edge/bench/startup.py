"""Start-up times of a runtime: loading, the first invoke, warming up; then the golden vectors."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.app.compose import runtime_maker
from edge.contracts.errors import DeviceError
from edge.contracts.placement import Placement
from edge.contracts.tensors import Tensor
from edge.pipeline.selftest import run_selftest

if TYPE_CHECKING:
    from edge.app.compose import RuntimeModel
    from edge.config.settings import Settings
    from edge.contracts.ports import Runtime

INVOKES = 20
"""After the first: enough to see where the times settle."""
TIMEOUT_S = 60.0
"""For one invoke; the first may compile for an accelerator."""


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of the golden vectors: does this runtime compute what the workstation measured?"""

    cases: int
    """Golden vectors that were computed again."""
    allowed: int
    """Steps of the quantised outputs that this family of runtimes may be off."""
    worst: dict[str, int]
    """By head, how many steps it was off."""
    float_worst: dict[str, float] = {}
    """By head with float outputs, how far a value was off."""
    problems: list[str]
    """Empty: it does."""


class Startup(msgspec.Struct, frozen=True, kw_only=True):
    """Times of one start of a runtime, in milliseconds, and what it says of itself.

    The machine may have had the model's file in its cache.
    """

    runtime: str
    """Name of the runtime that was really made."""
    version: str
    """Of its library."""
    family: str
    """Of runtimes that compute alike, for the golden vectors."""
    delegate: str | None
    load_ms: float
    """From nothing to a loaded model; with ``isolated``, the start of the process too."""
    first_ms: float
    """The first invoke, which may allocate and compile."""
    warm_up_ms: list[float]
    """Those after it, in order."""
    isolated: bool
    parity: Parity | None
    """None: the runtime computes nothing that could be compared (``scripted``)."""
    placement: Placement | None
    """Which part of the model a delegate took; None: the runtime does not tell."""

    @property
    def settled_ms(self) -> float:
        """Median invoke time of the second half of the warm-up, in milliseconds."""
        return float(np.median(self.warm_up_ms[len(self.warm_up_ms) // 2 :]))


def measure_startup(settings: Settings, model: RuntimeModel) -> Startup:
    """Start the runtime of ``settings``, time its first invokes on a golden tensor, test it, and close it.

    Raises:
        EdgeError: it cannot be made, or does not answer.
    """
    began = time.monotonic_ns()
    isolated = settings.runtime.isolated
    runtime = runtime_maker(settings, model, isolated=isolated)(settings.runtime.uri)
    load_ms = _since(began)
    try:
        values = np.zeros(model.manifest.input.shape, model.manifest.input.dtype)
        if model.bundle is not None:
            values[:] = model.bundle.golden.tensors[:1]
        tensor = Tensor(values, model.manifest.input)
        first_ms, *warm_up_ms = [_invoke(runtime, tensor) for _ in range(1 + INVOKES)]
        spec = runtime.spec
        parity = None
        if model.bundle is not None and spec.family != "scripted":
            tested = run_selftest(model.bundle, runtime)
            parity = Parity(
                cases=tested.cases,
                allowed=tested.allowed,
                worst=tested.worst,
                float_worst=tested.float_worst,
                problems=tested.problems,
            )
        return Startup(
            runtime=spec.name,
            version=spec.version,
            family=spec.family,
            delegate=spec.delegate,
            load_ms=load_ms,
            first_ms=first_ms,
            warm_up_ms=warm_up_ms,
            isolated=isolated,
            parity=parity,
            placement=spec.placement,
        )
    finally:
        runtime.close()


def _invoke(runtime: Runtime, tensor: Tensor) -> float:
    began = time.monotonic_ns()
    runtime.submit(tensor)
    if runtime.wait(TIMEOUT_S) is None:
        raise DeviceError(
            f"{runtime.spec.name} gave no answer within {TIMEOUT_S:.0f} s",
            hint="see edge-cli doctor; try another runtime",
        )
    return _since(began)


def _since(began_ns: int) -> float:
    return round((time.monotonic_ns() - began_ns) / 1e6, 3)
