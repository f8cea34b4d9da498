"""A daemon on a live stream: it judges, tells what is lost, comes back, and says nothing of passwords."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from live_servers import Connection, HttpCamera, free_port, http_camera, steady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow
CAMERA_WORD = "geheim-7"


class LiveStreamDaemon:
    """``edge-cli run`` with the scripted runtime, and what it has sent into a file so far."""

    def __init__(self, folder: Path, *sources: str, config: Path | None = None) -> None:
        self.sent, self.said = folder / "sent.jsonl", folder / "said.txt"
        self.state_dir = folder / "state"
        command = [sys.executable, "-m", "edge.cli.main", "run", "--sink", f"jsonl://{self.sent}"]
        command += [word for source in sources for word in ("--source", source)]
        command += [] if config is None else ["--config", str(config)]
        command += ["--runtime", "scripted://", "--state-dir", str(self.state_dir)]
        environ = {**os.environ, "EDGE_PUBLISH__HEALTH_EVERY_S": "1"}
        with self.said.open("wb") as said:
            self._process = subprocess.Popen(command, env=environ, stderr=said, stdout=subprocess.DEVNULL)

    def messages(self, kind: str) -> list[dict[str, Any]]:
        lines = self.sent.read_text().splitlines() if self.sent.exists() else []
        payloads = [json.loads(line)["payload"] for line in lines if line.endswith("}")]
        return [payload for payload in payloads if payload["schema"].startswith(kind)]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 90
        while not condition():
            assert self._process.poll() is None, self.said.read_text()
            assert time.monotonic() < deadline, self.said.read_text()
            time.sleep(0.05)

    def streams(self) -> list[dict[str, Any]]:
        """The streams as the last `state` tells of them."""
        told = [one["streams"] for one in self.messages("state") if one["streams"]]
        return told[-1] if told else []

    def wait_for_end(self) -> int:
        return self._process.wait(90)

    def children(self) -> list[int]:
        """Process ids of the live sources' children."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                except OSError:
                    continue
                if b"edge.sources.live.child" in words and self._is_ours(parent):
                    found.append(int(entry.name))
        return found

    def _is_ours(self, pid: int) -> bool:
        """Whether a process is the frame process of this daemon."""
        stat = Path(f"/proc/{pid}/stat")
        return stat.exists() and int(stat.read_text().rpartition(")")[2].split()[1]) == self._process.pid

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., LiveStreamDaemon]]:
    started: list[LiveStreamDaemon] = []

    def start_daemon(*sources: str, config: Path | None = None) -> LiveStreamDaemon:
        started.append(LiveStreamDaemon(tmp_path, *sources, config=config))
        return started[-1]

    yield start_daemon
    for daemon in started:
        daemon.close()


def test_a_decoder_that_dies_costs_its_stream_for_a_moment(start: Callable[..., LiveStreamDaemon]) -> None:
    def behave(connection: Connection) -> None:
        if connection.headers.get("Authorization"):
            steady(connection)
        else:
            connection.head(401, WWW_Authenticate='Basic realm="camera"')

    with http_camera(behave) as camera:
        daemon = start(camera.uri.replace("://", f"://viewer:{CAMERA_WORD}@"))
        daemon.wait_for(lambda: bool(daemon.messages("finding")) and bool(daemon.children()))
        for number in (signal.SIGKILL, signal.SIGSTOP):
            (child,) = daemon.children()
            told = len(_losses(daemon))
            os.kill(child, number)
            daemon.wait_for(lambda told=told: len(_losses(daemon)) > told)
            daemon.wait_for(lambda: daemon.messages("coverage")[-1]["status"] in ("finding", "clear"))
        given = next(one["streams"][0]["input"] for one in daemon.messages("state") if one["streams"])
        assert (given["width"], given["height"], given["format"]) == (640, 96, "mjpeg")
        assert daemon.stop() == 0
    everything = daemon.said.read_text() + daemon.sent.read_text()
    everything += "".join(path.read_bytes().decode("latin-1") for path in daemon.state_dir.iterdir() if path.is_file())
    assert CAMERA_WORD not in everything
    assert "Traceback" not in everything


def _losses(daemon: LiveStreamDaemon) -> list[dict[str, Any]]:
    return [one for one in daemon.messages("coverage") if one.get("reason") == "source_lost"]


def test_cameras_that_are_off_at_the_start_are_lost_and_come_up_by_themselves(
    start: Callable[..., LiveStreamDaemon],
) -> None:
    closed, missing = free_port(), threading.Event()

    def behave(connection: Connection) -> None:
        steady(connection) if missing.is_set() else connection.head(404)

    with http_camera(behave) as camera:
        daemon = start(f"http://127.0.0.1:{closed}/live", camera.uri)
        daemon.wait_for(lambda: [one["lost"] for one in daemon.streams()] == [True, True])
        state = daemon.messages("state")[-1]
        assert (state["status"], "source_lost" in state["reasons"]) == ("degraded", True)
        daemon.wait_for(lambda: {one["stream"] for one in _losses(daemon)} == {"http-1", "http-2"})
        missing.set()
        late = HttpCamera(steady, closed)
        try:
            daemon.wait_for(lambda: {one["stream"] for one in daemon.messages("finding")} == {"http-1", "http-2"})
            daemon.wait_for(lambda: [one["lost"] for one in daemon.streams()] == [False, False])
            daemon.wait_for(lambda: "source_lost" not in daemon.messages("state")[-1]["reasons"])
            daemon.wait_for(lambda: daemon.messages("health")[-1:] and daemon.messages("health")[-1]["reconnects"] == 2)
        finally:
            late.close()
        assert daemon.stop() == 0
    said = daemon.said.read_text()
    assert "stream http-1 cannot be opened yet: it refuses the connection; is the server running" in said
    assert "stream http-2 cannot be opened yet: there is no such stream (404)" in said


def test_an_absent_camera_does_not_hide_what_is_wrong_with_another(start: Callable[..., LiveStreamDaemon]) -> None:
    daemon = start("camera:///dev/video97", "gst://videotestsrc ! nosuchelement")
    assert daemon.wait_for_end() == 5
    *_, what, hint = daemon.said.read_text().splitlines()
    assert what.startswith("error: gst-launch-1.0 "), what
    assert hint.startswith("hint: ")
    assert not daemon.state_dir.exists()


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("rstp://127.0.0.1/live", 2, "rstp"),
        ("rtsp://127.0.0.1/live?transport=pigeon", 2, "transport"),
        ("srt://127.0.0.1:9", 5, "does not know srt://"),
    ],
)
def test_what_is_wrong_here_ends_the_start(
    start: Callable[..., LiveStreamDaemon], source: str, code: int, said: str
) -> None:
    daemon = start(source)
    assert daemon.wait_for_end() == code
    *_, what, hint = daemon.said.read_text().splitlines()
    assert what.startswith("error: ")
    assert said in what + hint, (what, hint)
    assert hint.startswith("hint: ")


def test_a_password_file_that_cannot_be_read_ends_the_start(
    start: Callable[..., LiveStreamDaemon], tmp_path: Path
) -> None:
    config = tmp_path / "edge.toml"
    config.write_text('[[streams]]\nname = "cart"\nsource = "rtsp://127.0.0.1/live"\nusername = "viewer"\n'
                      f'password_file = "{tmp_path}/none"\n')  # fmt: skip
    daemon = start(config=config)
    assert daemon.wait_for_end() == 5
    assert f"the password file {tmp_path}/none cannot be read" in daemon.said.read_text()
