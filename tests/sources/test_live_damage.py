"""Which frames of a damaged stream are believed: by time stamps, packets, decoded frames and FFmpeg's log."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge.sources.ffmpeg_log import FFmpegLog
from edge.sources.live import opencv_reader
from edge.sources.live.damage import DAMAGED, PREDICTED, DamageWatch
from edge.sources.live.opencv_reader import OpencvReader
from edge.sources.live.reader import FrameDamagedError
from edge.sources.live.stamp_holes import StampHoles

if TYPE_CHECKING:
    from collections.abc import Iterator

CORRUPT = (24, "mpegts", "Packet corrupt (stream = 0, dts = 9000).\n")
CONCEALED = "[OPENCV:FFMPEG:32] concealing 240 DC, 240 AC, 240 MV errors in I frame"
LOST = "[OPENCV:FFMPEG:24] Packet corrupt (stream = 0, dts = 9000)."
GAP = "[OPENCV:FFMPEG:48] Frame num gap 6 4"


def holes(codec: str, steps: list[int]) -> list[int]:
    """Numbers of the frames that are behind a hole."""
    found = StampHoles(codec)
    return [number for number, at in enumerate(np.cumsum([0, *steps])) if found.is_behind_hole(int(at))]


def test_a_hole_in_times_that_are_constant_is_a_missing_frame() -> None:
    assert holes("mpg2", [33] * 6 + [67] + [33] * 4 + [133, 33]) == [7, 12]
    assert holes("mpeg2video", [33, 34, 33, 33, 66]) == [5]


@pytest.mark.parametrize(
    ("codec", "steps"),
    [
        ("h264", [33] * 6 + [67]),  # its own frame numbers tell, and it may have any rate
        ("mpg2", [33, 70, 20, 95, 41, 60, 33, 90, 20]),
        ("mpg2", [33, 67]),
        ("mpg2", [33] * 6 + [-9000, 33]),
    ],
)
def test_other_times_tell_nothing(codec: str, steps: list[int]) -> None:
    assert holes(codec, steps) == []


@pytest.mark.parametrize("line", ["no frame!", "decode_slice_header error", "Skipping invalid undecodable NALU: 1"])
def test_the_log_tells_of_frames_that_never_came(line: str) -> None:
    log = FFmpegLog()
    log._count(f"[OPENCV:FFMPEG:16] {line}")
    assert log.missing == 1


def test_what_is_said_at_the_finest_level_is_nothing_else() -> None:
    log = FFmpegLog()
    for line in ("Frame num gap 6 4", "nal_unit_type: 5(IDR), nal_ref_idc: 3", "no frame!", "concealing"):
        log._count(f"[OPENCV:FFMPEG:48] {line}")
    assert (log.missing, log.damages, log.transports, log.conversions) == (1, 0, 0, 0)


class Stream:
    """A stream as `OpencvReader` has it: (type, lines that the log has when it comes) of each frame."""

    def __init__(self, log: FFmpegLog, frames: list[tuple[str, list[str]]]) -> None:
        self._log, self._frames, self.at = log, frames, -1

    def retrieve(self) -> tuple[bool, Any]:
        self.at += 1
        for line in self._frames[self.at][1]:
            self._log._count(line)
        return True, np.full((8, 8, 3), self.at, np.uint8)

    def get(self, _: int) -> float:
        return float(ord(self._frames[self.at][0]))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[FFmpegLog]:
    found = FFmpegLog()
    monkeypatch.setattr(opencv_reader, "ffmpeg_log", lambda: found)
    return found


def believed(log: FFmpegLog, codec: str, frames: list[tuple[str, list[str]]]) -> list[int]:
    """Numbers of the frames that a reader by OpenCV gives."""
    reader = OpencvReader.__new__(OpencvReader)
    reader._capture, reader._codec = Stream(log, frames), codec
    reader._begin()
    reader._clock = SimpleNamespace(is_settled=True, captured_ns=lambda stamp: stamp)  # type: ignore[assignment]
    reader._late = SimpleNamespace(leaves_out=lambda _: False, take_count=lambda: 0)  # type: ignore[assignment]
    given = []
    for number in range(len(frames)):
        try:
            frame = reader._retrieved(number * 33_000_000)
        except FrameDamagedError:
            continue
        if frame is not None:
            given.append(int(frame.pixels[0, 0, 0]))
    return given


def group(kinds: str, **lines: str) -> list[tuple[str, list[str]]]:
    """Frames by their types, and the line that comes with the n-th: ``at_4=...``."""
    return [(kind, [lines[f"at_{n}"]] if f"at_{n}" in lines else []) for n, kind in enumerate(kinds)]


def test_a_frame_that_never_came_spoils_all_until_the_next_key_frame(log: FFmpegLog) -> None:
    assert believed(log, "h264", group("IPPPPIP", at_2=GAP)) == [0, 1, 5, 6]


def test_a_key_frame_that_was_damaged_on_the_way_is_not_believed(log: FFmpegLog) -> None:
    # The line comes when the packet is read; FFmpeg gives the frame before.
    assert believed(log, "h264", group("IPPIPPIP", at_2=LOST)) == [0, 1, 6, 7]
    assert believed(log, "h264", group("IPPIPPIP", at_3=CONCEALED)) == [0, 1, 2, 6, 7]
    assert believed(log, "h264", group("IPPIPPIP", at_2=CONCEALED)) == [0, 1, 3, 4, 5, 6, 7]


def test_a_decoder_that_is_ahead_of_what_it_gives_tells_earlier(log: FFmpegLog) -> None:
    assert believed(log, "mpg2", group("IPPIPPIP", at_2=CONCEALED)) == [0, 1, 6, 7]
    assert believed(log, "h264", group("IBPBPIBPBPBIB", at_4=CONCEALED)) == [0, 1, 2, 3, 11, 12]


def test_pictures_that_stand_alone_spoil_no_other(log: FFmpegLog) -> None:
    assert believed(log, "mjpg", group("IIII", at_1=LOST)) == [0, 2, 3]


def judged(watch: DamageWatch, lines: list[Any], packets: list[tuple[int, list[int], bool]]) -> list[str | None]:
    """What a watch says of each frame; packets as (time stamp, stamps of the frames that come of it, corrupt line)."""
    keys = (0, 100, 200)
    said = []
    for stamp, frames, corrupt in packets:
        lines.extend([CORRUPT] if corrupt else [])
        watch.before(stamp, b"", corrupt=False)
        watch.after()
        said += [watch.of_frame(at, key=at in keys, corrupt=False) for at in frames]
    return said


def test_a_key_frame_that_was_decoded_before_the_damage_ends_nothing() -> None:
    lines: list[Any] = []
    watch = DamageWatch("h264", b"", lines)
    # The key frame 100 is given when others were decoded; 110, which is damaged, is behind it.
    packets = [(0, [0], False), (100, [], False), (105, [100], True), (110, [105], False), (120, [110], False)]
    packets.append((200, [200], False))
    assert judged(watch, lines, packets) == [None, PREDICTED, PREDICTED, PREDICTED, None]


def test_what_is_shown_before_the_key_frame_that_was_waited_for_is_predicted() -> None:
    lines: list[Any] = []
    watch = DamageWatch("vp9", b"", lines)
    # Decoders with a small delay give frames in the order of the stream.
    packets = [(0, [0], False), (10, [10], True), (20, [20], False), (100, [100], False), (90, [90], False)]
    packets += [(95, [95], False), (110, [110], False), (200, [200], False), (190, [190], False)]
    assert judged(watch, lines, packets) == [
        None, PREDICTED, PREDICTED, None, PREDICTED, PREDICTED, None, None, None,
    ]  # fmt: skip


def test_a_frame_that_is_concealed_is_damaged() -> None:
    lines: list[Any] = []
    watch = DamageWatch("h264", b"", lines)
    assert judged(watch, lines, [(0, [0], False)]) == [None]
    watch.before(10, b"", corrupt=False)
    lines.append((32, "h264", "concealing 240 DC, 240 AC, 240 MV errors in P frame"))
    watch.after()
    assert watch.of_frame(10, key=False, corrupt=False) == DAMAGED
