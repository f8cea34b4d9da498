"""Health that a receiver missed: delivered later, behind the findings, marked, and never at their expense."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
from typing import TYPE_CHECKING

import pytest
from brokers import Subscriber, wait_until
from publisher_harness import REPORT
from sample_messages import make_message

from edge.config.settings import OutboxSettings, SinkSettings, TelemetrySettings
from edge.daemon.publisher import state_and_health
from edge.outbox.missed_health import FILE_NAME, MissedHealthStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from brokers import Mosquitto
    from publisher_harness import PublisherChild, PublisherThread


@pytest.mark.slow
def test_what_was_missed_comes_marked_after_the_findings_and_in_order(
    make_publisher: Callable[..., PublisherThread],
) -> None:
    one = make_publisher("memory://one", "memory://two")
    one.frame_link.report(REPORT)
    one.start()
    wait_until(lambda: one.bodies("health") and one.bodies("health", 1))
    one.sinks[1].disconnect()
    seen = len(one.bodies("health", 1))
    wait_until(lambda: one.bodies("health")[-1]["telemetry_waiting"] >= 3)
    for _ in range(200):
        one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: len(one.bodies("coverage/cart-1")) == 200)
    one.sinks[1].connect()
    wait_until(lambda: one.bodies("health")[-1]["telemetry_waiting"] == 0)
    late = [json.loads(m.body) for m in one.sinks[1].received if m.suffix == "health"][seen:]
    replayed = [body for body in late if body["replayed"]]
    assert len(replayed) >= 3
    assert [body["mono_ns"] for body in replayed] == sorted({body["mono_ns"] for body in replayed})
    assert {m.qos for m in one.sinks[1].received if b'"replayed":true' in m.body and m.suffix == "health"} == {1}
    kinds = [m.suffix for m in one.sinks[1].received if m.suffix == "coverage/cart-1" or b'"replayed":true' in m.body]
    assert kinds.index("health") >= 200  # not before the last finding
    assert not any(body["replayed"] for body in one.bodies("health"))
    assert one.bodies("health")[-1]["telemetry_expired"] == 0


def test_what_a_crowded_link_had_no_room_for_counts_as_missed(
    make_publisher: Callable[..., PublisherThread], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make_publisher()
    sink, crowded = one.sinks[0], True
    send = sink.send
    monkeypatch.setattr(sink, "send", lambda message: not (message.qos == 0 and crowded) and send(message))
    one.frame_link.report(REPORT)
    one.start()
    wait_until(lambda: one.bodies("health"))
    assert all(body["replayed"] for body in one.bodies("health"))
    crowded = False
    wait_until(lambda: not one.bodies("health")[-1]["replayed"])


def test_health_that_is_due_on_a_new_connection_waits_for_state_or_is_kept(
    make_publisher: Callable[..., PublisherThread], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_and_health, "STATE_WAIT_S", 0.1)
    one = make_publisher()
    sink, deaf = one.sinks[0], True
    send = sink.send
    monkeypatch.setattr(sink, "send", lambda message: not (message.suffix == "state" and deaf) and send(message))
    one.frame_link.report(REPORT)
    one.start()
    waiting = one.publisher.deliveries.deferred.missed_health
    wait_until(lambda: waiting.counts.waiting >= 2)  # connected, and never told our state: none is lost
    assert sink.received == []
    deaf = False
    wait_until(lambda: sum(body["replayed"] for body in one.bodies("health")) >= 2)
    assert sink.received[0].suffix == "state"


def test_at_the_end_what_was_missed_is_still_sent(
    make_publisher: Callable[..., PublisherThread], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make_publisher()
    sink, crowded = one.sinks[0], True
    send = sink.send
    monkeypatch.setattr(sink, "send", lambda message: not (message.suffix == "health" and crowded) and send(message))
    one.frame_link.report(REPORT)
    one.start()
    missed = one.publisher.deliveries.deferred.missed_health
    wait_until(lambda: missed.counts.waiting >= 2)
    one.frame_link.close(5)
    crowded = False
    one.stop()
    assert sum(body["replayed"] for body in one.bodies("health")) >= 2
    assert missed.counts.waiting == 0  # and it is known that they arrived


def test_full_it_gives_up_samples_and_never_a_finding(
    make_publisher: Callable[..., PublisherThread], tmp_path: Path
) -> None:
    settings = TelemetrySettings(max_mb=0.05)
    one = make_publisher("memory://one", "memory://two", telemetry=settings, outbox=OutboxSettings(max_mb=1.0))
    one.frame_link.report(REPORT)
    one.start()
    wait_until(one.states)
    wait_until(lambda: one.bodies("health"))
    one.sinks[1].disconnect()
    for _ in range(20):
        one.frame_link.durable("coverage/cart-1", make_message())
    # The publisher's connection is its thread's alone.
    with contextlib.closing(MissedHealthStore(tmp_path / "state", settings.keep_s, 1e6)) as ours:
        for number in range(100):
            ours.keep("memory://two", b'{"at":"%03d","x":"%b"}' % (number, b"x" * 1000))
    wait_until(lambda: one.bodies("health")[-1]["telemetry_expired"] >= 50)
    told = one.bodies("health")[-1]
    assert (told["telemetry_expired_from"], told["outbox_expired"]) == ("000", [])
    one.sinks[1].connect()
    wait_until(lambda: len(one.bodies("coverage/cart-1", 1)) == 20)
    assert (tmp_path / "state" / FILE_NAME).exists()


def stored_samples(path: Path) -> int:
    """Missed ``health`` that another process has stored in ``path``."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT count(*) FROM samples").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0


@pytest.mark.broker
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_over_a_broker_that_was_away(
    mosquitto: Callable[..., Mosquitto],
    make_publisher_process: Callable[..., PublisherChild],
    tmp_path: Path,
    protocol: str,
) -> None:
    broker = mosquitto()
    subscriber = Subscriber(broker.port)
    one = make_publisher_process(SinkSettings(uri=broker.uri, protocol=protocol))  # type: ignore[arg-type]
    one.frame_link.report(REPORT)
    wait_until(lambda: subscriber.on("/health"))
    last = subscriber.on("/health")[-1].json["mono_ns"]
    subscriber.expect_loss()
    broker.kill()
    before = len(subscriber.heard)  # among them may be samples of before the first connection
    wait_until(lambda: one.frame_link._writer.flush(5))
    wait_until(lambda: stored_samples(tmp_path / "state" / FILE_NAME) >= 2)
    os.kill(one.child.pid, signal.SIGSTOP)  # or it may have delivered all before the subscriber is there to hear it
    broker.start()
    subscriber.wait_ready()
    os.kill(one.child.pid, signal.SIGCONT)

    def missed() -> list[int]:
        late = [h.json for h in list(subscriber.heard)[before:] if h.topic.endswith("/health")]
        return [body["mono_ns"] for body in late if body["replayed"] and body["mono_ns"] > last]

    wait_until(lambda: len(missed()) >= 2)
    subscriber.close()
