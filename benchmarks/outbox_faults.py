"""Measures how long recovery takes: after a broker outage, SIGTERM, and a runtime that hangs."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from brokers import Mosquitto, Subscriber, free_port, wait_until
from faults.proxy import Proxy
from outbox_drain import LIVE, Device, make_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTAGES_S = (0.3, 0.7, 1.1, 1.6, 2.2, 2.9, 3.7, 4.6)
"""Odd ones, so that the return falls anywhere between two connection attempts; the pause between these is at its
longest by then."""
DEVICES = 4
PATIENCE_S = 40.0


def returns(folder: Path) -> list[float]:
    """Seconds from the start of the broker's process until it has acknowledged a device's first message."""
    broker = Mosquitto(folder / "broker").start()
    devices = [Device(folder / f"device-{number}", broker.uri) for number in range(DEVICES)]
    took, finding = [], make_finding()
    try:
        for device in devices:
            device.start()
            device.frame_link.durable(LIVE, finding)
        for outage_s in OUTAGES_S:
            for device in devices:
                device.frame_link.flush()
                wait_until(lambda device=device: device.first_pending() is None, PATIENCE_S)
            broker.kill()
            for device in devices:
                device.frame_link.durable(LIVE, finding)
            time.sleep(outage_s)
            began = time.perf_counter()
            broker.start()
            waiting = list(devices)
            while waiting:
                for device in list(waiting):
                    if device.first_pending() is None:
                        took.append(time.perf_counter() - began)
                        waiting.remove(device)
                assert time.perf_counter() - began < PATIENCE_S
                time.sleep(0.01)
            print(f"broker away for {outage_s} s: back after {max(took[-DEVICES:]):.3f} s", flush=True)
    finally:
        for device in devices:
            device.close()
        broker.kill()
    return took


@contextlib.contextmanager
def daemon(
    folder: Path, port: int, config: str = "", source: str = "phantom://?seed=1&fps=30"
) -> Iterator[psutil.Popen]:
    """A running `edge-cli run` with the shipped model (context manager)."""
    folder.mkdir()
    (folder / "edge.toml").write_text(f'[[sinks]]\nuri = "mqtt://127.0.0.1:{port}"\n{config}')
    command = [sys.executable, "-m", "edge.cli.main", "run", "--site", "bench", "--device", folder.name]
    command += ["--source", source, "--config", str(folder / "edge.toml"), "--state-dir", str(folder / "state")]
    with (folder / "log").open("wb") as log:
        process = psutil.Popen(command, stdout=log, stderr=log)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def stops(folder: Path, repeats: int) -> dict[str, list[float]]:
    """Seconds from SIGTERM until the daemon is gone: with a broker that answers, one that is stalled, and none."""
    took: dict[str, list[float]] = {"broker answers": [], "broker stalled": [], "no broker": []}
    broker = Mosquitto(folder / "broker").start()
    subscriber = Subscriber(broker.port)
    try:
        for kind, times in took.items():
            for number in range(repeats):
                proxy = Proxy(broker.port)
                name = f"{kind.replace(' ', '-')}-{number}"
                port = free_port() if kind == "no broker" else proxy.port
                with daemon(folder / name, port) as process:
                    if kind == "no broker":
                        wait_until((folder / name / "state" / "outbox.sqlite3").exists, PATIENCE_S)
                        time.sleep(2)
                    else:
                        wait_until(lambda name=name: _heard(subscriber, name, "findings"), PATIENCE_S)
                    if kind == "broker stalled":
                        proxy.stall()
                        time.sleep(1)
                    began = time.perf_counter()
                    process.send_signal(signal.SIGTERM)
                    process.wait(PATIENCE_S)
                    times.append(time.perf_counter() - began)
                    print(f"SIGTERM, {kind}: {times[-1]:.3f} s", flush=True)
                proxy.close()
    finally:
        subscriber.close()
        broker.stop()
    return took


HANG = """
[runtime]
uri = "litert://?threads=1"
fallback = ["litert://?threads=1"]
"""


def hangs(folder: Path, repeats: int) -> list[float]:
    """Seconds from the moment when the runtime is stopped (SIGSTOP) until its fall-back has judged a frame."""
    took = []
    broker = Mosquitto(folder / "broker").start()
    subscriber = Subscriber(broker.port)
    try:
        for number in range(repeats):
            name = f"hang-{number}"
            with daemon(folder / name, broker.port, HANG) as process:
                wait_until(lambda name=name: _heard(subscriber, name, "findings"), PATIENCE_S)
                wait_until(lambda process=process: len(_runtimes(process)) == 2, PATIENCE_S)
                time.sleep(2)  # until the second is loaded and tested
                first = min(_runtimes(process), key=lambda one: one.create_time())
                before = len(_heard(subscriber, name, "coverage"))
                stopped_ns = time.monotonic_ns()
                first.suspend()
                changes = wait_until(lambda name=name, before=before: _over(subscriber, name, before), PATIENCE_S)
                took.append((changes[-1]["mono_ns"] - stopped_ns) / 1e9)
                print(f"runtime hangs: {took[-1]:.3f} s", flush=True)
    finally:
        subscriber.close()
        broker.stop()
    return took


def _heard(subscriber: Subscriber, device: str, kind: str) -> list[bytes]:
    return [one.body for one in list(subscriber.heard) if f"/{device}/{kind}/" in one.topic]


def _over(subscriber: Subscriber, device: str, before: int) -> list[dict[str, Any]]:
    """Changes that ended an interval without a result, after the first ``before`` changes."""
    changes = [json.loads(body) for body in _heard(subscriber, device, "coverage")[before:]]
    return [one for one in changes if one["previous"] is not None and one["previous"]["status"] == "no_result"]


def _runtimes(process: psutil.Popen) -> list[psutil.Process]:
    found = []
    for one in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "edge.runtimes.isolated_child" in one.cmdline():
                found.append(one)
    return found
