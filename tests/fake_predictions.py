"""Synthetic held-out predictions of a run, in the files and columns that runs write, small enough to reason about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, HEIGHT = 32, 40
"""Taller than wide, as the breast recipe's tensors: a width that stands for a height is found out."""


def columns(patients: int = 120, seed: int = 0, normals: int = 30, sharpness: float = 2.0) -> dict[str, Any]:
    """Columns of synthetic predictions: two pictures of each patient, a third malignant; then BUSI's normal ones.

    Probabilities are overconfident by ``sharpness``.
    A fifth of the patients, each fifth judged by a fold of its own. Masks found lie on the true ones, a little off.
    """
    rng = np.random.default_rng(seed)
    n = 2 * patients
    patient = np.arange(n) // 2
    busi = patient >= patients * 2 // 3
    truth = rng.normal(-0.9, 1.6, patients)[patient] + rng.normal(0, 0.3, n)
    ill = (rng.random(patients) < 1 / (1 + np.exp(-truth[::2])))[patient]
    z = np.concatenate([truth, rng.normal(-1.5, 0.7, normals)])
    labels = np.concatenate([ill.astype(np.int8), np.full(normals, -1, np.int8)])
    total = n + normals
    masks, lesion = np.zeros((total, HEIGHT, WIDTH), np.uint8), np.zeros((total, HEIGHT // 4, WIDTH // 4), np.uint8)
    tensors = rng.integers(60, 120, (total, HEIGHT, WIDTH, 1)).astype(np.uint8).repeat(3, axis=3)
    for i in range(n):
        centre = (int(rng.integers(11, 21)), int(rng.integers(14, 26)))
        axes = (int(rng.integers(4, 8)), int(rng.integers(4, 7)))
        cv2.ellipse(masks[i], centre, axes, 0, 0, 360, 1, -1)
        tensors[i][masks[i] > 0] //= 3
        soft = cv2.resize(masks[i].astype(np.float32), (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA)
        lesion[i] = np.round(255 * np.clip(soft * rng.uniform(0.8, 1.1), 0, 1))
    for i in range(n, total):
        lesion[i, 2:4, 2:4] = int(rng.integers(0, 200))

    def p(values: np.ndarray) -> np.ndarray:
        return (1 / (1 + np.exp(-sharpness * values))).astype(np.float32)

    groups = [f"p{k}" for k in patient] + [f"normal{k}" for k in range(normals)]
    fold = np.concatenate([patient % 5, np.arange(normals) % 5]) + 1
    return {
        "ids": np.array([f"picture{i}" for i in range(total)]),
        "groups": np.array(groups),
        "sources": np.array(["BUSI" if b else "BUS-BRA" for b in busi] + ["BUSI"] * normals),
        "devices": np.array(
            ["" if b else ("A", "B")[k % 2] for b, k in zip(busi, patient, strict=True)] + [""] * normals
        ),
        "birads": np.array(["" if b else str(3 + k % 3) for b, k in zip(busi, patient, strict=True)] + [""] * normals),
        "labels": labels,
        "split": np.full(total, "test"),
        "tensors": tensors,
        "masks": masks,
        "malignancy": p(z),
        "flipped": p(z + rng.normal(0, 0.2, total)),
        "zoomed": p(z + rng.normal(0, 0.4, total)),
        "lesion": lesion,
        "anatomy": rng.uniform(0.5, 1.0, total).astype(np.float32),
        "embedding": np.concatenate([z[:, None], rng.normal(size=(total, 5))], axis=1).astype(np.float16),
        "fold": fold.astype(np.int8),
    }


def write_cv(folder: Path, **changes: Any) -> Path:
    """Write ``oof.npz`` of a synthetic cross-validation into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "oof.npz", **{**columns(), **changes})
    return folder


def write_single(folder: Path, **changes: Any) -> Path:
    """Write ``predictions.npz`` of a synthetic run: fold 1 is the test split, fold 2 the validation split."""
    rows = {**columns(), **changes}
    chosen = rows["fold"] <= 2
    rows["split"] = np.where(rows["fold"] == 1, "test", "val")
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "predictions.npz", **{k: v[chosen] for k, v in rows.items() if k != "fold"})
    return folder


def write_strangers(folder: Path, crops: bool = True, **changes: Any) -> dict[str, Path]:
    """Write four runs that are tested on what they never saw, with int8 outputs, on the pictures of `columns`.

    ``b2b`` is tested on BUSI, ``i2b`` on BUS-BRA, ``no-a`` and ``no-b`` on a scanner of BUS-BRA: two runs for each
    picture of BUS-BRA. Each run's outputs are shifted by some log odds of its own. Of a picture without a lesion they
    are high: malignancy was never learnt from those.
    """
    rows = {**columns(), **changes}
    busi, device = rows["sources"] == "BUSI", rows["devices"]
    tests = {"b2b": busi, "i2b": ~busi, "no-a": device == "A", "no-b": device == "B"}
    shifts = {"b2b": 0.4, "i2b": -0.6, "no-a": 0.2, "no-b": -0.2}
    out = {}
    for name, test in tests.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        z = np.log(rows["malignancy"] / (1 - rows["malignancy"])) + shifts[name] + 2.5 * (rows["labels"] < 0)
        moved = {**rows, "malignancy": (1 / (1 + np.exp(-z))).astype(np.float32)}
        moved["anatomy"] = np.full(len(z), np.nan, np.float32)
        moved["split"] = np.where(test, "test", "val")
        np.savez(place / "predictions.npz", **{k: v for k, v in moved.items() if k != "fold"})
        said = {k: moved[k][test] for k in ("ids", "lesion", "anatomy")}
        np.savez(place / "int8.npz", malignancy=np.floor(moved["malignancy"][test] * 256) / np.float32(256), **said)
        if crops:
            write_crops(place, {k: v[test] for k, v in moved.items()})
        out[name] = place
    return out


def write_crops(place: Path, rows: dict[str, Any]) -> None:
    """Write lesion-free crops of every second picture with a lesion: suspicious, and their masks are nearly empty."""
    chosen = np.flatnonzero(rows["labels"] >= 0)[::2]
    ids, n = rows["ids"][chosen], len(chosen)
    rng = np.random.default_rng(3)
    lesion = rng.integers(0, 60, (n, *rows["lesion"].shape[1:])).astype(np.uint8)
    malignancy = (np.round(rng.uniform(0.2, 0.6, n) * 256) / 256).astype(np.float32)
    kinds = {"groups": rows["groups"][chosen], "sources": rows["sources"][chosen], "tensors": rows["tensors"][chosen]}
    np.savez(place / "lesion-free.npz", ids=ids, **kinds)
    np.savez(place / "lesion-free-int8.npz", ids=ids, malignancy=malignancy, lesion=lesion)
