"""What every `Source` must do, fakes included: one suite, run over all implementations."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage, generate_uid

from edge.config.settings import StreamSettings
from edge.config.uri import Uri, parse_uri
from edge.contracts.errors import SourceError, UsageError
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.ports import Source
from edge.sources.dicom import DicomSource
from edge.sources.images import ImagesSource
from edge.sources.live.synthetic import SyntheticSource
from edge.sources.phantom import PhantomSource
from edge.sources.replay import ReplaySource
from edge.sources.video import VideoSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FRAMES = 4
STREAM = "cart-1"


def picture(number: int) -> np.ndarray:
    """(120, 160) grey, smooth, so that lossy codecs keep it apart from the others."""
    y, x = np.mgrid[0:120, 0:160]
    return (128 + 100 * np.sin(x / 20 + number) * np.cos(y / 15)).astype(np.uint8)


# --- one factory an implementation: the URI of a source of FRAMES frames ---------------------------------------------


def of_images(folder: Path) -> str:
    for number in range(FRAMES):
        assert cv2.imwrite(str(folder / f"{number}.png"), picture(number))
    return f"images://{folder}"


def of_video(folder: Path) -> str:
    path = folder / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (160, 120))
    for number in range(FRAMES):
        writer.write(cv2.cvtColor(picture(number), cv2.COLOR_GRAY2BGR))
    writer.release()
    return f"video://{path}?pace=max"


def of_video_in_realtime(folder: Path) -> str:
    return of_video(folder).replace("pace=max", "pace=realtime")


def of_dicom(folder: Path) -> str:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = UltrasoundMultiFrameImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.StudyInstanceUID, data.Modality, data.BodyPartExamined = generate_uid(), "US", "BREAST"
    data.Rows, data.Columns, data.NumberOfFrames, data.FrameTime = 120, 160, FRAMES, "40"
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.PixelData = b"".join(picture(number).tobytes() for number in range(FRAMES))
    path = folder / "cine.dcm"
    data.save_as(path, enforce_file_format=True)
    return f"dicom://{path}"


def of_phantom(folder: Path) -> str:
    return f"phantom://?seed=2&width=160&height=120&frames={FRAMES}"


def of_phantom_in_realtime(folder: Path) -> str:
    return f"phantom://?seed=2&width=160&height=120&frames={FRAMES}&pace=realtime&fps=100"


def of_replay(folder: Path) -> str:
    path = folder / "record.npz"
    np.savez(path, frames=np.stack([picture(number) for number in range(FRAMES)]))
    return f"replay://{path}"


def of_live_child(folder: Path) -> str:
    return f"synthetic://?frames={FRAMES}&fps=5"


@dataclass(frozen=True)
class Case:
    kind: Callable[[Uri, StreamSettings], Source]
    uri: Callable[[Path], str]
    live: bool = False

    def make(self, folder: Path) -> Source:
        return self.at(self.uri(folder))

    def at(self, uri: str) -> Source:
        return self.kind(parse_uri(uri), StreamSettings(name=STREAM, source=uri))


CASES = {
    "images": Case(ImagesSource, of_images),
    "video": Case(VideoSource, of_video),
    "video-realtime": Case(VideoSource, of_video_in_realtime, live=True),
    "dicom": Case(DicomSource, of_dicom),
    "phantom": Case(PhantomSource, of_phantom),
    "phantom-realtime": Case(PhantomSource, of_phantom_in_realtime),
    "replay": Case(ReplaySource, of_replay),
    "live-child": Case(SyntheticSource, of_live_child, live=True),
}
FILES = ("images", "video", "dicom", "replay")


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) if "child" in name else name for name in CASES])
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def read_to_end(source: Source) -> tuple[list[Frame], list[SourceEvent]]:
    """Everything up to and with ``ended``; gives up after a thousand reads."""
    frames, events = [], []
    for _ in range(1000):
        item = source.read(5.0)
        if isinstance(item, Frame):
            frames.append(item)
        elif isinstance(item, SourceEvent):
            events.append(item)
            if item.kind == "ended":
                return frames, events
    pytest.fail("the source did not end")


# --- the suite -------------------------------------------------------------------------------------------------------


def test_it_is_a_source(case: Case, tmp_path: Path) -> None:
    source = case.make(tmp_path)
    assert isinstance(source, Source)
    assert source.live is case.live


def test_all_frames_come_in_order_and_then_the_end(case: Case, tmp_path: Path) -> None:
    before = time.monotonic_ns()
    source = case.make(tmp_path)
    source.open()
    frames, events = read_to_end(source)
    source.close()
    assert [event.kind for event in events] == ["ended"]
    assert [frame.seq for frame in frames] == list(range(FRAMES))
    assert {frame.stream for frame in frames} == {STREAM}
    captured = [frame.captured_ns for frame in frames]
    assert captured == sorted(captured)
    assert before <= captured[0]
    assert captured[-1] <= time.monotonic_ns()
    places = [(frame.origin.clip, frame.media_ns or 0, frame.origin.frame_index) for frame in frames]
    assert places == sorted(places)
    assert len(set(places)) == FRAMES


def test_frames_are_what_the_contract_says(case: Case, tmp_path: Path) -> None:
    source = case.make(tmp_path)
    source.open()
    frames, _ = read_to_end(source)
    for frame in frames:
        assert frame.pixels.dtype == np.uint8
        assert frame.pixels.shape in ((120, 160), (120, 160, 3))
        assert frame.pixels.any()
        for region in frame.regions:
            x, y, w, h = region.box
            assert min(x, y) >= 0
            assert min(w, h) > 0
            assert x + w <= 160
            assert y + h <= 120
        assert frame.origin.body_part in (None, "BREAST")


def test_frames_keep_their_pixels_while_others_are_read(case: Case, tmp_path: Path) -> None:
    source = case.make(tmp_path)
    source.open()
    first = source.read(5.0)
    while first is None:
        first = source.read(5.0)
    kept = first.pixels.copy()
    later, _ = read_to_end(source)
    np.testing.assert_array_equal(first.pixels, kept)
    assert all((frame.pixels != kept).any() for frame in later)


def test_the_same_input_gives_the_same_pixels(case: Case, tmp_path: Path) -> None:
    uri = case.uri(tmp_path)
    runs = []
    for _ in range(2):
        source = case.at(uri)
        source.open()
        runs.append([frame.pixels.tobytes() for frame in read_to_end(source)[0]])
        source.close()
    assert runs[0] == runs[1]
    assert len(runs[0]) == FRAMES


def test_pictures_come_as_they_were_stored(tmp_path: Path) -> None:
    for name in FILES:
        folder = tmp_path / name
        folder.mkdir()
        source = CASES[name].make(folder)
        source.open()
        frames, _ = read_to_end(source)
        for number, frame in enumerate(frames):
            grey = frame.pixels if frame.pixels.ndim == 2 else cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2GRAY)
            off = np.abs(grey.astype(int) - picture(number)).mean()
            assert off < (3 if name == "video" else 0.01), name


def test_after_the_end_no_frame_comes(case: Case, tmp_path: Path) -> None:
    source = case.make(tmp_path)
    source.open()
    read_to_end(source)
    for _ in range(3):
        item = source.read(0.01)
        assert item is None or (isinstance(item, SourceEvent) and item.kind == "ended")


def test_it_closes_at_any_time_and_twice(case: Case, tmp_path: Path) -> None:
    source = case.make(tmp_path)
    source.close()
    source.open()
    source.read(5.0)
    source.close()
    source.close()
    assert not isinstance(source.read(0.01), Frame)


def test_a_reader_in_another_thread_returns_after_a_close(case: Case, tmp_path: Path) -> None:
    source = case.make(tmp_path)
    source.open()
    closed = threading.Event()
    raised: list[BaseException] = []

    def read_until_closed() -> None:
        try:
            while not closed.is_set():
                source.read(60.0)
            source.read(60.0)
        except BaseException as error:
            raised.append(error)

    reader = threading.Thread(target=read_until_closed, daemon=True)
    reader.start()
    closed.set()
    source.close()
    reader.join(timeout=30.0)
    assert not reader.is_alive()
    assert raised == []


def test_a_read_without_patience_never_raises(case: Case, tmp_path: Path) -> None:
    source = case.make(tmp_path)
    source.open()
    got = 0
    for _ in range(100_000):
        item = source.read(0.0)
        if isinstance(item, Frame):
            got += 1
        elif isinstance(item, SourceEvent):
            assert item.kind == "ended"
            break
        else:
            time.sleep(0.001)
    assert got == FRAMES


def test_an_unknown_parameter_is_refused(case: Case, tmp_path: Path) -> None:
    uri = case.uri(tmp_path)
    with pytest.raises(UsageError, match="colour") as caught:
        case.at(f"{uri}{'&' if '?' in uri else '?'}colour=red").open()
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", FILES)
def test_a_missing_path_is_said_with_a_hint(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere") as caught:
        CASES[name].at(f"{name}://{tmp_path}/nowhere").open()
    assert caught.value.exit_code == 5
    assert caught.value.hint
