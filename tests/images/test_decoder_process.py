"""The decoder process: what a decoder does there costs one call, in time and memory, and nothing else."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge.contracts.errors import SourceError
from edge.images import decode_time
from edge.images.decoder_process import CHILD, DecoderProcess, memory_file
from edge.process import resource_limits
from edge.process.reaper import MOST_LEFT_BEHIND, LeftBehind, reaper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DECODERS = """
import ctypes, os, re, sys, time
import numpy as np
from edge.contracts.errors import SourceError
from edge.dicom.codecs import NoDecoderError

class Panic(BaseException): pass

def length(data): return len(data)
def double(data, times): return np.frombuffer(data, np.uint8) * times, ("a note", times)
def process(data): return os.getpid()
def busy(data):
    while True: pass
def holds_the_lock(data): re.match(rb"(a*)*b", b"a" * 60)
def sleeps(data): time.sleep(60)
def eats(data): return len(bytearray(1 << 30))
def panics(data): raise Panic("at the disco")
def leaves(data): sys.exit(0)
def trips(data): raise KeyError("PatientName")
def crashes(data): ctypes.string_at(8)
def vanishes(data): os._exit(0)
def refuses(data): raise NoDecoderError("no", hint="do", reason="too_large")
def prints(data):
    print("words"); os.write(1, b"bytes"); os.write(2, b"bytes")
    return 1
"""


@pytest.fixture
def decoders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of decoders, good and bad, that the child finds as well."""
    (tmp_path / "decoders_for_tests.py").write_text(DECODERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = os.pathsep.join(part for part in (str(tmp_path), os.environ.get("PYTHONPATH")) if part)
    monkeypatch.setenv("PYTHONPATH", path)
    sys.modules.pop("decoders_for_tests", None)
    return importlib.import_module("decoders_for_tests")


@pytest.fixture
def process() -> Iterator[DecoderProcess]:
    made = DecoderProcess(memory_bytes=64 << 20)
    yield made
    made.close()


def call(
    process: DecoderProcess, function: Any, data: bytes = b"abc", *arguments: Any, timeout_s: float | None = 20.0
) -> Any:
    fd = memory_file(data)
    try:
        return process.call(function, fd, *arguments, timeout_s=timeout_s)
    finally:
        os.close(fd)


def test_bytes_in_and_arrays_out(process: DecoderProcess, decoders: Any) -> None:
    assert process.pid is None, "nothing is started before it is needed"
    for size in (0, 10, 9 << 20):  # many are mapped, not copied
        array, notes = call(process, decoders.double, b"\x07" * size, 3)
        assert array.shape == (size,)
        assert (array == 21).all()
        assert notes == ("a note", 3)
    assert len({call(process, decoders.process) for _ in range(3)}) == 1, "it is kept"


def test_a_result_outlives_the_child(process: DecoderProcess, decoders: Any) -> None:
    array, _ = call(process, decoders.double, b"\x01" * 100_000, 2)
    process.close()
    call(process, decoders.length)
    assert (array == 2).all()
    array[:] = 5  # it is ours


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("busy", "takes longer than 0.3 s"),
        ("holds_the_lock", "takes longer than 0.3 s"),
        ("sleeps", "takes longer than 0.3 s"),
        ("eats", "more than 64 MB of memory"),
        ("panics", "cannot be decoded .Panic"),
        ("leaves", "cannot be decoded .SystemExit"),
        ("trips", "cannot be decoded .KeyError.$"),
        ("crashes", "crashed"),
        ("vanishes", "crashed"),
    ],
)
def test_whatever_a_decoder_does_costs_one_call(process: DecoderProcess, decoders: Any, name: str, said: str) -> None:
    call(process, decoders.length)
    began = time.monotonic()
    with pytest.raises(SourceError, match=said) as caught:
        call(process, getattr(decoders, name), timeout_s=0.3)
    assert caught.value.hint
    assert time.monotonic() - began < 20.0
    assert call(process, decoders.length) == 3, "the next one is served"


def test_an_error_of_ours_is_the_same_error(process: DecoderProcess, decoders: Any) -> None:
    from edge.dicom.codecs import NoDecoderError

    with pytest.raises(NoDecoderError, match="no") as caught:
        call(process, decoders.refuses)
    assert (caught.value.hint, caught.value.reason) == ("do", "too_large")


def test_what_decoders_print_reaches_no_one(process: DecoderProcess, decoders: Any, capfd: Any) -> None:
    assert call(process, decoders.prints) == 1
    assert capfd.readouterr() == ("", "")


def test_a_child_that_went_is_replaced(process: DecoderProcess, decoders: Any) -> None:
    first = call(process, decoders.process)
    os.kill(first, 9)
    assert call(process, decoders.process) != first


def test_threads_share_one_child(process: DecoderProcess, decoders: Any) -> None:
    got: list[Any] = []

    def run(value: int) -> None:
        got.extend(int(call(process, decoders.double, b"\x01", value)[0][0]) == value for _ in range(20))

    threads = [threading.Thread(target=run, args=(value,)) for value in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [True] * 80


def test_this_process_goes_on_while_a_decoder_holds_its_lock(process: DecoderProcess, decoders: Any) -> None:
    call(process, decoders.length)
    longest, last, done = 0.0, time.monotonic(), threading.Event()

    def decode() -> None:
        with pytest.raises(SourceError):
            call(process, decoders.holds_the_lock, timeout_s=0.4)
        done.set()

    thread = threading.Thread(target=decode)
    thread.start()
    turns = 0
    while not done.wait(0.001):
        longest, last, turns = max(longest, time.monotonic() - last), time.monotonic(), turns + 1
    thread.join()
    assert turns > 20
    assert longest < 2.0


def test_a_call_that_waits_returns_when_it_is_shut_down(process: DecoderProcess, decoders: Any) -> None:
    call(process, decoders.length)

    def decode() -> None:
        with pytest.raises(SourceError):
            call(process, decoders.sleeps, timeout_s=50.0)

    thread = threading.Thread(target=decode)
    thread.start()
    time.sleep(0.1)
    process.shut_down()
    thread.join(10.0)
    assert not thread.is_alive()
    assert process.pid is None
    with pytest.raises(SourceError):
        call(process, decoders.length)


def test_shared_memory_cannot_shrink_under_a_result(process: DecoderProcess, decoders: Any) -> None:
    from edge.images.decoder_process import pack

    fd, cuts = pack(np.zeros(5000, np.uint8))
    assert len(cuts) == 4
    with pytest.raises(PermissionError):
        os.ftruncate(fd, 10)
    os.close(fd)


def test_no_more_are_started_where_too_many_cannot_be_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = [LeftBehind(number, 0, CHILD) for number in range(MOST_LEFT_BEHIND)]
    monkeypatch.setattr(reaper, "left_behind", lambda name: stuck if name == CHILD else [])
    fd = memory_file(b"abc")
    with pytest.raises(SourceError, match="cannot be killed") as caught:
        DecoderProcess().call(len, fd)
    assert caught.value.hint
    os.close(fd)


LIMITS_FAIL = """
import resource, sys
if "edge.images.decoder_child" in sys.orig_argv:
    def setrlimit(which, limits):
        if which == resource.RLIMIT_DATA:
            raise OSError("not here")
    resource.setrlimit = setrlimit
"""


def test_a_limit_that_cannot_be_set_costs_one_call_and_not_the_child(
    process: DecoderProcess, decoders: Any, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(LIMITS_FAIL)
    with pytest.raises(SourceError, match=r"cannot be decoded .OSError."):
        call(process, decoders.length)  # without a limit nothing is decoded


def test_where_proc_does_not_tell_the_limit_is_counted_from_the_most_it_ever_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = resource_limits.data_bytes()
    monkeypatch.setattr(resource_limits, "STATM", tmp_path / "nowhere")
    assert resource_limits.data_bytes() > 1 << 20
    (tmp_path / "nowhere").write_text("1 2")
    assert resource_limits.data_bytes() > 1 << 20
    assert known > 1 << 20


@pytest.mark.parametrize(("seconds", "factor"), [(0.0001, 1.0), (0.001, 1.0), (0.0045, 4.5), (1.0, 10.0)])
def test_a_slow_machine_has_more_time_for_a_picture(
    monkeypatch: pytest.MonkeyPatch, process: DecoderProcess, decoders: Any, seconds: float, factor: float
) -> None:
    monkeypatch.setattr(decode_time, "_seconds", lambda piece: seconds)
    decode_time.slowness.cache_clear()
    try:
        assert decode_time.slowness() == pytest.approx(factor)
        assert decode_time.default_timeout_s() == pytest.approx(1.5 * factor)
        monkeypatch.setattr(decode_time, "DECODE_TIMEOUT_S", 0.01)
        if factor < 10:
            with pytest.raises(SourceError, match="takes longer than") as caught:
                call(process, decoders.sleeps, timeout_s=None)
            assert f"longer than {0.01 * factor:.3g} s" in caught.value.message
    finally:
        decode_time.slowness.cache_clear()


def test_the_speed_of_this_machine_is_measured_in_processor_time_and_once() -> None:
    assert 1.0 <= decode_time.slowness() <= 10.0
    assert decode_time.slowness() == decode_time.slowness()
