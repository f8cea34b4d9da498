"""MJPEG over HTTP: what servers do, on purpose and otherwise, and that frames are as old as they say."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from live_reading import event, frames, make, opened, read_until
from live_servers import BOUNDARY, Connection, clock_jpeg, free_port, http_camera, steady

from edge.contracts.errors import SourceError, UsageError
from edge.contracts.results import Reason
from edge.sources.live.http_connection import _encoded
from edge.sources.live.http_mjpeg import HttpSource

if TYPE_CHECKING:
    from collections.abc import Callable

SLACK_NS = 250_000_000
"""How much later than drawn a frame may say it was captured, on a machine that is slow and busy."""


@pytest.mark.slow
def test_frames_come_in_order_once_with_the_time_of_their_arrival() -> None:
    with http_camera(steady) as camera, opened(HttpSource, camera.uri) as source:
        reading = read_until(source, frames(30))
    numbers = [clock.number for clock in reading.clocks if clock is not None]
    assert len(numbers) == len(reading.frames)
    assert numbers == sorted(set(numbers))
    assert [frame.seq for frame in reading.frames] == list(range(len(reading.frames)))
    late = [
        frame.captured_ns - clock.at_ns for frame, clock in zip(reading.frames, reading.clocks, strict=True) if clock
    ]
    assert min(late) > 0
    assert sorted(late)[len(late) // 2] < SLACK_NS
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    assert missing <= source.dropped


def no_length(connection: Connection) -> None:
    connection.stream_head()
    while connection.is_wanted:
        connection.part(clock_jpeg(1), length=None)
        connection.wait(0.02)


def dashes_in_boundary(connection: Connection) -> None:
    connection.stream_head(boundary=f"--{BOUNDARY}")
    connection.frames()


def quoted_boundary(connection: Connection) -> None:
    connection.stream_head(boundary=f'"{BOUNDARY}"')
    connection.frames()


def no_boundary_announced(connection: Connection) -> None:
    connection.head(Content_Type="multipart/x-mixed-replace")
    connection.frames()


def no_type_at_all(connection: Connection) -> None:
    connection.head()
    connection.frames()


def text_before_the_first_part(connection: Connection) -> None:
    connection.stream_head()
    connection.send(b"this is a preamble\r\n\r\n")
    connection.frames()


def redirects(connection: Connection) -> None:
    if connection.path == "/live":
        connection.head(302, Location="/there?a=1&b=2")
    else:
        assert connection.path == "/there?a=1&b=2"
        steady(connection)


def chunked(connection: Connection) -> None:
    connection.head(Content_Type=f"multipart/x-mixed-replace; boundary={BOUNDARY}", Transfer_Encoding="chunked")
    while connection.is_wanted:
        body = clock_jpeg(1)
        part = (
            f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body + b"\r\n"
        )
        for piece in (part[:100], part[100:]):
            connection.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        connection.wait(0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    "behave",
    [
        no_length,
        dashes_in_boundary,
        quoted_boundary,
        no_boundary_announced,
        no_type_at_all,
        text_before_the_first_part,
        redirects,
        chunked,
    ],
)
def test_the_ways_in_which_servers_differ(behave: Callable[[Connection], None]) -> None:
    with http_camera(behave) as camera, opened(HttpSource, camera.uri) as source:
        reading = read_until(source, frames(3))
    assert None not in reading.clocks
    assert not reading.events


def test_parameters_of_the_server_reach_it_and_ours_do_not() -> None:
    with (
        http_camera(steady) as camera,
        opened(HttpSource, f"{camera.uri}?channel=1&delay_ms=40&subtype=%20x&channel=2") as source,
    ):
        read_until(source, frames(1))
    assert camera.requests[0][0] == "/live?channel=1&subtype=%20x&channel=2"


def test_a_delay_that_is_known_is_subtracted() -> None:
    with http_camera(steady) as camera, opened(HttpSource, f"{camera.uri}?delay_ms=5000") as source:
        reading = read_until(source, frames(3))
    for frame, clock in zip(reading.frames, reading.clocks, strict=True):
        assert clock is not None
        assert -5_000_000_000 < frame.captured_ns - clock.at_ns < -4_000_000_000


def test_a_parameter_that_is_misspelt_is_refused() -> None:
    with pytest.raises(UsageError, match="delay-ms") as caught:
        make(HttpSource, "http://127.0.0.1/x?delay-ms=3")
    assert "delay_ms" in caught.value.hint


# --- pictures that are not sound: one event each, and the stream goes on --------------------------------------------


def half_a_jpeg() -> bytes:
    whole = clock_jpeg(0)
    return whole[: len(whole) // 2]


def half_a_jpeg_with_an_end() -> bytes:
    return half_a_jpeg() + b"\xff\xd9"


def scrambled_jpeg() -> bytes:
    whole = bytearray(clock_jpeg(0))
    for at in range(len(whole) // 2, len(whole) - 200, 37):
        whole[at] = 0xFF
    return bytes(whole)


def huge_jpeg() -> bytes:
    """One that promises 20000 x 20000."""
    whole = bytearray(clock_jpeg(0))
    at = whole.find(b"\xff\xc0")
    whole[at + 5 : at + 9] = (20_000).to_bytes(2, "big") * 2
    return bytes(whole)


BAD = {
    "half": (half_a_jpeg, Reason.DECODE_ERROR),
    "half-with-end": (half_a_jpeg_with_an_end, Reason.DECODE_ERROR),
    "scrambled": (scrambled_jpeg, Reason.DECODE_ERROR),
    "no-jpeg": (lambda: b"hello" * 50, Reason.DECODE_ERROR),
    "empty": (lambda: b"", Reason.DECODE_ERROR),
    "huge": (huge_jpeg, Reason.TOO_LARGE),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("length", [-1, None])
def test_a_picture_that_is_not_sound_is_told_and_the_stream_goes_on(name: str, length: int | None) -> None:
    bad, reason = BAD[name]

    def behave(connection: Connection) -> None:
        connection.stream_head()
        while connection.is_wanted:
            connection.frames(5)
            connection.part(bad(), length=length)
            connection.wait(0.02)

    with http_camera(behave) as camera, opened(HttpSource, camera.uri) as source:
        reading = read_until(source, lambda got: len(got.events) >= 2 and len(got.frames) >= 6)
    assert {(one.kind, one.reason) for one in reading.events} == {("skipped", reason)}
    assert None not in reading.clocks
    assert len(camera.requests) == 1


@pytest.mark.parametrize("off", [-500, 300])
def test_a_length_that_is_a_lie_costs_pictures_and_never_shows_half_of_one(off: int) -> None:
    def behave(connection: Connection) -> None:
        connection.stream_head()
        while connection.is_wanted:
            connection.frames(3)
            body = clock_jpeg(7)
            connection.part(body, length=len(body) + off)

    with http_camera(behave) as camera, opened(HttpSource, camera.uri) as source:
        reading = read_until(source, lambda got: len(got.events) >= 2 and len(got.frames) >= 6)
    assert {one.kind for one in reading.events} == {"skipped"}
    assert None not in reading.clocks


# --- what loses the stream: an event with a reason, and it comes back ------------------------------------------------


def closes(connection: Connection) -> None:
    connection.stream_head()
    connection.frames(3)


def says_the_end(connection: Connection) -> None:
    connection.stream_head()
    connection.frames(3)
    connection.send(f"--{BOUNDARY}--\r\n".encode())
    connection.wait(60)


def changes_size(connection: Connection) -> None:
    connection.stream_head()
    connection.frames(5)
    connection.frames(5, width=800, height=128)


def changes_to_png(connection: Connection) -> None:
    connection.stream_head()
    connection.frames(5)
    png = cv2.imencode(".png", np.zeros((96, 640), np.uint8))[1].tobytes()
    while connection.is_wanted:
        connection.part(png, kind="image/png")
        connection.wait(0.02)


def goes_silent(connection: Connection) -> None:
    connection.stream_head()
    connection.frames(5)
    connection.wait(60)


def one_byte_at_a_time(connection: Connection) -> None:
    connection.stream_head()
    connection.frames(5)
    for byte in clock_jpeg(0):
        connection.send(bytes([byte]))
        connection.wait(0.05)


def never_ends_a_picture(connection: Connection) -> None:
    connection.stream_head()
    connection.frames(5)
    connection.send(f"--{BOUNDARY}\r\n\r\n".encode())
    while connection.is_wanted:
        connection.send(bytes(1 << 20))


def promises_a_picture_of_a_gigabyte(connection: Connection) -> None:
    connection.stream_head()
    connection.frames(5)
    connection.part(clock_jpeg(0), length=1 << 30)
    connection.wait(60)


def headers_without_end(connection: Connection) -> None:
    connection.stream_head()
    connection.frames(5)
    connection.send(f"--{BOUNDARY}\r\n".encode())
    while connection.is_wanted:
        connection.send(b"X-More: 1\r\n" * 100)


def pauses(connection: Connection) -> None:
    connection.stream_head()
    connection.frames(20)
    connection.wait(0.7)
    connection.frames()


LOSSES = {
    closes: "ended the stream",
    says_the_end: "ended the stream",
    changes_size: "changed from 640 x 96 to 800 x 128",
    changes_to_png: "image/png",
    goes_silent: "no whole picture came",
    one_byte_at_a_time: "no whole picture came",
    never_ends_a_picture: "is more than is read",
    promises_a_picture_of_a_gigabyte: "is more than is read",
    headers_without_end: "too many headers",
    pauses: "paused",
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", LOSSES)
def test_what_loses_the_stream_is_told_with_a_reason_and_it_comes_back(fault: Callable[[Connection], None]) -> None:
    """The child process stays: what a server does costs a connection."""
    visits: list[int] = []

    def behave(connection: Connection) -> None:
        visits.append(1)
        (fault if len(visits) == 1 else steady)(connection)

    with http_camera(behave) as camera, opened(HttpSource, camera.uri) as source:
        pid = source.pid
        reading = read_until(source, event("lost"))
        got = len(reading.frames)
        assert LOSSES[fault] in reading.events[-1].detail
        assert reading.events[-1].reason is Reason.SOURCE_LOST
        read_until(source, frames(got + 3), reading)
        assert source.pid == pid
    assert reading.frames[-1].origin.clip > 0
    assert None not in reading.clocks


def not_there(connection: Connection) -> None:
    connection.head(404)


def busy(connection: Connection) -> None:
    connection.head(503)


def web_page(connection: Connection) -> None:
    connection.head(Content_Type="text/html")
    connection.send(b"<html>")


def single_picture(connection: Connection) -> None:
    connection.head(Content_Type="image/jpeg")
    connection.send(clock_jpeg(0))


def redirects_without_end(connection: Connection) -> None:
    connection.head(302, Location=f"{connection.path}x")


def redirects_to_a_file(connection: Connection) -> None:
    connection.head(302, Location="file:///etc/passwd")


def never_answers(connection: Connection) -> None:
    connection.wait(60)


def answers_drop_by_drop(connection: Connection) -> None:
    for byte in b"HTTP/1.0 200 OK\r\n" + b"X: y\r\n" * 1000:
        connection.send(bytes([byte]))
        connection.wait(0.05)


def wants_a_password(connection: Connection) -> None:
    connection.head(401, WWW_Authenticate='Basic realm="camera"')


def forbids(connection: Connection) -> None:
    connection.head(403)


def speaks_something_else(connection: Connection) -> None:
    connection.send(b"SSH-2.0-OpenSSH_9.2\r\n")


REFUSALS = {
    not_there: "404",
    busy: "503",
    web_page: "text/html",
    single_picture: "one picture",
    redirects_without_end: "without end",
    redirects_to_a_file: "no web address",
    never_answers: "did not answer within 1 s",
    answers_drop_by_drop: "did not answer within 1 s",
    wants_a_password: "401",
    forbids: "403",
    speaks_something_else: "no HTTP",
}


@pytest.mark.slow
@pytest.mark.parametrize("behave", REFUSALS)
def test_what_cannot_be_opened_says_why_in_two_lines(behave: Callable[[Connection], None]) -> None:
    with http_camera(behave) as camera:
        source = make(HttpSource, f"{camera.uri}?open_timeout_s=1")
        with pytest.raises(SourceError) as caught:
            source.open()
        source.close()
    assert REFUSALS[behave] in caught.value.message
    assert caught.value.hint
    assert caught.value.reason == Reason.SOURCE_LOST.value


@pytest.mark.slow
def test_no_server_and_no_name_are_told() -> None:
    source = make(HttpSource, f"http://127.0.0.1:{free_port()}/live")
    with pytest.raises(SourceError, match="refuses the connection"):
        source.open()
    source.close()
    source = make(HttpSource, "http://no-such-host.invalid/live")
    with pytest.raises(SourceError, match="name of its host is not known"):
        source.open()
    source.close()


@pytest.mark.slow
def test_frames_that_waited_here_are_as_old_as_they_are() -> None:
    """A child that stood still finds old pictures in its socket: none of them is given as new."""
    with http_camera(steady) as camera, opened(HttpSource, f"{camera.uri}?silence_s=20") as source:
        reading = read_until(source, frames(5))
        os.kill(source.pid, signal.SIGSTOP)
        time.sleep(0.4)
        time.sleep(0.4)
        os.kill(source.pid, signal.SIGCONT)
        resumed_ns = time.monotonic_ns()
        before = len(reading.frames)
        read_until(source, lambda got: len(got.frames) > before + 10, reading)
    for frame, clock in list(zip(reading.frames, reading.clocks, strict=True))[before:]:
        assert clock is not None
        assert frame.captured_ns - clock.at_ns < SLACK_NS
        assert clock.at_ns > resumed_ns - 650_000_000


def test_what_gathered_at_the_server_before_we_came_is_not_given() -> None:
    def behave(connection: Connection) -> None:
        connection.stream_head()
        old = time.monotonic_ns() - 3_000_000_000
        gathered = [clock_jpeg(number, at_ns=old) for number in range(20)]  # drawn before: they come without a pause
        for picture in gathered:
            connection.part(picture)
        connection.wait(0.05)
        connection.frames()

    with http_camera(behave) as camera, opened(HttpSource, camera.uri) as source:
        reading = read_until(source, frames(3))
    assert max(reading.ages_ns) < 2_000_000_000


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on PATH")
def test_ffmpeg_as_the_server() -> None:
    port = free_port()
    draw = (
        "import sys, time\nfrom clock_pixels import draw_frame\nn = 0\nwhile True:\n"
        " sys.stdout.buffer.write(draw_frame(640, 96, n)); sys.stdout.buffer.flush(); n += 1; time.sleep(1 / 30)\n"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"}
    drawing = subprocess.Popen([sys.executable, "-c", draw], stdout=subprocess.PIPE, env=environment)
    command = ["ffmpeg", "-v", "error", "-fflags", "nobuffer", "-f", "rawvideo", "-pix_fmt", "gray", "-s", "640x96"]
    command += ["-framerate", "30", "-i", "-", "-vf", "format=yuvj420p", "-fps_mode", "passthrough", "-threads", "1"]
    command += ["-c:v", "mjpeg", "-q:v", "3", "-f", "mpjpeg", "-flush_packets", "1", "-listen", "1"]
    serving = subprocess.Popen(
        [*command, f"http://127.0.0.1:{port}/live"], stdin=drawing.stdout, stderr=subprocess.DEVNULL
    )
    source = make(HttpSource, f"http://127.0.0.1:{port}/live")
    try:
        _open_when_it_listens(source)
        reading = read_until(source, frames(20), reopen=False)
        assert None not in reading.clocks
        serving.kill()
        assert "stream" in read_until(source, event("lost"), reopen=False).events[-1].detail
    finally:
        source.close()
        for process in (serving, drawing):
            process.kill()
            process.communicate()


def _open_when_it_listens(source: HttpSource) -> None:
    deadline = time.monotonic() + 60
    while not _opens(source):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _opens(source: HttpSource) -> bool:
    try:
        source.open()
    except SourceError:
        return False
    return True


def test_a_server_that_takes_no_more_connections_is_told_in_time() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        source = make(HttpSource, f"http://127.0.0.1:{full.getsockname()[1]}/live?open_timeout_s=0.5")
        with pytest.raises(SourceError, match="did not answer"):
            source.open()
        source.close()
        for one in waiting:
            one.close()


def test_it_can_be_closed_while_it_opens() -> None:
    with http_camera(never_answers) as camera:
        source = make(HttpSource, f"{camera.uri}?open_timeout_s=60")
        raised: list[BaseException] = []

        def open_it() -> None:
            try:
                source.open()
            except BaseException as error:
                raised.append(error)

        opening = threading.Thread(target=open_it, daemon=True)
        opening.start()
        while not camera.requests:
            time.sleep(0.01)
        source.close()
        opening.join(30)
        assert not opening.is_alive()
        assert isinstance(raised[0], SourceError)


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("http://h:8/a%20b?x=%2F&y=1", "http://h:8/a%20b?x=%2F&y=1"),
        ("http://h/a b?c=d e", "http://h/a%20b?c=d%20e"),
        ("http://h/straße?a=ü", "http://h/stra%C3%9Fe?a=%C3%BC"),
        ("http://[::1]:8/video.cgi?channel=1&subtype=1#x", "http://[::1]:8/video.cgi?channel=1&subtype=1"),
        ("http://h/axis/?resolution=640x480&text=(a,b)!*'", "http://h/axis/?resolution=640x480&text=(a,b)!*'"),
    ],
)  # fmt: skip
def test_an_address_is_asked_for_as_it_was_written_but_for_what_no_request_may_hold(written: str, asked: str) -> None:
    assert _encoded(written) == asked
