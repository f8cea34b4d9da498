"""Capture of stderr (file descriptor 2): it is read, kept apart, and never lost to other threads."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest

from edge.contracts.errors import SourceError
from edge.images import decode as image_decode
from edge.process.stderr_capture import capture_stderr, capture_stderr_shared, stderr_to_log


def test_what_is_printed_is_captured_each_time_anew(capfd: pytest.CaptureFixture[str]) -> None:
    for text in (b"first, and long\n", b"", b"third\n"):
        with capture_stderr() as got:
            os.write(2, text)
        assert got.data == text
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_stderr_comes_back_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), capture_stderr():
        raise KeyError
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_a_model_that_loads_talks_to_the_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with stderr_to_log(logging.getLogger("x")):
        os.write(2, b"INFO: a delegate\n")
    with contextlib.suppress(ValueError), stderr_to_log(logging.getLogger("x")):
        os.write(2, b"ERROR: no model\n")
        raise ValueError
    assert caplog.messages == ["INFO: a delegate", "ERROR: no model"]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("damage", [b"", b"Corrupt JPEG data: bad Huffman code\n", b"libpng error: Read Error\n"])
def test_lines_of_other_threads_are_handed_back(
    damage: bytes, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def imdecode(*_: object) -> object:
        os.write(2, b"a log line\nlibpng warning: iCCP\n" + damage + b"another\n")
        return picture

    picture = np.zeros((2, 2), np.uint8)
    monkeypatch.setattr(cv2, "imdecode", imdecode)
    if damage:
        with pytest.raises(SourceError, match=damage.decode().strip()):
            image_decode.decode_with_opencv(b"x", 0)
    else:
        assert image_decode.decode_with_opencv(b"x", 0) is picture
    assert capfd.readouterr().err == "a log line\nanother\n"


def test_threads_that_decode_and_log_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    done, data = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (200, 200), np.uint8))
    assert done
    broken = data.tobytes()[:20_000] + b"\xff\xd9"
    wrong: list[str] = []

    def decode(picture: bytes, is_broken: bool) -> None:
        for _ in range(40):
            try:
                image_decode.decode_with_opencv(picture, cv2.IMREAD_GRAYSCALE)
                said = False
            except SourceError:
                said = True
            if said != is_broken:
                wrong.append(f"broken: {is_broken}, said: {said}")

    def log() -> None:
        for number in range(200):
            os.write(2, b"line %d\n" % number)

    jobs = [(decode, (data.tobytes(), False)), (decode, (broken, True)), (log, ())]
    threads = [threading.Thread(target=target, args=args) for target, args in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert sorted(capfd.readouterr().err.splitlines()) == sorted(f"line {number}" for number in range(200))


def test_who_is_alone_there_gets_what_was_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with capture_stderr_shared((b"ours",)) as got:
        os.write(2, b"ours\ntheirs\n")
    assert (got.data, got.shared) == (b"ours\ntheirs\n", False)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("printed", [b"", b"ours: damage\na log line\n"])
def test_all_who_were_there_when_something_was_printed_are_told(
    printed: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    both_in, said, first_left = threading.Barrier(2, timeout=120), threading.Event(), threading.Event()
    told = []

    def visit(first: bool) -> None:
        with capture_stderr_shared((b"ours",)) as got:
            both_in.wait()
            if first:
                os.write(2, printed)
                said.set()
            else:
                first_left.wait(120)
            said.wait(120)
        told.append((got.shared, got.data))
        first_left.set()

    threads = [threading.Thread(target=visit, args=(first,)) for first in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert told == [(bool(printed), b"")] * 2
    with capture_stderr() as got:
        pass
    assert got.data == b"", "nothing is left over"
    os.write(2, b"after\n")
    assert capfd.readouterr().err == ("a log line\n" if printed else "") + "after\n"


def test_two_pictures_are_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    met, picture = threading.Barrier(2, timeout=120), np.zeros((2, 2), np.uint8)

    def imdecode(*_: object) -> object:
        met.wait()  # breaks if they come one after the other
        return picture

    monkeypatch.setattr(cv2, "imdecode", imdecode)
    other = threading.Thread(target=image_decode.decode_with_opencv, args=(b"x", 0))
    other.start()
    assert image_decode.decode_with_opencv(b"x", 0) is picture
    other.join(120)


def test_a_damaged_picture_does_not_stain_the_one_beside_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    met, picture, found = threading.Barrier(2, timeout=120), np.zeros((2, 2), np.uint8), {}
    first_time = {b"good": True, b"bad": True}

    def imdecode(coded: np.ndarray, _: int) -> object:
        name = coded.tobytes()
        if first_time.pop(name, False):
            met.wait()
        if name == b"bad":
            os.write(2, b"Corrupt JPEG data: bad Huffman code\n")
        return picture

    def decode(name: bytes) -> None:
        try:
            found[name] = image_decode.decode_with_opencv(name, 0)
        except SourceError as error:
            found[name] = error

    monkeypatch.setattr(cv2, "imdecode", imdecode)
    threads = [threading.Thread(target=decode, args=(name,)) for name in (b"good", b"bad")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found[b"good"] is picture
    assert "bad Huffman code" in str(found[b"bad"])
    assert capfd.readouterr().err == ""


def test_a_process_without_stderr_decodes() -> None:
    code = (
        "import os; os.close(2)\n"
        "import cv2, numpy as np\n"
        "from edge.images.decode import decode_with_opencv\n"
        "data = cv2.imencode('.jpg', np.zeros((8, 8), np.uint8))[1].tobytes()\n"
        "print([decode_with_opencv(data, 0).shape for _ in range(2)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"[(8, 8), (8, 8)]\n"
