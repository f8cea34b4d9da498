"""Which grey a JPEG frame is: what may stand in for decoding in colour, and what may not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.contracts.errors import SourceError
from edge.images.jpeg import read_jpeg_header
from edge.images.jpeg_grey import decode_jpeg_grey
from edge.phantom.scene import PhantomScene, PhantomSpec
from edge.preprocess.preprocessor import halve

SAMPLINGS = (
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)


@pytest.fixture(scope="module")
def scan():
    return PhantomScene(PhantomSpec(seed=1, width=320, height=240)).pixels(0)


def jpeg(picture, quality=90, sampling=cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422, **more):
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if picture.ndim == 3:
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    if more.get("progressive"):
        options += [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    return cv2.imencode(".jpg", picture, options)[1].tobytes()


def by_way_of_colour(data):
    rgb = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("quality", [75, 90, 100])
def test_a_scan_without_colour_has_the_grey_of_its_colours(scan, sampling, quality):
    data = jpeg(cv2.cvtColor(scan, cv2.COLOR_GRAY2BGR), quality, sampling)
    assert np.array_equal(decode_jpeg_grey(data), by_way_of_colour(data))


def test_a_tinted_scan_has_nearly_the_grey_of_its_colours(scan):
    tinted = (cv2.cvtColor(scan, cv2.COLOR_GRAY2BGR) * np.array([0.9, 0.95, 1.0])).astype(np.uint8)
    data = jpeg(tinted)
    off = np.abs(decode_jpeg_grey(data).astype(int) - by_way_of_colour(data))
    assert 0 < off.max() <= 2  # not equal: this is why files are decoded in colour
    assert (off > 0).mean() < 0.02


def test_a_reduced_scale_is_not_the_halved_picture(scan):
    data = jpeg(scan, quality=75)
    reduced = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_2)
    off = np.abs(reduced.astype(int) - halve(decode_jpeg_grey(data), 1))
    assert (off > 0).mean() > 0.05  # if libjpeg ever makes them equal, it is worth using
    assert off.max() > 1


@pytest.mark.parametrize("progressive", [False, True])
def test_grey_and_progressive_frames(scan, progressive):
    data = jpeg(scan, progressive=progressive)
    assert np.array_equal(decode_jpeg_grey(data), cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("colour", [False, True])
def test_a_frame_that_is_cut_short_anywhere_is_refused(scan, progressive, colour):
    data = jpeg(cv2.cvtColor(scan, cv2.COLOR_GRAY2BGR) if colour else scan, progressive=progressive)
    assert read_jpeg_header(data).complete
    for length in (*range(0, len(data), 997), len(data) - 2, len(data) - 1):
        info = read_jpeg_header(data[:length])
        assert info is None or not info.complete
        with pytest.raises(SourceError):
            decode_jpeg_grey(data[:length])


def test_what_is_behind_the_end_does_no_harm(scan):
    data = jpeg(scan)
    for tail in (b"\0", b"\0" * 1000, b"\xff\xff"):
        assert np.array_equal(decode_jpeg_grey(data + tail), decode_jpeg_grey(data))


def test_what_is_no_such_jpeg_is_refused(scan):
    png = cv2.imencode(".png", scan)[1].tobytes()
    huge = bytearray(jpeg(scan))
    at = huge.index(b"\xff\xc0") + 5
    huge[at : at + 4] = b"\xff\xff\xff\xff"
    for data in (b"", b"\xff\xd8\xff\xd9", png, bytes(huge)):
        with pytest.raises(SourceError):
            decode_jpeg_grey(data)
