"""Start of all sources: a camera that is off is lost and tried again, what is wrong here is raised."""

from __future__ import annotations

import pytest
from brokers import wait_until

from edge.contracts.errors import ConfigError, DeviceError, SourceError, SourceSetupError, UsageError
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.results import Reason
from edge.pipeline.capture import FrameCapture
from edge.pipeline.open_sources import LostStreams

LOST = SourceEvent("lost", Reason.SOURCE_LOST, "it is not open")


class UnreliableCamera:
    """A source that opens when its turn in ``fails`` says so, and says ``lost`` until then."""

    def __init__(self, make, *fails, live=True):
        self.live, self._make, self._fails = live, make, list(fails)
        self._open = self.closed = False
        self._seq = 0

    def open(self):
        if self._fails and (error := self._fails.pop(0)) is not None:
            raise error
        self._open = True

    def read(self, timeout_s):
        if not self._open:
            return LOST
        self._seq += 1
        return self._make.frame(self._seq)

    def close(self):
        self.closed = True


ABSENT = SourceError("it refuses the connection", hint="is it on?", reason="source_lost")
TOO_LARGE = SourceError("its pictures are too large", reason="too_large")


@pytest.mark.parametrize("error", [ABSENT, TOO_LARGE])
def test_a_camera_that_is_off_is_lost_told_and_comes(make, monkeypatch, caplog, error):
    monkeypatch.setattr("edge.pipeline.capture.BACKOFF_S", (0.01,))
    capture = FrameCapture({"s": UnreliableCamera(make, error, ABSENT, ABSENT)}, live_may_be_absent=True)
    assert capture.next(5.0) == ("s", LOST)
    assert f"stream s cannot be opened yet: {error.message}" in caplog.text
    assert capture.away.names() in (["s"], [])
    wait_until(lambda: isinstance(capture.next(1.0)[1], Frame))
    assert (capture.away.names(), capture.away.reconnects) == ([], 1)
    capture.close()


@pytest.mark.parametrize(
    "error",
    [SourceSetupError("no library"), UsageError("no such option"), ConfigError("wrong"), DeviceError("no permission"),
     OSError("a bug")],
)  # fmt: skip
def test_what_is_wrong_here_ends_the_start_and_closes_the_others(make, error):
    good, bad = UnreliableCamera(make), UnreliableCamera(make, error)
    with pytest.raises(type(error), match=str(error)):
        FrameCapture({"off": UnreliableCamera(make, ABSENT), "good": good, "bad": bad}, live_may_be_absent=True)
    assert good.closed
    assert bad.closed


def test_a_file_that_is_not_there_ends_the_start(make):
    with pytest.raises(SourceError, match="refuses"):
        FrameCapture({"s": UnreliableCamera(make, ABSENT, live=False)}, live_may_be_absent=True)


def test_who_measures_wants_all_cameras(make):
    with pytest.raises(SourceError, match="refuses"):
        FrameCapture({"s": UnreliableCamera(make, ABSENT)})


def test_a_stream_that_was_stopped_is_not_missed(make, monkeypatch):
    monkeypatch.setattr("edge.pipeline.capture.BACKOFF_S", (0.01,))
    capture = FrameCapture({"s": UnreliableCamera(make, *[ABSENT] * 1000)}, live_may_be_absent=True)
    wait_until(lambda: capture.away.names() == ["s"])
    capture.pause("s")
    wait_until(lambda: not capture.away.names())
    capture.close()


def test_only_what_was_lost_counts_as_come_back():
    lost = LostStreams()
    lost.note_frame("s")
    lost.note_lost("s")
    lost.note_lost("s")
    lost.note_frame("s")
    lost.note_frame("s")
    assert lost.reconnects == 1
