"""Read the folder of a training run, as far as export needs it.

saved_model/         signature: image (n, height, width, 3) float32 0..255 -> the three heads
recipe.toml          what it was made of and when
representative.npz   tensors uint8: training pictures after preprocessing, for the ranges of quantisation
eval.npz             tensors, masks, labels, groups, ids, split (val, test): pictures never trained on
gate.npz             anatomy head: negatives and their tensors, where the run kept any
metrics.json         what training measured of the float model
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.contracts.errors import UsageError
from edge.contracts.manifest import DataSource, PreprocessRecipe
from export.classifier_run import is_classifier_run, recipe_heads
from export.run_folder import check_patients_apart, read_metrics, read_record, read_representative

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

HINT = "make a run with: python -m training run --data DIR --out runs/<id>"


class RunRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """What export needs of a run's training recipe; the rest is training's business."""

    name: str
    body_part: str
    protocol: str = ""
    """What was held back: ``fold-1``, ``all`` …"""
    fold: int = 0
    """As older runs name it; 0: ``protocol`` says it."""
    preprocess: PreprocessRecipe
    data: list[DataSource] = []


class StoredRunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Record of a training run as stored, its ``recipe.toml``."""

    recipe: RunRecipe
    git_revision: str
    created: str
    task: str


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutPictures:
    """Held-out pictures of one split (val or test). Item ``i`` of each belongs to picture ``i``."""

    tensors: NDArray[np.uint8]
    """(n, height, width, channels) uint8, 0 to 255."""
    masks: NDArray[np.uint8]
    """(n, height, width) uint8, 1 where there is lesion, on the tensor's grid."""
    labels: NDArray[np.int8]
    """(n,) 0 benign, 1 malignant."""
    groups: NDArray[np.str_]
    """(n,) the patient."""
    devices: NDArray[np.str_]
    """(n,) the scanner; empty where it is not known."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class TrainingRun:
    """A training run, read from its folder."""

    path: Path
    record: StoredRunRecord
    representative: NDArray[np.uint8]
    """(n, height, width, channels) uint8, 0 to 255: training pictures, for the ranges of quantisation."""
    held_val: HeldOutPictures | None
    held_test: HeldOutPictures | None

    @property
    def val(self) -> HeldOutPictures:
        """Validation pictures, to choose thresholds on. Raises UsageError where the run kept none."""
        return self._held(
            self.held_val, "choose thresholds on (val)", "the anatomy threshold is chosen on it, whatever else is given"
        )

    @property
    def test(self) -> HeldOutPictures:
        """Test pictures, to judge the model by. Raises UsageError where the run kept none."""
        return self._held(self.held_test, "measure on (test)", "give --figures, of the folds, or a run that has some")

    def _held(self, pictures: HeldOutPictures | None, purpose: str, hint: str) -> HeldOutPictures:
        if pictures is None:
            raise UsageError(f"{self.path} held back no picture to {purpose}", hint=hint)
        return pictures

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics that training wrote to ``metrics.json``; empty where there is none."""
        return read_metrics(self.path)


def open_run(path: Path) -> TrainingRun:
    """Read the folder of a lesion model's run. Raises UsageError, naming what is missing or of another shape."""
    if is_classifier_run(path):
        raise UsageError(
            f"{path} is the run of a classifier, which knows no lesions",
            hint=f"python -m export bundle {path} --out model.tflite compares int8 with float; so does export evaluate",
        )
    if recipe_heads(path) == "mask":
        raise UsageError(
            f"{path} is the run of a segmentation, which knows no malignancy",
            hint=f"python -m export bundle {path} --out model.tflite compares int8 with float; so does export evaluate",
        )
    record = read_record(path, StoredRunRecord, HINT)
    representative = read_representative(path, record.recipe.preprocess, HINT)
    with np.load(path / "eval.npz") as file:
        arrays = {name: file[name] for name in ("tensors", "masks", "labels", "groups", "split")}
        arrays["devices"] = file["devices"] if "devices" in file else np.full(len(arrays["labels"]), "")
    splits: dict[str, HeldOutPictures | None] = {}
    for split in ("val", "test"):
        rows = np.flatnonzero(arrays["split"] == split)
        rows = rows[arrays["labels"][rows] >= 0]  # pictures without a lesion have no malignancy to be judged by
        labels = arrays["labels"][rows]
        if not len(labels):  # protocol all keeps no test, only the 8 % for the gate's limit (val)
            splits[split] = None
            continue
        if set(labels.tolist()) != {0, 1}:
            raise UsageError(
                f"expected benign (0) and malignant (1) pictures in {split}, got {sorted(set(labels.tolist()))}",
                hint=HINT,
            )
        splits[split] = HeldOutPictures(
            tensors=arrays["tensors"][rows],
            masks=(arrays["masks"][rows] > 0).astype(np.uint8),
            labels=labels,
            groups=arrays["groups"][rows],
            devices=arrays["devices"][rows],
        )
    val, test = splits["val"], splits["test"]
    if val and test:
        check_patients_apart(val.groups, test.groups, HINT)
    return TrainingRun(path, record, representative, val, test)
