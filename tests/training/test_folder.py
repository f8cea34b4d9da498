"""Folders of pictures as data sets, and their splits."""

from __future__ import annotations

import csv

import cv2
import msgspec
import numpy as np
import pytest

pytest.importorskip("sklearn", reason="splits are scikit-learn's: pip install '.[training]'")

from sample_dataset import make_dataset

from edge.contracts.errors import ConfigError
from training.classify.folder import list_folder
from training.classify.read_check import readable_pictures
from training.classify.recipe import SplitSection, load_classifier
from training.classify.split import NO_LESION, check_listing, split_pictures

RECIPE = load_classifier("folder")
BY_NAME = msgspec.structs.replace(RECIPE, split=SplitSection(val=0.25, test=0.25, group=r"^([^/]+/p\d+)"))


def test_classes_groups_and_sides_of_a_folder(tmp_path):
    pictures, classes = list_folder(make_dataset(tmp_path / "sample_dataset", masks=True), BY_NAME)
    assert classes == ["cyst", "solid"]
    assert len(pictures) == 32, "masks are no pictures"
    assert all(p.mask is not None for p in pictures)
    divided = split_pictures(pictures, BY_NAME.split, 1)
    check_listing(divided, classes)
    sides: dict[str, set[str]] = {}
    for picture in divided:
        sides.setdefault(picture.group, set()).add(picture.split)
    assert len(sides) == 16
    assert all(len(found) == 1 for found in sides.values())
    shares = {side: sum(p.split == side for p in divided) / 32 for side in ("train", "val", "test")}
    assert shares["test"] == pytest.approx(0.25, abs=0.07)
    assert shares["val"] == pytest.approx(0.25, abs=0.1)
    assert split_pictures(pictures, BY_NAME.split, 1) == divided, "the same seed, the same split"
    assert split_pictures(pictures, BY_NAME.split, 2) != divided


def test_a_given_split_that_leaks_a_group_is_refused(tmp_path):
    root = make_dataset(tmp_path / "sample_dataset")
    pictures, _ = list_folder(root, RECIPE)
    with (root / "groups.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "group", "split"])
        writer.writerows([p.id, p.id.split("-")[0], "test" if p.id.endswith("-1.png") else "train"] for p in pictures)
    torn, _ = list_folder(root, RECIPE)
    with pytest.raises(ConfigError, match="16 groups stand on both sides"):
        split_pictures(torn, RECIPE.split, 1)


def test_sides_given_by_folders_are_kept_and_validation_is_taken_from_training(tmp_path):
    for side, patients in (("train", 9), ("test", 3)):
        make_dataset(tmp_path / "sample_dataset" / side, patients)
    pictures, classes = list_folder(tmp_path / "sample_dataset", RECIPE)
    divided = split_pictures(pictures, RECIPE.split, 1)
    check_listing(divided, classes)
    assert {p.id for p in divided if p.split == "test"} == {p.id for p in pictures if p.id.startswith("test/")}
    assert any(p.split == "val" for p in divided)


@pytest.mark.parametrize(
    ("classes", "message"),
    [((), "no pictures were found"), (("cyst",), "expected two classes or more, got cyst")],
)
def test_no_data_and_one_class_alone_are_refused(tmp_path, classes, message):
    (tmp_path / "sample_dataset").mkdir()
    pictures, names = list_folder(make_dataset(tmp_path / "sample_dataset", classes=classes), RECIPE)
    with pytest.raises(ConfigError, match=message):
        check_listing(pictures, names)


def test_too_few_patients_for_a_split_are_an_error(tmp_path):
    pictures, _ = list_folder(make_dataset(tmp_path / "sample_dataset", patients=2), BY_NAME)
    with pytest.raises(ConfigError, match="expected 4 groups or more of each class"):
        split_pictures(pictures, BY_NAME.split, 1)


def test_broken_pictures_and_masks_are_listed_and_left_out_only_if_asked(tmp_path):
    root = make_dataset(tmp_path / "sample_dataset", masks=True)
    (root / "cyst" / "p0-0.png").write_bytes(b"\x89PNG\r\n\x1a\n no picture")
    cv2.imwrite(str(root / "solid" / "p1-1_mask.png"), np.zeros((50, 60), np.uint8))
    cv2.imwrite(str(root / "solid" / "p2-1.png"), np.full((80, 80), 7, np.uint8))
    pictures, _ = list_folder(root, RECIPE)
    lines: list[str] = []
    with pytest.raises(ConfigError, match="3 of 32 pictures cannot be used"):
        readable_pictures(pictures, False, lines.append)
    assert [line.split("/")[-1].split(":")[0] for line in lines] == ["p0-0.png", "p1-1_mask.png", "p2-1.png"]
    assert "expected a mask of 160 x 120 as its picture, got 60 x 50" in lines[1]
    kept = readable_pictures(pictures, True, lines.append)
    assert len(kept) == 29


def test_folders_without_a_class_teach_the_mask_only(tmp_path):
    recipe = load_classifier("phantom")
    make_dataset(tmp_path / "sample_dataset", 2, ("benign", "malignant", "empty", "other"))
    pictures, classes = list_folder(tmp_path / "sample_dataset", recipe)
    assert classes == ["benign", "malignant"]
    empty = [p for p in pictures if p.label == NO_LESION]
    assert len(empty) == 4
    assert all(p.mask_known for p in empty)
    assert not empty[0].load().mask.any()


def test_a_picture_that_groups_csv_does_not_name_is_an_error(tmp_path):
    root = make_dataset(tmp_path / "sample_dataset", 2)
    (root / "groups.csv").write_text("path,group\ncyst/p0-0.png,a\n")
    with pytest.raises(ConfigError, match="does not name cyst/p0-1"):
        list_folder(root, RECIPE)
