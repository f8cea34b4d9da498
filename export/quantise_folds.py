"""Quantise the models of a cross-validation or of one run, and keep the int8 outputs of each for its test pictures.

RUN/int8.tflite              the quantised model; a fold is a run too: runs/cv/fold-k
RUN/int8.npz                 ids, malignancy, lesion, anatomy: rows as those of its predictions.npz with split test
RUN/lesion-free-int8.npz     the same of its lesion-free.npz, where training wrote one
runs/cv/int8.npz             all folds' int8.npz, in the order of oof.npz where there is one; ``fold`` int8 beside them

What is there already, of the same model, pictures and recipe, is not computed again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import UsageError
from edge.models.graph import read_graph
from export.bundle_file import write_atomically
from export.predict import as_predictions, run_graph
from export.quantisation.full_integer import BEST, quantise

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

CODE = (
    "quantisation/convert.py",
    "quantisation/cross_layer_equalisation.py",
    "quantisation/graph_editor.py",
    "predict.py",
    "quantisation/full_integer.py",
    "quantisation/weight_rounding.py",
)
"""Files of this package that decide what an int8 graph is and says: of another version of them, it is made anew."""
NEEDED = ("saved_model", "representative.npz", "predictions.npz")
HINT = "cross-validate first: python -m training cv"


def quantise_run(path: Path, progress: Callable[[str], None]) -> Path:
    """Quantise a cross-validation's folds, or the model of one run; return the path of the int8 outputs.

    Raises UsageError where a file is missing or there are no test rows.
    """
    if not (path / "predictions.npz").is_file():
        return quantise_folds(path, progress)
    _check_finished(path)
    quantise_fold(path, progress)
    return path / "int8.npz"


def quantise_folds(root: Path, progress: Callable[[str], None]) -> Path:
    """Quantise all folds of ``root`` and write their pooled outputs; return the path of that file.

    Raises UsageError where a fold is missing a file or has no test rows.
    """
    named = [path for path in root.glob("fold-*") if path.is_dir() and path.name[len("fold-") :].isdecimal()]
    folds = sorted(named, key=lambda path: int(path.name.split("-")[1]))
    if not folds:
        raise UsageError(f"{root} has no fold-1, fold-2 …, and is no finished run", hint=HINT)
    for path in folds:
        _check_finished(path)
    parts = []
    for path in folds:
        part = quantise_fold(path, progress)
        parts.append({**part, "fold": np.full(len(part["ids"]), int(path.name.split("-")[1]), np.int8)})
    pooled = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if (root / "oof.npz").is_file():
        pooled = {name: values[_order(root / "oof.npz", pooled)] for name, values in pooled.items()}
    _save(root / "int8.npz", pooled)
    return root / "int8.npz"


def quantise_fold(path: Path, progress: Callable[[str], None]) -> dict[str, NDArray[Any]]:
    """Outputs of one run's quantised model for its test rows: `int8_outputs` and ``ids``.

    Those of its lesion-free crops are written beside them, where training made some.
    """
    with np.load(path / "predictions.npz") as file:
        rows = np.flatnonzero(file["split"] == "test")
        ids, tensors = file["ids"][rows], file["tensors"][rows]
    if not len(rows):
        raise UsageError(f"{path / 'predictions.npz'} has no rows of split test", hint=HINT)
    made_of = fingerprint(path)
    wanted = {"int8.npz": (ids, tensors)}
    if (path / "lesion-free.npz").is_file():
        with np.load(path / "lesion-free.npz") as file:
            wanted["lesion-free-int8.npz"] = (file["ids"], file["tensors"])
    found = {name: _stored(path / name, made_of, *pictures) for name, pictures in wanted.items()}
    graph = b""
    for name, (ids, tensors) in wanted.items():
        if found[name] is not None:
            progress(f"{path.name}, {name}: there already")
            continue
        if not graph:
            graph = _quantised(path, made_of, progress)
        progress(f"{path.name}: {len(ids)} pictures")
        said = {"ids": ids, **int8_outputs(graph, tensors)}
        _save(path / name, {**said, "made_of": np.array(_of_pictures(made_of, tensors))})
        found[name] = said
    return found["int8.npz"] or {}


def _stored(path: Path, made_of: str, ids: NDArray[Any], tensors: NDArray[np.uint8]) -> dict[str, NDArray[Any]] | None:
    """Outputs that ``path`` holds, if they are of the model ``made_of`` and of these pictures."""
    if not path.is_file():
        return None
    with np.load(path) as file:
        known = {name: file[name] for name in file.files}
    same = str(known.pop("made_of", "")) == _of_pictures(made_of, tensors) and np.array_equal(known["ids"], ids)
    return known if same else None


def _of_pictures(made_of: str, tensors: NDArray[np.uint8]) -> str:
    return hashlib.sha256(made_of.encode() + np.ascontiguousarray(tensors).tobytes()).hexdigest()


def _quantised(path: Path, made_of: str, progress: Callable[[str], None]) -> bytes:
    """The run's quantised model: its int8.tflite if that is of ``made_of``, else made anew and written."""
    graph, mark = path / "int8.tflite", path / "int8.made_of"
    if graph.is_file() and mark.is_file() and mark.read_text() == f"{made_of} {_digest(graph.read_bytes())}":
        return graph.read_bytes()
    progress(f"{path.name}: quantise")
    with np.load(path / "representative.npz") as file:
        made = quantise(path / "saved_model", file["tensors"])
    write_atomically(graph, made)
    write_atomically(mark, f"{made_of} {_digest(made)}".encode())
    return made


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _check_finished(path: Path) -> None:
    if missing := [name for name in NEEDED if not (path / name).exists()]:
        raise UsageError(f"{path} is no finished run or fold: it has no {', '.join(missing)}", hint=HINT)


def int8_outputs(graph: bytes, tensors: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Run an int8 graph and return its outputs as int8.npz holds them.

    ``tensors``: (n, height, width, channels) uint8. Returns malignancy (n,) float32; lesion (n, h, w) uint8, the
    presence of lesion times 255; anatomy (n,) float32, NaN where the model has no such head.
    """
    predictions = as_predictions(run_graph(graph, tensors), read_graph(graph).outputs)
    return {
        "malignancy": predictions.malignancy.astype(np.float32),
        "lesion": np.round(255 * predictions.mask).astype(np.uint8),
        "anatomy": predictions.anatomy.astype(np.float32),
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


def _save(path: Path, arrays: dict[str, Any]) -> None:  # Any: numpy's stub takes a value for ``allow_pickle``
    """Whole or not at all: what is there is believed by the next run."""
    new = path.with_name(f".new-{path.name}")
    np.savez_compressed(new, **arrays)
    new.replace(path)
