"""Limits of other kernels: whether all of them agree with XNNPACK on a golden case, as far as a manifest allows."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.contracts.errors import EdgeError
from edge.models.bundle_checks import MAX_TOLERANCE, MAX_TOLERANCE_BY_HEAD
from export.golden.tolerances import MARGIN_SHARE, missing_for_onnx
from export.other_runtimes import largest_differences, run_onnx, to_onnx
from export.predict import run_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.manifest import Golden, ModelManifest

KEPT_UNDER = 0.8
"""Share of a tolerance that a new case may use up on this machine's kernels: others differ a little more."""


class KernelLimits(AbstractContextManager["KernelLimits"]):
    """Runs cases in LiteRT without XNNPACK, and in ONNX Runtime where it and tf2onnx are installed."""

    def __init__(self, graph: bytes, manifest: ModelManifest, progress: Callable[[str], None]) -> None:
        self._graph, self._manifest, self._progress = graph, manifest, progress
        self._stack = ExitStack()
        self._runs: dict[str, Callable[[NDArray[np.uint8]], dict[str, NDArray[Any]]]] = {
            "reference": lambda tensor: run_graph(graph, tensor, "builtin")
        }

    def __enter__(self) -> KernelLimits:
        if missing := missing_for_onnx():
            self._progress(f"  golden: cases are not tried in ONNX Runtime, {', '.join(missing)} is not installed")
            return self
        path = Path(self._stack.enter_context(tempfile.TemporaryDirectory())) / "model.onnx"
        try:
            to_onnx(self._graph, path)
        except EdgeError as error:
            self._progress(f"  golden: cases are not tried in ONNX Runtime: {error}")
            return self
        self._runs["onnx"] = lambda tensor: run_onnx(path, self._graph, tensor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def hold(self, tensor: NDArray[np.uint8], wanted: Mapping[str, NDArray[Any]], share: float = KEPT_UNDER) -> bool:
        """Whether all kernels come near enough to XNNPACK's outputs ``wanted`` of an input tensor (1, …).

        ``share``: of a tolerance that may be used up; 1 for a case that devices have been held to before.
        """
        for family, run in self._runs.items():
            off = largest_differences(run(tensor), dict(wanted))
            if any(steps > most_steps(self._manifest.golden, family, head, share) for head, steps in off.items()):
                return False
        return True


def most_steps(golden: Golden, family: str, head: str, share: float = KEPT_UNDER) -> int:
    """Steps that kernels of a family may differ by in a case: a share of what the manifest allows, else any."""
    named = any(head in golden.by_head.get(name, {}) or name in golden.max_abs_diff for name in (family, "reference"))
    if named:
        return int(share * golden.allowed(family, head))
    return int(MAX_TOLERANCE_BY_HEAD.get(head, MAX_TOLERANCE) / (1 + 2 * MARGIN_SHARE))
