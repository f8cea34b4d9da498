"""Held-out predictions of a run, or of all folds of a cross-validation: one row for each held-out picture."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SINGLE, POOLED, INT8 = "predictions.npz", "oof.npz", "int8.npz"
HINT = "give a folder that `python -m training run` or `python -m training cv` has finished"


@dataclass(frozen=True, eq=False)
class HeldOutPredictions:
    """Predictions for held-out pictures as columns: item ``i`` of each array belongs to picture ``i``."""

    ids: NDArray[np.str_]
    groups: NDArray[np.str_]
    """The patient, or the group of look-alikes."""
    sources: NDArray[np.str_]
    devices: NDArray[np.str_]
    """The scanner; empty where it is not known."""
    birads: NDArray[np.str_]
    labels: NDArray[np.int8]
    """0 benign, 1 malignant, -1 no lesion."""
    split: NDArray[np.str_]
    tensors: NDArray[np.uint8]
    """(n, H, W, 3) grey in three channels, as the device sees them."""
    masks: NDArray[np.uint8]
    """(n, H, W) 0/1, the truth."""
    malignancy: NDArray[np.float32]
    """(n,) probability of malignancy, not calibrated, of the picture as it is; then mirrored, and shrunk on black."""
    flipped: NDArray[np.float32]
    zoomed: NDArray[np.float32]
    lesion: NDArray[np.uint8]
    """(n, H/4, W/4) probability of lesion, times 255."""
    anatomy: NDArray[np.float32]
    """(n,) score of the anatomy gate; NaN where the run has none."""
    embedding: NDArray[np.float16]
    """(n, d) pooled features; d may be 0."""
    fold: NDArray[np.int8]
    """(n,) number of the fold whose model predicted; models do not share an embedding."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Mask (n,) of the pictures with a lesion that is known to be benign or malignant."""
        return self.labels >= 0

    @property
    def size(self) -> tuple[int, int]:
        """Size of the tensors, (width, height)."""
        return int(self.tensors.shape[2]), int(self.tensors.shape[1])

    def take(self, chosen: NDArray[Any]) -> HeldOutPredictions:
        """Select some of the rows, by numbers (m,) or by a boolean mask (n,)."""
        return HeldOutPredictions(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def mask_probabilities(self) -> NDArray[np.float32]:
        """Lesion probabilities at the tensor's size, (n, H, W) float32 0..1, upsampled as on the device."""
        from training.evaluation.evaluate import upsample_masks

        return upsample_masks(self.lesion[..., None].astype(np.float32) / 255, self.size)


@dataclass(frozen=True, eq=False)
class HeldOutSet:
    """Held-out predictions of a run, and which of them may be used to choose anything for which others."""

    test: HeldOutPredictions
    """Each predicted by a model that never saw its patient: all metrics are about these."""
    parts: list[tuple[HeldOutPredictions, NDArray[np.int_]]]
    """For some rows of ``test``: others, of other patients, that calibration and thresholds for them come from."""
    folds: int

    @property
    def selection(self) -> HeldOutPredictions:
        """Rows to choose by what will be shipped: all of a cross-validation, the validation pictures of one run."""
        return self.test if self.folds > 1 else self.parts[0][0]


def read(path: Path) -> HeldOutPredictions:
    """Read one file of predictions. Raises ConfigError, naming what is missing or does not fit."""
    if not path.is_file():
        raise ConfigError(f"{path} is missing", hint=HINT)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    n = len(arrays.get("labels", ()))
    blank = {
        "fold": np.ones(n, np.int8),
        "embedding": np.zeros((n, 0), np.float16),
        "split": np.full(n, "test"),
        "devices": np.full(n, ""),
        "birads": np.full(n, ""),
    }
    arrays = {**blank, **arrays}
    wanted = [f.name for f in fields(HeldOutPredictions)]
    if missing := [name for name in wanted if name not in arrays]:
        raise ConfigError(
            f"{path}: expected arrays {', '.join(wanted)}, got none named {', '.join(missing)}", hint=HINT
        )
    if odd := [name for name in wanted if len(arrays[name]) != n]:
        raise ConfigError(f"{path}: expected {n} rows in {odd[0]}, got {len(arrays[odd[0]])}", hint=HINT)
    return HeldOutPredictions(**{name: arrays[name] for name in wanted})


def load_held_out(run: Path) -> HeldOutSet:
    """Load the folder of a cross-validation (`oof.npz`) or of one run (`predictions.npz`).

    Raises ConfigError where files are missing or do not fit, a class is absent, or a patient is on both sides.
    """
    if (run / POOLED).is_file():
        rows = read(run / POOLED)
        rows = rows.take(rows.split == "test")
        folds = np.unique(rows.fold)
        if len(folds) < 2:
            raise ConfigError(f"{run / POOLED}: expected several folds, got {folds.tolist()}", hint=HINT)
        parts = [(rows.take(rows.fold != k), np.flatnonzero(rows.fold == k)) for k in folds]
        held = HeldOutSet(rows, parts, len(folds))
    else:
        rows = read(run / SINGLE)
        test, val = rows.take(rows.split == "test"), rows.take(rows.split == "val")
        held = HeldOutSet(test, [(val, np.arange(len(test)))], 1)
    for chosen, judged in held.parts:
        for name, part in (("to choose by", chosen), ("to judge", held.test.take(judged))):
            if not {0, 1} <= set(part.labels.tolist()):
                raise ConfigError(
                    f"{run}: expected benign and malignant pictures {name}, got labels "
                    f"{sorted(set(part.labels.tolist()))}",
                    hint=HINT,
                )
        if shared := set(chosen.groups.tolist()) & set(held.test.groups[judged].tolist()):
            raise ConfigError(f"{run}: {len(shared)} patients stand on both sides, {min(shared)} among them", hint=HINT)
    return held


def read_int8(path: Path, rows: HeldOutPredictions) -> HeldOutPredictions:
    """Replace the float model's outputs by the quantised model's, read from ``path``.

    Raises ConfigError if the file is missing, or its pictures or their order differ.
    """
    if not path.is_file():
        raise ConfigError(f"{path} is missing", hint="make it with: python -m export folds RUN")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    if len(arrays["malignancy"]) != len(rows) or ("ids" in arrays and (arrays["ids"] != rows.ids).any()):
        raise ConfigError(
            f"{path}: expected the {len(rows)} test pictures of the run in its order, got {len(arrays['malignancy'])}",
            hint="make it anew with: python -m export folds RUN",
        )
    lesion = arrays["lesion"]
    if lesion.shape not in (rows.lesion.shape, (*rows.lesion.shape, 1)):
        raise ConfigError(
            f"{path}: expected lesion {rows.lesion.shape}, got {lesion.shape}",
            hint="make it anew with: python -m export folds RUN",
        )
    lesion = lesion.reshape(rows.lesion.shape)
    if lesion.dtype != np.uint8:
        lesion = np.round(lesion * 255).astype(np.uint8)
    malignancy = arrays["malignancy"].astype(np.float32)
    malignancy = malignancy[:, -1] if malignancy.ndim == 2 else malignancy
    return replace(rows, malignancy=malignancy, lesion=lesion, anatomy=arrays["anatomy"].reshape(-1).astype(np.float32))
