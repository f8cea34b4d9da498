"""Publisher under test: in a thread of this process (`PublisherThread`), or in a process of its own.

Use the fixtures ``make_publisher`` and ``make_publisher_process``, which make them:
``make_publisher("memory://one", drain_timeout_s=0.0)``.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from edge.app.frame_link import OutboxFrameLink
from edge.config.settings import PublishSettings, Settings, SinkSettings
from edge.contracts.errors import EdgeError
from edge.contracts.finding import ModelRef, RuntimeRef
from edge.contracts.frame_report import FrameReport
from edge.contracts.health import FrameNumbers
from edge.contracts.state import State, StreamState
from edge.daemon.job import DaemonJob
from edge.daemon.publisher.publisher import Publisher
from edge.process.child import Child
from edge.sinks.memory import MemorySink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REPORT = FrameReport(
    version="1.2.3",
    model=ModelRef(name="m", version="1", sha256="00"),
    runtime=RuntimeRef(name="scripted", delegate=None),
    streams=[StreamState(name="cart-1", source="phantom://")],
    capabilities=["findings"],
    numbers=FrameNumbers(fps=30.5, frames=100, clear=7),
)


def make_job(state_dir: Path, *uris: str, **changes: Any) -> DaemonJob:
    """A job of the publisher in ``state_dir``, with the sinks ``uris``; ``changes`` replace settings."""
    sinks = [uri if isinstance(uri, SinkSettings) else SinkSettings(uri=uri) for uri in uris]
    settings = Settings(
        site="site", device="cart", state_dir=str(state_dir), sinks=sinks, publish=PublishSettings(health_every_s=0.3),
    )  # fmt: skip
    return DaemonJob(settings=msgspec.structs.replace(settings, **changes), run_id="run-1")


class PublisherThread:
    """A publisher in a thread of this process, and the frame process' side of it."""

    def __init__(self, job: DaemonJob) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sockets = (ours, theirs)
        self.frame_link = OutboxFrameLink(job.state_dir, ours)
        self.publisher = Publisher(job, theirs, os.getpid())
        self.thread = threading.Thread(target=self._run)
        self.error: EdgeError | None = None
        self.sinks: list[MemorySink] = [one for one in self.publisher.sinks if isinstance(one, MemorySink)]

    def _run(self) -> None:
        try:
            self.publisher.run()
        except EdgeError as error:
            self.error = error

    def start(self) -> PublisherThread:
        self.thread.start()
        return self

    def stop(self) -> None:
        self.publisher.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()

    def close(self) -> None:
        if self.thread.is_alive():
            self.publisher.stop()
            self.publisher.stop()
            self.thread.join(10)
        self.frame_link.close(5)
        for one in self.sockets:
            one.close()

    def bodies(self, suffix: str, sink: int = 0) -> list[dict[str, Any]]:
        """Decoded bodies of the messages on ``suffix`` that a memory sink has received."""
        return [json.loads(m.body) for m in list(self.sinks[sink].received) if m.suffix == suffix]

    def states(self, sink: int = 0) -> list[State]:
        """All `state` messages that a memory sink has received."""
        return [msgspec.json.decode(m.body, type=State) for m in list(self.sinks[sink].received) if m.suffix == "state"]


@pytest.fixture
def make_publisher(tmp_path: Path) -> Iterator[Callable[..., PublisherThread]]:
    """Fixture: makes `PublisherThread` objects, and closes them at the end."""
    made: list[PublisherThread] = []

    def make(*uris: Any, **changes: Any) -> PublisherThread:
        made.append(PublisherThread(make_job(tmp_path / "state", *(uris or ("memory://one",)), **changes)))
        return made[-1]

    yield make
    for one in made:
        one.close()


class PublisherChild:
    """A publisher in a process of its own, and the frame process' side of it in this one."""

    def __init__(self, job: DaemonJob) -> None:
        self._job = job
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.frame_link = OutboxFrameLink(job.state_dir, self.ours)
        self.start()

    def start(self) -> None:
        self.child = Child("edge.daemon.publisher.process", msgspec.json.encode(self._job), (self.theirs.fileno(),))

    def close(self) -> None:
        self.child.kill()
        self.frame_link.close(5)
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def make_publisher_process(tmp_path: Path) -> Iterator[Callable[..., PublisherChild]]:
    """Fixture: makes `PublisherChild` objects, and closes them at the end."""
    made: list[PublisherChild] = []

    def make(*uris: Any, **changes: Any) -> PublisherChild:
        made.append(PublisherChild(make_job(tmp_path / "state", *uris, **changes)))
        return made[-1]

    yield make
    for one in made:
        one.close()
