"""Shared memory for tensors between a runtime's parent and child: slots of an input tensor and its outputs.

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
"""While the child computes one, the parent fills the other."""


def tensor_nbytes(spec: TensorSpec) -> int:
    """Size of a tensor in bytes."""
    return int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize


def shared_memory_size(spec: RuntimeSpec) -> int:
    """Size in bytes of the shared memory that all slots need."""
    return SLOTS * sum(-(-tensor_nbytes(t) // ALIGN) * ALIGN for t in (spec.input, *spec.outputs.values()))


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot: an input tensor and the outputs computed from it, by head name. All are views of the shared memory."""

    input: NDArray[Any]
    outputs: dict[str, NDArray[Any]]


class SharedTensors:
    """Array views into the shared memory behind a file descriptor, one a tensor, laid out alike on both sides."""

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
    """Make anonymous shared memory large enough for ``spec``; returns its file descriptor.

    It is freed when all have closed it.
    """
    fd = os.memfd_create("sonoedge-tensors", os.MFD_CLOEXEC)
    os.ftruncate(fd, shared_memory_size(spec))
    return fd
