"""Evaluation of a new anatomy gate: pictures in all shapes, features of the shipped bundle, limits, figures."""

from __future__ import annotations

import numpy as np
import pytest

from edge.contracts.errors import ModelError, UsageError
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_file import split_bundle
from edge.preprocess.preprocessor import Preprocessor
from training.datasets import UNLABELLED, Item
from training.gate.anatomy_gate import BANDS, BLOCKS
from training.gate.bundle_features import BundleFeatures, tensor_name
from training.gate.file_negatives import FileNegative
from training.phantoms import phantom
from training.recipe import GateSection


def item(number: int) -> Item:
    picture = phantom(1, number)
    return Item(f"p{number}", f"patient/{number}", "SET", "train", UNLABELLED, picture.image, picture.mask)


def test_features_of_the_shipped_bundle_are_means_of_bands():
    bundle = load_bundle()
    features = BundleFeatures(split_bundle(SHIPPED_BUNDLE.read_bytes()).graph)
    tensors = np.stack([Preprocessor(bundle.manifest.recipe)(phantom(1, n).image)[0][0] for n in (1, 2)])
    found = features(tensors)
    assert {name: values.shape for name, values in found.items()} == {
        "block4": (2, BANDS * 40),
        "block7": (2, BANDS * 80),
        "block10": (2, BANDS * 112),
        "block15": (2, BANDS * 320),
    }
    black = tensors[:1].copy()
    black[:, : black.shape[1] // 2] = 0  # the upper half: the lowest band keeps its own
    changed = features(black)
    upper, lower = slice(0, 40), slice(80, 120)
    moved = np.abs(changed["block4"][0] - found["block4"][0])
    assert moved[lower].mean() < 0.2 * moved[upper].mean()


def test_a_map_is_found_by_its_name():
    assert tensor_name("block4", ["x", "lite0_gated_1/block4_1/Add", "block14_1/Add"]) == "lite0_gated_1/block4_1/Add"
    with pytest.raises(ModelError, match="no map of block7"):
        tensor_name("block7", ["lite0/block17/Add"])


def test_breasts_and_organs_are_judged_in_all_shapes():
    pytest.importorskip("scipy")
    from training.evaluation.gate_pictures import AS_IT_IS, STRAIGHTENED, breasts, other_organs

    preprocess = Preprocessor(load_bundle().manifest.recipe)
    known = breasts([item(n) for n in range(3)], preprocess, 1)
    assert sorted(known.kinds.tolist()) == sorted([AS_IT_IS] * 3 + ["virtual convex", "steered", "curved array"])
    assert sorted(set(known.groups.tolist())) == ["patient/0", "patient/1", "patient/2"]
    files = [
        FileNegative(f"{family}.dcm", family, frame, phantom(1, frame, "sector").image, (), False, family != "ct")
        for family in ("heart", "ct")
        for frame in range(2)
    ]
    organs = other_organs(files, preprocess, 1)
    assert set(organs.groups.tolist()) == {"heart"}
    assert (organs.kinds == AS_IT_IS).sum() == 2
    assert (organs.kinds == STRAIGHTENED).sum() == (organs.kinds == "steered").sum() == 2


def test_few_breasts_choose_no_limit():
    pytest.importorskip("sklearn")
    from training.evaluation.gate_command import check_count

    check_count(100, 0.01)
    with pytest.raises(UsageError, match=r"99 breasts are too few for a limit that refuses 1\.0% of them"):
        check_count(99, 0.01)


def test_a_refit_gate_tells_how_it_judges_what_it_has_not_seen(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("scipy")
    from training.evaluation.gate_evaluation import refit_gate
    from training.evaluation.gate_pictures import AS_IT_IS, JudgedPictures
    from training.evaluation.gate_scores import read_gate_scores, write_gate_scores
    from training.gate.examples import GateExamples

    rng = np.random.default_rng(2)
    nothing = np.zeros((0, 1, 1, 3), np.uint8)

    def cloud(count: int, shift: float) -> dict[str, np.ndarray]:
        return {name: rng.normal(shift, 0.4, (count, 6)) for name in BLOCKS}

    def join(*parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: np.concatenate([part[name] for part in parts]) for name in BLOCKS}

    patients = np.array([f"patient/{n}" for n in range(200)])
    examples = GateExamples(
        nothing,
        np.repeat([1, 0, 0], (200, 60, 60)),
        np.repeat(["picture", "heart", "test-card"], (200, 60, 60)),
        np.concatenate([patients, np.full(120, "")]),
    )
    kinds = np.where(np.arange(200) % 4 == 0, "steered", AS_IT_IS)
    known = JudgedPictures(nothing, kinds, patients, np.full(200, "SET"), patients)
    organs = JudgedPictures(
        nothing,
        np.array([AS_IT_IS] * 5 + ["steered"] * 3),
        np.full(8, "heart"),
        np.full(8, "a.dcm"),
        np.full(8, ""),
    )
    made = refit_gate(
        (examples, join(cloud(200, 1.0), cloud(60, -1.0), cloud(60, 0.0))),
        (known, cloud(200, 1.0)),
        (organs, cloud(8, -1.0)),
        GateSection(components=10, units=4, networks=2, epochs=200),
        lambda _: None,
    )
    (told,) = made.files.values()
    assert told == {"family": "heart", "frames": 5, "passed": 0, "passed_stated": 0, "threshold": told["threshold"]}
    assert sum("where breast is stated" in line for line in made.lines) == 4, "breasts and organs, in both shapes"
    write_gate_scores(tmp_path / "scores.npz", known.ids, made.logits, made.limit)
    read = read_gate_scores(tmp_path / "scores.npz")
    refused = sum(score < read.threshold for score in read.by_id.values())
    assert refused == (made.logits < made.limit).sum() <= 2
    limit, stated = made.limits
    assert 0 < stated <= limit == 0.5
    fresh = made.gate(cloud(100, 1.0))
    assert (fresh >= limit).mean() > 0.9
    assert (made.gate(cloud(100, -1.0)) >= stated).mean() < 0.05
    text = "\n".join(made.lines)
    assert "SET      as they are" in text
    assert "SET      steered" in text
    assert "a.dcm in other shapes" in text
