"""Frame commands: exams and streams on request, through a real broker to the frame process, and the response back."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import psutil
import pytest
from brokers import wait_until

from edge.contracts.frame_command import FrameCommand, FrameCommandResult
from edge.daemon.frame.frame_commands import StoppedStreams

CONFIG = """
site = "lab"
device = "cart"
[[streams]]
name = "one"
source = "phantom://?seed=1&fps=20"
[[streams]]
name = "two"
source = "phantom://?seed=2&fps=20"
[requests]
enabled = true
commands = ["exam/start", "exam/end", "stream/stop", "stream/start"]
"""


class Requester:
    """Sends requests to a running daemon over MQTT and waits for the responses."""

    def __init__(self, broker, subscriber):
        self.broker, self.subscriber, self.count = broker, subscriber, 0

    def __call__(self, command, **args):
        self.count += 1
        name = f"q{self.count}"
        body = json.dumps({"id": name, "args": args}).encode()
        self.subscriber.publish(f"edge/v1/lab/cart/request/{command}", body)
        answers = wait_until(lambda: [m for m in self.of(f"response/{command}") if m["id"] == name], 10)
        return answers[0]["result"] if answers[0]["ok"] else answers[0]["error"]

    def of(self, suffix, **fields):
        found = [heard.json for heard in self.subscriber.on(suffix)]
        return [m for m in found if all(m.get(key) == value for key, value in fields.items())]


@pytest.fixture
def requester(tmp_path, broker, subscriber):
    """A running daemon with two streams, and who sends it requests."""
    (tmp_path / "edge.toml").write_text(CONFIG + f'[[sinks]]\nuri = "{broker.uri}"\n')
    command = [sys.executable, "-m", "edge.cli.main", "run", "--config", "edge.toml", "--runtime", "scripted://"]
    daemon = subprocess.Popen([*command, "--state-dir", "state"], stderr=subprocess.DEVNULL, cwd=tmp_path)
    one = Requester(broker, subscriber)
    one.daemon = daemon
    wait_until(lambda: one.of("findings/one") and one.of("findings/two"), 20)
    yield one
    daemon.kill()
    daemon.wait()


@pytest.mark.broker
def test_an_exam_that_is_started_or_ended_divides_tracks_findings_and_coverage(requester):
    before = requester.of("findings/one", lifecycle="new")[0]
    exams = requester("exam/start")["exams"]
    assert set(exams) == {"one", "two"}
    new = wait_until(lambda: requester.of("findings/one", lifecycle="new", exam_id=exams["one"]))[0]
    ended = requester.of("findings/one", finding_id=before["finding_id"], lifecycle="end")[0]
    assert (ended["end_reason"], ended["exam_id"]) == ("exam_changed", before["exam_id"])
    assert new["finding_id"] != before["finding_id"]
    told = wait_until(lambda: requester.of("coverage/one", exam_id=exams["one"]))[0]
    assert told["status"] == told["previous"]["status"] == "finding"  # the same state, told anew for another patient
    assert told["since_mono_ns"] == told["previous"]["to_mono_ns"]

    alone = requester("exam/end", stream="two")["exams"]
    wait_until(lambda: requester.of("findings/two", lifecycle="new", exam_id=alone["two"]))
    assert set(alone) == {"two"}
    findings = requester.of("findings/one") + requester.of("findings/two")
    exams_of = {}
    for finding in findings:
        exams_of.setdefault(finding["finding_id"], set()).add(finding["exam_id"])
    assert all(len(exams) == 1 for exams in exams_of.values())
    assert (
        len({finding["exam_id"] for finding in findings}) == 5
    )  # two to begin with, two by the first, one by the last


@pytest.mark.broker
def test_a_stopped_stream_says_so_outlives_a_crash_and_starts_when_asked(requester):
    assert requester("stream/stop", stream="three") == "unknown_stream"
    assert requester("stream/stop") == "missing_stream"
    assert requester("stream/stop", stream="one") == {"streams": ["one"], "lasting": True}
    told = wait_until(lambda: requester.of("coverage/one", reason="stopped"))[0]
    assert told["status"] == "no_result"
    wait_until(lambda: requester.of("state")[-1]["streams"][0]["stopped"])
    assert [s["stopped"] for s in requester.of("state")[-1]["streams"]] == [True, False]
    count, others = len(requester.of("findings/one")), len(requester.of("coverage/two") + requester.of("findings/two"))

    children = psutil.Process(requester.daemon.pid).children()
    next(child for child in children if "edge.daemon.frame.process" in child.cmdline()).kill()
    wait_until(lambda: len(requester.of("coverage/two") + requester.of("findings/two")) > others + 2, 20)
    assert len(requester.of("findings/one")) == count
    wait_until(lambda: requester.of("coverage/one")[-1]["reason"] == "stopped", 30)

    assert requester("stream/start", stream="one")["streams"] == ["one"]
    wait_until(lambda: len(requester.of("findings/one")) > count)
    assert [c["reason"] for c in requester.of("coverage/one")][-2:] == ["starting", None]
    wait_until(lambda: not requester.of("state")[-1]["streams"][0]["stopped"])


def test_a_command_that_times_out_is_answered_and_is_not_carried_out_later(make_publisher, monkeypatch):
    from edge.config.settings import RequestSettings, StreamSettings

    monkeypatch.setattr("edge.daemon.publisher.requests.ANSWER_TIMEOUT_S", 0.3)
    requests = RequestSettings(enabled=True, commands=("exam/start",))
    one = make_publisher(requests=requests, streams=[StreamSettings(name="cart-1", source="phantom://")]).start()
    wait_until(one.states)
    one.sinks[0].say("request/exam/start", b'{"id":"a"}')
    wait_until(lambda: one.bodies("response/exam/start"))
    assert one.bodies("response/exam/start")[0]["error"] == "unavailable"
    (command,) = one.frame_link.frame_commands()
    assert (command.name, command.streams) == ("exam", ["cart-1"])
    one.frame_link.answer_command(FrameCommandResult(id=command.id, result={"exams": {}}))  # too late: it was answered
    one.sinks[0].say("request/exam/start", b'{"id":"b"}')
    commands: list[FrameCommand] = wait_until(one.frame_link.frame_commands)
    one.frame_link.answer_command(FrameCommandResult(id=commands[0].id, result={"exams": {"cart-1": "x"}}))
    wait_until(lambda: len(one.bodies("response/exam/start")) == 2)
    assert one.bodies("response/exam/start")[1]["result"] == {"exams": {"cart-1": "x"}}


def test_commands_that_are_too_old_are_not_carried_out(tmp_path):
    from edge.daemon.frame.frame_commands import FrameCommandRunner

    class FakeFrameLink:
        def __init__(self):
            self.answered = []

        def frame_commands(self):
            now = time.monotonic_ns()
            return [
                FrameCommand(id=str(i), name="exam", streams=[], at_ns=now, until_ns=now + i * 10**9) for i in (-1, 1)
            ]

        def answer_command(self, result):
            self.answered.append(result.id)

    frame_link = FakeFrameLink()
    FrameCommandRunner(frame_link, None, None, StoppedStreams(tmp_path, "run")).run_pending()  # type: ignore[arg-type]
    assert frame_link.answered == ["1"]


def test_what_was_stopped_is_remembered_for_its_run_only(tmp_path):
    stopped = StoppedStreams(tmp_path, "run")
    assert stopped.read() == []
    stopped.write(["a", "b"])
    assert stopped.read() == ["a", "b"]
    assert StoppedStreams(tmp_path, "later").read() == []
    (tmp_path / "stopped.json").write_bytes(b"[")
    assert stopped.read() == []
    stopped.write([])
    assert not (tmp_path / "stopped.json").exists()
