"""Drains a backlog to a broker: by the publisher, with live findings going on meanwhile, and by paho alone."""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import sqlite3
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from brokers import wait_until
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from publisher_harness import make_job

from edge.app.frame_link import OutboxFrameLink
from edge.config.settings import LogSettings, OutboxSettings, PublishSettings, SinkSettings
from edge.outbox.schema import FILE_NAME, connect
from edge.outbox.writer import OutboxWriter
from edge.process.child import Child
from edge.schema import examples

if TYPE_CHECKING:
    from edge.contracts.finding import Finding

INFLIGHT = SinkSettings(uri="mqtt://x").inflight
FPS = 30.0
OUTLINE_POINTS = 57
"""With so many, a finding is 2.7 kB long, as one of the shipped model is on average."""
BACKLOG, LIVE = "findings/backlog", "findings/live"
LIMIT_S = 300.0
PAHO_QUEUE = 10_000
"""Messages that paho is given ahead: its own queue ends near 65,555, and what is beyond is refused."""


def make_finding() -> Finding:
    """A finding that is as long as a real one; without epoch and seq."""
    example = examples.finding()
    outline = [(round(212 + 1.7 * i, 1), round(140 + 1.1 * i, 1)) for i in range(OUTLINE_POINTS)]
    lesions = [msgspec.structs.replace(example.lesions[0], outline=outline)]
    return msgspec.structs.replace(example, lesions=lesions, operating_point="x" * 240, epoch="", seq=0)


@dataclass
class Live:
    """Measurements on live findings, in milliseconds."""

    frame_link: list[float] = field(default_factory=list)
    """Time of the call `FrameLink.durable`."""
    commit: list[float] = field(default_factory=list)
    """From the call until the finding was synced to the disk."""
    latency: list[float] = field(default_factory=list)
    """From the call until a subscriber had it."""

    def add(self, other: Live) -> None:
        """Append the values of ``other``."""
        self.frame_link += other.frame_link
        self.commit += other.commit
        self.latency += other.latency


class DrainFrameLink(OutboxFrameLink):
    """The real frame link, which can also wait until all is on the disk."""

    def flush(self) -> None:
        """Wait until all findings are on the disk."""
        assert self._writer.flush(LIMIT_S)


class DrainConsumer:
    """Subscriber to ``state`` and live findings, with times of arrival. It takes no backlog: nor does paho's."""

    def __init__(self, port: int) -> None:
        self.states = 0
        self.arrived: dict[str, float] = {}
        """finding_id -> when it came first."""
        ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(
            [("edge/v1/+/+/state", 1), (f"+/+/+/+/{LIVE}", 1)]
        )
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert ready.wait(10)

    def _hear(self, client: Client, data: Any, message: Any) -> None:
        now = time.perf_counter()
        if message.topic.endswith("state"):
            self.states += not message.retain
        else:
            start = message.payload.index(b'"finding_id":"') + 14
            self.arrived.setdefault(message.payload[start : message.payload.index(b'"', start)].decode(), now)

    def close(self) -> None:
        """Disconnect from the broker."""
        self._client.disconnect()
        self._client.loop_stop()


class DrainedDevice:
    """A publisher in a process of its own, and the frame process' side of it in this one."""

    def __init__(self, state_dir: Path, uri: str) -> None:
        settings = OutboxSettings(max_mb=4096)
        job = make_job(
            state_dir,
            uri,
            device=state_dir.name,
            outbox=settings,
            publish=PublishSettings(),
            log=LogSettings(level="error"),
        )
        self._job = msgspec.json.encode(job)
        self._path = state_dir / FILE_NAME
        self._ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._child: Child | None = None
        self._frame_link: DrainFrameLink | None = None

    def store(self, count: int) -> None:
        """Put a backlog of ``count`` findings on the disk, with no publisher to take it."""
        finding = make_finding()
        writer = OutboxWriter(self._path, lambda: None)
        for begin in range(0, count, 5000):
            for number in range(begin, min(count, begin + 5000)):
                writer.put(BACKLOG, msgspec.structs.replace(finding, finding_id=str(number)))
            assert writer.flush(LIMIT_S)
        assert writer.close(LIMIT_S)

    def start(self) -> None:
        """Start the publisher; it connects at once."""
        self._frame_link = DrainFrameLink(self._path.parent, self._ends[0])
        self._frame_link.flush()  # it has read the outbox through
        self._child = Child("edge.daemon.publisher.process", self._job, (self._ends[1].fileno(),))

    @property
    def pid(self) -> int:
        """Process id of the publisher."""
        assert self._child is not None
        return self._child.pid

    @property
    def frame_link(self) -> DrainFrameLink:
        """Frame link that findings are handed over to."""
        assert self._frame_link is not None
        return self._frame_link

    def first_pending(self) -> int | None:
        """Number of the oldest finding that the broker has not acknowledged."""
        db = connect(self._path, "NORMAL", readonly=True)
        try:
            found = db.execute("SELECT min(seq) FROM messages WHERE state = 'pending'").fetchone()[0]
            return None if found is None else int(found)
        finally:
            db.close()

    def wait_until_drained(self, count: int) -> None:
        """Wait until the broker has acknowledged the first ``count`` findings."""
        wait_until(lambda: (self.first_pending() or count + 1) > count, LIMIT_S)

    def close(self) -> None:
        """Close the frame link, and kill the publisher."""
        if self._frame_link is not None:
            self._frame_link.close(5)
        if self._child is not None:
            self._child.kill()
        for end in self._ends:
            end.close()


def feed(device: DrainedDevice, consumer: DrainConsumer, prefix: str, over: threading.Event) -> Live:
    """Hand over 30 live findings a second until ``over``; returns when all of them have arrived."""
    live, sent, finding, began, number = Live(), {}, make_finding(), time.perf_counter(), 0
    while not over.wait(max(0.0, began + number / FPS - time.perf_counter())):
        number += 1
        one = msgspec.structs.replace(finding, finding_id=f"{prefix}-{number}")
        start = time.perf_counter()
        device.frame_link.durable(LIVE, one)
        live.frame_link.append((time.perf_counter() - start) * 1e3)
        device.frame_link.flush()
        live.commit.append((time.perf_counter() - start) * 1e3)
        sent[one.finding_id] = start
    wait_until(lambda: sent.keys() <= consumer.arrived.keys(), LIMIT_S)
    live.latency = [(consumer.arrived[name] - start) * 1e3 for name, start in sent.items()]
    return live


class Feeder:
    """Runs `feed` in a thread, beside something else."""

    def __init__(self, device: DrainedDevice, consumer: DrainConsumer, prefix: str) -> None:
        self._over = threading.Event()
        self._live = Live()
        self._thread = threading.Thread(target=lambda: self._live.add(feed(device, consumer, prefix, self._over)))
        self._thread.start()

    def stop(self) -> Live:
        """Stop the thread; what was measured."""
        self._over.set()
        self._thread.join()
        return self._live


def bare_commits(file: Path, for_s: float) -> list[float]:
    """Commits of a finding to a bare SQLite file (WAL, synchronous=FULL), 30 a second, in milliseconds each."""
    body, took, began = msgspec.json.encode(make_finding()), [], time.perf_counter()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE found (body BLOB)")
        while (start := time.perf_counter()) - began < for_s:
            db.execute("INSERT INTO found VALUES (?)", (body,))
            took.append((time.perf_counter() - start) * 1e3)
            time.sleep(max(0.0, began + len(took) / FPS - time.perf_counter()))
    return took


@dataclass
class Drain:
    """Measurements of the drain of one backlog."""

    per_s: float
    busy: Live
    """Live findings while it went."""
    idle: Live
    """Live findings afterwards, when nothing else was to do."""
    bare: list[float]
    """Bare commits after that, see `bare_commits`."""


def publisher_drain(folder: Path, port: int, count: int, idle_s: float) -> Drain:
    """The publisher takes ``count`` findings to the broker, and 30 live ones a second."""
    device, consumer = DrainedDevice(folder, f"mqtt://127.0.0.1:{port}"), DrainConsumer(port)
    try:
        device.store(count)
        device.start()
        wait_until(lambda: consumer.states)
        began = time.perf_counter()
        wait_until(lambda: (device.first_pending() or count) > 1)  # what is stored now is live
        busy = Feeder(device, consumer, "busy")
        device.wait_until_drained(count)
        per_s = count / (time.perf_counter() - began)
        measured = busy.stop()
        idle = Feeder(device, consumer, "idle")
        time.sleep(idle_s)
        return Drain(per_s, measured, idle.stop(), bare_commits(folder / "bare.sqlite3", idle_s))
    finally:
        device.close()
        consumer.close()


def paho_drain(port: int, count: int) -> float:
    """Messages a second of paho alone, at QoS 1, in a process of its own: the same size, window and broker."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_paho, (port, count, len(msgspec.json.encode(make_finding()))))


def _paho(port: int, count: int, size: int) -> float:
    body, left = b"x" * size, [count]
    up, done = threading.Event(), threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(INFLIGHT)
    client.on_socket_open = lambda _client, _data, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.on_connect = lambda *_: up.set()

    def count_down(*_: Any) -> None:
        left[0] -= 1
        if not left[0]:
            done.set()

    client.on_publish = count_down
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert up.wait(10)
    began = time.perf_counter()
    for number in range(count):
        while number - (count - left[0]) > PAHO_QUEUE:
            time.sleep(0.001)
        client.publish(f"edge/v1/site/cart/{BACKLOG}", body, qos=1)
    assert done.wait(LIMIT_S)
    took = time.perf_counter() - began
    client.disconnect()
    client.loop_stop()
    return count / took
