"""The end of a breast run: fit the anatomy gate, evaluate, and write the files that export reads."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from edge.contracts.manifest import ANATOMY, LESION_MASK, MALIGNANCY
from edge.preprocess.preprocessor import Preprocessor
from edge.process.git_revision import git_revision
from training.augment.samples import to_sample
from training.breast.predictions import predictions
from training.evaluation.evaluate import evaluate, write_metrics
from training.gate import file_negatives
from training.gate.examples import examples
from training.gate.fit_stage import fit_gate
from training.gate.representative import representative
from training.recipe import Recipe, RunRecord
from training.run_record import next_commands, write_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from training.datasets import Item

EVAL = ("tensors", "masks", "labels", "split", "groups", "ids", "devices", "sources")
PICTURES = 150
"""Pictures that calibrate the quantisation of a run without a gate."""


def finish(
    model: keras.Model,
    recipe: Recipe,
    items: Sequence[Item],
    data: Path,
    out: Path,
    log: Callable[[str], None],
    *,
    gate: bool = True,
) -> None:
    """Add the fitted anatomy gate to the model, evaluate validation and test, and write every file that export reads.

    ``gate``: False leaves the anatomy head out, for folds that only evaluate the other two; such a run is no bundle
    yet.
    """
    preprocess = Preprocessor(recipe.preprocess)
    held = [item for item in items if item.split != "train"]
    samples = [to_sample(item, preprocess) for item in held]
    splits = np.array([item.split for item in held])
    figures: dict[str, Any] = {}
    limit = 0.0
    if gate:
        files = file_negatives.from_files(data, log)
        learnt = examples(items, files, recipe)
        seen = np.stack([sample.tensor for sample in samples])
        gated = fit_gate(model, recipe, recipe.gate, learnt, files, seen[splits == "val"], log)
        model, limit = gated.model, gated.threshold
        figures |= {"anatomy_threshold": limit, "gate": gated.report}
        arrays: dict[str, Any] = gated.arrays
        np.savez_compressed(out / "gate.npz", **arrays)
        tensors = representative(learnt, recipe.seed)
    else:
        tensors = _pictures(items, preprocess, recipe.seed)
    found: dict[str, Any] = predictions(model, held, samples)
    figures |= _evaluate_splits(found, limit, log)
    write_metrics(out / "metrics.json", figures)
    np.savez_compressed(out / "predictions.npz", **found)
    np.savez_compressed(out / "eval.npz", **{name: found[name] for name in EVAL})
    np.savez_compressed(out / "representative.npz", tensors=tensors)
    save_model(model, out / "saved_model")
    record = RunRecord(
        recipe=recipe,
        git_revision=git_revision(Path(__file__).parent.parent),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        epochs_done=recipe.optimiser.epochs,
        anatomy_threshold=limit,
    )
    write_record(out, record)  # last: a folder with a recipe.toml is a finished run
    # Protocol all holds no test pictures back: its figures are those of the folds.
    log(f"done: {out}" + (f"\n{next_commands(out, bundle=gate)}" if "test" in splits else ""))


def _evaluate_splits(found: dict[str, Any], limit: float, log: Callable[[str], None]) -> dict[str, Any]:
    """Metrics of the predictions by split; a line in the log for each."""
    out: dict[str, Any] = {}
    splits = found["split"]
    for split in sorted(set(splits.tolist())):
        rows = splits == split
        out[split] = evaluate({name: values[rows] for name, values in found.items()}, limit)
        log(
            f"{split}: "
            + ", ".join(f"{k} {v['value']:.4f} ({v['low']:.3f}-{v['high']:.3f})" for k, v in out[split].items())
        )
    return out


def _pictures(items: Sequence[Item], preprocess: Preprocessor, seed: int) -> NDArray[np.uint8]:
    train = [item for item in items if item.split == "train"]
    chosen = np.random.default_rng(seed).permutation(len(train))[:PICTURES]
    return np.stack([to_sample(train[i], preprocess).tensor for i in chosen])


def save_model(model: keras.Model, path: Path) -> None:
    """Save as a SavedModel with one signature: ``image`` (1, h, w, 3) float32 0..255 grey in, the heads by name out."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    shape = (1, *model.input_shape[1:])

    def serve(image: Any) -> dict[str, Any]:
        heads = model(image, training=False)
        return {name: heads[name] for name in (MALIGNANCY, LESION_MASK, ANATOMY) if name in heads}

    archive.add_endpoint("serving_default", serve, input_signature=[tf.TensorSpec(shape, tf.float32, name="image")])
    archive.write_out(str(path), verbose=False)
