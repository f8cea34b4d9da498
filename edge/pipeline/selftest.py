"""Self-test of a runtime with golden vectors: does it compute on this machine what the workstation measured?

The bundle carries raw phantom frames, the exact tensors they become and the outputs they gave. All are computed again
here: at start-up, and whenever the runtime was replaced. Nothing is judged by a runtime that does not pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import ModelError
from edge.contracts.tensors import Tensor
from edge.preprocess.preprocessor import Preprocessor

if TYPE_CHECKING:
    from edge.contracts.ports import Runtime
    from edge.models.bundle import Bundle

TIMEOUT_S = 20.0
"""For one golden vector; the first invoke of a runtime may compile."""


@dataclass(slots=True)
class SelfTestReport:
    """Result of a self-test. ``worst`` is by head, in quantised steps; empty ``problems``: all as measured."""

    cases: int = 0
    limits: dict[str, int] = field(default_factory=dict)
    """What each head was allowed, in quantised steps."""
    worst: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the runtime passed and may judge."""
        return not self.problems

    @property
    def allowed(self) -> int:
        """Steps that the head with most freedom was allowed: 0 says that all must be equal."""
        return max(self.limits.values(), default=0)


def run_selftest(bundle: Bundle, runtime: Runtime) -> SelfTestReport:
    """Replay all golden vectors of ``bundle``, through preprocessing and ``runtime``."""
    manifest = bundle.manifest
    family = runtime.spec.family
    report = SelfTestReport(limits={head: manifest.golden.allowed(family, head) for head in manifest.heads})
    preprocess = Preprocessor(manifest.recipe)
    golden = bundle.golden
    for number, (pixels, regions) in enumerate(zip(golden.frames, golden.regions, strict=True)):
        report.cases += 1
        expected_tensor = golden.tensors[number : number + 1]
        values, _ = preprocess(pixels, regions)
        if not np.array_equal(values, expected_tensor):
            wrong = int(np.count_nonzero(values != expected_tensor))
            report.problems.append(f"golden frame {number}: {wrong} of {values.size} tensor values differ")
        # Preprocessing and runtime are judged apart: the runtime gets the exact tensor either way.
        runtime.submit(Tensor(expected_tensor, manifest.input))
        outputs = runtime.wait(TIMEOUT_S)
        if outputs is None:
            report.problems.append(f"golden frame {number}: no answer within {TIMEOUT_S:.0f} s")
            return report
        for head, expected in golden.expected(number).items():
            got = outputs.get(head)
            if got is None or got.shape != expected.shape:
                report.problems.append(f"golden frame {number}: {head} is missing or of another shape")
                continue
            difference = int(np.max(np.abs(got.astype(np.int32) - expected.astype(np.int32))))
            report.worst[head] = max(difference, report.worst.get(head, 0))
            if difference > report.limits[head]:
                report.problems.append(
                    f"golden frame {number}: {head} differs by {difference} steps, allowed are {report.limits[head]}"
                )
    return report


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
