"""A daemon on a live stream: it judges, tells what is lost, comes back, and says nothing of passwords."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from live_servers import Connection, http_camera, steady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow
CAMERA_WORD = "geheim-7"


class Daemon:
    """``edge-cli run`` with the scripted runtime, and what it has sent into a file so far."""

    def __init__(self, folder: Path, source: str) -> None:
        self.sent, self.said = folder / "sent.jsonl", folder / "said.txt"
        self.state_dir = folder / "state"
        command = [sys.executable, "-m", "edge.cli.main", "run", "--source", source, "--sink", f"jsonl://{self.sent}"]
        command += ["--runtime", "scripted://", "--state-dir", str(self.state_dir)]
        with self.said.open("wb") as said:
            self._process = subprocess.Popen(command, stderr=said, stdout=subprocess.DEVNULL)

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
def start(tmp_path: Path) -> Iterator[Callable[[str], Daemon]]:
    started: list[Daemon] = []

    def start_daemon(source: str) -> Daemon:
        started.append(Daemon(tmp_path, source))
        return started[-1]

    yield start_daemon
    for daemon in started:
        daemon.close()


def test_a_decoder_that_dies_costs_its_stream_for_a_moment(start: Callable[[str], Daemon]) -> None:
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


def _losses(daemon: Daemon) -> list[dict[str, Any]]:
    return [one for one in daemon.messages("coverage") if one.get("reason") == "source_lost"]


def test_a_stream_that_cannot_be_opened_ends_the_start_in_two_lines(start: Callable[[str], Daemon]) -> None:
    with http_camera(lambda connection: connection.head(404)) as camera:
        daemon = start(camera.uri)
        deadline = time.monotonic() + 60
        while daemon._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert daemon._process.poll() == 5
    lines = daemon.said.read_text().splitlines()
    assert lines[-2].startswith("error: there is no such stream (404)")
    assert lines[-1].startswith("hint: ")
