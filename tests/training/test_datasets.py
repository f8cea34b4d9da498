from __future__ import annotations

import numpy as np
import pytest

from edge.contracts.errors import ConfigError
from training.datasets import BENIGN, MALIGNANT, bus_bra, check_split


def test_adapter_reads_pictures_masks_labels_and_sides(tiny_bus_bra):
    items = {item.id: item for item in bus_bra(tiny_bus_bra, fold=1)}
    assert len(items) == 10
    first = items["bus_0001-l"]
    assert (first.split, first.label, first.source, first.device) == ("test", MALIGNANT, "BUS-BRA", "A")
    assert items["bus_0002-s"].label == BENIGN
    assert first.image.shape == first.mask.shape == (90, 120)
    assert set(np.unique(first.mask)) == {0, 1}
    assert first.mask[40, 60] == 1
    assert first.mask[5, 5] == 0


def test_a_patient_that_the_official_columns_tear_apart_stays_whole(tiny_bus_bra):
    items = {item.id: item for item in bus_bra(tiny_bus_bra, fold=1)}
    assert items["bus_0003-l"].split == items["bus_0003-r"].split == "val"
    assert items["bus_0006-l"].split == items["bus_0006-r"].split == "train"


def test_a_leaking_split_is_refused():
    check_split([("a", "train"), ("a", "train"), ("b", "test")])
    with pytest.raises(ConfigError, match=r"leaks: 1 groups .* a in test, train"):
        check_split([("a", "train"), ("b", "test"), ("a", "test")])


def test_a_test_fold_that_shares_a_patient_is_refused(tiny_bus_bra):
    table = tiny_bus_bra / "5-fold-cv.csv"
    table.write_text(table.read_text().replace("bus_0001-r,malignant,1,NaN", "bus_0001-r,malignant,3,1"))
    with pytest.raises(ConfigError, match="bus-bra/1 in test, train"):
        bus_bra(tiny_bus_bra, fold=1)


def test_one_class_alone_is_refused(tiny_bus_bra):
    table = tiny_bus_bra / "5-fold-cv.csv"
    table.write_text(table.read_text().replace(",malignant,", ",benign,"))
    with pytest.raises(ConfigError, match="expected benign and malignant pictures in train, got benign"):
        bus_bra(tiny_bus_bra, fold=1)


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
        bus_bra(tiny_bus_bra, fold=1)
    assert caught.value.hint


def test_a_mask_of_another_size_is_refused(tiny_bus_bra):
    import cv2

    cv2.imwrite(str(tiny_bus_bra / "masks" / "bus_0004-s.png"), np.zeros((9, 9), np.uint8))
    with pytest.raises(ConfigError, match=r"expected a mask of \(90, 120\), got \(9, 9\)"):
        bus_bra(tiny_bus_bra, fold=1)


@pytest.mark.data
def test_the_real_set_splits_by_patient(data_dir):
    items = bus_bra(data_dir / "bus-bra", fold=1)
    assert len(items) == 1875
    assert len({item.group for item in items}) == 1064
    assert sum(item.split == "test" for item in items) == 376
