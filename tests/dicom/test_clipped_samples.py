"""Frames that the range of brightness of their clip would clip to white or black are not judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dicom_source_files import read_all

from edge.contracts.errors import SourceError
from edge.dicom.clipped_samples import MOST_CLIPPED, check_range

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    Save = Callable[[Dataset], Path]
    Make = Callable[..., Dataset]


def clip(kind: str = "u2", shape: tuple[int, int] = (64, 64)) -> NDArray[Any]:
    """12 frames of 10 bits, the sixth of 12."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 1024, (12, *shape)).astype(kind)
    frames[5] = rng.integers(0, 4096, shape)
    return frames


@pytest.mark.parametrize("kind", ["u2", "i2", "u4"])
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_a_frame_brighter_than_the_first_is_not_judged(
    make_dataset: Make, save: Save, kind: str, photometric: str
) -> None:
    frames, events = read_all(save(make_dataset(clip(kind), photometric)))
    assert len(frames) == 11
    (event,) = events
    assert event.reason == "decode_error"
    assert event.detail is not None
    assert event.detail.startswith("frame 6 of 12: 75 % of its samples are outside the range of brightness")


def test_a_large_frame_too(make_dataset: Make, save: Save) -> None:
    frames, events = read_all(save(make_dataset(clip(shape=(1100, 1000))[4:7], "MONOCHROME2")))
    assert [len(frames), len(events)] == [2, 1]


def test_a_frame_darker_than_the_first_is_not_judged(make_dataset: Make, save: Save) -> None:
    frames, events = read_all(
        save(make_dataset(5000 - clip(), "MONOCHROME2", RescaleSlope="2.5", RescaleIntercept="7"))
    )
    assert [len(frames), len(events)] == [11, 1]


@pytest.mark.parametrize(
    "elements",
    [{"WindowCenter": "500", "WindowWidth": "1000"}, {"BitsStored": 12, "HighBit": 11}],
    ids=["window", "12 bits"],
)
def test_a_range_that_the_file_gives_is_right(make_dataset: Make, save: Save, elements: dict[str, Any]) -> None:
    frames, events = read_all(save(make_dataset(clip(), "MONOCHROME2", **elements)))
    assert [len(frames), len(events)] == [12, 0]


def test_a_little_more_light_from_frame_to_frame_is_usual() -> None:
    samples = np.zeros((100, 100), np.uint16)
    few = int(samples.size * MOST_CLIPPED)
    samples.ravel()[:few] = 101
    check_range(samples, (0.0, 100.0), lambda values: values.astype(np.float64))
    samples.ravel()[few] = 101
    with pytest.raises(SourceError, match="outside the range"):
        check_range(samples, (0.0, 100.0), lambda values: values.astype(np.float64))
