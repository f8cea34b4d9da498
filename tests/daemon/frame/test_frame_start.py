"""Sources are opened while the runtime loads: if one of the two fails, nothing stays open and its error is raised."""

from __future__ import annotations

import threading

import pytest

from edge.config.settings import Settings, StreamSettings
from edge.contracts.errors import EdgeError, ModelError, SourceError
from edge.daemon.frame import process
from edge.daemon.job import DaemonJob


class BlockedSource:
    """A source whose `open` may wait for an event, or fail."""

    live = False

    def __init__(self, error=None, meanwhile=None):
        self.error, self.meanwhile, self.closed = error, meanwhile, False

    def open(self):
        if self.meanwhile is not None:
            assert self.meanwhile.wait(20)
        if self.error is not None:
            raise self.error

    def read(self, timeout_s):
        return None

    def close(self):
        self.closed = True


class FakeGuard:
    """Stands for a runtime guard; notes whether it was closed."""

    closed = False

    def close(self):
        self.closed = True


class FakeModel:
    """Stands for a loaded model."""

    manifest = None


class FakeAnalyser:
    """Stands for the analyser; closes its guard."""

    def __init__(self, manifest, guard):
        self.guard = guard

    def close(self):
        self.guard.close()


def job():
    """A job with two phantom streams."""
    settings = Settings(
        streams=[StreamSettings(name="a", source="phantom://"), StreamSettings(name="b", source="phantom://")]
    )
    return DaemonJob(settings=settings, run_id="run")


@pytest.fixture
def set_guard_maker(monkeypatch):
    """Sets the function that makes the guard."""
    monkeypatch.setattr(process, "Analyser", FakeAnalyser)

    def use(make):
        monkeypatch.setattr(process, "make_guard", lambda *_, **__: make())

    return use


def test_sources_are_opened_while_the_runtime_loads_and_all_at_once(set_guard_maker):
    loading, ready = threading.Event(), FakeGuard()
    together = threading.Barrier(2, timeout=20)

    def make():
        loading.set()
        return ready

    class Other(BlockedSource):
        def open(self):
            super().open()
            together.wait()  # both sources are in `open` now, or this fails

    set_guard_maker(make)
    sources = {"a": Other(meanwhile=loading), "b": Other()}
    capture, analyser = process.open_sources_and_runtime(job(), sources, FakeModel())
    assert analyser.guard is ready
    capture.close()
    assert all(source.closed for source in sources.values())


def test_a_runtime_that_cannot_be_had_closes_the_sources(set_guard_maker):
    def make():
        raise ModelError("broken", hint="")

    set_guard_maker(make)
    sources = {"a": BlockedSource(), "b": BlockedSource()}
    with pytest.raises(ModelError, match="broken"):
        process.open_sources_and_runtime(job(), sources, FakeModel())
    assert all(source.closed for source in sources.values())


@pytest.mark.parametrize("also", [False, True])
def test_a_source_that_does_not_open_is_told_and_closes_the_runtime(set_guard_maker, also):
    ready = FakeGuard()

    def make():
        if also:
            raise ModelError("broken too", hint="")
        return ready

    set_guard_maker(make)
    sources = {"a": BlockedSource(), "b": BlockedSource(SourceError("away", hint=""))}
    with pytest.raises(EdgeError, match="away"):
        process.open_sources_and_runtime(job(), sources, FakeModel())
    assert all(source.closed for source in sources.values())
    assert ready.closed is not also
