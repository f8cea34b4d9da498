"""Frames are decoded ahead in threads: the same frames, in the same order, the same errors, and nothing left behind."""

from __future__ import annotations

import gc
import os
import threading

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless

from edge.contracts.errors import SourceError
from edge.dicom import frame_reader
from edge.dicom import prefetch as module
from edge.dicom.frame_reader import DicomFrameReader
from edge.dicom.prefetch import BATCHES_PER_THREAD, MAX_BYTES, MAX_THREADS, batch_size, prefetch, thread_count


def decoding_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("decode")]


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    yield
    gc.collect()
    assert decoding_threads() == []


@pytest.fixture
def three_cores(monkeypatch):
    """And frames of any size are worth a thread."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(module, "MIN_PIXELS", 1)


@pytest.fixture
def cine(make_compressed, save):
    """Makes a file of JPEG frames; those that are named are broken."""

    def make(frames=12, broken=(), colour=True, syntax=JPEGBaseline8Bit, **elements):
        y, x = np.mgrid[0:48, 0:64]
        plain = np.stack([(x * 3 + y * 2 + 9 * k) % 230 for k in range(frames)]).astype(np.uint8)
        if colour:
            plain = np.stack([plain, plain // 2, 255 - plain], axis=-1)
        suffix = ".jp2" if syntax == JPEG2000Lossless else ".jpg"
        coded = [cv2.imencode(suffix, frame)[1].tobytes() for frame in plain]
        for number in broken:
            coded[number] = coded[number][: len(coded[number]) // 2] + b"\xff\xd9"
        photometric = "YBR_FULL_422" if colour else "MONOCHROME2"
        return save(make_compressed(coded, plain, photometric, syntax, **elements))

    return make


def all_of(results):
    """Results as (value, None) or (None, error type and text)."""
    return [outcome(result) for result in results]


def outcome(result):
    try:
        return result(), None
    except SourceError as error:
        return None, str(error)


def directly(clip):
    return all_of(lambda index=index: clip.picture(index) for index in range(clip.frames))


def same(found, expected):
    assert len(found) == len(expected)
    for (picture, error), (expected_picture, expected_error) in zip(found, expected, strict=True):
        assert error == expected_error
        assert (picture is None) == (expected_picture is None)
        assert picture is None or np.array_equal(picture, expected_picture)


# --- any work --------------------------------------------------------------------------------------------------------


@given(
    fails=st.lists(st.booleans(), max_size=30),
    threads=st.integers(0, 4),
    batch=st.integers(1, 5),
    take=st.integers(0, 30),
    pauses=st.lists(st.sampled_from([0.0, 0.0, 0.001]), min_size=30, max_size=30),
)
@settings(max_examples=60)
def test_each_thing_has_its_own_result_in_its_place(fails, threads, batch, take, pauses):
    never = threading.Event()

    def work(number):
        never.wait(pauses[number])
        if fails[number]:
            raise SourceError(str(number))
        return number

    results = prefetch(work, range(len(fails)), threads, batch)
    taken = [result for _, result in zip(range(take), results, strict=False)]  # asked for after others were begun
    found = all_of(taken)
    assert found == [
        (None, str(number)) if fail else (number, None) for number, fail in enumerate(fails[: min(take, len(fails))])
    ]
    results.close()
    assert decoding_threads() == []


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("threads", [2, 3])
def test_no_more_is_begun_than_may_wait(threads, batch):
    begun = []
    results = prefetch(begun.append, range(100), threads, batch)
    for taken in range(1, 20):
        next(results)()
        assert len(begun) <= taken - 1 + BATCHES_PER_THREAD * threads * batch
    results.close()
    assert len(begun) < 100


def test_threads_work_at_the_same_time():
    met = threading.Barrier(3, timeout=120)
    results = prefetch(lambda _: met.wait(), range(6), 3)
    assert sorted(result() for result in results) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("threads", [0, 1])
def test_without_threads_nothing_is_done_before_it_is_asked_for(threads):
    begun = []
    results = prefetch(begun.append, range(3), threads)
    first = next(results)
    assert begun == []
    assert decoding_threads() == []
    first()
    assert begun == [0]
    results.close()


def test_closing_waits_for_what_was_begun_and_gives_up_the_rest():
    began, ended, may_end = [], [], threading.Event()

    def work(number):
        began.append(number)
        may_end.wait(0 if number == 0 else 120)
        ended.append(number)

    results = prefetch(work, range(50), 2)
    next(results)()
    threading.Timer(0.05, may_end.set).start()
    results.close()
    assert sorted(began) == sorted(ended)
    assert len(began) <= 4
    assert decoding_threads() == []


def test_an_unfinished_one_that_is_forgotten_leaves_no_threads():
    results = prefetch(lambda number: number, range(50), 2)
    assert next(results)() == 0
    del results
    gc.collect()
    assert decoding_threads() == []


# --- how many threads ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cores", "expected"), [(1, 1), (2, 2), (3, 3), (64, MAX_THREADS)])
def test_threads_are_as_many_as_the_process_may_use_cores(monkeypatch, cores, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert thread_count(300, 640 * 480, 640 * 480 * 3) == expected


@pytest.mark.parametrize(
    ("frames", "width", "height"),
    [(0, 640, 480), (1, 640, 480), (300, 60, 40), (300, 8000, 8000)],
    ids=["no frame", "one frame", "small", "huge"],
)
def test_where_threads_do_not_help_there_are_none(monkeypatch, frames, width, height):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert thread_count(frames, width * height, width * height * 3) < 2


@given(frames=st.integers(0, 1000), pixels=st.integers(0, 1 << 26), samples=st.sampled_from([1, 3]))
def test_memory_is_bounded(frames, pixels, samples):
    threads = thread_count(frames, pixels, pixels * samples)
    batch = batch_size(frames, threads, pixels * samples)
    assert threads < 2 or threads * BATCHES_PER_THREAD * batch * pixels * samples <= MAX_BYTES


def test_small_frames_go_in_batches_unless_that_leaves_a_thread_without():
    grey = 640 * 480
    assert [batch_size(frames, 2, grey) for frames in (2, 8, 12, 300)] == [1, 2, 3, 4]
    assert batch_size(300, 2, 3 * grey) == 2
    assert batch_size(300, 2, 4 * 1920 * 1080) == 1


# --- clips -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000Lossless])
@pytest.mark.parametrize("colour", [False, True])
def test_frames_are_those_of_the_direct_way(cine, three_cores, syntax, colour):
    elements = {} if syntax == JPEGBaseline8Bit else {"PhotometricInterpretation": "RGB" if colour else "MONOCHROME2"}
    with DicomFrameReader(cine(colour=colour, syntax=syntax, **elements)) as clip:
        pictures = clip.pictures()
        found = [next(pictures)()]
        assert decoding_threads()
        found += [picture() for picture in pictures]
        assert len(found) == 12
        for index, picture in enumerate(found):
            assert np.array_equal(picture, clip.picture(index))


@given(
    frames=st.integers(1, 12),
    broken=st.sets(st.integers(0, 11)),
    keep=st.floats(0.5, 1.0),
    colour=st.booleans(),
    grey=st.booleans(),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_broken_frames_and_cut_files_are_as_in_the_direct_way(
    cine, three_cores, capfd, frames, broken, keep, colour, grey
):
    path = cine(frames, [number for number in broken if number < frames], colour)
    whole = path.read_bytes()
    path.write_bytes(whole[: max(len(whole) - 200 * frames, int(keep * len(whole)))])
    try:
        opened = DicomFrameReader(path, grey=grey)
    except SourceError:
        return  # cut in its header
    with opened as clip:
        same(all_of(clip.pictures()), directly(clip))
        assert clip.frames <= frames
    assert capfd.readouterr().err == "", "what libjpeg says of broken frames is not for the terminal"


def test_an_error_in_the_middle_stays_with_its_frame(cine, three_cores):
    with DicomFrameReader(cine(broken=[5])) as clip:
        found = all_of(clip.pictures())
    assert [error is not None for _, error in found] == [number == 5 for number in range(12)]
    assert "damaged picture" in found[5][1]


def test_the_first_frame_decides_how_bright_all_are(cine, three_cores):
    """Signed samples without a window are spread from the first frame's darkest to its brightest."""
    path = cine(colour=False, PixelRepresentation=1)
    with DicomFrameReader(path) as one, DicomFrameReader(path) as other:
        same(all_of(one.pictures()), directly(other))


def test_closing_early_leaves_no_thread_and_lets_the_file_go(cine, three_cores):
    with DicomFrameReader(cine(frames=40)) as clip:
        pictures = clip.pictures()
        next(pictures)()
        assert decoding_threads()
        pictures.close()
        assert decoding_threads() == []
        assert clip.picture(30).shape == (48, 64, 3)


@pytest.mark.parametrize("what", ["uncompressed", "one frame", "one core", "not by OpenCV"])
def test_where_it_does_not_help_no_thread_is_started(cine, make_dataset, save, three_cores, monkeypatch, what):
    monkeypatch.setattr(module, "ThreadPoolExecutor", None)
    if what == "uncompressed":
        path = save(make_dataset(np.zeros((12, 48, 64), np.uint8), "MONOCHROME2"))
    elif what == "not by OpenCV":
        path = cine(syntax=JPEGLSLossless)
        monkeypatch.setattr(frame_reader, "decode_frame", lambda *_, **__: (np.zeros((48, 64, 3), np.uint8), "RGB"))
    else:
        path = cine(frames=1 if what == "one frame" else 12)
    if what == "one core":
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    with DicomFrameReader(path) as clip:
        assert len(all_of(clip.pictures())) == clip.frames
