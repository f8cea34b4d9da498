"""Readers of BUS-BRA and BUSI, and split protocols."""

from __future__ import annotations

import numpy as np
import pytest

from edge.contracts.errors import ConfigError
from training.breast.protocol import assign_splits
from training.datasets import BENIGN, MALIGNANT, UNLABELLED, bus_bra, busi, check_split


def test_adapter_reads_pictures_masks_labels_and_sides(tiny_bus_bra):
    items = {item.id: item for item in bus_bra(tiny_bus_bra)}
    assert len(items) == 10
    first = items["bus_0001-l"]
    assert (first.fold, first.label, first.source, first.device) == (1, MALIGNANT, "BUS-BRA", "A")
    assert items["bus_0002-s"].label == BENIGN
    assert first.image.shape == first.mask.shape == (90, 120)
    assert set(np.unique(first.mask)) == {0, 1}
    assert first.mask[40, 60] == 1
    assert first.mask[5, 5] == 0


def test_a_leaking_split_is_refused():
    check_split([("a", "train"), ("a", "train"), ("b", "test")])
    with pytest.raises(ConfigError, match=r"leaks: 1 groups .* a in test, train"):
        check_split([("a", "train"), ("b", "test"), ("a", "test")])


def test_a_test_fold_that_shares_a_patient_is_refused(tiny_bus_bra):
    table = tiny_bus_bra / "5-fold-cv.csv"
    table.write_text(table.read_text().replace("bus_0001-r,malignant,1,NaN", "bus_0001-r,malignant,3,1"))
    with pytest.raises(ConfigError, match=r"leaks: 1 groups .* bus-bra/1 in test, "):
        assign_splits("fold-1", bus_bra(tiny_bus_bra))


def test_one_class_alone_is_refused(tiny_bus_bra):
    table = tiny_bus_bra / "bus_data.csv"
    table.write_text(table.read_text().replace("malignant", "benign"))
    with pytest.raises(ConfigError, match="expected benign and malignant pictures in train, got benign"):
        assign_splits("fold-1", bus_bra(tiny_bus_bra))


@pytest.mark.parametrize("protocol", ["fold-6", "fold-", "everything", "without:Nobody"])
def test_unknown_protocols_are_refused(tiny_bus_bra, protocol):
    with pytest.raises(ConfigError, match=r"no protocol|no scanner") as caught:
        assign_splits(protocol, bus_bra(tiny_bus_bra))
    assert caught.value.hint.startswith("give ")


def test_normal_pictures_have_no_label_and_an_empty_mask_and_two_labelled_groups_are_out(tiny_busi):
    items = {item.id: item for item in busi(tiny_busi)}
    assert sorted(items) == ["benign_001", "malignant_001", "normal_001"]
    assert items["normal_001"].label == UNLABELLED
    assert not items["normal_001"].mask.any()
    assert items["benign_001"].mask.any()
    assert items["malignant_001"].fold == 7 % 5 + 1


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("bus_data.csv", "bus_data.csv is missing"),
        ("images/bus_0004-s.jpg", "bus_0004-s.jpg is missing or not a picture"),
        ("masks/bus_0004-s.png", "bus_0004-s.png is missing or not a picture"),
    ],
)
def test_missing_files_are_named(tiny_bus_bra, gone, message):
    (tiny_bus_bra / gone).unlink()
    with pytest.raises(ConfigError, match=message) as caught:
        bus_bra(tiny_bus_bra)
    assert caught.value.hint


def test_a_mask_of_another_size_is_refused(tiny_bus_bra):
    import cv2

    cv2.imwrite(str(tiny_bus_bra / "masks" / "bus_0004-s.png"), np.zeros((9, 9), np.uint8))
    with pytest.raises(ConfigError, match=r"expected a mask of \(90, 120\), got \(9, 9\)"):
        bus_bra(tiny_bus_bra)


@pytest.mark.data
def test_the_real_sets_split_by_group_and_every_fold_judges_its_own(data_dir):
    items = [*bus_bra(data_dir / "bus-bra"), *busi(data_dir / "busi")]
    assert len(items) == 1875 + 582
    judged = []
    for fold in range(1, 6):
        sided = assign_splits(f"fold-{fold}", items)
        judged += [item.id for item in sided if item.split == "test"]
    assert sorted(judged) == sorted(item.id for item in items)
    outside = assign_splits("bus-bra-to-busi", items)
    assert {item.source for item in outside if item.split == "test"} == {"BUSI"}
    assert {item.source for item in outside if item.split != "test"} == {"BUS-BRA"}
    assert not [item for item in assign_splits("all", items) if item.split == "test"]


@pytest.mark.data
def test_a_scanner_left_out_is_left_out_with_its_patients(data_dir):
    items = assign_splits("without:U-Systems @10-14MHz", bus_bra(data_dir / "bus-bra"))
    assert not [item for item in items if item.split != "test" and item.device == "U-Systems @10-14MHz"]
    test = {item.group for item in items if item.split == "test"}
    assert not [item for item in items if item.split != "test" and item.group in test]
