"""Sources are opened while the runtime loads: if one of the two fails, nothing stays open and its error is told."""

from __future__ import annotations

import threading

import pytest

from edge.config.settings import Settings, StreamSettings
from edge.contracts.errors import EdgeError, ModelError, SourceError
from edge.daemon.frame import process
from edge.daemon.job import DaemonJob


class Door:
    """A source that may not open."""

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


class Ready:
    """Stands for a guard."""

    closed = False

    def close(self):
        self.closed = True


class Model:
    manifest = None


class FakeAnalyser:
    def __init__(self, manifest, guard):
        self.guard = guard

    def close(self):
        self.guard.close()


def job():
    settings = Settings(
        streams=[StreamSettings(name="a", source="phantom://"), StreamSettings(name="b", source="phantom://")]
    )
    return DaemonJob(settings=settings, run_id="run")


@pytest.fixture
def making(monkeypatch):
    """Sets what making the guard does."""
    monkeypatch.setattr(process, "Analyser", FakeAnalyser)

    def use(make):
        monkeypatch.setattr(process, "make_guard", lambda *_, **__: make())

    return use


def test_sources_are_opened_while_the_runtime_loads_and_all_at_once(making):
    loading, ready = threading.Event(), Ready()
    together = threading.Barrier(2, timeout=20)

    def make():
        loading.set()
        return ready

    class Other(Door):
        def open(self):
            super().open()
            together.wait()  # both sources are in `open` now, or this fails

    making(make)
    sources = {"a": Other(meanwhile=loading), "b": Other()}
    capture, analyser = process.open_sources_and_runtime(job(), sources, Model())
    assert analyser.guard is ready
    capture.close()
    assert all(source.closed for source in sources.values())


def test_a_runtime_that_cannot_be_had_closes_the_sources(making):
    def make():
        raise ModelError("broken", hint="")

    making(make)
    sources = {"a": Door(), "b": Door()}
    with pytest.raises(ModelError, match="broken"):
        process.open_sources_and_runtime(job(), sources, Model())
    assert all(source.closed for source in sources.values())


@pytest.mark.parametrize("also", [False, True])
def test_a_source_that_does_not_open_is_told_and_closes_the_runtime(making, also):
    ready = Ready()

    def make():
        if also:
            raise ModelError("broken too", hint="")
        return ready

    making(make)
    sources = {"a": Door(), "b": Door(SourceError("away", hint=""))}
    with pytest.raises(EdgeError, match="away"):
        process.open_sources_and_runtime(job(), sources, Model())
    assert all(source.closed for source in sources.values())
    assert ready.closed is not also
