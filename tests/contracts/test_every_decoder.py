"""Every decoder of the tree is fed bytes that somebody else could have made: it answers, or raises its one error."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hostile_bytes import HOSTILE, hostile_bytes
from hypothesis import given, settings

from edge.app import auto_runtime_cache, frame_link
from edge.app.envelope import EnvelopeMaker
from edge.bench.loadgen_result import MARK, read_log
from edge.bench.report import read_json
from edge.config.setting_layers import parse_text
from edge.config.settings import RequestSettings
from edge.contracts.decoding import UnreadableError
from edge.contracts.errors import EdgeError
from edge.contracts.ports import Incoming
from edge.daemon.frame.frame_commands import FILE_NAME, StoppedStreams
from edge.daemon.publisher.outbox_recovery import _device_in
from edge.daemon.publisher.requests import RequestHandler
from edge.demo.subscriber import decode
from edge.fleet.fleet_overview import FleetOverview
from edge.fleet.ledger import Ledger
from edge.fleet.simulated_device import SimulatedDevice
from edge.models.bundle import read_manifest
from edge.models.signature import verify_signature
from edge.outbox.missed_health import MissedHealthStore
from edge.runtimes.isolated import IsolatedRuntime
from edge.runtimes.onnx_placement import MACS, read_node_macs
from edge.sinks.mqtt.state_watch import StateWatch

if TYPE_CHECKING:
    from collections.abc import Callable

SUFFIXES = ("state", "health", "findings/a", "coverage/a", "request/findings/resend", "response/findings/resend")


def feed_fleet(body: bytes) -> None:
    overview, ledger = FleetOverview(), Ledger()
    for device in ("d", "cart-7", "sim-1"):
        for suffix in SUFFIXES:
            overview.feed(f"edge/v1/s/{device}/{suffix}", body)
            ledger.feed(f"edge/v1/s/{device}/{suffix}", body, retained=True)
    topic = body.decode("utf-8", "replace")
    overview.feed(topic, body)
    overview.feed(f"edge/v1/{topic}", body)
    assert all(row.device in ("d", "cart-7", "sim-1") for row in overview.rows() if row.site == "s")


def answer_request(body: bytes) -> None:
    handler = RequestHandler(
        RequestSettings(enabled=True, max_bytes=1 << 20),
        EnvelopeMaker("cart", "run"),
        {"ping": lambda _sink, args: args},
    )
    answer = handler.answer(Incoming("request/ping", body), "sink")
    assert answer is not None
    handler.answer(Incoming(body.decode("utf-8", "replace"), body), "sink")


def check_own_state(body: bytes) -> None:
    watch = StateWatch("run")
    watch.publish(body)
    for retained in (True, False):
        watch.judge(body, retained)


def read_orders(body: bytes) -> None:
    packets = [frame_link.FRAME_COMMAND + body, body or b"x", b""]
    link: Any = SimpleNamespace(_socket=SimpleNamespace(recv=lambda _size: packets.pop(0)))
    frame_link.OutboxFrameLink.frame_commands(link)


def shake_hands(body: bytes) -> None:
    control = SimpleNamespace(settimeout=lambda _s: None, recv=lambda _size: body)
    runtime: Any = SimpleNamespace(_control=control, _child=None)
    IsolatedRuntime._receive_handshake(runtime)


def in_file(name: str, read: Callable[[Path], object], before: bytes = b"") -> Callable[[bytes], object]:
    def decode_file(body: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / name).write_bytes(before + body)
            return read(Path(folder))

    return decode_file


def keep_health(body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = MissedHealthStore(Path(folder), 60.0, 1e6)
        store.keep("sink", body)
        assert store.counts.waiting == 1
        store.close()


DECODERS: dict[str, Callable[[bytes], object]] = {
    "fleet": feed_fleet,
    "simulated device": lambda body: SimulatedDevice("s", "d").answer("findings/resend", body),
    "demo": decode,
    "requests": answer_request,
    "own state": check_own_state,
    "outbox recovery": _device_in,
    "link: latest": lambda body: frame_link.decode(frame_link.UNSTORED + body),
    "link: latest with suffix": lambda body: frame_link.decode(frame_link.UNSTORED + body + b"\n" + body),
    "link: report": lambda body: frame_link.decode(frame_link.REPORT + body),
    "link: done": lambda body: frame_link.decode(frame_link.COMMAND_RESULT + body),
    "link: anything": frame_link.decode,
    "link: orders": read_orders,
    "link: acknowledged": lambda body: frame_link.decode_acknowledged(frame_link.ACKNOWLEDGED + body),
    "stopped streams": in_file(FILE_NAME, lambda folder: StoppedStreams(folder, "run").read()),
    "runtime choice": in_file(
        auto_runtime_cache.FILE_NAME, lambda folder: auto_runtime_cache.load_choice(folder, "basis")
    ),
    "benchmark report": in_file("report.json", lambda folder: read_json(folder / "report.json")),
    "LoadGen's log": in_file("log", lambda folder: read_log(folder / "log"), MARK.encode()),
    "manifest": read_manifest,
    "signature": lambda body: verify_signature(Path("model.sig"), body, "00" * 32, []),
    "ONNX metadata": lambda body: read_node_macs({MACS: body.decode("utf-8", "replace")}),
    "variable": lambda body: parse_text(("sinks",), body.decode("utf-8", "surrogateescape")),
    "missed health": keep_health,
    "runtime process": shake_hands,
}


def feed(name: str, body: bytes) -> None:
    """What a decoder may raise: `UnreadableError`, or a message for the user."""
    with contextlib.suppress(UnreadableError, EdgeError):
        DECODERS[name](body)


@pytest.mark.parametrize("name", DECODERS)
def test_each_kind_of_hostile_bytes(name: str) -> None:
    for body in HOSTILE.values():
        feed(name, body)


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=60, deadline=None)
@given(body=hostile_bytes())
def test_hostile_bytes_that_nobody_thought_of(name: str, body: bytes) -> None:
    feed(name, body)
