"""Tensors that go into and come out of a runtime, and their specifications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from edge.contracts.placement import Placement

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TensorSpec(msgspec.Struct, frozen=True):
    """Shape, type and quantisation of one tensor: real value = scale * (stored - zero_point)."""

    shape: tuple[int, ...]
    dtype: str = "uint8"
    scale: float = 1.0
    zero_point: int = 0

    def __str__(self) -> str:
        return f"{self.shape} {self.dtype}"


class RuntimeSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Description of a runtime: what it takes and gives, and what it is."""

    name: str
    """Name of the runtime, the scheme of its URI: ``litert``, ``scripted``."""
    family: str
    """Family of runtimes, within whose tolerance golden outputs are compared: ``xnnpack``, ``reference``, ``gpu``."""
    delegate: str | None
    """Delegate that computes, of those that took at least one operator: ``xnnpack``, ``edgetpu+xnnpack``. None: the
    CPU's plain kernels alone, or the runtime does not tell."""
    version: str
    input: TensorSpec
    outputs: dict[str, TensorSpec]
    """Output tensors by head name, as the model's signature spells it."""
    takes: int = 1
    """How many tensors may be submitted before the first is waited for. With 2 it never waits for us in between."""
    placement: Placement | None = None
    """Which operators run where. None: the runtime does not tell."""
    chosen: str | None = None
    """Why this one, in a line, where ``auto://`` chose. None: it was named."""


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """Filled input tensor; ``values`` has exactly the shape and dtype of ``spec``."""

    values: NDArray[Any]
    spec: TensorSpec


Outputs = "Mapping[str, NDArray[Any]]"
"""Raw (still quantised) outputs by head name."""
