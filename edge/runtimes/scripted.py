"""``scripted://``: fake runtime that computes nothing and answers `finding` on every frame, numbered.

For tests of brokers, load and faults. Parameters:

    distinct=1        each answer's lesion is somewhere else, so each is a new finding
    malignancy=0.8    of every answer
    delay_ms=0        how long an answer takes
    hang_at=N         the N-th answer (from 1) never comes
    die_at=N          the process ends at the N-th answer (isolated only)
    read=FILE         the file is read before each answer, as a driver would be asked. If it does not answer, the
                      process cannot be killed
    read_at=N         ... from the N-th answer on; 0 (the default): before the first tensor comes, too
    nan_at=N          the N-th answer is NaN, where the manifest's heads are float32
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.manifest import LABELS, LESION_MASK, MALIGNANCY, MASK
from edge.contracts.tensors import RuntimeSpec, Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.config.uri import Uri
    from edge.contracts.manifest import BundleManifest

PLACES = 4
"""Lesions are placed on a grid of so many by so many, apart enough that no two overlap."""


class ScriptedRuntime:
    """Fake runtime whose answers follow from the number of the frame, not from its pixels."""

    def __init__(self, uri: Uri, model_path: str | None, manifest: BundleManifest) -> None:
        """``model_path`` is ignored; shapes are the manifest's. Raises `UsageError` for a wrong parameter."""
        uri.expect("distinct", "malignancy", "delay_ms", "hang_at", "die_at", "nan_at", "read_at", "read")
        self._distinct = uri.get("distinct", int, 0) != 0
        self._malignancy = uri.get("malignancy", float, 0.8)
        self._delay_s = uri.get("delay_ms", float, 0.0) / 1000
        self._hang_at = uri.get("hang_at", int, 0)
        self._die_at = uri.get("die_at", int, 0)
        self._nan_at = uri.get("nan_at", int, 0)
        self._read_at, self._read_path = uri.get("read_at", int, 0), uri.get("read", str, "")
        self._heads = manifest.heads
        self._number = 0
        self._read_driver()
        self.spec = RuntimeSpec(
            name="scripted",
            family="scripted",
            delegate=None,
            version="1",
            input=manifest.input,
            outputs={name: head.tensor for name, head in manifest.heads.items()},
        )

    def submit(self, tensor: Tensor) -> None:
        """Implement `Runtime.submit`: count the tensor. ValueError on another shape or dtype than the manifest's."""
        if tensor.spec.shape != self.spec.input.shape or tensor.spec.dtype != self.spec.input.dtype:
            raise ValueError(f"expected {self.spec.input}, got {tensor.spec}")
        self._number += 1

    def wait(self, timeout_s: float) -> Mapping[str, NDArray[Any]] | None:
        """Implement `Runtime.wait`: the scripted outputs by head, or the scripted hang, death or NaN."""
        if self._number == self._hang_at:
            time.sleep(timeout_s)
            return None
        if self._number == self._die_at:
            os._exit(1)
        self._read_driver()
        if self._delay_s:
            time.sleep(self._delay_s)
        outputs = {}
        for name, spec in self.spec.outputs.items():
            value = self._answer(name, spec.shape)
            if self._number == self._nan_at and spec.dtype == "float32":
                value = np.full(spec.shape, np.nan)
            if spec.dtype != "float32":
                limits = np.iinfo(spec.dtype)
                value = np.clip(np.rint(value / spec.scale) + spec.zero_point, limits.min, limits.max)
            outputs[name] = value.astype(spec.dtype).reshape(spec.shape)
        return outputs

    def close(self) -> None:
        """Implement `Runtime.close`: there is nothing to free."""

    def _read_driver(self) -> None:
        """Read the file that takes the place of a driver, if it is time to."""
        if self._read_path and self._number >= self._read_at:
            with open(self._read_path, "rb", buffering=0) as driver:
                driver.read(1)

    def _answer(self, head: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Real values of one head; of a classifier the first label, or with ``distinct`` each in turn.

        Of a segmentation network the last label has an area, and the first, its background, the rest.
        """
        if head == MALIGNANCY:
            return self._classes()
        if head == LESION_MASK:
            return self._mask(shape)
        if head == MASK:
            area = self._mask(shape)
            others = [1 - area, *[np.zeros_like(area)] * (shape[3] - 2)] if shape[3] > 1 else []
            return np.stack([*others, area], axis=2)
        if head != LABELS:
            return np.ones(shape)
        labels = np.zeros(shape)
        labels[..., self._number % shape[-1] if self._distinct else 0] = 1.0
        return labels

    def _classes(self) -> NDArray[np.float64]:
        return np.array([1 - self._malignancy, self._malignancy])

    def _mask(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Map (h, w) for a head of ``shape`` that is 1 in a rectangle, elsewhere 0."""
        _, height, width, _ = shape
        place = self._number % (PLACES * PLACES) if self._distinct else 5
        rows, cols = height // PLACES, width // PLACES
        top, left = place // PLACES * rows, place % PLACES * cols
        mask = np.zeros((height, width))
        mask[top + 2 : top + rows - 2, left + 2 : left + cols - 2] = 1.0
        return mask
