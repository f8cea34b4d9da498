"""A phantom knows the true size of its lesions: what was measured, beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from edge.phantom.scene import PhantomScene

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.contracts.finding import Finding
    from edge.contracts.results import Lesion
    from edge.phantom.spec import PhantomLesion, PhantomSpec


@dataclass(frozen=True, slots=True)
class SizeComparison:
    """One measured lesion and the one of the phantom that lies under it; all in millimetres."""

    frame: int
    measured: tuple[float, float]
    """Long and short axis."""
    uncertainty: float
    true: tuple[float, float] | None
    """None: there is no lesion at this place."""

    @property
    def text(self) -> str:
        """For people."""
        long_axis, short_axis = self.measured
        told = f"frame {self.frame}: measured {long_axis:.1f} x {short_axis:.1f} mm (+-{self.uncertainty:.1f})"
        if self.true is None:
            return f"{told}, but there is no lesion at this place"
        return f"{told}, true size {self.true[0]:.1f} x {self.true[1]:.1f} mm"


def compare(findings: Iterable[Finding], spec: PhantomSpec) -> list[SizeComparison]:
    """All measured lesions of ``findings``, one each for a frame and lesion, against the phantom of ``spec``."""
    scene = _scene(spec)
    compared: dict[tuple[str, int], SizeComparison] = {}
    for finding in findings:
        seq = finding.frame.seq
        for lesion in finding.lesions:
            if lesion.long_axis_mm is None or lesion.short_axis_mm is None:
                continue
            truth = _under(lesion, scene.render(seq).lesions)
            compared[finding.finding_id, seq] = SizeComparison(
                frame=seq,
                measured=(lesion.long_axis_mm, lesion.short_axis_mm),
                uncertainty=lesion.mm_uncertainty or 0.0,
                true=None if truth is None else (truth.long_axis_mm, truth.short_axis_mm),
            )
    return sorted(compared.values(), key=lambda each: each.frame)


@lru_cache(maxsize=1)
def _scene(spec: PhantomSpec) -> PhantomScene:
    """Takes a second to make on a small machine."""
    return PhantomScene(spec)


def _under(lesion: Lesion, truths: Iterable[PhantomLesion]) -> PhantomLesion | None:
    """The true lesion whose box holds the centre of ``lesion``, the nearest if several do."""
    x, y = lesion.centre
    holding = [
        true
        for true in truths
        if true.box[0] <= x <= true.box[0] + true.box[2] and true.box[1] <= y <= true.box[1] + true.box[3]
    ]
    return min(holding, key=lambda true: math.dist(true.centre, lesion.centre), default=None)
