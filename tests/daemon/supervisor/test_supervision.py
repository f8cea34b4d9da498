"""Supervision: watchdog, restarts, SIGTERM, SIGHUP (reload) and systemd, with the real daemon."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from brokers import wait_until

from edge.config.settings import Settings
from edge.daemon.job import DaemonJob
from edge.daemon.supervisor import child_supervisor, supervisor, systemd_notify
from edge.daemon.supervisor.supervisor import FRAME, PUBLISHER
from edge.models.bundle import load_bundle
from edge.outbox.schema import FILE_NAME
from edge.process.heartbeat import Heartbeat, send_heartbeat

CONFIG = """
site = "lab"
device = "cart"
state_dir = "{folder}/state"
watchdog_s = {watchdog_s}
drain_timeout_s = 300.0
{more}
[[streams]]
name = "cart-{seed}"
source = "phantom://?seed={seed}&fps=20&pace=realtime"
[[sinks]]
uri = "{sink}"
[runtime]
uri = "scripted://?distinct=1"
"""


def children_of(pid):
    """Child processes of the daemon from the kernel: module -> pid."""
    found = {}
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = thread.read_text().split()
        except OSError:  # the thread has ended
            continue
        for child in map(int, children):
            try:
                words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            except OSError:  # it has ended since it was listed
                continue
            if b"-m" in words:
                found[words[words.index(b"-m") + 1].decode()] = child
    return found


class Daemon:
    """A running ``edge-cli run`` with a JSON Lines sink, and what it has published and logged."""

    def __init__(self, folder, environ=None, **config):
        self.folder = folder
        self.out = folder / "out.jsonl"
        self.write(**config)
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge.cli.main", "run", "--config", str(folder / "edge.toml")],
                stderr=log, cwd=folder, env={**os.environ, **(environ or {})},
            )  # fmt: skip

    def write(self, *, seed=1, watchdog_s=60.0, sink=None, more="", fallback=False):
        sink = sink or f"jsonl://{self.out}"
        text = CONFIG.format(folder=self.folder, seed=seed, watchdog_s=watchdog_s, sink=sink, more=more)
        if fallback:
            text = text.replace("distinct=1", "distinct=1&hang_at=40")
            text += 'probe_s = 1.5\nfallback = ["scripted://?distinct=1"]\n'
        (self.folder / "edge.toml").write_text(text)

    def wait_for_findings(self, more_than=0):
        return wait_until(lambda: self.findings() > more_than and self.findings(), 30)

    def findings(self):
        return self.out.read_bytes().count(b"/findings/") if self.out.exists() else 0

    def payloads(self, ending):
        lines = [json.loads(line) for line in self.out.read_text().splitlines()]
        return [line["payload"] for line in lines if line["topic"].endswith(ending)]

    def streams(self):
        """Stream names in the last `state` that was published."""
        return [stream["name"] for stream in self.payloads("/state")[-1]["streams"]]

    def child(self, module, other_than=0):
        def found():
            pid = children_of(self.process.pid).get(module, 0)
            return pid if pid != other_than else 0

        return wait_until(found, 30)

    def logged(self, words):
        return words in self.log.read_text()

    def terminate(self):
        self.process.terminate()
        return self.process.wait(30)


@pytest.fixture
def daemon(tmp_path):
    started = []

    def start(environ=None, **config):
        started.append(Daemon(tmp_path, environ, **config))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def stored(folder):
    """(suffix, message) of each outbox row, as any reader sees them."""
    uri = f"file:{folder / 'state' / FILE_NAME}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as db:
        return [
            (suffix, json.loads(body)) for suffix, body in db.execute("SELECT suffix, body FROM messages ORDER BY seq")
        ]


@pytest.mark.slow
def test_a_child_that_hangs_is_killed_by_the_watchdog_and_restarted(daemon):
    run = daemon(watchdog_s=1.5)
    run.wait_for_findings()
    for module in (FRAME, PUBLISHER):
        stopped = run.child(module)
        os.kill(stopped, signal.SIGSTOP)
        run.child(module, other_than=stopped)
        run.wait_for_findings(more_than=run.findings() + 5)
        assert run.logged(f"{module} shows no sign of life")
    assert run.terminate() == 0


@pytest.fixture
def service_manager(tmp_path):
    """The datagram socket that systemd would listen on (``NOTIFY_SOCKET``)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        yield listener


def notify_lines(listener, seconds=0.0):
    """Lines that were sent to ``listener`` within ``seconds``, or before."""
    lines = []
    listener.settimeout(seconds or 0.01)
    try:
        while True:
            lines += listener.recv(4096).decode().splitlines()
    except TimeoutError:
        return lines


@pytest.mark.slow
def test_systemd_gets_watchdog_only_while_both_children_send_heartbeats(daemon, service_manager, tmp_path):
    run = daemon({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    service_manager.settimeout(30)
    assert service_manager.recv(4096) == b"READY=1"
    assert service_manager.recv(4096) == b"WATCHDOG=1"
    for module in (FRAME, PUBLISHER):
        victim = run.child(module)
        os.kill(victim, signal.SIGSTOP)
        notify_lines(service_manager, 0.5)  # what was on its way
        assert notify_lines(service_manager, 1.0) == []
        os.kill(victim, signal.SIGCONT)
        service_manager.settimeout(30)
        assert service_manager.recv(4096) == b"WATCHDOG=1"
    notify_lines(service_manager)
    assert run.terminate() == 0
    assert notify_lines(service_manager)[-1] == "STOPPING=1"


@pytest.mark.slow
def test_sigterm_does_not_wait_for_a_dead_broker_and_everything_is_on_disk(daemon, tmp_path):
    run = daemon(sink="mqtt://127.0.0.1:1")
    wait_until(lambda: (tmp_path / "state" / FILE_NAME).exists() and len(stored(tmp_path)) > 5, 30)
    assert run.terminate() == 0  # the drain time is five minutes
    suffix, last = stored(tmp_path)[-1]
    assert suffix.startswith("coverage/")
    assert (last["status"], last["reason"]) == ("no_result", "stopped")
    assert not run.logged("is killed")


@pytest.mark.broker
def test_sigterm_does_not_wait_for_a_broker_that_hangs(daemon, broker, subscriber, tmp_path):
    run = daemon(sink=broker.uri)
    wait_until(lambda: subscriber.on("findings/cart-1"), 30)
    os.kill(broker.pid, signal.SIGSTOP)
    assert run.terminate() == 0
    os.kill(broker.pid, signal.SIGCONT)
    assert stored(tmp_path)[-1][1]["reason"] == "stopped"


@pytest.mark.slow
def test_sighup_takes_over_a_changed_configuration_and_says_why_it_does_not(daemon, tmp_path):
    run = daemon()
    run.wait_for_findings()
    frame = run.child(FRAME)
    run.process.send_signal(signal.SIGHUP)
    wait_until(lambda: run.logged("nothing has changed"), 30)

    run.write(seed=2)
    run.process.send_signal(signal.SIGHUP)
    frame = run.child(FRAME, other_than=frame)
    wait_until(lambda: run.streams() == ["cart-2"], 30)

    (tmp_path / "edge.toml").write_text("stie = 1\n")
    run.process.send_signal(signal.SIGHUP)
    wait_until(lambda: run.logged("the configuration is not reloaded") and run.logged("stie"), 30)
    assert run.child(FRAME) == frame

    run.write(more='model = "/nowhere.tflite"')
    run.process.send_signal(signal.SIGHUP)
    wait_until(lambda: run.logged("does not run (exit code 4); back to the one before"), 30)
    before = run.findings()
    run.wait_for_findings(more_than=before + 5)
    wait_until(lambda: run.streams() == ["cart-2"], 30)
    assert len({p["run_id"] for p in run.payloads("/state")}) == 1
    assert run.terminate() == 0


@pytest.mark.slow
def test_a_fall_back_is_told_as_degraded_and_its_end_as_well(daemon, tmp_path):
    """The configured runtime hangs at its 40th answer in each life; the fall-back never does."""
    run = daemon(fallback=True)
    wait_until(lambda: run.logged("fall-back scripted computes"), 30)

    def told():
        return [(s["status"], s["reasons"], (s["runtime"] or {}).get("fallback")) for s in run.payloads("/state")]

    wait_until(lambda: ("degraded", ["runtime_fallback"], True) in told(), 30)
    wait_until(lambda: told()[-1] == ("online", [], False), 30)
    findings = [f["runtime"]["fallback"] for f in run.payloads("/findings/cart-1") if f["lifecycle"] == "new"]
    assert {False, True} <= set(findings)
    assert run.terminate() == 0


@pytest.mark.slow
def test_an_error_at_the_start_of_one_that_has_been_well_is_waited_out(daemon, tmp_path):
    model = tmp_path / "model.tflite"
    shutil.copy(load_bundle(None).path, model)
    run = daemon(more=f'model = "{model}"')
    run.wait_for_findings()
    model.rename(tmp_path / "away")
    os.kill(run.child(FRAME), signal.SIGKILL)
    wait_until(lambda: run.logged(f"{FRAME} ended with exit code 4; it is started again"), 30)
    (tmp_path / "away").rename(model)
    run.wait_for_findings(more_than=run.findings())
    assert run.terminate() == 0


@pytest.mark.slow
def test_the_whole_daemon_may_be_paused_without_harm(daemon, tmp_path):
    watchdog_s = 1.0
    run = daemon(watchdog_s=watchdog_s)
    run.wait_for_findings()
    all_of_them = [run.process.pid, run.child(FRAME), run.child(PUBLISHER)]
    for pid in all_of_them:
        os.kill(pid, signal.SIGSTOP)
    # Longer than the watchdog, or it would not kill anyone anyway; and than `SUSPENDED_S`, from which on the supervisor
    # sees that it was paused itself. Both are counted by the clock, so a busy machine only makes the pause longer.
    time.sleep(max(watchdog_s, supervisor.SUSPENDED_S) + 0.2)
    for pid in all_of_them:
        os.kill(pid, signal.SIGCONT)
    run.wait_for_findings(more_than=run.findings())
    assert not run.logged("no sign of life")
    assert run.terminate() == 0


def test_with_a_service_manager_a_child_that_always_fails_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(child_supervisor, "BACKOFF_S", (0.0,))
    monkeypatch.setattr(supervisor, "RESTART_LIMIT", 2)
    monkeypatch.setattr(supervisor, "FRAME", "edge.no_such_module")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    job = DaemonJob(settings=Settings(device="cart", state_dir=str(tmp_path)), run_id="run")
    assert supervisor.supervise(job) == 1


@pytest.mark.slow
def test_who_and_where_it_is_does_not_change_while_it_runs(daemon, tmp_path):
    run = daemon()
    run.wait_for_findings()
    path = tmp_path / "edge.toml"
    path.write_text(path.read_text().replace('"cart"', '"other"'))
    run.process.send_signal(signal.SIGHUP)
    wait_until(lambda: run.logged("device has changed"), 30)
    assert run.terminate() == 0


@pytest.mark.slow
def test_a_child_that_always_fails_is_restarted_after_growing_pauses(tmp_path, monkeypatch):
    monkeypatch.setattr(child_supervisor, "BACKOFF_S", (0.0, 3600.0))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept = child_supervisor.ChildSupervisor(FRAME, b"no job", theirs.fileno(), 60.0)
    first = kept.child.pid
    wait_until(lambda: kept.check() is None and kept.failures == 2, 30)
    assert kept.child is None
    assert kept.check() is None
    assert kept.child is None  # not before the hour is over
    assert first
    kept.stop(1.0)
    kept.close()
    ours.close()
    theirs.close()


def test_a_child_that_cannot_start_as_configured_is_not_started_again(tmp_path):
    settings = Settings(device="cart", state_dir=str(tmp_path), model="/nowhere.tflite")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    payload = msgspec.json.encode(DaemonJob(settings=settings, run_id="run"))
    kept = child_supervisor.ChildSupervisor(FRAME, payload, theirs.fileno(), 60.0)
    assert wait_until(kept.check, 30) == 4
    kept.close()
    ours.close()
    theirs.close()


def test_heartbeats_since_the_last_call_count_once():
    heartbeat = Heartbeat()
    assert not heartbeat.received()
    for _ in range(3):
        send_heartbeat(heartbeat.fd)
    assert heartbeat.received()
    assert not heartbeat.received()
    heartbeat.close()
    heartbeat.close()


@pytest.mark.parametrize("abstract", [False, True])
def test_notify_speaks_to_a_file_and_to_a_name(tmp_path, monkeypatch, abstract):
    name = f"@sonoedge-{os.getpid()}" if abstract else str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        systemd_notify.notify(systemd_notify.READY, "STATUS=well")
        listener.settimeout(5)
        assert listener.recv(100) == b"READY=1\nSTATUS=well"


def test_without_a_service_manager_or_with_a_dead_one_notify_does_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd_notify.notify(systemd_notify.READY)
    assert not systemd_notify.has_service_manager()
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    systemd_notify.notify(systemd_notify.READY)
    assert systemd_notify.has_service_manager()
