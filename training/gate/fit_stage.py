"""The anatomy gate's stage of a training run: calls features, fit and evaluation, and adds the head to the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.preprocess.preprocessor import Preprocessor
from training.gate.anatomy_gate import fit
from training.gate.head import features, with_gate
from training.gate.leave_one_out import features_of, leave_one_out

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import keras
    from numpy.typing import NDArray

    from training.gate.anatomy_gate import AnatomyGate
    from training.gate.examples import GateExamples, GateRecipe
    from training.gate.file_negatives import FileNegative
    from training.recipe import GateSection

METHOD = (
    "each file scored by a gate fitted without its family of files; the gate's design (blocks, bands, hidden units, "
    "drawn organs) was chosen with these figures in sight, so that they flatter it"
)
SAMPLE = 12
"""Pictures of each evaluated file and of each kind of negative that are kept in gate.npz."""


@dataclass(frozen=True, eq=False)
class FittedGate:
    """Model with its fitted anatomy gate, and how the gate was evaluated."""

    model: keras.Model
    threshold: float
    arrays: dict[str, NDArray[Any]]
    """``gate.npz``: tensors and source of some negatives; name, score and threshold of every evaluated frame."""
    report: dict[str, Any]
    """For ``metrics.json``: frames and frames that pass, in all and by file."""


def fit_gate(
    model: keras.Model,
    recipe: GateRecipe,
    options: GateSection,
    learnt: GateExamples,
    files: Sequence[FileNegative],
    held: NDArray[np.uint8],
    log: Callable[[str], None],
) -> FittedGate:
    """Fit the anatomy gate on ``learnt`` and add it to the model as a head.

    The threshold comes from ``held``, the validation pictures' tensors (n, height, width, 3) uint8.
    """
    preprocess = Preprocessor(recipe.preprocess)
    evaluated = [n for n in files if n.evaluated]
    tensors = np.stack([preprocess(n.pixels, n.regions)[0][0] for n in evaluated])
    names = np.array([n.file for n in evaluated])
    found, seen, val = features(model, learnt.tensors), features(model, tensors), features(model, held)
    families = {n.file: n.family for n in evaluated}
    by_file = {file: (family, features_of(seen, names == file)) for file, family in families.items()}

    def limit(gate: AnatomyGate) -> float:
        return float(np.quantile(gate.logits(val), options.refusals))

    table = leave_one_out(found, learnt, by_file, limit, options, log)
    gate = fit(found, learnt, options)
    gate = gate.scaled(limit(gate), float(np.median(gate.logits(val))))
    frames, passed = (sum(row[key] for row in table.values()) for key in ("frames", "passed"))
    log(f"gate, leave one family out: {passed} of {frames} frames pass ({passed / frames:.1%})")
    few, made = _some(names), _some(np.where(learnt.wanted == 0, learnt.families, ""))
    arrays = {
        "tensors": np.concatenate([tensors[few], learnt.tensors[made]]),
        "source": np.concatenate([names[few], learnt.families[made]]),
        "name": names,
        "score": np.concatenate([table[file]["scores"] for file in by_file]),
        "threshold": np.array([table[file]["threshold"] for file in names]),
    }
    shown = {file: {k: v for k, v in row.items() if k != "scores"} for file, row in table.items()}
    report = {"method": METHOD, "frames": frames, "passed": passed, "files": shown}
    return FittedGate(with_gate(model, gate), 0.5, arrays, report)  # the limit is at a logit of 0


def _some(names: NDArray[np.str_]) -> NDArray[np.int_]:
    """Numbers of up to `SAMPLE` rows of each name, evenly spread; the empty name is left out."""
    rows = [np.flatnonzero(names == name) for name in np.unique(names[names != ""])]
    return np.concatenate([r[:: max(1, -(-len(r) // SAMPLE))] for r in rows])
