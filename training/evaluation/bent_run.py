"""A cross-validation judged on bent pictures: each fold's quantised model looks at the bent pictures of its own side.

The pictures are those that ``training gate`` bent by the second bender (bent.npz). What is written is the folder of a
cross-validation, for ``training delivered --int8 --gate bent.npz``: how many bent pictures are judged. Masks stay those
of the pictures as they are, so that figures of outlines mean nothing there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import ConfigError
from edge.contracts.manifest import LESION_MASK, MALIGNANCY
from training.evaluation.held_out_predictions import INT8, POOLED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

GRAPH = "int8.tflite"


def write_bent_run(run: Path, bent: Path, out: Path, log: Callable[[str], None]) -> None:
    """Write ``out``: oof.npz and int8.npz of ``run``, with bent pictures and what the folds' int8 models say of them.

    Raises ConfigError where a fold has no quantised model or a picture of the run is not among the bent ones.
    """
    with np.load(run / POOLED) as file:
        rows = {name: file[name] for name in file.files}
    with np.load(bent) as file:
        if "tensors" not in file.files:
            raise ConfigError(f"{bent} has no tensors", hint="make it with: python -m training gate … --out gate")
        places = {name: i for i, name in enumerate(file["ids"].tolist())}
        tensors = file["tensors"]
    if missing := [name for name in rows["ids"].tolist() if name not in places]:
        raise ConfigError(
            f"{bent} lacks {len(missing)} of {len(rows['ids'])} pictures, {missing[0]} among them",
            hint="bend the pictures of the same data sets",
        )
    rows["tensors"] = np.repeat(tensors[[places[name] for name in rows["ids"].tolist()]][..., None], 3, axis=3)
    for fold in np.unique(rows["fold"]).tolist():
        chosen = np.flatnonzero(rows["fold"] == fold)
        log(f"fold {fold}: {len(chosen)} bent pictures")
        said = int8_outputs(run / f"fold-{fold}" / GRAPH, rows["tensors"][chosen])
        for name, values in said.items():
            rows[name][chosen] = values.reshape(rows[name][chosen].shape)
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / POOLED, **rows)
    test = rows["split"] == "test" if "split" in rows else np.ones(len(rows["ids"]), bool)
    told = {name: rows[name][test] for name in ("ids", "malignancy", "lesion", "anatomy")}
    np.savez_compressed(out / INT8, **told)


def int8_outputs(graph: Path, tensors: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Malignancy (n,) and lesion (n, h, w) uint8, times 255, of an int8 graph for ``tensors`` (n, H, W, 3) uint8."""
    from ai_edge_litert.interpreter import Interpreter

    if not graph.is_file():
        raise ConfigError(f"{graph} is missing", hint="make it with: python -m export folds RUN")
    runner = Interpreter(model_content=graph.read_bytes(), num_threads=1).get_signature_runner()
    details = runner.get_output_details()
    name = next(iter(runner.get_input_details()))
    malignancy, lesion = [], []
    for tensor in tensors:
        found = runner(**{name: tensor[None]})
        malignancy.append(_number(found[MALIGNANCY].reshape(-1)[-1], details[MALIGNANCY]))
        lesion.append(_number(found[LESION_MASK][0, ..., 0], details[LESION_MASK]))
    return {
        "malignancy": np.array(malignancy, np.float32),
        "lesion": np.round(255 * np.stack(lesion)).astype(np.uint8),
    }


def _number(stored: Any, details: dict[str, Any]) -> Any:
    scale, zero = details["quantization"]
    return (stored.astype(np.float32) - zero) * scale
