"""What goes to file descriptor 2 is read, kept apart, and never lost to others."""

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
from edge.dicom import opencv
from edge.process.native_output import captured, native_output_to_log


def test_what_is_printed_is_captured_each_time_anew(capfd: pytest.CaptureFixture[str]) -> None:
    for text in (b"first, and long\n", b"", b"third\n"):
        with captured() as got:
            os.write(2, text)
        assert got.data == text
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_stderr_comes_back_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), captured():
        raise KeyError
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_a_model_that_loads_talks_to_the_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with native_output_to_log(logging.getLogger("x")):
        os.write(2, b"INFO: a delegate\n")
    with contextlib.suppress(ValueError), native_output_to_log(logging.getLogger("x")):
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
            opencv.decode(b"x", 0)
    else:
        assert opencv.decode(b"x", 0) is picture
    assert capfd.readouterr().err == "a log line\nanother\n"


def test_threads_that_decode_and_log_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    done, data = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (200, 200), np.uint8))
    assert done
    broken = data.tobytes()[:20_000] + b"\xff\xd9"
    wrong: list[str] = []

    def decode(picture: bytes, is_broken: bool) -> None:
        for _ in range(40):
            try:
                opencv.decode(picture, cv2.IMREAD_GRAYSCALE)
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


def test_a_process_without_stderr_decodes() -> None:
    code = (
        "import os; os.close(2)\n"
        "import cv2, numpy as np\n"
        "from edge.dicom.opencv import decode\n"
        "data = cv2.imencode('.jpg', np.zeros((8, 8), np.uint8))[1].tobytes()\n"
        "print([decode(data, 0).shape for _ in range(2)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"[(8, 8), (8, 8)]\n"
