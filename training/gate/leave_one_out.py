"""Evaluation of the anatomy gate on families of files that it never saw, each by a gate that is fitted without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.gate.anatomy_gate import fit, score_of, without

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from training.gate.anatomy_gate import Features
    from training.gate.examples import GateExamples
    from training.recipe import GateSection


def leave_one_out(
    found: Features,
    data: GateExamples,
    evaluated: Mapping[str, tuple[str, Features]],
    limit: Callable[[Any], float],
    options: GateSection,
    log: Callable[[str], None],
    stated: float | None = None,
) -> dict[str, dict[str, Any]]:
    """Leave-one-family-out evaluation: by file, frames, how many pass, and scores of a gate that never saw its family.

    Args:
        found: features of ``data``.
        data: all that the shipped gate learns from.
        evaluated: by file name, its family and its frames' features, as the device sees them.
        limit: gives the logit from which a gate accepts.
        options: section of the recipe.
        log: takes a line for each file.
        stated: the logit from which a gate accepts where the body part is stated; then ``passed_stated`` is told too.
    """
    table: dict[str, dict[str, Any]] = {}
    for family in sorted({name for name, _ in evaluated.values()}):
        gate = fit(found, data, options, without(data, family))
        least = limit(gate)
        for file, (name, frames) in evaluated.items():
            if name == family:
                logits = gate.logits(frames)
                passed = int((logits >= least).sum())
                table[file] = {
                    "family": family, "frames": len(logits), "passed": passed, "threshold": float(score_of(least)),
                    "scores": score_of(logits),
                }  # fmt: skip
                if stated is not None:
                    table[file]["passed_stated"] = int((logits >= stated).sum())
                log(f"gate without {family}: {file} passes {passed} of {len(logits)} frames")
    return table


def features_of(found: Features, rows: Any) -> dict[str, Any]:
    """Features of some rows alone, by block."""
    return {name: np.asarray(values)[rows] for name, values in found.items()}
