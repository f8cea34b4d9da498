"""One piece of memory that parent and child both see: slots of an input tensor and, behind it, its outputs.

Slots are used in turn. While the child computes one, the parent fills the other.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.tensors import RuntimeSpec, TensorSpec

ALIGN = 64
"""Bytes; a cache line, so that no two tensors share one."""
SLOTS = 2


def tensor_nbytes(spec: TensorSpec) -> int:
    """Size of a tensor in bytes."""
    return int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize


def shared_memory_size(spec: RuntimeSpec) -> int:
    """Bytes that all slots need."""
    return SLOTS * sum(-(-tensor_nbytes(t) // ALIGN) * ALIGN for t in (spec.input, *spec.outputs.values()))


@dataclass(frozen=True, slots=True)
class Slot:
    """One tensor and what is computed from it: views of the memory, by head name for the outputs."""

    input: NDArray[Any]
    outputs: dict[str, NDArray[Any]]


class SharedTensors:
    """Views into the memory behind a file descriptor, one a tensor, laid out alike on both sides."""

    def __init__(self, fd: int, spec: RuntimeSpec) -> None:
        self._memory = mmap.mmap(fd, shared_memory_size(spec))
        self._offset = 0
        self.slots = [
            Slot(self._view(spec.input), {name: self._view(spec.outputs[name]) for name in sorted(spec.outputs)})
            for _ in range(SLOTS)
        ]

    def _view(self, spec: TensorSpec) -> NDArray[Any]:
        view: NDArray[Any] = np.frombuffer(
            self._memory, dtype=spec.dtype, count=int(np.prod(spec.shape)), offset=self._offset
        ).reshape(spec.shape)
        self._offset += -(-tensor_nbytes(spec) // ALIGN) * ALIGN
        return view


def make_memory(spec: RuntimeSpec) -> int:
    """A file descriptor of anonymous memory, large enough for ``spec``. It is gone when all have closed it."""
    fd = os.memfd_create("sonoedge-tensors", os.MFD_CLOEXEC)
    os.ftruncate(fd, shared_memory_size(spec))
    return fd
