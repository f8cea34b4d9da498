"""Scores of an anatomy gate that was fitted apart from the runs, to judge their pictures as a device with it would.

Runs that only evaluate are trained without a gate. The file is an .npz:

    ids         str (n,)        of the pictures, as in predictions.npz
    anatomy     float (n,)      score of each, by a gate that did not learn from the picture's patient
    threshold   float ()        a picture under it is not of the body part
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import ConfigError
from training.gate.anatomy_gate import score_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from training.evaluation.held_out_predictions import HeldOutPredictions, HeldOutSet


@dataclass(frozen=True)
class GateScores:
    """Score of the anatomy gate by picture, and the gate's threshold."""

    by_id: dict[str, float]
    threshold: float

    def add_to(self, rows: HeldOutPredictions) -> HeldOutPredictions:
        """Replace the rows' anatomy scores by these. Raises ConfigError where a picture has none."""
        missing = [each for each in rows.ids.tolist() if each not in self.by_id]
        if missing:
            raise ConfigError(
                f"the gate's scores lack {len(missing)} of {len(rows)} pictures, {missing[0]} among them",
                hint="score all pictures that are judged, each by a gate that did not learn from its patient",
            )
        return replace(rows, anatomy=np.array([self.by_id[each] for each in rows.ids.tolist()], np.float32))

    def add_to_set(self, held: HeldOutSet) -> HeldOutSet:
        """Replace the anatomy scores of a cross-validation's test rows by these."""
        return replace(held, test=self.add_to(held.test))


def read_gate_scores(path: Path) -> GateScores:
    """Read a file of scores. Raises ConfigError for one that is none."""
    try:
        with np.load(path) as file:
            ids, anatomy, threshold = (file[name] for name in ("ids", "anatomy", "threshold"))
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(f"{path}: {error}", hint="expected an .npz of ids, anatomy and threshold") from error
    if len(ids) != len(anatomy) or not np.isfinite(anatomy).all() or threshold.size != 1:
        raise ConfigError(
            f"{path}: expected a finite score for each of {len(ids)} ids and one threshold, got {anatomy.shape} and "
            f"{threshold.shape}",
            hint="write ids (n,), anatomy (n,) and threshold ()",
        )
    return GateScores(dict(zip(ids.tolist(), anatomy.astype(float).tolist(), strict=True)), float(threshold.item()))


def write_gate_scores(
    path: Path,
    ids: NDArray[np.str_],
    logits: NDArray[np.float64],
    limit: float,
    more: Mapping[str, Any] | None = None,  # Any: numpy's stub takes a value for ``allow_pickle``
) -> None:
    """Write a file that `read_gate_scores` reads.

    Args:
        path: of the file.
        ids: (n,) of the pictures.
        logits: (n,) of the gate for each.
        limit: logit from which it accepts a picture.
        more: further arrays, which `read_gate_scores` passes over.
    """
    np.savez_compressed(
        path, ids=ids, anatomy=score_of(logits), threshold=score_of(np.float64(limit)), **dict(more or {})
    )
