"""Evaluation of a new anatomy gate for an existing bundle, and its final fit: see `refit_gate`.

Nothing is judged by a gate that has learnt from it: breasts by gates of other patients, organs by gates of other
families. The backbone has seen the breasts, for malignancy.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import bootstrap
from training.evaluation.gate_pictures import AS_IT_IS
from training.gate.anatomy_gate import MEDIAN_LOGIT, AnatomyGate, fit, score_of
from training.gate.leave_one_out import features_of, leave_one_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from training.evaluation.gate_pictures import JudgedPictures
    from training.gate.anatomy_gate import Features
    from training.gate.examples import GateExamples
    from training.recipe import GateSection

OTHER_SHAPES = "in other shapes"
PARTS = 4
"""Parts of the patients; each is judged by a gate of the others."""


@dataclass(frozen=True, eq=False)
class RefitGate:
    """New gate with what was measured of it."""

    gate: AnatomyGate
    """Fitted on all examples; its limit is at logit 0."""
    limits: tuple[float, float]
    """Scores: from the first on it accepts; from the second on where configuration or DICOM says breast."""
    lines: list[str]
    """The table, for people."""
    files: dict[str, dict[str, Any]]
    """By file of another organ, as it is: family, frames, frames that pass, and that pass where breast is stated."""
    logits: NDArray[np.float64]
    """(n,) of each breast, by a gate that has not seen its patient."""
    limit: float
    """Logit from which ``logits`` are accepted."""


def refit_gate(
    learnt: tuple[GateExamples, Features],
    known: tuple[JudgedPictures, Features],
    organs: tuple[JudgedPictures, Features],
    options: GateSection,
    log: Callable[[str], None],
) -> RefitGate:
    """Fit a gate, choose its limits, and judge it.

    Args:
        learnt: examples, and their features.
        known: breasts to choose the limits on, each by a gate that has not seen its patient; and their features.
        organs: pictures of other organs, and their features.
        options: section of the recipe.
        log: takes lines for people.
    """
    examples, found = learnt
    breasts, breast_features = known
    logits = np.zeros(len(breasts.kinds))
    for part in range(PARTS):
        gate = fit(found, examples, options, _parts(examples.groups) != part)
        rows = _parts(breasts.groups) == part
        logits[rows] = gate.logits(features_of(breast_features, rows))
        log(f"part {part + 1} of {PARTS}: {int(rows.sum())} breasts judged by a gate of other patients")
    plain = breasts.kinds == AS_IT_IS
    limit = min(_quantile(logits[plain], options.refusals), _quantile(logits[~plain], options.refusals_bent))
    stated = _quantile(logits[plain], options.refusals_stated)
    median = float(np.median(logits[plain]))
    table = leave_one_out(found, examples, _by_file(*organs), lambda _: limit, options, log, stated)
    gate = fit(found, examples, options).scaled(limit, median)
    lines = [*_refused(breasts, logits, limit, stated), *_passed(table)]
    limits = 0.5, float(score_of((stated - limit) * MEDIAN_LOGIT / (median - limit)))
    told = ("family", "frames", "passed", "passed_stated", "threshold")
    files = {
        name.removesuffix(f" {AS_IT_IS}"): {key: row[key] for key in told}
        for name, row in table.items()
        if name.endswith(AS_IT_IS)
    }
    return RefitGate(gate, limits, lines, files, logits, limit)


def _quantile(logits: NDArray[np.float64], share: float) -> float:
    """Limit under which no more than ``share`` lies."""
    return float(np.quantile(logits, share, method="lower"))


def _by_file(organs: JudgedPictures, found: Features) -> dict[str, tuple[str, Features]]:
    """By file, and by file in other shapes: its family, and its features."""
    out: dict[str, tuple[str, Features]] = {}
    for file in sorted(set(organs.sources.tolist())):
        own = organs.sources == file
        for shape, rows in ((AS_IT_IS, organs.kinds == AS_IT_IS), (OTHER_SHAPES, organs.kinds != AS_IT_IS)):
            if (own & rows).any():
                out[f"{file} {shape}"] = str(organs.groups[own][0]), features_of(found, own & rows)
    return out


def _parts(groups: NDArray[np.str_]) -> NDArray[np.int_]:
    """Part of each patient; -1 for what is of none."""
    return np.array([zlib.crc32(name.encode()) % PARTS if name else -1 for name in groups.tolist()])


def _refused(breasts: JudgedPictures, logits: NDArray[np.float64], limit: float, stated: float) -> list[str]:
    """Lines about breasts: how many are refused, by set and kind, with 95 % intervals over patients."""
    lines = ["breasts refused, each by a gate of other patients:"]
    for kind in [AS_IT_IS, *sorted(set(breasts.kinds.tolist()) - {AS_IT_IS})]:
        for source in sorted(set(breasts.sources.tolist())):
            rows = (breasts.kinds == kind) & (breasts.sources == source)
            refused = logits[rows] < limit
            low, high = bootstrap(breasts.groups[rows], _share_of(refused))
            below = (logits[rows] < stated).mean()
            lines.append(
                f"  {source:8} {kind:15} {int(refused.sum()):4} of {len(refused):4}  {refused.mean():6.2%} "
                f"({low:.2%} to {high:.2%}); where breast is stated {below:.2%}"
            )
    return lines


def _share_of(values: NDArray[np.bool_]) -> Callable[[NDArray[np.int_]], float]:
    """The share of the drawn rows for which it is true."""
    return lambda drawn: float(values[drawn].mean())


def _passed(table: dict[str, dict[str, Any]]) -> list[str]:
    """Lines about other organs: how many frames pass, by family and file."""
    lines = ["other organs accepted, each by a gate fitted without its family:"]
    lines += [
        f"  {row['family']:28} {name:60} {row['passed']:4} of {row['frames']:4}  {row['passed'] / row['frames']:6.1%}; "
        f"where breast is stated {row['passed_stated'] / row['frames']:6.1%}"
        for name, row in sorted(table.items(), key=lambda each: (each[1]["family"], each[0]))
    ]
    return lines
