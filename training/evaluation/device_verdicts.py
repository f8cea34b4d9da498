"""Verdicts on held-out pictures by the device's own rules, and their rates as a user gets them.

`device_verdicts` runs `edge.postprocess.decide` on each picture's outputs: anatomy gate (where the rows have its
score), presence of a lesion, operating point, interval of uncertain calls. What a device decides before the model (the
pixel gate) and by the picture beside the crop (`partly_seen`) is left out: predictions hold tensors, not pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.contracts.manifest import ANATOMY, LESION_MASK, MALIGNANCY, HeadSpec, PreprocessRecipe
from edge.contracts.results import Status
from edge.contracts.tensors import TensorSpec
from edge.models.scripted_manifest import scripted_manifest
from edge.postprocess.decide import decide
from edge.postprocess.model_outputs import JudgedOutputs
from edge.preprocess.letterbox import Letterbox
from training.evaluation.bootstrap import BootstrapSamples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.manifest import Calibration, ModelManifest, Thresholds
    from training.evaluation.bootstrap import MetricInterval
    from training.evaluation.held_out_predictions import HeldOutPredictions

REASONS = ("heads_disagree", "too_uncertain", "wrong_anatomy")
"""Abstentions that a model's outputs can lead to."""


@dataclass(frozen=True, eq=False)
class DeviceVerdicts:
    """Verdicts on held-out pictures as columns: item ``i`` of each belongs to picture ``i``."""

    p: NDArray[np.float64]
    """(n,) calibrated malignancy, also of pictures that are not judged."""
    status: NDArray[np.str_]
    """(n,) finding, clear or abstained."""
    reason: NDArray[np.str_]
    """(n,) why it abstained; empty where it did not."""
    suspicious: NDArray[np.bool_]
    """(n,) whether it is a finding at or over the operating point."""
    uncertain: NDArray[np.bool_]
    """(n,) whether it is a finding whose call is uncertain."""

    over: NDArray[np.bool_]
    """(n,) whether the malignancy is at or over the operating point, judged or not."""

    def take(self, chosen: NDArray[np.bool_]) -> DeviceVerdicts:
        """Select the verdicts of some pictures by a boolean mask (n,)."""
        return DeviceVerdicts(*(getattr(self, f.name)[chosen] for f in fields(self)))

    @property
    def cleared(self) -> NDArray[np.bool_]:
        """Mask (n,) of the pictures called benign: findings under the operating point, and clear ones."""
        judged: NDArray[np.bool_] = self.status != Status.ABSTAINED.value
        return judged & ~self.suspicious


def device_verdicts(
    rows: HeldOutPredictions, calibration: Calibration, thresholds: Thresholds, outputs: str
) -> DeviceVerdicts:
    """Decide on each picture as a device would that holds this calibration and these thresholds.

    The anatomy gate takes part where every row has a score and ``thresholds.anatomy`` is over 0. ``outputs``: float or
    int8, whose they are; the device moves an output of 0 or 1 inside by half of its step.
    """
    gated = has_gate(rows, thresholds)
    manifest = _manifest(rows.size, calibration, thresholds, outputs, gated)
    whole = Letterbox((0, 0, *rows.size), (0, 0, *rows.size))
    found = []
    for i in range(len(rows)):
        heads = _heads(rows, i, outputs, gated)
        verdict = decide(heads, manifest, whole, (), rows.tensors[i, :, :, 0])
        said = JudgedOutputs(heads, manifest, whole, ())
        reason = verdict.reason.value if verdict.reason else ""
        calls = (bool(verdict.suspicious), verdict.call_uncertain, said.suspicious)
        found.append((said.malignancy, verdict.status.value, reason, *calls))
    kinds = (np.float64, np.str_, np.str_, np.bool_, np.bool_, np.bool_)
    columns = zip(*found, strict=True) if found else ((),) * len(kinds)
    return DeviceVerdicts(*(np.array(values, kind) for values, kind in zip(columns, kinds, strict=True)))


def has_gate(rows: HeldOutPredictions, thresholds: Thresholds) -> bool:
    """Whether the anatomy gate takes part: every row has its score, and there is a threshold."""
    return bool(np.isfinite(rows.anatomy).all()) and thresholds.anatomy > 0


def merge_verdicts(parts: Sequence[tuple[NDArray[np.int_], DeviceVerdicts]]) -> DeviceVerdicts:
    """Merge verdicts on parts of the pictures, each with its rows' numbers (n,), into the pictures' order."""
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))
    columns = [np.concatenate([getattr(part, f.name) for _, part in parts]) for f in fields(DeviceVerdicts)]
    return DeviceVerdicts(*(values[order] for values in columns))


def lesion_rates(
    rows: HeldOutPredictions, verdicts: DeviceVerdicts, draws: BootstrapSamples | None = None
) -> dict[str, MetricInterval]:
    """Rates of pictures with a lesion as a user gets them, with intervals over patients.

    A cancer counts as found where it is a suspicious finding, a benign lesion as cleared where it is judged and not
    suspicious: an abstention is neither. ``cancers_clear`` is what must not be: judged, and no lesion detected.
    """
    draws = draws or BootstrapSamples(rows.groups)
    known, ill = rows.known, rows.labels == 1
    well = known & ~ill
    abstained, finding = verdicts.status == Status.ABSTAINED.value, verdicts.status == Status.FINDING.value
    certain = finding & ~verdicts.uncertain
    wrong = verdicts.suspicious != ill
    return {
        "coverage": draws.ratio(known & ~abstained, known),
        "sensitivity": draws.ratio(ill & verdicts.suspicious, ill),
        "specificity": draws.ratio(well & verdicts.cleared, well),
        "cancers_clear": draws.ratio(ill & (verdicts.status == Status.CLEAR.value), ill),
        "cancers_abstained": draws.ratio(ill & abstained, ill),
        "calls_uncertain": draws.ratio(known & verdicts.uncertain, known & finding),
        "error_certain": draws.ratio(known & certain & wrong, known & certain),
        "error_uncertain": draws.ratio(known & verdicts.uncertain & wrong, known & verdicts.uncertain),
    }


def normal_rates(rows: HeldOutPredictions, verdicts: DeviceVerdicts) -> dict[str, MetricInterval]:
    """Rates of pictures without a lesion: clear, finding, suspicious, and each abstention, with intervals."""
    draws, normal = BootstrapSamples(rows.groups), ~rows.known
    shares = {
        "clear": verdicts.status == Status.CLEAR.value,
        "finding": verdicts.status == Status.FINDING.value,
        "suspicious": verdicts.suspicious,
        **{reason: verdicts.reason == reason for reason in REASONS},
    }
    return {name: draws.ratio(normal & chosen, normal) for name, chosen in shares.items()}


def _heads(rows: HeldOutPredictions, i: int, outputs: str, gated: bool) -> dict[str, NDArray[np.generic]]:
    q = float(rows.malignancy[i])
    malignancy = np.array([[1 - q, q]], np.float32)
    if outputs == "int8":
        malignancy = np.round(malignancy * 256).clip(0, 255).astype(np.uint8)
    heads: dict[str, NDArray[np.generic]] = {
        MALIGNANCY: malignancy,
        LESION_MASK: rows.lesion[i][None, :, :, None].astype(np.float32) / 255,
    }
    return heads | ({ANATOMY: rows.anatomy[i].reshape(1, 1)} if gated else {})


def _manifest(
    size: tuple[int, int], calibration: Calibration, thresholds: Thresholds, outputs: str, gated: bool
) -> ModelManifest:
    """Manifest that `decide` reads: thresholds, calibration, sizes and types of the heads."""
    base = scripted_manifest()
    step = TensorSpec((1, 2), "uint8", 1 / 256, 0) if outputs == "int8" else TensorSpec((1, 2), "float32")
    heads = dict(base.heads) | {MALIGNANCY: HeadSpec(tensor=step, class_names=["benign", "malignant"])}
    if not gated:
        del heads[ANATOMY]
    return msgspec.structs.replace(
        base,
        recipe=PreprocessRecipe(width=size[0], height=size[1]),
        heads=heads,
        calibration=calibration,
        thresholds=thresholds,
    )
