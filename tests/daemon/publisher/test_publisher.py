"""The whole publisher: in this process with the memory sink, and as a process of its own with a real broker."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from brokers import Subscriber, wait_until
from publisher_harness import REPORT, PublisherChild, PublisherThread, make_job
from sample_messages import make_message

from edge.app.envelope import EnvelopeMaker
from edge.config.settings import OutboxSettings, PublishSettings, SinkSettings
from edge.contracts.errors import ConfigError
from edge.contracts.health import Health
from edge.contracts.latest_result import LatestResult
from edge.contracts.results import Status
from edge.daemon.publisher.outbox_housekeeping import OutboxHousekeeping
from edge.daemon.publisher.publisher import Publisher
from edge.outbox.reader import OutboxReader
from edge.outbox.schema import FILE_NAME
from edge.sinks.memory import MemorySink

if TYPE_CHECKING:
    from collections.abc import Callable

    from brokers import Mosquitto


def live_result() -> LatestResult:
    return LatestResult(
        **EnvelopeMaker("cart", "run-1").fields(), stream="cart-1", exam_id="e", frame_seq=1, status=Status.CLEAR,
        reason=None, malignancy=0.1, suspicious=None, lesions=[], image_size=(4, 3), latency_ms={},
    )  # fmt: skip


def test_state_comes_before_findings_and_says_identity_and_status(
    make_publisher: Callable[..., PublisherThread],
) -> None:
    one = make_publisher()
    one.frame_link.report(REPORT)
    one.frame_link.durable("coverage/cart-1", make_message())
    one.start()
    wait_until(lambda: one.bodies("coverage/cart-1"))
    first = one.sinks[0].received[0]
    assert (first.suffix, first.retain, first.qos) == ("state", True, 1)
    state = one.states()[0]
    assert (state.status, state.reasons, state.version) == ("online", [], "1.2.3")
    assert (state.model, state.runtime, state.streams) == (REPORT.model, REPORT.runtime, REPORT.streams)
    assert state.outbox is not None
    assert state.outbox.epoch == one.bodies("coverage/cart-1")[0]["epoch"]
    assert state.run_id == "run-1"
    assert state.health_every_s == 0.3  # what the harness has set


def test_before_the_first_report_we_are_starting_and_then_online(
    make_publisher: Callable[..., PublisherThread],
) -> None:
    one = make_publisher().start()
    wait_until(one.states)
    assert (one.states()[0].status, one.states()[0].reasons) == ("degraded", ["starting"])
    one.frame_link.report(REPORT)
    wait_until(lambda: one.states()[-1].status == "online")


def test_reasons_of_frame_process_and_other_sinks_degrade_us_and_heal(
    make_publisher: Callable[..., PublisherThread],
) -> None:
    one = make_publisher("memory://one", "memory://two")
    one.frame_link.report(msgspec.structs.replace(REPORT, reasons=["runtime_hung"]))
    one.sinks[1].problem_words = ["refused"]
    one.start()
    wait_until(lambda: one.states() and one.states()[-1].reasons == ["runtime_hung", "memory://two:refused"])
    assert one.states()[-1].status == "degraded"
    one.sinks[1].problem_words = []
    one.frame_link.report(REPORT)
    wait_until(lambda: one.states()[-1].status == "online")
    wait_until(lambda: one.states(1)[-1].status == "online")


def test_every_new_connection_is_told_the_state(make_publisher: Callable[..., PublisherThread]) -> None:
    one = make_publisher()
    one.frame_link.report(REPORT)
    one.start()
    wait_until(lambda: len(one.states()) == 1)
    one.sinks[0].disconnect()
    one.sinks[0].connect()
    wait_until(lambda: len(one.states()) == 2)


def test_health_comes_regularly_with_numbers_of_frames_outbox_and_machine(
    make_publisher: Callable[..., PublisherThread],
) -> None:
    one = make_publisher()
    one.frame_link.report(REPORT)
    one.sinks[0].silent = True
    one.frame_link.durable("coverage/cart-1", make_message())
    one.start()
    wait_until(lambda: len(one.bodies("health")) >= 3)
    health = msgspec.json.decode(json.dumps(one.bodies("health")[-1]), type=Health)
    assert (health.fps, health.frames, health.clear) == (30.5, 100, 7)
    assert (health.outbox_depth, health.outbox_next_seq, health.outbox_oldest_kept) == (1, 2, 1)
    assert health.outbox_bytes > 0
    assert health.outbox_age_s > 0
    assert health.memory_mb is not None
    assert health.memory_mb > 5
    assert health.disk_free_mb is not None
    assert health.uptime_s > 0


def test_the_first_health_reaches_a_sink_that_nothing_is_kept_for(
    make_publisher: Callable[..., PublisherThread], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemorySink, "open", lambda sink: None)  # a broker answers when it answers
    one = make_publisher(
        SinkSettings(uri="memory://one", durable=False), "memory://two", publish=PublishSettings(health_every_s=3600)
    )
    one.frame_link.report(REPORT)
    one.start()
    state_and_health = one.publisher._state_and_health
    wait_until(lambda: state_and_health._health_at - time.monotonic() > 60)  # it was due, and nobody was there
    one.sinks[0].connect()
    wait_until(lambda: one.bodies("health"))
    assert [message.suffix for message in one.sinks[0].received] == ["state", "health"]
    assert not one.bodies("health")[0]["replayed"]
    one.sinks[0].disconnect()
    one.sinks[0].connect()
    wait_until(lambda: len(one.states()) == 2)
    one.stop()
    assert len(one.bodies("health")) == 1, "it lacks none"


def test_the_latest_result_is_passed_on_and_forgotten_where_nobody_is(
    make_publisher: Callable[..., PublisherThread],
) -> None:
    one = make_publisher("memory://one", "memory://two")
    one.frame_link.latest("results/cart-1", live_result())  # before the start: stale
    one.start()
    wait_until(lambda: one.states() and one.states(1))
    one.sinks[1].disconnect()
    one.frame_link.latest("results/cart-1", live_result())
    wait_until(lambda: one.bodies("results/cart-1"))
    assert len(one.bodies("results/cart-1")) == 1
    assert one.bodies("results/cart-1", 1) == []
    assert {m.qos for m in one.sinks[0].received if m.suffix == "results/cart-1"} == {0}


def test_at_the_end_it_drains_publishes_offline_and_records_what_arrived(
    make_publisher: Callable[..., PublisherThread],
) -> None:
    one = make_publisher()
    one.frame_link.report(REPORT)
    one.start()
    for _ in range(50):
        one.frame_link.durable("coverage/cart-1", make_message())
    one.frame_link.close(5)
    one.stop()
    assert one.error is None
    assert len(one.bodies("coverage/cart-1")) == 50
    assert (one.states()[-1].status, one.states()[-1].reasons) == ("offline", ["stopped"])
    assert one.sinks[0].received[-1].suffix == "state"
    assert one.sinks[0].closed
    assert one.states()[-1].outbox is not None


def test_the_drain_has_an_end_and_what_is_left_stays(
    make_publisher: Callable[..., PublisherThread], tmp_path: Path
) -> None:
    one = make_publisher(drain_timeout_s=0.2)
    one.sinks[0].room = 3
    one.start()
    for _ in range(10):
        one.frame_link.durable("coverage/cart-1", make_message())
    one.frame_link.close(5)
    one.stop()
    assert one.error is not None
    assert (one.error.exit_code, one.error.message) == (6, "7 messages were not delivered (too slow)")
    outbox = OutboxReader(tmp_path / "state" / FILE_NAME)
    assert [row.seq for row in outbox.pending("memory://one", 0, 99, 99)] == list(range(4, 11))
    outbox.close()


def test_what_was_refused_is_not_called_slow(make_publisher: Callable[..., PublisherThread]) -> None:
    """A sink that is closed knows no more why it gave messages back: it is asked before."""
    one = make_publisher(drain_timeout_s=0.2)
    sink = one.sinks[0]
    sink.refusing, sink.problem_words = True, ["refused"]
    close = sink.close

    def close_and_forget(timeout_s: float) -> None:
        sink.problem_words = []
        close(timeout_s)

    sink.close = close_and_forget  # type: ignore[method-assign]
    one.start()
    one.frame_link.durable("coverage/cart-1", make_message())
    one.frame_link.close(5)
    one.stop()
    assert one.error is not None
    assert one.error.message == "1 messages were not delivered (refused)"


def test_each_durable_sink_gets_everything_at_its_own_pace(make_publisher: Callable[..., PublisherThread]) -> None:
    one = make_publisher("memory://one", "memory://two")
    one.sinks[1].room = 0
    one.start()
    for _ in range(20):
        one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: len(one.bodies("coverage/cart-1")) == 20)
    assert one.bodies("coverage/cart-1", 1) == []
    one.sinks[1].room = None
    wait_until(lambda: len(one.bodies("coverage/cart-1", 1)) == 20)
    assert [body["seq"] for body in one.bodies("coverage/cart-1", 1)] == list(range(1, 21))


@pytest.mark.parametrize("sinks", [[], [SinkSettings(uri="memory://live", durable=False)]])
def test_without_a_durable_sink_nothing_counts_as_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, sinks: list[SinkSettings]
) -> None:
    turns: list[object] = []
    work = OutboxHousekeeping.work
    monkeypatch.setattr("edge.daemon.publisher.outbox_housekeeping.HOUSEKEEPING_S", 0.0)
    monkeypatch.setattr(OutboxHousekeeping, "work", lambda self, outbox: (turns.append(outbox), work(self, outbox)))
    one = PublisherThread(make_job(tmp_path, *sinks, outbox=OutboxSettings(keep_s=0.01))).start()
    for _ in range(5):
        one.frame_link.durable("coverage/cart-1", make_message())
    one.frame_link.close(5)
    wait_until(lambda: (tmp_path / FILE_NAME).exists())
    before = len(turns)
    wait_until(lambda: len(turns) >= before + 3)  # all of them with housekeeping
    one.stop()
    one.close()
    assert one.error is None
    assert f"findings are kept in {tmp_path}" in caplog.text
    assert ("nobody receives them" in caplog.text) == (not sinks)
    outbox = OutboxReader(tmp_path / FILE_NAME)
    assert (outbox.depth().pending, outbox.state().oldest_kept) == (5, 1)
    outbox.close()
    later = PublisherThread(make_job(tmp_path, "memory://one")).start()
    wait_until(lambda: len(later.bodies("coverage/cart-1")) == 5)
    later.stop()
    later.close()


def test_without_any_sink_the_oldest_are_given_up_by_size_and_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.daemon.publisher.outbox_housekeeping.HOUSEKEEPING_S", 0.0)
    one = PublisherThread(make_job(tmp_path, outbox=OutboxSettings(max_mb=0.001))).start()
    for _ in range(5):
        one.frame_link.durable("coverage/cart-1", make_message())
    one.frame_link.close(5)
    outbox = OutboxReader(tmp_path / FILE_NAME)
    wait_until(lambda: outbox.state().oldest_kept is None)
    assert outbox.state().expired == [(1, 5)]
    outbox.close()
    one.stop()
    one.close()


def test_a_new_outbox_is_followed_and_its_epoch_told(
    make_publisher: Callable[..., PublisherThread], tmp_path: Path
) -> None:
    one = make_publisher()
    one.frame_link.report(REPORT)
    one.start()
    one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: one.bodies("coverage/cart-1"))
    (tmp_path / "state" / FILE_NAME).unlink()
    one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: len(one.bodies("coverage/cart-1")) == 2)
    epochs = [body["epoch"] for body in one.bodies("coverage/cart-1")]
    assert epochs[0] != epochs[1]
    wait_until(lambda: one.states()[-1].outbox and one.states()[-1].outbox.epoch == epochs[1])  # type: ignore[union-attr]


def test_an_outbox_that_is_removed_with_messages_in_it_is_told_of(
    make_publisher: Callable[..., PublisherThread], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = make_publisher()
    one.sinks[0].room = 0
    one.frame_link.report(REPORT)
    one.start()
    one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: one.bodies("health") and one.bodies("health")[-1]["outbox_depth"] == 1)
    (tmp_path / "state" / FILE_NAME).unlink()
    one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: "messages_lost" in one.states()[-1].reasons)
    assert "was removed with 1 messages" in caplog.text
    one.sinks[0].room = None
    wait_until(lambda: len(one.bodies("coverage/cart-1")) == 1)


def test_a_state_directory_that_is_taken_away_is_not_made_anew_and_what_is_open_is_delivered(
    make_publisher: Callable[..., PublisherThread], tmp_path: Path
) -> None:
    one = make_publisher()
    one.sinks[0].room = 0
    one.frame_link.report(REPORT)
    one.start()
    for _ in range(3):
        one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: one.bodies("health") and one.bodies("health")[-1]["outbox_depth"] == 3)
    shutil.rmtree(tmp_path / "state")
    one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: one.states()[-1].reasons == ["state_dir_lost"])
    one.sinks[0].room = None
    wait_until(lambda: len(one.bodies("coverage/cart-1")) == 3)
    assert "state_dir_lost" in one.frame_link._writer.problems()
    assert not (tmp_path / "state").exists()
    one.stop()
    assert one.states()[-1].reasons == ["stopped", "state_dir_lost"]


def test_two_sinks_of_one_name_are_refused(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ConfigError, match="two sinks are memory://one"):
        Publisher(make_job(tmp_path, "memory://one", "memory://one"), theirs, os.getpid())


def test_what_is_not_understood_on_the_socket_is_passed_over(make_publisher: Callable[..., PublisherThread]) -> None:
    one = make_publisher().start()
    for packet in (b"?", b"mwithout a line", b"r{", b"wx", b"m\xff\n{}"):
        one.sockets[0].send(packet)
    one.frame_link.report(REPORT)
    wait_until(lambda: one.states() and one.states()[-1].status == "online")


def test_neither_numpy_nor_cv2_is_ever_imported() -> None:
    program = """
import sys
import edge.daemon.publisher.process, edge.sinks.mqtt.sink, edge.sinks.mqtt.check, edge.sinks.jsonl, edge.sinks.memory
print(sorted({"numpy", "cv2", "pydicom", "ai_edge_litert"} & set(sys.modules)))
"""
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert output == "[]\n"


@pytest.mark.broker
def test_state_findings_health_and_offline_on_sigterm(
    broker: Mosquitto, subscriber: Subscriber, make_publisher_process: Callable[..., PublisherChild]
) -> None:
    one = make_publisher_process(broker.uri)
    one.frame_link.report(REPORT)
    for _ in range(20):
        one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: len(subscriber.on("coverage/cart-1")) == 20 and subscriber.on("/health"))
    assert [heard.json["seq"] for heard in subscriber.on("coverage/cart-1")] == list(range(1, 21))
    wait_until(lambda: subscriber.on("/state") and subscriber.on("/state")[-1].json["status"] == "online")
    one.child.terminate()
    assert one.child.wait(10) == 0
    late = Subscriber(broker.port, "edge/v1/site/cart/state")
    wait_until(lambda: late.heard)
    late.close()
    assert (late.heard[0].retain, late.heard[0].json["status"]) == (True, "offline")
    assert late.heard[0].json["reasons"] == ["stopped"]


@pytest.mark.broker
@pytest.mark.parametrize("how", ["SIGKILL", "parent gone"])
def test_a_sudden_end_leaves_the_mqtt_last_will(
    broker: Mosquitto, subscriber: Subscriber, make_publisher_process: Callable[..., PublisherChild], how: str
) -> None:
    one = make_publisher_process(broker.uri)
    one.frame_link.report(REPORT)
    wait_until(lambda: subscriber.on("/state"))
    if how == "SIGKILL":
        os.kill(one.child.pid, signal.SIGKILL)
    else:
        os.close(one.child._lifeline)
        one.child._lifeline = -1
    wait_until(lambda: subscriber.on("/state")[-1].json["status"] == "offline")
    will = subscriber.on("/state")[-1].json
    assert (will["run_id"], will["reasons"]) == ("run-1", ["connection_lost"])
    assert "at" not in will


@pytest.mark.broker
def test_nothing_is_lost_when_broker_and_publisher_are_killed_in_turn(
    mosquitto: Callable[..., Mosquitto], make_publisher_process: Callable[..., PublisherChild]
) -> None:
    broker = mosquitto(persistence=True)
    subscriber = Subscriber(broker.port)
    one = make_publisher_process(broker.uri)
    one.frame_link.report(REPORT)
    stop = threading.Event()
    made = unheard = 0

    def produce() -> None:
        nonlocal made
        while not stop.wait(0.005):
            one.frame_link.durable("coverage/cart-1", make_message())
            made += 1

    def live() -> int:
        return sum(b'"replayed":false' in heard.body for heard in list(subscriber.heard))

    producer = threading.Thread(target=produce)
    producer.start()
    try:
        for victim in ("broker", "publisher", "broker"):
            seen = live()
            wait_until(lambda: live() > seen + 20, 30)  # noqa: B023
            if victim == "broker":
                had = {heard.json["seq"] for heard in subscriber.on("coverage/cart-1")}
                subscriber.expect_loss()
                broker.kill()
                broker.start()
                subscriber.wait_ready()
                unheard += made + 1 - len(had)
            else:
                one.child.kill()
                one.start()
    finally:
        stop.set()
        producer.join()
    assert one.frame_link._writer.flush(5)
    outbox = OutboxReader(make_path(one))
    wait_until(lambda: outbox.depth().pending == 0)
    heard = [message.json for message in subscriber.on("coverage/cart-1")]
    # All was acknowledged; but what a broker acknowledged and took with it into its death, or before this subscriber,
    # which was cut off too, was back, it could not see. Marks and numbers tell repeats from news.
    assert outbox.next_seq() == made + 1
    assert len({body["seq"] for body in heard}) >= made - unheard
    assert {body["replayed"] for body in heard} == {True, False}
    live = [body["seq"] for body in heard if not body["replayed"]]
    assert live == sorted(set(live))
    outbox.close()
    subscriber.close()


def make_path(one: PublisherChild) -> Path:
    return Path(one._job.state_dir) / FILE_NAME


def test_brokers_that_are_not_there_do_not_keep_it_from_ending(
    make_publisher_process: Callable[..., PublisherChild],
) -> None:
    silent = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]  # they accept, and never answer
    uris = [f"mqtt://127.0.0.1:{server.getsockname()[1]}" for server in silent]
    one = make_publisher_process(*uris, "mqtt://127.0.0.1:1", drain_timeout_s=0.0)
    accepted = [server.accept()[0] for server in silent]
    one.child.terminate()
    assert one.child.wait(2.0) == 0  # what the supervisor allows beyond the drain
    for each in [*silent, *accepted]:
        each.close()


@pytest.mark.broker
def test_a_publisher_started_before_its_broker_delivers_all_of_it_later(
    mosquitto: Callable[..., Mosquitto], make_publisher_process: Callable[..., PublisherChild]
) -> None:
    broker = mosquitto()
    broker.kill()
    one = make_publisher_process(broker.uri)
    for _ in range(30):
        one.frame_link.durable("coverage/cart-1", make_message())
    assert one.frame_link._writer.flush(5)
    broker.start()
    subscriber = Subscriber(broker.port, "edge/v1/site/cart/coverage/#")
    outbox = OutboxReader(make_path(one))
    wait_until(lambda: outbox.depth().pending == 0)
    outbox.close()
    subscriber.close()


def test_a_sink_that_cannot_be_ends_the_process_with_two_lines_and_code_6(
    tmp_path: Path, make_publisher_process: Callable[..., PublisherChild], capfd: pytest.CaptureFixture[str]
) -> None:
    one = make_publisher_process(f"jsonl://{tmp_path}/no/such/folder/out.jsonl")
    assert one.child.wait(10) == 6
    lines = capfd.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"]


def test_a_damaged_outbox_is_survived_by_both_sides(
    make_publisher: Callable[..., PublisherThread], tmp_path: Path
) -> None:
    one = make_publisher()
    one.start()
    one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: one.bodies("coverage/cart-1"))
    path = tmp_path / "state" / FILE_NAME
    with path.open("r+b") as file:
        file.write(b"\0" * 8192)
    for wal in path.parent.glob("*-wal"):
        with wal.open("r+b") as file:
            file.truncate(100)

    def another_arrives() -> bool:
        before = len(one.bodies("coverage/cart-1"))
        one.frame_link.durable("coverage/cart-1", make_message())
        return one.frame_link._writer.flush(1) and len(one.bodies("coverage/cart-1")) > before

    wait_until(another_arrives)
    assert one.thread.is_alive()
