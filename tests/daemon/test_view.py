"""The real daemon with a page: what a person says reaches the broker; what goes wrong with the viewer stays with it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("starlette", reason="the extra viewer is not installed")

from viewer_page import LIMIT_S, ViewerPage, connected

from edge.fleet.ledger import Ledger
from edge.process.usage import process_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.broker, pytest.mark.slow]
STREAM = "phantom-1"


class DaemonWithPage:
    """A daemon with a page on any free port."""

    def __init__(self, folder: Path, *flags: str) -> None:
        (folder / "edge.toml").write_text("[view]\nport = 0\n")
        command = [sys.executable, "-m", "edge.cli.main", "run", "--view", "--config", str(folder / "edge.toml")]
        command += [
            "--source",
            "phantom://?seed=1&fps=20",
            "--runtime",
            "scripted://",
            "--site",
            "lab",
            "--device",
            "cart",
        ]
        command += ["--state-dir", str(folder / "state"), *flags]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder)
        self.log: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        found = wait_for(lambda: re.search(r"the page is at (\S+)", "".join(self.log)))
        self.address = found[1]

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr:
            self.log.extend(self.process.stderr)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(LIMIT_S)
        self._reading.join(LIMIT_S)

    def pid_of(self, module: str) -> int:
        for pid in process_tree(self.process.pid):
            with contextlib.suppress(OSError):
                if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                    return pid
        return 0


def wait_for(condition: Callable[[], Any]) -> Any:
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("waited in vain")


@pytest.fixture
def daemon(tmp_path: Path, broker: Any, subscriber: Any) -> Iterator[DaemonWithPage]:
    made = DaemonWithPage(tmp_path, "--sink", broker.uri)
    yield made
    made.close()
    print("".join(made.log))


def seen(page: ViewerPage) -> dict[str, Any]:
    """A frame with a finding that is confirmed."""
    header, _ = page.until(lambda got: bool(got["frame"]) and any(each["id"] for each in got["frame"]["lesions"]))
    frame: dict[str, Any] = header["frame"]
    return frame


def test_what_a_person_says_reaches_the_broker_and_is_counted(daemon: DaemonWithPage, subscriber: Any) -> None:
    with connected(daemon.address) as page:
        page.stream = STREAM
        frame = seen(page)
        finding = next(each["id"] for each in frame["lesions"] if each["id"])
        page.ask("feedback", seq=frame["seq"], finding=finding, agrees=True)
        assert page.of_kind("done")[0]["error"] is None
        heard = wait_for(lambda: subscriber.on(f"lab/cart/feedback/{STREAM}"))[0].json
        assert (heard["schema"], heard["finding_id"], heard["agrees"]) == ("feedback/1", finding, True)
        assert (heard["frame_seq"], heard["exam_id"]) == (frame["seq"], frame["exam"])
        assert any(each.json["finding_id"] == finding for each in subscriber.on(f"findings/{STREAM}"))

        page.ask("exam")  # although requests are off
        assert page.of_kind("done")[0]["error"] is None
        header, _ = page.until(lambda got: bool(got["frame"]) and got["frame"]["exam"] != frame["exam"])
        other = header["frame"]["exam"]
        wait_for(lambda: any(each.json["exam_id"] == other for each in subscriber.on(f"findings/{STREAM}")))
    daemon.process.terminate()
    assert daemon.process.wait(LIMIT_S) == 0
    states = [each.json for each in subscriber.on("lab/cart/state")]
    assert states[0]["durable_topics"] == ["findings", "coverage", "feedback"]
    wait_for(lambda: subscriber.on("lab/cart/state")[-1].json["status"] == "offline")
    ledger = Ledger()
    for message in subscriber.heard:
        ledger.feed(message.topic, message.body)
    (device,) = ledger.devices().values()
    assert device.missing() == {}


def test_the_viewer_killed_costs_no_frame_and_no_finding(daemon: DaemonWithPage, subscriber: Any) -> None:
    frame_process = daemon.pid_of("edge.daemon.frame.process")
    for _ in range(2):
        with connected(daemon.address) as page:
            page.stream = STREAM
            page.until(lambda got: got["frame"] is not None)
        viewer = daemon.pid_of("edge.viewer.process")
        os.kill(viewer, signal.SIGKILL)
        wait_for(lambda old=viewer: daemon.pid_of("edge.viewer.process") not in (0, old))
    assert daemon.pid_of("edge.daemon.frame.process") == frame_process
    coverage = [each.json for each in subscriber.on(f"coverage/{STREAM}")]
    assert [each["status"] for each in coverage if each["status"] == "no_result"][1:] == []  # only the start


def test_a_reload_brings_the_page_back(daemon: DaemonWithPage, tmp_path: Path) -> None:
    port = re.search(r":(\d+)/", daemon.address)
    assert port is not None
    (tmp_path / "edge.toml").write_text(f"[view]\nport = {port[1]}\nquality = 60\n")
    before = daemon.pid_of("edge.viewer.process")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.pid_of("edge.viewer.process") not in (0, before))
    with connected(daemon.address) as page:
        page.stream = STREAM
        page.until(lambda got: bool(got["frame"]) and not got["device"]["down"])


def test_a_frame_process_that_died_is_told_and_is_live_again(daemon: DaemonWithPage) -> None:
    with connected(daemon.address) as page:
        page.stream = STREAM
        page.until(lambda got: got["frame"] is not None and not got["device"]["down"])
        os.kill(daemon.pid_of("edge.daemon.frame.process"), signal.SIGKILL)
        page.until(lambda got: got["device"]["down"])
        page.until(lambda got: bool(got["frame"]) and not got["device"]["down"])


def test_an_address_that_is_taken_or_open_to_others_refuses_the_start(tmp_path: Path) -> None:
    import socket

    def refused(settings: str) -> str:
        (tmp_path / "edge.toml").write_text(settings)
        command = [sys.executable, "-m", "edge.cli.main", "run", "--view", "--config", str(tmp_path / "edge.toml")]
        command += ["--source", "phantom://", "--runtime", "scripted://", "--state-dir", str(tmp_path / "state")]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert ended.returncode == 3
        assert not (tmp_path / "state").exists()
        return ended.stderr

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "view.port" in refused(f"[view]\nport = {taken.getsockname()[1]}\n")
    assert "edge-cli view init" in refused('[view]\nhost = "0.0.0.0"\n')
    assert "edge-cli view init" in refused('[view]\nhost = "192.0.2.1"\ncert_file = "/none"\nkey_file = "/none"\n')
