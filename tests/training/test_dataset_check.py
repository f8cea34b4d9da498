"""Data-set check: broken files, duplicates, look-alikes, leaking splits."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest

pytest.importorskip("tqdm", reason="a progress bar of the training extra: pip install '.[training]'")

from sample_dataset import make_dataset, speckle

from edge.contracts.errors import ConfigError
from training.inspect.dataset_check import check_dataset
from training.inspect.lookalikes import connected_components


def rezoomed(picture):
    """A part of it, enlarged, brighter, with a calliper."""
    part = cv2.resize(picture[20:110, 25:150], None, fx=1.4, fy=1.4, interpolation=cv2.INTER_CUBIC)
    part = cv2.convertScaleAbs(part, alpha=1.15, beta=5)
    cv2.drawMarker(part, (60, 50), 255, cv2.MARKER_CROSS, 9)
    return part


@pytest.fixture
def organ(tmp_path):
    return make_dataset(tmp_path / "sample_dataset", patients=4)


def test_a_clean_folder_is_fit_to_learn_from(organ):
    report = check_dataset(organ)
    assert report.ok
    assert (report.pictures, report.classes) == (16, {"cyst": 8, "solid": 8})
    assert report.lookalikes == []


def test_equal_and_rezoomed_pictures_are_found_and_grouped(organ):
    picture = cv2.imread(str(organ / "cyst" / "p0-0.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(organ / "cyst" / "again.png"), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    cv2.imwrite(str(organ / "cyst" / "zoomed.png"), rezoomed(picture))
    report = check_dataset(organ)
    assert report.duplicates == [["cyst/again.png", "cyst/p0-0.png"]]
    assert {frozenset((p["first"], p["second"])) for p in report.lookalikes} <= {
        frozenset((name, "cyst/zoomed.png")) for name in ("cyst/again.png", "cyst/p0-0.png")
    }
    assert report.lookalikes[0]["zoom"] == pytest.approx(1.4 * 160 / 175, rel=0.1)
    assert not report.ok, "nothing says that they are one patient's"
    assert check_dataset(organ, regroup=True).ok
    with (organ / "groups.csv").open() as file:
        groups = {row["path"]: row["group"] for row in csv.DictReader(file)}
    assert groups["cyst/again.png"] == groups["cyst/p0-0.png"] == groups["cyst/zoomed.png"]
    assert len(set(groups.values())) == 16


def test_a_look_alike_on_the_other_side_is_torn(organ, tmp_path):
    (tmp_path / "both").mkdir()
    organ.rename(tmp_path / "both" / "train")
    make_dataset(tmp_path / "both" / "test", patients=1)
    for place in (tmp_path / "both" / "test").rglob("*.png"):
        number = sum(map(ord, place.name + place.parent.name))
        cv2.imwrite(str(place), speckle(90_000 + number))
    picture = cv2.imread(str(tmp_path / "both" / "train" / "solid" / "p2-1.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(tmp_path / "both" / "test" / "solid" / "new.png"), rezoomed(picture))
    (torn,) = check_dataset(tmp_path / "both").torn
    assert torn["sides"] == ["test", "train"]
    assert torn["files"] == ["test/solid/new.png", "train/solid/p2-1.png"]


def test_groups_on_two_sides_broken_files_and_masks(organ):
    names = sorted(p.relative_to(organ).as_posix() for p in organ.rglob("*.png"))
    with (organ / "groups.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "group", "split"])
        writer.writerows([n, n.split("-")[0], "test" if n == "cyst/p3-1.png" else "train"] for n in names)
    (organ / "cyst" / "p0-0.png").write_bytes((organ / "cyst" / "p0-0.png").read_bytes()[:300])
    cv2.imwrite(str(organ / "solid" / "p1-0_mask.png"), np.zeros((60, 80), np.uint8))
    report = check_dataset(organ, lookalikes=False)
    assert [b["file"] for b in report.broken] == ["cyst/p0-0.png"]
    assert [m["file"] for m in report.masks] == ["solid/p1-0_mask.png"]
    assert [(t["what"], t["sides"]) for t in report.torn] == [("group cyst/p3", ["test", "train"])]
    assert json.loads(json.dumps(report.as_json()))["ok"] is False
    with pytest.raises(ConfigError, match="says sides"):
        check_dataset(organ, lookalikes=False, regroup=True)


def test_no_pictures_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="holds no pictures"):
        check_dataset(tmp_path)


def test_chains_are_joined():
    assert connected_components([(3, 4), (1, 3), (0, 2)], 6) == [0, 1, 0, 1, 1, 5]
