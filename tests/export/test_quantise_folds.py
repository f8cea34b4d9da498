"""Folds are quantised once, pooled in the order of the float predictions, and refused where they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.contracts.errors import UsageError
from edge.contracts.manifest import ANATOMY, MALIGNANCY
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_file import split_bundle
from export import quantise_folds as folds
from export.predict import run_graph
from export.quantise_folds import fingerprint, quantise_folds, quantise_run

ROWS = 3
SHAPE = load_bundle().manifest.input.shape[1:]


@pytest.fixture
def cv(tmp_path: Path) -> Path:
    """Two folds of three test rows and one of validation each, and the pooled float rows, the other way round."""
    rng = np.random.default_rng(5)
    for k in (1, 2):
        path = tmp_path / f"fold-{k}"
        (path / "saved_model").mkdir(parents=True)
        (path / "saved_model" / "weights").write_bytes(bytes([k]))
        tensors = rng.integers(0, 256, (ROWS + 1, *SHAPE), np.uint8)
        np.savez(path / "representative.npz", tensors=tensors)
        ids = np.array([f"{k}{letter}" for letter in "vabc"])
        np.savez(path / "predictions.npz", ids=ids, tensors=tensors, split=np.array(["val", *["test"] * ROWS]))
    ids = [f"{k}{letter}" for k in (2, 1) for letter in "cba"]
    np.savez(tmp_path / "oof.npz", ids=np.array(ids), fold=np.array([int(i[0]) for i in ids], np.int8))
    return tmp_path


@pytest.fixture
def quantised(monkeypatch) -> list[Path]:
    """The folds that were quantised: the shipped graph stands in for each, as TensorFlow is not here."""
    seen: list[Path] = []

    def fake(saved_model: Path, representative: np.ndarray) -> bytes:
        seen.append(saved_model.parent)
        return split_bundle(SHIPPED_BUNDLE.read_bytes()).graph

    monkeypatch.setattr(folds, "quantise", fake)
    return seen


def test_rows_are_pooled_in_the_order_of_the_float_ones(cv, quantised):
    (cv / "fold-2.log").write_text("a log that lies beside the folds")
    (cv / "fold-old").mkdir()
    said: list[str] = []
    with np.load(quantise_folds(cv, said.append)) as file:
        assert file["ids"].tolist() == ["2c", "2b", "2a", "1c", "1b", "1a"]
        assert file["fold"].tolist() == [2, 2, 2, 1, 1, 1]
        assert file["lesion"].shape == (6, SHAPE[0] // 4, SHAPE[1] // 4)
        assert file["lesion"].dtype == np.uint8
        pooled = dict(zip(file["ids"].tolist(), file["malignancy"].tolist(), strict=True))
    with np.load(cv / "fold-1" / "int8.npz") as file:
        assert file["ids"].tolist() == ["1a", "1b", "1c"]  # without the row of validation
        assert [pooled[i] for i in file["ids"].tolist()] == file["malignancy"].tolist()
        assert np.isfinite(file["anatomy"]).all()
    assert len({round(value, 6) for value in pooled.values()}) > 1


def test_a_finished_fold_is_not_computed_again_unless_its_model_changed(cv, quantised):
    first = quantise_folds(cv, lambda _: None).read_bytes()
    (cv / "fold-2" / "int8.npz").unlink()  # as if stopped in between, the model being quantised already
    assert quantise_folds(cv, lambda _: None).stat().st_size == len(first)
    assert [path.name for path in quantised] == ["fold-1", "fold-2"]
    (cv / "fold-2" / "int8.npz").unlink()
    (cv / "fold-2" / "int8.tflite").write_bytes(b"damaged")
    quantise_folds(cv, lambda _: None)
    assert [path.name for path in quantised] == ["fold-1", "fold-2", "fold-2"]
    before = fingerprint(cv / "fold-1")
    (cv / "fold-1" / "saved_model" / "weights").write_bytes(b"trained again")
    assert fingerprint(cv / "fold-1") != before
    quantise_folds(cv, lambda _: None)
    assert [path.name for path in quantised][3:] == ["fold-1"]


def test_a_single_run_and_its_lesion_free_crops(cv, quantised):
    """A run of a stranger split has no folds; crops that come later need no second quantisation."""
    run = cv / "fold-1"
    said: list[str] = []
    assert quantise_run(run, said.append) == run / "int8.npz"
    with np.load(run / "int8.npz") as file:
        assert file["ids"].tolist() == ["1a", "1b", "1c"]
    tensors = np.random.default_rng(8).integers(0, 256, (2, *SHAPE), np.uint8)
    np.savez(run / "lesion-free.npz", ids=np.array(["1a", "1c"]), tensors=tensors)
    quantise_run(run, said.append)
    assert "fold-1, int8.npz: there already" in said
    with np.load(run / "lesion-free-int8.npz") as file:
        assert file["ids"].tolist() == ["1a", "1c"]
        assert file["malignancy"].shape == (2,)
    assert [path.name for path in quantised] == ["fold-1"]
    np.savez(
        run / "lesion-free.npz", ids=np.array(["1a", "1c"]), tensors=255 - tensors
    )  # other crops of the same names
    quantise_run(run, said.append)
    assert said.count("fold-1: 2 pictures") == 2
    with pytest.raises(UsageError, match="and is no finished run"):
        quantise_run(cv / "fold-3", said.append)


def test_what_does_not_fit_is_refused(cv, quantised):
    np.savez(cv / "oof.npz", ids=np.array(["1a"]), fold=np.array([1], np.int8))
    with pytest.raises(UsageError, match="has other rows"):
        quantise_folds(cv, lambda _: None)
    (cv / "fold-2" / "predictions.npz").unlink()
    with pytest.raises(UsageError, match=r"fold-2 is no finished run or fold: it has no predictions\.npz"):
        quantise_folds(cv, lambda _: None)
    with pytest.raises(UsageError, match="has no fold-1"):
        quantise_folds(cv / "fold-1", lambda _: None)


def test_a_fold_of_other_code_is_computed_again(cv, quantised, tmp_path, monkeypatch):
    before = fingerprint(cv / "fold-1")
    for name in folds.CODE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((Path(folds.__file__).parent / name).read_bytes())
    monkeypatch.setattr(folds, "__file__", str(tmp_path / "quantise_folds.py"))
    assert fingerprint(cv / "fold-1") == before
    (tmp_path / "quantisation" / "weight_rounding.py").write_text("# rounds otherwise")
    assert fingerprint(cv / "fold-1") != before


def test_a_fold_without_a_gate_says_nothing_of_anatomy(monkeypatch):
    """Folds are trained without the anatomy head; only the two heads that judge are needed."""
    graph = split_bundle(SHIPPED_BUNDLE.read_bytes()).graph
    whole = run_graph(graph, np.zeros((2, *SHAPE), np.uint8))
    gateless = {name: values for name, values in whole.items() if name != ANATOMY}
    monkeypatch.setattr(folds, "run_graph", lambda graph, tensors: gateless)
    said = folds.int8_outputs(graph, np.zeros((2, *SHAPE), np.uint8))
    assert np.isnan(said["anatomy"]).all()
    assert said["anatomy"].shape == said["malignancy"].shape == (2,)
    assert np.isfinite(said["malignancy"]).all()
    del gateless[MALIGNANCY]
    with pytest.raises(UsageError, match="has no head malignancy, only lesion_mask"):
        folds.int8_outputs(graph, np.zeros((2, *SHAPE), np.uint8))
