"""Comparison of measured lesion sizes with the phantom's true ones."""

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
    """One measured lesion and the phantom's lesion at the same place; all in millimetres."""

    frame: int
    measured: tuple[float, float]
    """Long and short axis."""
    uncertainty: float
    true: tuple[float, float] | None
    """None: there is no lesion at this place."""

    @property
    def text(self) -> str:
        """Text of the comparison for people."""
        long_axis, short_axis = self.measured
        measured = f"frame {self.frame}: measured {long_axis:.1f} x {short_axis:.1f} mm (+-{self.uncertainty:.1f})"
        if self.true is None:
            return f"{measured}, but there is no lesion at this place"
        return f"{measured}, true size {self.true[0]:.1f} x {self.true[1]:.1f} mm"


def compare_sizes(findings: Iterable[Finding], spec: PhantomSpec) -> list[SizeComparison]:
    """Compare all measured lesions of ``findings`` with the phantom of ``spec``: one each for a frame and lesion."""
    scene = _scene(spec)
    compared: dict[tuple[str, int], SizeComparison] = {}
    for finding in findings:
        seq = finding.frame.seq
        for lesion in finding.lesions:
            if lesion.long_axis_mm is None or lesion.short_axis_mm is None:
                continue
            true = _true_lesion_at(lesion, scene.render(seq).lesions)
            compared[finding.finding_id, seq] = SizeComparison(
                frame=seq,
                measured=(lesion.long_axis_mm, lesion.short_axis_mm),
                uncertainty=lesion.mm_uncertainty or 0.0,
                true=None if true is None else (true.long_axis_mm, true.short_axis_mm),
            )
    return sorted(compared.values(), key=lambda each: each.frame)


@lru_cache(maxsize=1)
def _scene(spec: PhantomSpec) -> PhantomScene:
    """Takes a second to make on a small machine."""
    return PhantomScene(spec)


def _true_lesion_at(lesion: Lesion, candidates: Iterable[PhantomLesion]) -> PhantomLesion | None:
    """The true lesion whose box holds the centre of ``lesion``, the nearest if several do."""
    x, y = lesion.centre
    holding = [
        true
        for true in candidates
        if true.box[0] <= x <= true.box[0] + true.box[2] and true.box[1] <= y <= true.box[1] + true.box[3]
    ]
    return min(holding, key=lambda true: math.dist(true.centre, lesion.centre), default=None)
