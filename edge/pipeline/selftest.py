"""Self-test of a runtime with golden vectors: does it compute on this machine what the workstation measured?

The bundle carries raw phantom frames, the exact tensors they become and the outputs they gave. All are computed again
here: at start-up, and whenever the runtime was replaced. Nothing is judged by a runtime that does not pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import ModelError
from edge.contracts.tensors import Tensor
from edge.preprocess.recipes import make_preprocessor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.manifest import BundleManifest
    from edge.contracts.ports import Runtime
    from edge.models.bundle import Bundle

TIMEOUT_S = 20.0
"""For one golden vector; the first invoke of a runtime may compile."""


@dataclass(slots=True)
class SelfTestReport:
    """Result of a self-test, by head. Empty ``problems``: all as measured.

    Heads with integer outputs are compared in quantised steps, those with float outputs by the absolute difference.
    """

    cases: int = 0
    limits: dict[str, int] = field(default_factory=dict)
    """What each head was allowed, in quantised steps."""
    worst: dict[str, int] = field(default_factory=dict)
    """Largest difference seen of each head, in quantised steps."""
    float_limits: dict[str, float] = field(default_factory=dict)
    """What each head with float outputs was allowed."""
    float_worst: dict[str, float] = field(default_factory=dict)
    """Largest absolute difference seen of each head with float outputs."""
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the runtime passed and may judge."""
        return not self.problems

    @property
    def allowed(self) -> int:
        """Steps that the head with most freedom was allowed: 0 says that all must be equal."""
        return max(self.limits.values(), default=0)

    def compare(self, case: int, head: str, got: NDArray[Any] | None, expected: NDArray[Any] | None) -> None:
        """Compare one head's raw output (1, …) of one case with the golden one, and keep what is wrong with it."""
        where = f"golden frame {case}: {head}"
        if expected is None:
            self.problems.append(f"{where} has no golden output")
        elif got is None or got.shape != expected.shape:
            self.problems.append(f"{where} is missing or of another shape")
        elif got.dtype != expected.dtype:  # int8 and uint8 differ by 128 steps where they mean the same
            self.problems.append(f"{where} is {got.dtype.name}, expected {expected.dtype.name}")
        elif head in self.float_limits:
            self._compare_floats(where, head, got, expected)
        else:
            steps = np.abs(got.astype(np.int64) - expected.astype(np.int64))
            difference = int(steps.max(initial=0))
            self.worst[head] = max(difference, self.worst.get(head, 0))
            if difference > self.limits[head]:
                self.problems.append(f"{where} differs by {difference} steps, allowed are {self.limits[head]}")

    def _compare_floats(self, where: str, head: str, got: NDArray[Any], expected: NDArray[Any]) -> None:
        """Compare float outputs by the largest absolute difference; what is not finite is no answer."""
        if not (np.isfinite(got).all() and np.isfinite(expected).all()):
            self.problems.append(f"{where} holds a value that is not finite")
            return
        difference = float(np.abs(got.astype(np.float64) - expected.astype(np.float64)).max(initial=0.0))
        self.float_worst[head] = max(difference, self.float_worst.get(head, 0.0))
        if not difference <= self.float_limits[head]:
            self.problems.append(f"{where} differs by {difference:.6g}, allowed are {self.float_limits[head]:.6g}")


def run_selftest(bundle: Bundle, runtime: Runtime) -> SelfTestReport:
    """Replay all golden vectors of ``bundle``, through preprocessing and ``runtime``."""
    manifest, golden = bundle.manifest, bundle.golden
    report = _empty_report(manifest, runtime.spec.family)
    preprocess = make_preprocessor(manifest)
    for number, (pixels, regions) in enumerate(zip(golden.frames, golden.regions, strict=True)):
        report.cases += 1
        expected_tensor = golden.tensors[number : number + 1]
        # Preprocessing and runtime are judged apart: the runtime gets the exact tensor either way, and computes
        # meanwhile where it has a process of its own.
        runtime.submit(Tensor(expected_tensor, manifest.input))
        values, _ = preprocess(pixels, regions)
        if not np.array_equal(values, expected_tensor):
            wrong = int(np.count_nonzero(values != expected_tensor))
            report.problems.append(f"golden frame {number}: {wrong} of {values.size} tensor values differ")
        outputs = runtime.wait(TIMEOUT_S)
        if outputs is None:
            report.problems.append(f"golden frame {number}: no answer within {TIMEOUT_S:.0f} s")
            return report
        expected = golden.expected(number)
        for head in manifest.heads:
            report.compare(number, head, outputs.get(head), expected.get(head))
    if not report.cases:
        report.problems.append("the model has no golden vectors: nothing was compared")
    return report


def _empty_report(manifest: BundleManifest, family: str) -> SelfTestReport:
    """A report with the limits of each head for runtimes of one family."""
    floats = {head for head, spec in manifest.heads.items() if np.dtype(spec.tensor.dtype).kind == "f"}
    return SelfTestReport(
        limits={head: manifest.golden.allowed(family, head) for head in manifest.heads if head not in floats},
        float_limits=dict.fromkeys(sorted(floats), manifest.golden.allowed_float(family)),
    )


def require_selftest(bundle: Bundle, runtime: Runtime) -> SelfTestReport:
    """Replay all golden vectors as `run_selftest` does; raises `ModelError` if anything came out otherwise."""
    report = run_selftest(bundle, runtime)
    if not report.ok:
        more = f" (and {len(report.problems) - 1} more)" if len(report.problems) > 1 else ""
        raise ModelError(
            f"{runtime.spec.name} does not compute what the model's golden vectors say: {report.problems[0]}{more}",
            hint="try another runtime, or export the model anew; edge-cli model verify shows all of it",
        )
    return report
