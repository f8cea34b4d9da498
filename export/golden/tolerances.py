"""Tolerances of the golden vectors for kernels other than XNNPACK, measured by runtime family and head.

Kernels round differently inside a layer. What is measured here, with a margin, is what a device's self-test allows.
"""

from __future__ import annotations

import tempfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np

from edge.contracts.errors import EdgeError
from edge.contracts.manifest import Golden
from edge.models.bundle_checks import MAX_TOLERANCE, MAX_TOLERANCE_BY_HEAD
from export.other_runtimes import largest_differences, run_onnx, run_tflite_runtime, to_onnx
from export.predict import run_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Steps = dict[str, int]


class ComputedCase(Protocol):
    """Golden case of a model of any kind: the tensor of its picture, and what XNNPACK gave."""

    @property
    def tensor(self) -> NDArray[Any]:
        """Tensor of one picture, (1, height, width, channels)."""

    @property
    def outputs(self) -> Mapping[str, NDArray[Any]]:
        """Raw outputs by head, (1, …)."""


MARGIN_SHARE, MARGIN_STEPS = 0.5, 2
"""Margin over the measured difference: this share of it, and this many steps more. Other versions of the same
kernels, and other processors under them, were never seen to differ by that much from those that are measured."""
ONNX_NEEDS = ("tf2onnx", "onnxruntime")


def measure_tolerances(
    graph: bytes, cases: Sequence[ComputedCase], progress: Callable[[str], None], tflite_runtime: Path | None = None
) -> Golden:
    """Measure the tolerances of every runtime family whose kernels are at hand, and describe how they were found.

    ``tflite_runtime``: a Python that has it; None: LiteRT's own kernels stand for the family alone. ONNX Runtime is
    measured where `ONNX_NEEDS` are installed. Raises DeviceError if ``tflite_runtime`` cannot run.
    """
    seen = _differences(graph, cases, progress, tflite_runtime)
    return tolerances({family: _worst(runs.values()) for family, runs in seen.items()}, len(cases), seen)


def renew_tolerances(
    old: Golden,
    head: str,
    graph: bytes,
    cases: Sequence[ComputedCase],
    progress: Callable[[str], None],
    tflite_runtime: Path | None = None,
) -> Golden:
    """Tolerances of a bundle whose ``head`` is another: its own are measured, those of the others stay if they hold.

    A family that is not at hand has none for the new head, and is held to those of the reference kernels.
    """
    seen = _differences(graph, cases, progress, tflite_runtime)
    worst = {family: _worst(runs.values()) for family, runs in seen.items()}
    measured = tolerances(worst, len(cases), seen)
    by_head = {name: dict(heads) for name, heads in forget_tolerances(old, head).by_head.items()}
    for family, heads in measured.by_head.items():
        kept = by_head.setdefault(family, {})
        for name, steps in heads.items():
            if name not in kept or worst[family][name] > kept[name]:
                kept[name] = steps
    method = f"{measured.method}; for heads other than {head} what the bundle before allowed, as long as it holds"
    return msgspec.structs.replace(old, by_head=by_head, method=method)


def forget_tolerances(golden: Golden, head: str) -> Golden:
    """Tolerances without those of one head: they were measured of another."""
    by_head = {
        family: {name: n for name, n in heads.items() if name != head} for family, heads in golden.by_head.items()
    }
    return msgspec.structs.replace(golden, by_head=by_head)


def _differences(
    graph: bytes, cases: Sequence[ComputedCase], progress: Callable[[str], None], tflite_runtime: Path | None
) -> dict[str, dict[str, Steps]]:
    """Largest differences from the cases' outputs by family, kernels and head."""
    tensors = np.concatenate([case.tensor for case in cases])
    wanted = {name: np.concatenate([case.outputs[name] for case in cases]) for name in cases[0].outputs}
    seen: dict[str, dict[str, Steps]] = {}
    for family, kernels, outputs in _runs(graph, tensors, progress, tflite_runtime):
        seen.setdefault(family, {})[kernels] = largest_differences(outputs, wanted)
        progress(f"  golden: {kernels} differ from XNNPACK by {seen[family][kernels]} steps at most")
    return seen


def tolerances(worst: dict[str, Steps], cases: int, kernels: dict[str, Any]) -> Golden:
    """Tolerances from the worst differences by runtime family and head.

    A family of which one head differs so much that a broken kernel might pass is left out; it is then held to what
    the reference kernels are allowed, or to equality. ``kernels``: those of each family, for people.
    """
    allowed: dict[str, Steps] = {}
    said = []
    for family, heads in worst.items():
        known = all(steps <= _most(head) for head, steps in heads.items())
        measured = ", ".join(f"{head} {steps}" for head, steps in sorted(heads.items()))
        said.append(f"{family} ({', '.join(kernels[family])}): {measured}{'' if known else ', too far to be allowed'}")
        if known:
            allowed[family] = {head: with_margin(steps, _most(head)) for head, steps in heads.items()}
    return Golden(
        max_abs_diff={"xnnpack": 0},
        by_head=allowed,
        method=(
            f"worst difference from XNNPACK's outputs over {cases} golden cases, in steps: {'; '.join(said)}. "
            f"Allowed are {MARGIN_SHARE:.0%} and {MARGIN_STEPS} steps more, up to a limit by head"
        ),
    )


def with_margin(steps: int, most: int) -> int:
    """Tolerance where a difference of ``steps`` was measured: with the margin, but never over ``most``."""
    return min(most, steps + round(MARGIN_SHARE * steps) + MARGIN_STEPS)


def _most(head: str) -> int:
    return MAX_TOLERANCE_BY_HEAD.get(head, MAX_TOLERANCE)


def _worst(runs: Any) -> Steps:
    """By head, over all kernels of a family."""
    found: Steps = {}
    for steps in runs:
        for head, value in steps.items():
            found[head] = max(value, found.get(head, 0))
    return found


def _runs(
    graph: bytes, tensors: NDArray[np.uint8], progress: Callable[[str], None], tflite_runtime: Path | None
) -> Iterator[tuple[str, str, dict[str, NDArray[Any]]]]:
    """Family, kernels and raw outputs by head, of everything that is at hand."""
    litert = f"LiteRT {_version('ai-edge-litert')}"
    yield "reference", f"{litert} without XNNPACK", run_graph(graph, tensors, "builtin")
    if tflite_runtime is not None:
        yield "reference", "tflite-runtime", run_tflite_runtime(tflite_runtime, graph, tensors)
    if missing := missing_for_onnx():
        progress(f"  golden: ONNX Runtime is not measured, {', '.join(missing)} is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            to_onnx(graph, path)
        except EdgeError as error:
            progress(f"  golden: ONNX Runtime is not measured: {error}")
            return
        yield "onnx", f"ONNX Runtime {_version('onnxruntime')}", run_onnx(path, graph, tensors)


def missing_for_onnx() -> list[str]:
    """Packages of `ONNX_NEEDS` that are not installed."""
    return [name for name in ONNX_NEEDS if find_spec(name) is None]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of an unknown version"
