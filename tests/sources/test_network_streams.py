"""RTSP and MPEG-TS from real servers, by PyAV and by OpenCV's FFmpeg: times, order, damage, loss and return."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clock_pixels import draw_frame
from live_reading import event, frames, make, opened, read_until
from live_servers import free_port, rtsp_server

from edge.contracts.errors import SourceError, SourceSetupError, UsageError
from edge.contracts.results import Reason
from edge.sources.live.network import RtspSource, SrtSource, UdpSource
from edge.sources.live.stream_clock import SETTLED_FRAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from live_reading import Reading

pytestmark = pytest.mark.slow
OPENCV = "edge.sources.live.opencv_reader:OpencvReader"
PYAV = "edge.sources.live.pyav_reader:PyavReader"
needs_av = pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="needs PyAV (extra live)")
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on PATH")
WIDTH, HEIGHT = 640, 96


class OpencvRtsp(RtspSource):
    """As where PyAV is not installed."""

    reader = OPENCV


class PyavRtsp(RtspSource):
    reader = PYAV


class OpencvUdp(UdpSource):
    reader = OPENCV


class PyavUdp(UdpSource):
    reader = PYAV


class OpencvSrt(SrtSource):
    reader = OPENCV


class PyavSrt(SrtSource):
    reader = PYAV


RTSP = [pytest.param(PyavRtsp, marks=needs_av, id="pyav"), pytest.param(OpencvRtsp, id="opencv")]
UDP = [pytest.param(PyavUdp, marks=needs_av, id="pyav"), pytest.param(OpencvUdp, id="opencv")]

SRT = [pytest.param(PyavSrt, marks=needs_av, id="pyav"), pytest.param(OpencvSrt, id="opencv")]


def check_pictures(reading: Reading) -> None:
    """Every picture is the one that its clock names, in all its parts, and none came twice."""
    numbers = []
    for frame, clock in zip(reading.frames, reading.clocks, strict=True):
        assert clock is not None
        drawn = np.frombuffer(draw_frame(WIDTH, HEIGHT, clock.number, clock.at_ns), np.uint8).reshape(HEIGHT, WIDTH)
        off = np.abs(frame.pixels[..., 1].astype(int) - drawn)[32:]
        blocks = off.reshape(-1, 16, WIDTH // 16, 16).mean(axis=(1, 3))
        assert blocks.max() < 24, f"frame {clock.number} is not what was sent"
        numbers.append(clock.number)
    assert numbers == sorted(set(numbers))


def delays_ms(reading: Reading) -> list[float]:
    """By how much each frame says that it was captured later than it was drawn."""
    pairs = zip(reading.frames, reading.clocks, strict=True)
    return [(frame.captured_ns - clock.at_ns) / 1e6 for frame, clock in pairs if clock is not None]


@pytest.mark.parametrize("source_kind", RTSP)
@pytest.mark.parametrize("codec", ["h264", "mjpeg", "h264-bframes"])
def test_rtsp_frames_come_in_order_once_with_their_times(source_kind: type, codec: str) -> None:
    with rtsp_server(codec, WIDTH, HEIGHT, 30) as server, opened(source_kind, server.uri) as source:
        reading = read_until(source, frames(45), reopen=False)
        assert source.info.format in ("h264", "mjpeg", "mjpg", "avc1")
    check_pictures(reading)
    numbers = [clock.number for clock in reading.clocks if clock is not None]
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    assert missing <= source.dropped <= missing + SETTLED_FRAMES
    delays = delays_ms(reading)
    assert min(delays) > 0
    # One frame that FFmpeg holds is 33 ms; an encoder with B-frames is late by itself.
    assert min(delays) < (20 if codec != "h264-bframes" else 500)
    # However late a frame is read, its time is that of the stream's clock.
    assert np.subtract(*np.percentile(delays, (75, 25))) < 20  # a busy server draws some frames late


@pytest.mark.parametrize("source_kind", RTSP)
def test_a_server_that_is_killed_is_told_and_comes_back(source_kind: type) -> None:
    with rtsp_server("mjpeg", WIDTH, HEIGHT, 30) as server, opened(source_kind, server.uri) as source:
        reading = read_until(source, frames(5))
        pid = source.pid
        server.close()
        read_until(source, event("lost"), reading, reopen=False)
        assert reading.events[-1].reason is Reason.SOURCE_LOST
        with pytest.raises(SourceError, match="refuses the connection"):
            source.open()
        server.start()
        before = len(reading.frames)
        read_until(source, frames(before + 5), reading)
        assert source.pid == pid
    check_ages(reading)


@pytest.mark.parametrize("source_kind", RTSP)
@pytest.mark.parametrize("codec", ["mjpeg", "h264"])
def test_of_a_server_that_stood_still_nothing_old_is_given(source_kind: type, codec: str) -> None:
    with rtsp_server(codec, WIDTH, HEIGHT, 30) as server, opened(source_kind, server.uri) as source:
        reading = read_until(source, frames(10))
        server.send_signal(signal.SIGSTOP)
        read_until(source, event("lost"), reading, reopen=False)
        assert "no picture came" in reading.events[-1].detail
        server.send_signal(signal.SIGCONT)
        before = len(reading.frames)
        read_until(source, frames(before + 5), reading)
    check_ages(reading)


def check_ages(reading: Reading) -> None:
    """No frame claims to be younger than it is by more than a hiccup of this machine."""
    for frame, clock in zip(reading.frames, reading.clocks, strict=True):
        assert clock is not None
        assert frame.captured_ns - clock.at_ns < 400_000_000


@pytest.mark.parametrize("source_kind", RTSP)
def test_passwords_open_the_stream_and_wrong_ones_are_told(source_kind: type, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("p@ss/w:rd %41\nmore\n")
    with rtsp_server("mjpeg", WIDTH, HEIGHT, 30, "viewer", "p@ss/w:rd %41") as server:
        with opened(source_kind, server.uri, username="viewer", password_file=str(secret)) as source:
            read_until(source, frames(2), reopen=False)
        in_uri = server.uri.replace("://", "://viewer:p%40ss%2Fw%3Ard%20%2541@")
        with opened(source_kind, in_uri) as source:
            read_until(source, frames(2), reopen=False)
        for uri in (server.uri, server.uri.replace("://", "://viewer:wrong@")):
            source = make(source_kind, uri)
            with pytest.raises(SourceError, match="401") as caught:
                source.open()
            source.close()
            assert "password_file" in caught.value.hint


@pytest.mark.parametrize("source_kind", RTSP)
def test_a_path_that_is_not_there_and_a_server_that_is_none_are_told(source_kind: type) -> None:
    with rtsp_server("mjpeg", WIDTH, HEIGHT, 30) as server:
        source = make(source_kind, f"{server.uri}-not")
        with pytest.raises(SourceError, match="404"):
            source.open()
        source.close()
    with tcp_server(lambda peer: peer.sendall(b"HTTP/1.0 400 no\r\n\r\n" * 10)) as port:
        source = make(source_kind, f"rtsp://127.0.0.1:{port}/x?open_timeout_s=1")
        with pytest.raises(SourceError) as caught:
            source.open()
        source.close()
        assert caught.value.hint
    with tcp_server(lambda peer: time.sleep(0.01)) as port:
        source = make(source_kind, f"rtsp://127.0.0.1:{port}/x?open_timeout_s=1")
        begun = time.monotonic()
        with pytest.raises(SourceError, match="did not answer within 1 s"):
            source.open()
        assert time.monotonic() - begun < 20
        source.close()


def redirecting(peer: socket.socket) -> None:
    request = peer.recv(4096)
    sequence = next((line for line in request.split(b"\r\n") if line.lower().startswith(b"cseq")), b"CSeq: 1")
    here = f"rtsp://127.0.0.1:{peer.getsockname()[1]}/again".encode()
    peer.sendall(b"RTSP/1.0 302 Found\r\n" + sequence + b"\r\nLocation: " + here + b"\r\n\r\n")


@pytest.mark.parametrize("source_kind", RTSP)
def test_endless_redirects_end(source_kind: type) -> None:
    with tcp_server(redirecting) as port:
        source = make(source_kind, f"rtsp://127.0.0.1:{port}/x?open_timeout_s=1")
        begun = time.monotonic()
        with pytest.raises(SourceError):
            source.open()
        assert time.monotonic() - begun < 30
        source.close()


@contextlib.contextmanager
def tcp_server(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does ``answer`` to each client, and then holds the connection."""
    stopped = threading.Event()
    held: list[socket.socket] = []

    def serve() -> None:
        while not stopped.is_set():
            with contextlib.suppress(TimeoutError):
                peer, _ = listener.accept()
                peer.settimeout(5)
                held.append(peer)
                with contextlib.suppress(OSError):
                    answer(peer)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        listener.settimeout(0.05)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stopped.set()
            thread.join()
            for peer in held:
                peer.close()


# --- MPEG-TS by UDP --------------------------------------------------------------------------------------------------


class UdpCamera:
    """ffmpeg that sends MPEG-TS by UDP, through a relay that may lose, spoil or hold datagrams."""

    def __init__(self, codec: tuple[str, ...], size: tuple[int, int] = (WIDTH, HEIGHT), port: int = 0) -> None:
        width, height = size
        self.port = port or free_port(socket.SOCK_DGRAM)
        self.spoil: Callable[[int, bytes], bytes | None] = lambda number, data: data
        self._stopped = threading.Event()
        self._in = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._in.bind(("127.0.0.1", 0))
        self._in.settimeout(0.05)
        draw = (
            "import sys, time\nfrom clock_pixels import draw_frame\nn = 0\ndue = time.monotonic()\nwhile True:\n"
            " time.sleep(max(0, due - time.monotonic())); due = max(due + 1 / 30, time.monotonic())\n"
            f" sys.stdout.buffer.write(draw_frame({width}, {height}, n)); sys.stdout.buffer.flush(); n += 1\n"
        )
        environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"}
        self._draws = subprocess.Popen([sys.executable, "-c", draw], stdout=subprocess.PIPE, env=environment)
        command = ["ffmpeg", "-v", "error", "-fflags", "nobuffer", "-f", "rawvideo", "-pix_fmt", "gray"]
        command += ["-s", f"{width}x{height}", "-framerate", "30", "-i", "-", "-vf", "format=yuv420p", *codec]
        command += ["-threads", "1", "-f", "mpegts", "-flush_packets", "1"]
        to = f"udp://127.0.0.1:{self._in.getsockname()[1]}?pkt_size=1316"
        self._sends = subprocess.Popen([*command, to], stdin=self._draws.stdout, stderr=subprocess.DEVNULL)
        self._relays = threading.Thread(target=self._relay, daemon=True)
        self._relays.start()

    def _relay(self) -> None:
        number = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while not self._stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    data = self.spoil(number, self._in.recv(4096))
                    number += 1
                    if data is not None:
                        out.sendto(data, ("127.0.0.1", self.port))

    def close(self) -> None:
        self._stopped.set()
        self._relays.join()
        self._in.close()
        for process in (self._sends, self._draws):
            process.kill()
            process.communicate()


X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "15", "-b:v", "2M")
VIDEO = 0x100
"""Packet identifier that ffmpeg gives the video."""
MPEG2 = ("-c:v", "mpeg2video", "-g", "15", "-bf", "0", "-q:v", "3")


@pytest.fixture(params=[X264, MPEG2], ids=["h264", "mpeg2"])
def udp_camera(request: pytest.FixtureRequest) -> Iterator[UdpCamera]:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg on PATH")
    camera = UdpCamera(request.param)
    yield camera
    camera.close()


def dropped(number: int, data: bytes) -> bytes | None:
    return None if number % 40 == 39 else data


def spoilt(number: int, data: bytes) -> bytes | None:
    if number % 40 != 39:
        return data
    return data[: len(data) // 3] + bytes(len(data) - len(data) // 3)


def emptied(number: int, data: bytes) -> bytes | None:
    """All packets are there, but hold zeros behind their first bytes: no gap tells of a frame that is cut, or gone."""
    if number % 40 != 39:
        return data
    whole, kept = bytearray(data), number // 40 * 7 % 63
    for at in range(0, len(data), 188):
        has_field, video = data[at + 3] & 0x20, (data[at + 1] & 0x1F) << 8 | data[at + 2]
        begin = at + 4 + (1 + data[at + 4] if has_field else 0) + kept
        if video == VIDEO and begin < at + 188:
            whole[begin : at + 188] = bytes(at + 188 - begin)
    return bytes(whole)


@pytest.mark.parametrize("source_kind", UDP)
@pytest.mark.parametrize("spoil", [dropped, spoilt, emptied])
def test_damaged_frames_are_told_and_never_shown(
    source_kind: type, spoil: Callable[[int, bytes], bytes | None], udp_camera: UdpCamera
) -> None:
    with opened(source_kind, f"udp://127.0.0.1:{udp_camera.port}?open_timeout_s=30&first_frame_s=30") as source:
        reading = read_until(source, frames(10), reopen=False)
        udp_camera.spoil = spoil
        read_until(source, lambda got: len(got.details("skipped")) >= 8 and len(got.frames) >= 40, reading)
    check_pictures(reading)
    assert {one.reason for one in reading.events if one.kind == "skipped"} == {Reason.DECODE_ERROR}


@pytest.mark.parametrize("source_kind", UDP)
@needs_ffmpeg
def test_nothing_that_is_sent_is_told(source_kind: type) -> None:
    source = make(source_kind, f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}?open_timeout_s=1")
    with pytest.raises(SourceError) as caught:
        source.open()
    assert caught.value.hint
    source.close()


@pytest.mark.parametrize("source_kind", UDP)
@pytest.mark.parametrize("then", [(X264, (800, 128)), (MPEG2, (WIDTH, HEIGHT))], ids=["size", "codec"])
@needs_ffmpeg
def test_another_size_or_codec_in_mid_stream_is_told_and_followed(
    source_kind: type, then: tuple[tuple[str, ...], tuple[int, int]]
) -> None:
    camera = UdpCamera(X264)
    try:
        with opened(source_kind, f"udp://127.0.0.1:{camera.port}?open_timeout_s=30&first_frame_s=30") as source:
            reading = read_until(source, frames(10), reopen=False)
            camera.close()
            codec, size = then
            camera = UdpCamera(codec, size, camera.port)
            read_until(source, event("lost"), reading, reopen=False)
            before = len(reading.frames)
            read_until(source, frames(before + 5), reading)
    finally:
        camera.close()
    assert {frame.pixels.shape[:2] for frame in reading.frames[:before]} == {(HEIGHT, WIDTH)}
    assert reading.frames[-1].pixels.shape[:2] == (size[1], size[0])
    assert reading.frames[-1].origin.clip > 0
    assert None not in reading.clocks


@pytest.mark.parametrize("source_kind", UDP)
@needs_ffmpeg
def test_pictures_that_are_larger_than_any_that_is_read_are_refused(source_kind: type) -> None:
    camera = UdpCamera(("-c:v", "mpeg2video", "-s", "4800x2720", "-g", "2"))
    try:
        source = make(source_kind, f"udp://127.0.0.1:{camera.port}?open_timeout_s=30")
        with pytest.raises(SourceError, match="million pixels"):
            source.open()
        source.close()
    finally:
        camera.close()


# --- what is refused by name -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("source_kind", SRT)
def test_srt_is_refused_by_name_where_ffmpeg_does_not_know_it(source_kind: type) -> None:
    source = make(source_kind, f"srt://127.0.0.1:{free_port()}?open_timeout_s=1")
    with pytest.raises(SourceError) as caught:
        source.open()
    source.close()
    assert caught.value.hint
    if isinstance(caught.value, SourceSetupError):  # else this FFmpeg knows it, and nobody answers
        assert "does not know srt://" in caught.value.message
    else:
        assert "answer" in caught.value.message or "cannot be opened" in caught.value.message


@pytest.mark.parametrize(
    ("kind", "uri"),
    [
        (RtspSource, "rtsp:///live"),
        (RtspSource, "rtsp://host/live?transport=pigeon"),
        (RtspSource, "rtsp://host/live?delay-ms=3"),
        (UdpSource, "udp://0.0.0.0"),
        (UdpSource, "udp://0.0.0.0:5000?colour=red"),
        (SrtSource, "srt://host"),
    ],
)
def test_uris_that_are_none_are_refused(kind: type, uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        make(kind, uri)
    assert caught.value.hint
