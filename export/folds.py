"""Quantises the models of a cross-validation, and keeps what each says of the pictures that it never learnt from.

runs/cv/fold-k/int8.tflite   the quantised model
runs/cv/fold-k/int8.npz      ids, malignancy, lesion, anatomy: rows as those of its predictions.npz with split test
runs/cv/int8.npz             all of them, in the order of oof.npz where there is one; ``fold`` int8 beside them

A fold whose int8.npz is there, of the same model and recipe, is not computed again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import UsageError
from edge.models.graph import read_graph
from export.packing import write_file
from export.predict import as_predictions, run_graph
from export.quantise import BEST, quantise

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

CODE = ("convert.py", "equalise.py", "float_graph.py", "predict.py", "quantise.py", "rounding.py")
"""Files of this package that decide what an int8 graph is and says: of another version of them, it is made anew."""
NEEDED = ("saved_model", "representative.npz", "predictions.npz")
HINT = "cross-validate first: python -m training cv"


def quantise_folds(root: Path, say: Callable[[str], None]) -> Path:
    """All folds of ``root``; the pooled file. Raises UsageError where a fold is missing a file or has no test rows."""
    folds = sorted(root.glob("fold-*"), key=lambda path: int(path.name.split("-")[1]))
    if not folds:
        raise UsageError(f"{root} has no fold-1, fold-2 …", hint=HINT)
    for path in folds:
        if missing := [name for name in NEEDED if not (path / name).exists()]:
            raise UsageError(f"{path} is no finished fold: it has no {', '.join(missing)}", hint=HINT)
    parts = []
    for path in folds:
        part = one_fold(path, say)
        parts.append({**part, "fold": np.full(len(part["ids"]), int(path.name.split("-")[1]), np.int8)})
    pooled = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if (root / "oof.npz").is_file():
        pooled = {name: values[_order(root / "oof.npz", pooled)] for name, values in pooled.items()}
    _save(root / "int8.npz", pooled)
    return root / "int8.npz"


def one_fold(path: Path, say: Callable[[str], None]) -> dict[str, NDArray[Any]]:
    """What the quantised model of one fold says of its test rows."""
    with np.load(path / "predictions.npz") as file:
        rows = np.flatnonzero(file["split"] == "test")
        ids, tensors = file["ids"][rows], file["tensors"][rows]
    if not len(rows):
        raise UsageError(f"{path / 'predictions.npz'} has no rows of split test", hint=HINT)
    made_of, target = fingerprint(path), path / "int8.npz"
    if target.is_file():
        with np.load(target) as file:
            known = {name: file[name] for name in file.files}
        if str(known.pop("made_of", "")) == made_of and np.array_equal(known["ids"], ids):
            say(f"{path.name}: there already")
            return known
    say(f"{path.name}: quantise, then {len(rows)} pictures")
    with np.load(path / "representative.npz") as file:
        graph = quantise(path / "saved_model", file["tensors"])
    said = {"ids": ids, **outputs(graph, tensors)}
    write_file(path / "int8.tflite", graph)
    _save(target, {**said, "made_of": np.array(made_of)})
    return said


def outputs(graph: bytes, tensors: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Malignancy float32 (n,), lesion uint8 (n, h, w), anatomy float32 (n,), NaN where the model has no such head."""
    said = as_predictions(run_graph(graph, tensors), read_graph(graph).outputs)
    return {
        "malignancy": said.malignancy.astype(np.float32),
        "lesion": np.round(255 * said.mask).astype(np.uint8),
        "anatomy": said.anatomy.astype(np.float32),
    }


def fingerprint(path: Path) -> str:
    """SHA-256 of the fold's model, its representative pictures, and the recipe and code of quantisation."""
    digest = hashlib.sha256(repr(BEST).encode())
    for name in CODE:
        digest.update((Path(__file__).parent / name).read_bytes())
    for file in sorted((path / "saved_model").rglob("*")):
        if file.is_file():
            digest.update(file.relative_to(path).as_posix().encode())
            digest.update(file.read_bytes())
    digest.update((path / "representative.npz").read_bytes())
    return digest.hexdigest()


def _order(oof: Path, pooled: dict[str, NDArray[Any]]) -> list[int]:
    """Where the rows of ``oof`` stand in ``pooled``. Raises UsageError if they are not the same rows."""
    with np.load(oof) as file:
        wanted = list(zip(file["fold"].tolist(), file["ids"].tolist(), strict=True))
    place = {key: i for i, key in enumerate(zip(pooled["fold"].tolist(), pooled["ids"].tolist(), strict=True))}
    if len(place) != len(wanted) or any(key not in place for key in wanted):
        raise UsageError(f"{oof} has other rows than the folds' predictions.npz", hint="pool the folds again")
    return [place[key] for key in wanted]


def _save(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Whole or not at all: what is there is believed by the next run."""
    new = path.with_name(f".new-{path.name}")
    np.savez_compressed(new, **arrays)
    new.replace(path)
