"""One piece of memory that parent and child both see: the input tensor, then the outputs one after another."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.tensors import RuntimeSpec, TensorSpec

ALIGN = 64
"""Bytes; a cache line, so that no two tensors share one."""


def nbytes(spec: TensorSpec) -> int:
    """Size of a tensor in bytes."""
    return int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize


def size_of(spec: RuntimeSpec) -> int:
    """Bytes that the input and all outputs of ``spec`` need."""
    return sum(-(-nbytes(t) // ALIGN) * ALIGN for t in (spec.input, *spec.outputs.values()))


class SharedTensors:
    """Views into the memory behind a file descriptor, one a tensor, laid out alike on both sides."""

    def __init__(self, fd: int, spec: RuntimeSpec) -> None:
        self._memory = mmap.mmap(fd, size_of(spec))
        self._offset = 0
        self.input = self._view(spec.input)
        self.outputs = {name: self._view(spec.outputs[name]) for name in sorted(spec.outputs)}

    def _view(self, spec: TensorSpec) -> NDArray[Any]:
        view: NDArray[Any] = np.frombuffer(
            self._memory, dtype=spec.dtype, count=int(np.prod(spec.shape)), offset=self._offset
        ).reshape(spec.shape)
        self._offset += -(-nbytes(spec) // ALIGN) * ALIGN
        return view


def make_memory(spec: RuntimeSpec) -> int:
    """A file descriptor of anonymous memory, large enough for ``spec``. It is gone when all have closed it."""
    fd = os.memfd_create("sonoedge-tensors", os.MFD_CLOEXEC)
    os.ftruncate(fd, size_of(spec))
    return fd
