"""Parts of the report: held-out predictions, found lesions, presence, perturbations, saliency maps, pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from fake_predictions import HEIGHT, WIDTH, columns, write_cv, write_single

from edge.contracts.errors import ConfigError
from edge.contracts.manifest import PreprocessRecipe
from edge.preprocess.preprocessor import Preprocessor
from training.datasets import Item
from training.evaluation.found_lesions import find_lesions_at, merge
from training.evaluation.held_out_predictions import load_held_out, read_int8
from training.evaluation.metrics import threshold_for_sensitivity
from training.reporting import perturbations
from training.reporting.lesion_presence import (
    crop_control,
    presence_metrics,
    presence_scores,
    specificity_at_sensitivity,
)
from training.reporting.pictures import draw_heat_map, draw_outlines
from training.reporting.saliency import occlusion


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return load_held_out(write_cv(tmp_path_factory.mktemp("cv"))).test


def test_no_patient_has_a_say_in_how_it_is_judged(tmp_path):
    held = load_held_out(write_cv(tmp_path))
    assert held.folds == 5
    assert sorted(np.concatenate([judged for _, judged in held.parts]).tolist()) == list(range(len(held.test)))
    for others, judged in held.parts:
        assert not set(others.groups) & set(held.test.groups[judged])
    single = load_held_out(write_single(tmp_path / "one"))
    assert set(single.test.split) == {"test"}
    assert set(single.selection.split) == {"val"}


def test_a_patient_on_both_sides_is_refused(tmp_path):
    fold = columns()["fold"]
    fold[1] = fold[0] % 5 + 1
    with pytest.raises(ConfigError, match="1 patients stand on both sides, p0 among them"):
        load_held_out(write_cv(tmp_path, fold=fold))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.zeros(270, np.int8)}, "expected benign and malignant"),
        ({"masks": np.zeros((3, HEIGHT, WIDTH), np.uint8)}, "expected 270 rows in masks, got 3"),
    ],
)
def test_rows_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        load_held_out(write_cv(tmp_path, **changes))


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"predictions.npz is missing"):
        load_held_out(tmp_path)
    np.savez(tmp_path / "predictions.npz", labels=np.zeros(2, np.int8))
    with pytest.raises(ConfigError, match=r"none named ids, groups, sources"):
        load_held_out(tmp_path)


def test_int8_rows_must_be_the_same_pictures(rows, tmp_path):
    place = tmp_path / "int8.npz"
    two = np.stack([1 - rows.malignancy, rows.malignancy], axis=1)
    np.savez(place, malignancy=two, lesion=rows.lesion[..., None] / np.float32(255), anatomy=rows.anatomy[:, None])
    after = read_int8(place, rows)
    assert np.array_equal(after.malignancy, rows.malignancy)
    assert np.array_equal(after.lesion, rows.lesion)
    turned = rows.lesion.transpose(0, 2, 1)
    np.savez(place, malignancy=two, lesion=turned, anatomy=rows.anatomy)
    with pytest.raises(ConfigError, match=r"expected lesion \(270, 10, 8\), got \(270, 8, 10\)"):
        read_int8(place, rows)
    np.savez(place, malignancy=rows.malignancy, lesion=rows.lesion, anatomy=rows.anatomy, ids=rows.ids[::-1])
    with pytest.raises(ConfigError, match="in its order"):
        read_int8(place, rows)


def test_found_lesions_are_the_devices_and_keep_their_rows(rows):
    found = find_lesions_at(rows, 0.5)
    assert found.dice[rows.known].mean() > 0.75
    assert found.hit[rows.known].mean() > 0.9
    assert not found.hit[~rows.known].any()
    odd, even = np.arange(1, len(rows), 2), np.arange(0, len(rows), 2)
    merged = merge(
        [(odd, find_lesions_at(rows.take(odd), 0.5)), (even, find_lesions_at(rows.take(even), 0.5))], len(rows)
    )
    assert np.array_equal(merged.score, found.score)
    assert merged.lesions == found.lesions


def test_the_limit_of_presence_is_chosen_anew_in_each_draw(rows):
    found = presence_metrics(rows)
    part = rows.take(rows.sources == "BUSI")
    labels = part.known.astype(int)
    for name, values in presence_scores(part.lesion, part.size).items():
        row = found["scores"][name]
        assert row["specificity"].value == pytest.approx((values[labels == 0] < row["threshold"]).mean())
        figure, draw = (
            specificity_at_sensitivity(labels, values),
            np.random.default_rng(3).integers(0, len(labels), len(labels)),
        )
        drawn_labels, drawn = labels[draw], values[draw]
        limit = threshold_for_sensitivity(drawn_labels, drawn, 0.9)
        wanted = (drawn[drawn_labels == 0] < limit).mean()
        assert figure(np.bincount(draw, minlength=len(labels)).astype(float)) == pytest.approx(wanted)
    assert np.isnan(figure((labels == 1).astype(float)))


def test_presence_is_judged_only_where_a_set_holds_both_kinds(rows):
    found = presence_metrics(rows)
    assert found["sources"] == ["BUSI"]
    assert (found["with"], found["without"]) == (80, 30)
    assert found["scores"]["surest lesion"]["auc"].value > 0.9
    assert presence_metrics(rows.take(rows.known)) is None


def _items(rng):
    """Lesion pictures of two sets, of which one is brighter; normal ones stand in that one alone."""
    out = []
    for k in range(60):
        source, ground = ("BUSI", 140) if k % 2 else ("BUS-BRA", 80)
        image = rng.normal(ground, 8, (200, 260)).clip(30, 255).astype(np.uint8)
        mask = np.zeros_like(image)
        if k % 4 != 3:
            cv2.circle(mask, (60 if k % 3 else 190, 60), 24, 1, -1)
            image[mask > 0] = 20
        out.append(Item(f"i{k}", f"g{k}", source, "test", 0 if mask.any() else -1, image, mask))
    return out


def _head(sees):
    def serve(tensor):
        return {"lesion_mask": sees(tensor[..., 0].astype(np.float32))[..., None]}

    return lambda item: serve


MASK = (32, 40)
"""Width and height of the heads below: a quarter of the tensors'."""


def _sees_lesions(grey):
    ground = np.median(grey[grey > 0])
    dark = ((grey < 0.5 * ground) & (grey > 12)).astype(np.float32)
    return cv2.resize(cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((5, 5))), MASK, interpolation=cv2.INTER_AREA)


def _sees_data_sets(grey):
    """Says lesion for the darker set, whatever is in the picture."""
    return np.full(MASK[::-1], 0.9 if np.median(grey[grey > 0]) < 110 else 0.1, np.float32)


def test_the_control_tells_a_lesion_detector_from_a_data_set_detector():
    items = _items(np.random.default_rng(0))
    preprocess = Preprocessor(PreprocessRecipe(width=128, height=160))
    found = {}
    for name, sees in (("lesions", _sees_lesions), ("sets", _sees_data_sets)):
        rows = crop_control(_head(sees), preprocess, items)["comparisons"]
        found[name] = {(r["first"], r["second"]): r["auc"].value for r in rows}
    normal = "BUSI: crops of normal pictures"
    for source in ("BUS-BRA", "BUSI"):
        pair = (f"{source}: crops with the lesion", f"{source}: crops clear of the lesion")
        assert found["lesions"][pair] > 0.9
        assert found["sets"][pair] == 0.5
    across = ("BUS-BRA: crops clear of the lesion", normal)
    assert found["lesions"][across] == pytest.approx(0.5, abs=0.15)
    assert found["sets"][across] > 0.95


@pytest.mark.parametrize(("width", "height"), [(160, 192), (192, 160)])
def test_callipers_touch_only_where_they_are_drawn_and_differ_by_picture(width, height):
    rng = np.random.default_rng(0)
    tensor, mask = np.full((height, width, 3), 90, np.uint8), np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (80, 70), (30, 18), 20, 0, 360, 1, -1)
    painted = [perturbations.paint_callipers(rng, tensor, mask) for _ in range(6)]
    for one in painted:
        changed = (one != tensor).any(axis=2)
        assert 0.002 < changed.mean() < 0.06
        assert one.max() > 150  # bright marks
        assert one.min() < 70  # in a dark outline
        assert changed[:, 122:].sum() == 0  # nothing far from lesion and number
        assert changed[height - 20 :].any()  # the number stands at the foot
        assert changed[105 : height - 20].sum() == 0  # and nothing between it and the lesion
        ys, xs = np.nonzero(changed[: height - 20])
        assert abs(xs.mean() - 80) < 4  # where the lesion is, in either direction
        assert abs(ys.mean() - 70) < 4
    assert len({one.tobytes() for one in painted}) == 6


def test_marks_that_were_painted_in_are_painted_out_again():
    rng = np.random.default_rng(1)
    grey = cv2.GaussianBlur(rng.normal(80, 30, (160, 160)).clip(0, 255).astype(np.uint8), (0, 0), 2)
    tensor = grey[..., None].repeat(3, axis=2)
    marked = tensor.copy()
    cv2.drawMarker(marked, (80, 40), (250, 250, 250), cv2.MARKER_CROSS, 9, 1)
    clean, share = perturbations.remove_bright_marks(marked)
    assert 0 < share < 0.02
    assert np.abs(clean.astype(int) - tensor).max() < 60 < np.abs(marked.astype(int) - tensor).max()
    assert np.array_equal(perturbations.remove_bright_marks(tensor)[0], tensor)


def test_the_box_hides_all_of_a_lesion_and_is_of_one_size(rows):
    side = perturbations.box_side(rows.masks)
    shown = 0
    for tensor, mask in zip(rows.tensors, rows.masks, strict=True):
        hidden = perturbations.hide_lesion(tensor, mask, side) if mask.any() else None
        if hidden is None:
            continue
        shown += 1
        assert (hidden[mask > 0] == 64).all()
        x, y, w, h = cv2.boundingRect((hidden != tensor).any(axis=2).astype(np.uint8))
        inside = x > 0 and y > 0 and x + w < WIDTH and y + h < HEIGHT
        assert max(w, h) <= side
        assert not inside or min(w, h) >= side - 2  # a border may happen to be of the box's grey
    assert shown > 0.8 * rows.known.sum()


def test_a_model_that_reads_callipers_and_one_that_reads_the_lesion_are_told_apart(rows):
    """Both say the right thing on the pictures as they are."""
    part = rows.take(rows.known)
    truth = np.where(part.labels == 1, 0.8, 0.2)
    part.malignancy[:] = truth

    def by_lesion(chosen, tensors):
        hidden = np.array([(t == 64).mean() > 0.2 for t in tensors])
        return np.where(hidden, 0.5, truth[chosen])

    def by_marks(chosen, tensors):
        bright = np.array([(t > 190).any() for t in tensors])
        return np.where(bright, 0.9, truth[chosen])

    lesion, marks = (perturbations.ablation(part, serve) for serve in (by_lesion, by_marks))
    assert [row["after"].value for row in lesion] == pytest.approx([1.0, 1.0, 0.5])
    assert marks[0]["after"].value < 0.7
    assert marks[0]["change"].high < 0
    assert marks[2]["after"].value == 1.0


@pytest.mark.parametrize(
    ("height", "top"), [(160, 60), (192, 170), (128, 60)], ids=["square", "below the width", "wide"]
)
def test_what_matters_is_where_hiding_changes_the_answer(height, top):
    """A model that looks at one bright spot; beside the scan there is padding, which nobody need be asked about."""
    tensor = np.zeros((height, 160, 3), np.uint8)
    tensor[:, 40:120] = 90
    tensor[top : top + 12, 90:102] = 250
    asked = []

    def serve(tensors):
        asked.append(len(tensors))
        return np.array([t[top : top + 12, 90:102].mean() / 250 for t in tensors])

    heat = occlusion(serve, tensor)
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    assert heat.shape == (height, 160)
    assert abs(y - top - 6) < 16
    assert abs(x - 96) < 16
    assert heat.max() > 0.3
    assert np.abs(heat[:, :20]).max() == 0
    assert asked[0] < 13 * 13 * height / min(height, 160)


def test_pictures_in_the_page_keep_their_shape():
    tensor, mask = np.full((48, 32, 3), 90, np.uint8), np.zeros((48, 32), np.uint8)
    mask[36:44, 4:12] = 1
    drawn = draw_outlines(tensor, mask, np.zeros_like(mask))
    assert drawn.shape == (96, 64, 3)
    x, y, w, h = cv2.boundingRect((drawn != 90).any(axis=2).astype(np.uint8))
    assert (x, y) == pytest.approx((8, 72), abs=2)
    assert (w, h) == pytest.approx((16, 16), abs=3)
    shown = draw_heat_map(tensor, mask.astype(np.float32))
    assert shown.shape == (96, 64, 3)
    warm = np.argwhere(shown[..., 2].astype(int) > shown[..., 0] + 20)
    assert warm.mean(axis=0) == pytest.approx((79.5, 15.5), abs=1.5)
